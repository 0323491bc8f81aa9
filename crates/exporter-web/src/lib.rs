#![doc = include_str!("../README.md")]

mod access;
mod listen;
mod observer;
mod problem;
mod refusal;
mod server;

pub use access::{Access, AccessConfig};
pub use listen::{InvalidListenAddress, ListenAddress, ListenError, ListenErrors, PrivateSocket, bind};
pub use observer::Observer;
pub use problem::{InvalidConfig, Problem};
pub use refusal::Refusal;
pub use server::{Listener, Server};
