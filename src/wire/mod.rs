//! Where servers of this process are reached: a socket of the machine, or a network in memory that loses what it is
//! told to lose.

mod door;
mod fault;
mod network;
mod peer;

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

pub use door::serve;
pub(crate) use fault::Broken;
pub use fault::{Asked, Fate, Fault, Side, What};
pub use network::Network;
pub(crate) use peer::Peer;

/// A place to serve at that is taken already.
pub enum Place {
    /// A socket of this machine.
    Socket(TcpListener),
    /// A port of a network in memory.
    Memory(Network, SocketAddr),
}

impl Place {
    /// Takes an address; port 0 is any free one.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn take(network: Option<&Network>, address: SocketAddr) -> io::Result<Place> {
        match network {
            None => TcpListener::bind(address).await.map(Place::Socket),
            Some(network) => Ok(Place::Memory(network.clone(), network.reserve(address)?)),
        }
    }

    /// Which address it is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Place::Socket(listener) => listener.local_addr(),
            Place::Memory(_, address) => Ok(*address),
        }
    }
}

impl From<TcpListener> for Place {
    fn from(listener: TcpListener) -> Place {
        Place::Socket(listener)
    }
}
