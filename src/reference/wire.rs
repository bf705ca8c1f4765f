//! Connections that can be cut: what a killed instance and a reset fault do to a client.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Who is at the other end, and a way to cut the connection.
#[derive(Clone, Debug)]
pub struct Peer {
    pub addr: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Peer {
    /// The connection ends with a reset before anything more is written.
    pub fn reset(&self) {
        self.cut.store(true, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Peer { addr: *stream.remote_addr(), cut: Arc::clone(&stream.io().cut) }
    }
}

/// Accepts connections until it is closed.
pub struct Door {
    listener: TcpListener,
    closed: CancellationToken,
}

/// One connection.
pub struct Conn {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Listener for Door {
    type Io = Conn;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Conn, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.listener).await;
        // Small answers must not wait for acknowledgements of earlier ones.
        let _ = stream.set_nodelay(true);
        let closed = Box::pin(self.closed.clone().cancelled_owned());
        (Conn { stream, cut: Arc::default(), closed }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Conn {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger();
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
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Serves until `closed`; then no connection is left open.
pub fn serve(listener: TcpListener, app: Router, closed: CancellationToken) -> JoinHandle<()> {
    let door = Door { listener, closed: closed.clone() };
    tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(door, service).with_graceful_shutdown(closed.clone().cancelled_owned());
        // Dropping the server once it is closed frees the port at once; connections end by themselves.
        tokio::select! {
            biased;
            () = closed.cancelled() => {}
            _ = serving => {}
        }
    })
}
