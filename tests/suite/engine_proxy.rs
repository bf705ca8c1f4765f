//! A socket before the engine that stops answering some requests: the engine gets them, or not even that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lifecycle_harness::facade::docker::Engine;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::platform::{beside, block};

/// Which requests get no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub method: &'static str,
    /// Part of the path.
    pub about: &'static str,
    /// The engine does what was asked for all the same.
    pub reaches: bool,
    /// The connection is closed: nobody waits for an answer.
    pub closes: bool,
}

/// The socket; it ends with the tests.
pub(crate) struct EngineProxy {
    /// As `DOCKER_HOST`.
    pub host: String,
    inner: Arc<Inner>,
    _folder: TempDir,
}

struct Inner {
    real: String,
    silence: Mutex<Option<Silence>>,
    met: AtomicUsize,
}

impl EngineProxy {
    /// `None`: the engine is not at a socket of this machine.
    pub(crate) fn before(engine: &Engine, silence: Silence) -> Option<EngineProxy> {
        let real = engine.endpoint().strip_prefix("unix://")?.to_owned();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = block(async { UnixListener::bind(&path) }).unwrap();
        let inner = Arc::new(Inner { real, silence: Mutex::new(Some(silence)), met: 0.into() });
        let shared = Arc::clone(&inner);
        beside(async move {
            while let Ok((near, _)) = listener.accept().await {
                let inner = Arc::clone(&shared);
                // Either side may hang up at any time.
                beside(async move { drop(inner.connection(near).await) });
            }
        });
        Some(EngineProxy { host: format!("unix://{}", path.display()), inner, _folder: folder })
    }

    /// How many requests got no answer.
    pub(crate) fn met(&self) -> usize {
        self.inner.met.load(Ordering::SeqCst)
    }
}

impl Inner {
    async fn connection(&self, near: UnixStream) -> std::io::Result<()> {
        let (mut from_near, mut to_near) = near.into_split();
        let (mut from_far, mut to_far) = UnixStream::connect(&self.real).await?.into_split();
        let (mut silent, mut closes) = (false, false);
        let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            tokio::select! {
                read = from_near.read(&mut asked) => {
                    let piece = &asked[..read?];
                    if piece.is_empty() {
                        return Ok(());
                    }
                    let silence = self.silence(piece);
                    silent |= silence.is_some();
                    if silence.is_none_or(|silence| silence.reaches) {
                        to_far.write_all(piece).await?;
                    }
                    closes |= silence.is_some_and(|silence| silence.closes);
                    if silence.is_some_and(|silence| silence.closes && !silence.reaches) {
                        return Ok(());
                    }
                }
                read = from_far.read(&mut answered) => {
                    let piece = &answered[..read?];
                    if piece.is_empty() {
                        return Ok(());
                    }
                    if !silent {
                        to_near.write_all(piece).await?;
                    } else if closes {
                        // The engine has done it, and nobody hears of it.
                        return Ok(());
                    }
                }
            }
        }
    }

    fn silence(&self, piece: &[u8]) -> Option<Silence> {
        let silence = (*self.silence.lock().unwrap())?;
        let line = String::from_utf8_lossy(piece).lines().next().unwrap_or_default().to_owned();
        let meant = line.starts_with(silence.method) && line.contains(silence.about);
        meant.then(|| {
            self.met.fetch_add(1, Ordering::SeqCst);
            silence
        })
    }
}
