//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who is at the other end, and a way to cut the connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Peer {
    /// The connection ends with a reset before anything more is written.
    pub(crate) fn reset(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(super) fn of(addr: SocketAddr) -> Peer {
        Peer { addr, cut: Arc::default() }
    }

    /// One whose connection looks at a flag of its own.
    pub(super) fn sharing(addr: SocketAddr, cut: Arc<AtomicBool>) -> Peer {
        Peer { addr, cut }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }
}
