//! A server between harness and platform that spoils every n-th exchange of its choice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::platform::{Platform, beside, block};

/// What happens to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mischief {
    Status503,
    /// With `Retry-After: 1`.
    Status429,
    Reset,
    Hang,
    Slow,
    Truncated,
    Garbage,
    Huge,
    Redirect,
    /// The real answer, called plain text.
    WrongType,
    /// The platform's own refusal of a route that it grants to others.
    Forbidden,
    /// The real answer without its token.
    NoToken,
    /// The real answer with one of its fields replaced by this JSON.
    Instead {
        field: &'static str,
        json: &'static str,
    },
    /// The answer is a 503, and so are those of all lists for so many seconds; once.
    Blind {
        seconds: u64,
    },
    /// The connection is reset, and the platform gets the request before the next one that begins so; once.
    Late {
        until: &'static str,
    },
    /// A 200 of nobody: without a body.
    EmptyOk,
    /// A 200 of nobody: a page.
    HtmlOk,
    /// A 404 of nobody: it says that it is JSON, and is none.
    Garbled404,
    /// A gateway's 502, and the platform gets the request before the third read after it; once.
    Behind,
}

/// Each thing by which the wire alone loses an answer, as a row: `$then! { $with; name: mischief, … }`.
macro_rules! lost_answers {
    ($then:ident! $($with:tt)*) => {
        $then! {
            $($with)*;
            status_503: Mischief::Status503,
            reset: Mischief::Reset,
            hang: Mischief::Hang,
            slow: Mischief::Slow,
            truncated: Mischief::Truncated,
            garbage: Mischief::Garbage,
            huge: Mischief::Huge,
            redirect: Mischief::Redirect,
            wrong_type: Mischief::WrongType,
        }
    };
}
pub(crate) use lost_answers;

/// Each whole answer of nobody, as a row.
macro_rules! answers_of_nobody {
    ($then:ident! $($with:tt)*) => {
        $then! {
            $($with)*;
            empty_ok: Mischief::EmptyOk,
            html_ok: Mischief::HtmlOk,
            garbled_404: Mischief::Garbled404,
        }
    };
}
pub(crate) use answers_of_nobody;

macro_rules! list {
    ($($more:expr)?; $($name:ident: $mischief:expr,)+) => { [$($more,)? $($mischief),+] };
}

/// What the wire alone can do.
pub(crate) const ALL: [Mischief; 10] = lost_answers!(list! Mischief::Status429);

/// Whole answers of nobody.
pub(crate) const NOBODYS: [Mischief; 3] = answers_of_nobody!(list!);

/// Which exchanges are spoilt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub mischief: Mischief,
    /// Beginnings of request lines, between `|`; after a `*` what else is in them.
    pub begins: &'static str,
    pub every: usize,
    /// The platform gets the request all the same, and its answer is lost.
    pub reaches: bool,
}

struct Inner {
    upstream: SocketAddr,
    rule: Mutex<Option<Rule>>,
    met: AtomicUsize,
    spoilt: AtomicUsize,
    /// Until when lists are spoilt.
    blind: Mutex<Option<Instant>>,
    /// What the platform gets late.
    held: Mutex<Option<(String, Vec<u8>)>>,
    /// How many requests it may be late for.
    passed: AtomicUsize,
}

/// The proxy; it ends with the tests.
pub(crate) struct Proxy {
    pub base: String,
    inner: Arc<Inner>,
}

impl Proxy {
    /// In front of a platform.
    pub(crate) fn before(platform: &Platform, rule: Option<Rule>) -> Proxy {
        Proxy::before_address(&platform.base, rule)
    }

    /// In front of a server at this address.
    pub(crate) fn before_address(base: &str, rule: Option<Rule>) -> Proxy {
        let upstream = base.trim_start_matches("http://").parse().unwrap();
        let inner = Arc::new(Inner {
            upstream,
            rule: Mutex::new(rule),
            met: 0.into(),
            spoilt: 0.into(),
            blind: Mutex::default(),
            held: Mutex::default(),
            passed: 0.into(),
        });
        let listener = block(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&inner);
        beside(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inner = Arc::clone(&shared);
                // Either side may hang up at any time: that is what is tested.
                beside(async move { drop(inner.exchange(stream).await) });
            }
        });
        Proxy { base, inner }
    }

    /// From now on.
    pub(crate) fn set(&self, rule: Rule) {
        *self.inner.rule.lock().unwrap() = Some(rule);
    }

    /// How many exchanges were spoilt.
    pub(crate) fn spoilt(&self) -> usize {
        self.inner.spoilt.load(Ordering::SeqCst)
    }
}

impl Inner {
    /// The mischief of this request, if it is its turn.
    fn turn(&self, line: &str) -> Option<Rule> {
        let rule = (*self.rule.lock().unwrap())?;
        let once = matches!(rule.mischief, Mischief::Late { .. } | Mischief::Behind | Mischief::Blind { .. });
        if once && self.spoilt.load(Ordering::SeqCst) > 0 {
            let blind = line.starts_with("GET /workspaces HTTP")
                && self.blind.lock().unwrap().is_some_and(|until| Instant::now() < until);
            return blind.then_some(Rule { mischief: Mischief::Status503, reaches: false, ..rule });
        }
        // A stream is no read: only a rule of its own spoils it.
        let fits = |pattern: &str| {
            let (head, more) = pattern.split_once('*').unwrap_or((pattern, ""));
            line.starts_with(head) && line.contains(more)
        };
        let meant =
            rule.begins.split('|').any(fits) && (rule.begins != "GET " || !line.starts_with("GET /ws "));
        let turn = meant && self.met.fetch_add(1, Ordering::SeqCst) % rule.every == rule.every - 1;
        if let (true, Mischief::Blind { seconds }) = (turn, rule.mischief) {
            *self.blind.lock().unwrap() = Some(Instant::now() + Duration::from_secs(seconds));
        }
        if turn {
            self.spoilt.fetch_add(1, Ordering::SeqCst);
        }
        turn.then_some(rule)
    }

