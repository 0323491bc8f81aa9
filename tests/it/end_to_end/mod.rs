//! The real program, from the outside: processes, sockets, signals, files.

mod access;
mod brief;
mod chaos;
mod demo;
mod discovery;
mod faults;
mod kills;
mod lookups;
mod money;
mod old_store;
mod scrapers;
mod secrets;
mod serve;
