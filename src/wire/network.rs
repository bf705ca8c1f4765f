//! Routers by address, called as services: no socket, no thread, the same answers.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, Uri, header};
use futures_util::{StreamExt as _, stream};
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use super::fault::{self, Asked, Broken, Fate, Side, What};
use super::peer::Peer;
use crate::clock;

/// The first port that is given to whoever wants any.
const FIRST: u16 = 20_000;
/// So many bytes of an upgraded connection may be on their way.
const PIPE: usize = 64 << 10;

/// Decides what becomes of each request.
type Weather = Box<dyn FnMut(&Asked<'_>) -> Fate + Send>;

/// A network in memory; clones are the same one.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Mutex<Shared>>,
    /// The process that asks was killed.
    killed: Arc<AtomicBool>,
}

struct Shared {
    hosts: BTreeMap<u16, Host>,
    next: u16,
    asked: u64,
    weather: Option<Weather>,
}

/// A server, as the network sees it.
#[derive(Clone)]
struct Host {
    app: Option<Router>,
    upgrades: Option<mpsc::UnboundedSender<(DuplexStream, SocketAddr)>>,
    closed: CancellationToken,
    /// Cancelled when its process dies; a new one when it comes back.
    life: CancellationToken,
    frost: Arc<Frost>,
}

/// Whether a process stands still. Whoever waits for it goes on in the order of their coming: a watch channel wakes them
/// in any, and a simulated run would not be had again from its seed.
#[derive(Default)]
struct Frost {
    frozen: AtomicBool,
    thaw: Notify,
}

impl Frost {
    fn set(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
        if !frozen {
            self.thaw.notify_waiters();
        }
    }

