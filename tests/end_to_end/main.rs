//! The real program, from the outside: processes, sockets, signals, files.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod demo;
mod faults;
mod kills;
mod money;
mod process;
mod serve;