    async fn exchange(&self, mut client: TcpStream) -> std::io::Result<()> {
        let (head, body) = request(&mut client).await?;
        let line = head.lines().next().unwrap_or_default().to_owned();
        let Some(rule) = self.turn(&line) else {
            if let Some((head, body)) = self.due(&line) {
                self.forward(&head, &body).await?;
            }
            if head.to_ascii_lowercase().contains("\r\nupgrade:") {
                let mut upstream = TcpStream::connect(self.upstream).await?;
                upstream.write_all(head.as_bytes()).await?;
                tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
                return Ok(());
            }
            let answer = self.forward(&head, &body).await?;
            client.write_all(&answer).await?;
            return client.shutdown().await;
        };
        if matches!(rule.mischief, Mischief::Late { .. } | Mischief::Behind) {
            *self.held.lock().unwrap() = Some((head, body));
            return spoil(rule.mischief, client, &[]).await;
        }
        let real = match rule.reaches
            || matches!(
                rule.mischief,
                Mischief::Slow
                    | Mischief::Truncated
                    | Mischief::WrongType
                    | Mischief::NoToken
                    | Mischief::Instead { .. }
            ) {
            true => self.forward(&head, &body).await?,
            false => Vec::new(),
        };
        spoil(rule.mischief, client, &real).await
    }

    /// What was held back until a request like this.
    fn due(&self, line: &str) -> Option<(String, Vec<u8>)> {
        let rule = (*self.rule.lock().unwrap())?;
        let (until, nth) = match rule.mischief {
            Mischief::Late { until } => (until, 1),
            Mischief::Behind => ("GET /workspaces", 3),
            _ => return None,
        };
        let mut held = self.held.lock().unwrap();
        let due = held.is_some()
            && line.starts_with(until)
            && self.passed.fetch_add(1, Ordering::SeqCst) + 1 >= nth;
        due.then(|| held.take()).flatten()
    }

    /// The platform's whole answer.
    async fn forward(&self, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(self.upstream).await?;
        let kept: Vec<&str> = head
            .lines()
            .filter(|l| !l.is_empty() && !l.to_ascii_lowercase().starts_with("connection:"))
            .collect();
        let head = format!("{}\r\nconnection: close\r\n\r\n", kept.join("\r\n"));
        upstream.write_all(head.as_bytes()).await?;
        upstream.write_all(body).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

async fn spoil(mischief: Mischief, mut client: TcpStream, real: &[u8]) -> std::io::Result<()> {
    let whole = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let text = match mischief {
        Mischief::Status503 | Mischief::Blind { .. } => {
            whole("503 Service Unavailable", "", "upstream connect error")
        }
        Mischief::Behind => whole("502 Bad Gateway", "content-type: text/html\r\n", "<h1>bad gateway</h1>"),
        Mischief::Status429 => {
            whole("429 Too Many Requests", "retry-after: 1\r\n", "{\"error\":\"slow down\"}")
        }
        Mischief::Reset | Mischief::Late { .. } => {
            client.set_zero_linger()?;
            return Ok(());
        }
        Mischief::Hang => {
            let mut rest = [0; 64];
            while client.read(&mut rest).await? > 0 {}
            return Ok(());
        }
        Mischief::Slow => {
            for piece in real.chunks(real.len().div_ceil(10).max(1)) {
                client.write_all(piece).await?;
                pause(Duration::from_millis(40)).await;
            }
            Vec::new()
        }
        Mischief::Truncated => real[..real.len().saturating_sub(9)].to_vec(),
        Mischief::Garbage => whole("200 OK", "content-type: application/json\r\n", "<html>gateway</html>"),
        Mischief::Huge => {
            client.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
            let block = vec![b' '; 1 << 20];
            for _ in 0..40 {
                client.write_all(&block).await?;
            }
            Vec::new()
        }
        Mischief::WrongType => {
            String::from_utf8_lossy(real).replacen("application/json", "text/plain", 1).into_bytes()
        }
        Mischief::Forbidden => {
            whole("403 Forbidden", "content-type: application/json\r\n", "{\"error\":\"forbidden\"}")
        }
        // Of the same length, so that the head still holds.
        Mischief::NoToken => {
            String::from_utf8_lossy(real).replacen("\"auth_token\"", "\"lost_token\"", 1).into_bytes()
        }
        Mischief::Instead { field, json } => {
            let real = String::from_utf8_lossy(real);
            let body = real.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let mut body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            body[field] = serde_json::from_str(json).unwrap();
            whole("200 OK", "content-type: application/json\r\n", &body.to_string())
        }
        Mischief::EmptyOk => whole("200 OK", "", ""),
        Mischief::HtmlOk => whole("200 OK", "content-type: text/html\r\n", "<h1>welcome</h1>"),
        Mischief::Garbled404 => {
            whole("404 Not Found", "content-type: application/json\r\n", "{\"error\": \"works")
        }
        Mischief::Redirect => whole("302 Found", "location: http://127.0.0.1:1/login\r\n", ""),
    };
    client.write_all(&text).await?;
    client.shutdown().await
}

#[expect(clippy::disallowed_methods, reason = "slowness is the mischief")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

async fn request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        match client.read(&mut piece).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&piece[..n]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end);
    let length: usize = head
        .lines()
        .find_map(|l| {
            l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse().unwrap())
        })
        .unwrap_or(0);
    while body.len() < length {
        match client.read(&mut piece).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => body.extend_from_slice(&piece[..n]),
        }
    }
    Ok((head, body))
}