    async fn over(&self) {
        loop {
            let mut thaw = pin!(self.thaw.notified());
            // From here on a thaw is not missed.
            thaw.as_mut().enable();
            if !self.frozen.load(Ordering::SeqCst) {
                return;
            }
            thaw.await;
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl Default for Network {
    fn default() -> Network {
        let shared = Shared { hosts: BTreeMap::new(), next: FIRST, asked: 0, weather: None };
        Network { shared: Arc::new(Mutex::new(shared)), killed: Arc::default() }
    }
}

impl Network {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same network for another process, which can be killed.
    #[must_use]
    pub fn process(&self) -> Network {
        Network { shared: Arc::clone(&self.shared), killed: Arc::default() }
    }

    /// The process that asks through this is gone: nothing of it arrives any more, nothing comes back.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
    }

    /// From now on this decides what becomes of each request.
    pub fn weather(&self, weather: impl FnMut(&Asked<'_>) -> Fate + Send + 'static) {
        self.lock().weather = Some(Box::new(weather));
    }

    /// Requests so far, from anybody to anybody.
    pub fn asked(&self) -> u64 {
        self.lock().asked
    }

    /// The server's process dies: its connections break, new ones are refused.
    pub fn down(&self, port: u16) {
        if let Some(host) = self.lock().hosts.get(&port) {
            host.life.cancel();
        }
    }

    /// It is back.
    pub fn up(&self, port: u16) {
        if let Some(host) = self.lock().hosts.get_mut(&port) {
            host.life = CancellationToken::new();
        }
    }

    /// The server's process stands still: connections open, nothing is answered.
    pub fn freeze(&self, port: u16, frozen: bool) {
        if let Some(host) = self.lock().hosts.get(&port) {
            host.frost.set(frozen);
        }
    }

    pub(super) fn reserve(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let mut shared = self.lock();
        let port = match address.port() {
            0 => {
                let taken = |port: &u16| !shared.hosts.contains_key(port);
                (shared.next..=u16::MAX)
                    .chain(FIRST..shared.next)
                    .find(taken)
                    .ok_or(io::ErrorKind::AddrInUse)?
            }
            port if shared.hosts.contains_key(&port) => return Err(io::ErrorKind::AddrInUse.into()),
            port => port,
        };
        if address.port() == 0 {
            shared.next = port.checked_add(1).unwrap_or(FIRST);
        }
        let host = Host {
            app: None,
            upgrades: None,
            closed: CancellationToken::new(),
            life: CancellationToken::new(),
            frost: Arc::default(),
        };
        shared.hosts.insert(port, host);
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// A reserved address serves from now on; connections that are upgraded come out of the receiver.
    pub(super) fn register(
        &self,
        address: SocketAddr,
        app: Router,
        closed: CancellationToken,
    ) -> mpsc::UnboundedReceiver<(DuplexStream, SocketAddr)> {
        let (sender, receiver) = mpsc::unbounded_channel();
        if let Some(host) = self.lock().hosts.get_mut(&address.port()) {
            (host.app, host.upgrades, host.closed) = (Some(app), Some(sender), closed);
        }
        receiver
    }

    pub(super) fn release(&self, address: SocketAddr) {
        self.lock().hosts.remove(&address.port());
    }

    /// Sends a request to whoever serves at its authority.
    ///
    /// # Errors
    /// There is no answer, or it did not begin.
    pub async fn call(&self, from: Side, mut request: Request<Body>) -> Result<Response<Body>, Broken> {
        let port = port_of(request.uri())?;
        let (host, fate, number) = self.find(from, port, &request);
        self.travel(fate.there).await;
        let mut what = fate.fault.map(|fault| fault.what);
        let handled = fate.fault.is_none_or(|fault| fault.handled);
        if let Some(broken) = what.and_then(|what| fault::before_it_opens(what, request.uri())) {
            return Err(broken);
        }
        // It may have gone away meanwhile, or a new one may be there.
        let host =
            self.lock().hosts.get(&port).cloned().or(host).filter(Host::serves).ok_or(Broken::Refused)?;
        host.thawed().await?;
        if let Some(What::Slow(extra)) = what {
            host.unless_gone(clock::sleep(extra)).await?;
            what = None;
        }
        let peer = Peer::of(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + (number % 20_000) as u16)));
        let authorization = request.headers().get(header::AUTHORIZATION).cloned();
        let mut answer = None;
        if handled && let Some(app) = &host.app {
            if what == Some(What::Twice) {
                let (mut first, second) = fault::twice(request).await.ok_or(Broken::Reset)?;
                complete(&mut first);
                first.extensions_mut().insert(ConnectInfo(peer.clone()));
                let _ = host.unless_gone(app.clone().call(first)).await?;
                (request, what) = (second, None);
            }
            if what == Some(What::Confirmed) {
                fault::confirm(&mut request);
                what = None;
            }
            complete(&mut request);
            request.extensions_mut().insert(ConnectInfo(peer.clone()));
            let given = host.unless_gone(app.clone().call(request)).await?;
            answer = Some(match given {
                Ok(response) => response,
                Err(never) => match never {},
            });
        }
        host.thawed().await?;
        if peer.is_cut() {
            return Err(Broken::Reset);
        }
        let answer = match what {
            None => answer.ok_or(Broken::Reset)?,
            Some(What::Truncated) => answer.map(|answer| answer.map(fault::half)).ok_or(Broken::Reset)?,
            Some(What::Status(status)) => {
                answer.map(|answer| fault::with_status(answer, status)).ok_or(Broken::Reset)?
            }
            Some(What::Hang) => std::future::pending().await,
            Some(What::Garbage) => return Err(Broken::Garbage),
            Some(What::Echo) => {
                let said = authorization.as_ref().and_then(|value| value.to_str().ok());
                fault::echo(said.unwrap_or_default())
            }
            Some(what) => what.answer().ok_or(Broken::Reset)?,
        };
        self.travel(fate.back).await;
        Ok(finish(answer, &host, peer))
    }

    /// Opens a connection for an upgrade: bytes that the server itself reads as HTTP.
    ///
    /// # Errors
    /// There is no server, or the weather does not let it through.
    pub async fn connect(&self, from: Side, uri: &Uri) -> Result<DuplexStream, Broken> {
        let port = port_of(uri)?;
        let request = Request::builder().uri(uri).body(Body::empty()).map_err(|_| Broken::Refused)?;
        let (host, fate, number) = self.find(from, port, &request);
        self.travel(fate.there).await;
        match fate.fault.map(|fault| fault.what) {
            None | Some(What::Slow(_)) => {}
            Some(What::Hang) => std::future::pending().await,
            Some(What::Refused) => return Err(Broken::Refused),
            Some(_) => return Err(Broken::Reset),
        }
        let host = host.filter(Host::serves).ok_or(Broken::Refused)?;
        host.thawed().await?;
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + (number % 20_000) as u16));
        let upgrades = host.upgrades.ok_or(Broken::Refused)?;
        upgrades.send((theirs, peer)).map_err(|_| Broken::Refused)?;
        Ok(ours)
    }

