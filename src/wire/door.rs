//! Serving at a place, with connections that can be cut: what a killed instance and a reset fault do to a client.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::peer::Peer;
use super::{Network, Place};

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Peer::sharing(*stream.remote_addr(), Arc::clone(&stream.io().cut))
    }
}

/// Accepts connections until it is closed.
struct Door {
    entrance: Entrance,
    closed: CancellationToken,
}

enum Entrance {
    Socket(TcpListener),
    Memory(mpsc::UnboundedReceiver<(DuplexStream, SocketAddr)>, SocketAddr),
}

enum Stream {
    Socket(TcpStream),
    Memory(DuplexStream),
}

/// One connection.
struct Conn {
    stream: Stream,
    cut: Arc<AtomicBool>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Listener for Door {
    type Io = Conn;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Conn, SocketAddr) {
        let (stream, addr) = match &mut self.entrance {
            Entrance::Socket(listener) => {
                let (stream, addr) = Listener::accept(listener).await;
                // Small answers must not wait for acknowledgements of earlier ones.
                let _ = stream.set_nodelay(true);
                (Stream::Socket(stream), addr)
            }
            Entrance::Memory(connections, _) => match connections.recv().await {
                Some((stream, addr)) => (Stream::Memory(stream), addr),
                None => std::future::pending().await,
            },
        };
        let closed = Box::pin(self.closed.clone().cancelled_owned());
        (Conn { stream, cut: Arc::default(), closed }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.entrance {
            Entrance::Socket(listener) => listener.local_addr(),
            Entrance::Memory(_, addr) => Ok(*addr),
        }
    }
}

impl Conn {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            if let Stream::Socket(stream) = &self.stream {
                let _ = stream.set_zero_linger();
            }
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.closed.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match &mut self.stream {
            Stream::Socket(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        match &mut self.stream {
            Stream::Socket(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Memory(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match &mut self.stream {
            Stream::Socket(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = ready!(match &mut self.stream {
            Stream::Socket(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        });
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        match &mut self.stream {
            Stream::Socket(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Socket(stream) => stream.is_write_vectored(),
            Stream::Memory(stream) => stream.is_write_vectored(),
        }
    }
}

/// Serves until `closed`; then no connection is left open.
pub fn serve(place: impl Into<Place>, app: Router, closed: CancellationToken) -> JoinHandle<()> {
    let (entrance, taken): (Entrance, Option<(Network, SocketAddr)>) = match place.into() {
        Place::Socket(listener) => (Entrance::Socket(listener), None),
        Place::Memory(network, address) => {
            let connections = network.register(address, app.clone(), closed.clone());
            (Entrance::Memory(connections, address), Some((network, address)))
        }
    };
    let door = Door { entrance, closed: closed.clone() };
    tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(door, service).with_graceful_shutdown(closed.clone().cancelled_owned());
        // Dropping the server once it is closed frees the port at once; connections end by themselves.
        tokio::select! {
            biased;
            () = closed.cancelled() => {}
            _ = serving => {}
        }
        if let Some((network, address)) = taken {
            network.release(address);
        }
    })
}
