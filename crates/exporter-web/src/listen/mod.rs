//! Where to listen: addresses as Prometheus programs take them, and private Unix sockets.

mod address;
mod bind;
mod unix;

pub use address::{InvalidListenAddress, ListenAddress};
pub use bind::{ListenError, ListenErrors, bind};
pub use unix::PrivateSocket;