    fn find(&self, from: Side, port: u16, request: &Request<Body>) -> (Option<Host>, Fate, u64) {
        let mut shared = self.lock();
        let number = shared.asked;
        shared.asked += 1;
        let asked = Asked {
            from,
            to: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            method: request.method().as_str(),
            path: request.uri().path_and_query().map_or("/", |path| path.as_str()),
            headers: request.headers(),
            number,
        };
        let fate = shared.weather.as_mut().map(|weather| weather(&asked)).unwrap_or_default();
        (shared.hosts.get(&port).cloned(), fate, number)
    }

    /// On the way; somebody who was killed meanwhile never arrives.
    async fn travel(&self, delay: Duration) {
        if delay.is_zero() {
            tokio::task::yield_now().await;
        } else {
            clock::sleep(delay).await;
        }
        if self.killed.load(Ordering::Acquire) {
            std::future::pending().await
        }
    }
}

impl Host {
    fn serves(&self) -> bool {
        self.app.is_some() && !self.closed.is_cancelled() && !self.life.is_cancelled()
    }

    async fn unless_gone<T>(&self, work: impl Future<Output = T>) -> Result<T, Broken> {
        let work = pin!(work);
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(Broken::Reset),
            () = self.life.cancelled() => Err(Broken::Reset),
            done = work => Ok(done),
        }
    }

    async fn thawed(&self) -> Result<(), Broken> {
        let frost = Arc::clone(&self.frost);
        self.unless_gone(async move { frost.over().await }).await
    }
}

fn port_of(uri: &Uri) -> Result<u16, Broken> {
    let host = uri.host().unwrap_or_default();
    let ours = matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost");
    match uri.port_u16() {
        _ if !ours => Err(Broken::Unknown(host.to_owned())),
        None => Err(Broken::Refused),
        Some(port) => Ok(port),
    }
}

/// What a connection says of a request before it leaves.
fn complete(request: &mut Request<Body>) {
    if let Some(authority) = request.uri().authority().and_then(|a| a.as_str().parse().ok()) {
        request.headers_mut().entry(header::HOST).or_insert(authority);
    }
    if let Some(length) = request.body().size_hint().exact().filter(|length| *length > 0) {
        request.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    // A server sees the path alone.
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
}

/// What a connection says of an answer, and how it ends: with the server, in the middle of a body too.
fn finish(mut answer: Response<Body>, host: &Host, peer: Peer) -> Response<Body> {
    if let Some(length) = answer.body().size_hint().exact() {
        answer.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
        return answer;
    }
    let host = host.clone();
    answer.map(|body| {
        let body = (Box::pin(body.into_data_stream()), host, peer);
        Body::from_stream(stream::unfold(Some(body), |body| async move {
            let (mut frames, host, peer) = body?;
            match host.unless_gone(frames.next()).await {
                Ok(Some(Ok(frame))) if !peer.is_cut() => {
                    Some((Ok::<Bytes, io::Error>(frame), Some((frames, host, peer))))
                }
                Ok(None) => None,
                _ => Some((Err(io::ErrorKind::ConnectionReset.into()), None)),
            }
        }))
    })
}
