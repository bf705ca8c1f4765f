//! When a part can be used: it is looked at until it answers, it ends, or its time is over.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::error::NotReady;
use crate::clock;
use crate::clock::Instant;
use crate::http::{Client, Config, Request};
use crate::redact::{MIN_LEN, Redactor};
use crate::run::wait;

/// One look may not take longer.
const EACH: Duration = Duration::from_secs(5);
/// A forwarder that has nobody behind it closes a connection within this.
const STAYS: Duration = Duration::from_millis(50);

/// What is looked at, with everything filled in.
pub enum Look {
    /// An address and its status.
    Http(Request, u16, Client),
    /// `address:port`, what is sent, what must come back.
    Tcp(String, Option<String>, Option<String>),
}

impl Look {
    /// An address that must answer with a status.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn http(url: &str, status: u16, config: &Config) -> Result<Look, NotReady> {
        let config = Config { tls: url.starts_with("https://"), ..config.clone() };
        let request = Request { method: "GET".into(), url: url.to_owned(), ..Request::default() };
        Ok(Look::Http(request, status, Client::new(&config)?))
    }

    async fn once(&self, deadline: Instant) -> Result<(), NotReady> {
        match self {
            Look::Http(request, status, client) => match client.send(request, deadline).await {
                Ok(answer) if answer.status == *status => Ok(()),
                Ok(answer) => Err(NotReady::Answers {
                    url: request.url.clone(),
                    status: answer.status,
                    wanted: *status,
                    said: answer.excerpt(),
                }),
                Err(error) => Err(NotReady::NoAnswer(request.url.clone(), error)),
            },
            Look::Tcp(address, send, expect) => {
                let talk = talk(address, send.as_deref(), expect.as_deref());
                match crate::clock::timeout_at(deadline, talk).await {
                    Ok(answer) => answer,
                    Err(_) => Err(NotReady::Silent(address.clone())),
                }
            }
        }
    }

    /// Looks until it is ready.
    ///
    /// # Errors
    /// Its time is over: the last thing seen.
    pub async fn until(&self, deadline: Instant) -> Result<(), NotReady> {
        let began = Instant::now();
        loop {
            let last = match self.once(deadline.min(Instant::now() + EACH)).await {
                Ok(()) => return Ok(()),
                Err(last) => last,
            };
            let pause = wait::pause(began.elapsed());
            if Instant::now() + pause >= deadline {
                return Err(last);
            }
            clock::sleep(pause).await;
        }
    }
}

async fn talk(address: &str, send: Option<&str>, expect: Option<&str>) -> Result<(), NotReady> {
    let failed = |e: std::io::Error| NotReady::Connection(address.to_owned(), e);
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    if let Some(text) = send {
        stream.write_all(text.as_bytes()).await.map_err(failed)?;
    }
    let mut heard = Vec::new();
    let mut piece = [0; 1_024];
    loop {
        let read = stream.read(&mut piece);
        let read = match expect {
            None => match crate::clock::timeout(STAYS, read).await {
                Err(_) => return Ok(()),
                Ok(read) => read,
            },
            Some(_) => read.await,
        };
        match read.map_err(failed)? {
            0 => return Err(NotReady::Closes(address.to_owned())),
            n => heard.extend_from_slice(&piece[..n]),
        }
        let text = String::from_utf8_lossy(&heard);
        match expect {
            None => return Ok(()),
            Some(wanted) if text.contains(wanted) => return Ok(()),
            Some(wanted) if heard.len() >= 16 * piece.len() => {
                return Err(NotReady::SaysOther(address.to_owned(), wanted.to_owned()));
            }
            Some(_) => {}
        }
    }
}

/// `host:port` of an address: of `postgres://user:secret@host:5432/db`, `http://host`.
pub fn host_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port {
        return Some(host.to_owned());
    }
    let port = match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "postgres" | "postgresql" => 5432,
        "redis" => 6379,
        _ => return None,
    };
    (!host.is_empty()).then(|| format!("{host}:{port}"))
}

/// Who asks and with which password, in every address of a text: where it stands, and both.
fn asking(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str, &str)> {
    text.match_indices("://").filter_map(|(at, sign)| {
        let from = at + sign.len();
        let ends = |c: char| c.is_whitespace() || "/?#\"'".contains(c);
        let authority = text[from..].split(ends).next()?;
        let (who, _) = authority.rsplit_once('@')?;
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        Some((from..from + who.len() + 1, user, password))
    })
}

/// The passwords of a text's addresses are known from here on. A word that is no secret by itself (short, or
/// the user's own name) is only one where it stands.
pub fn learn(redactor: &Redactor, text: &str) {
    for (at, user, password) in asking(text).filter(|(.., password)| !password.is_empty()) {
        if password.len() < MIN_LEN || password == user {
            redactor.register("URL_PASSWORD", &text[at]);
        } else {
            redactor.register("URL_PASSWORD", password);
        }
    }
}

/// A text without who asks in its addresses; a word that stands for a secret stays.
pub fn masked(text: &str) -> String {
    let (mut out, mut end) = (String::new(), 0);
    for (at, _, password) in asking(text) {
        if !(password.starts_with('<') && password.ends_with('>')) {
            out.push_str(&text[end..at.start]);
            end = at.end;
        }
    }
    out + &text[end..]
}

/// An address as it is shown: without who asks and with which password.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_addresses_are_neither_shown_nor_logged() {
        for (text, left) in [
            ("--dsn=postgres://u:hunter2@host/db", "--dsn=postgres://host/db"),
            ("psql 'redis://:long-planted@a' http://b:planted-2@c", "psql 'redis://a' http://c"),
            ("postgres://dev:dev@db", "postgres://db"),
            ("postgres://dev:<redacted:X>@db", "postgres://dev:<redacted:X>@db"),
            ("http://a/b@c:d no@where", "http://a/b@c:d no@where"),
        ] {
            assert_eq!(masked(text), left);
            let redactor = Redactor::new();
            learn(&redactor, text);
            let logged = redactor.text(text);
            for secret in ["hunter2", "planted", "dev:dev"] {
                assert!(!logged.contains(secret), "{logged}");
            }
        }
    }

    #[test]
    fn the_host_of_an_address_is_found() {
        for (url, found) in [
            ("postgres://dev:p@ss@db.local:5433/molecule?sslmode=disable", Some("db.local:5433")),
            ("redis://localhost", Some("localhost:6379")),
            ("https://a.example/x", Some("a.example:443")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("unix:/run/x", None),
            ("ftp://a", None),
        ] {
            assert_eq!(host_port(url).as_deref(), found, "{url}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for (url, seen) in [
            ("postgres://dev:p@ss@db:5433/m?x=a@b", "postgres://db:5433/m?x=a@b"),
            ("http://a/b@c", "http://a/b@c"),
            ("file:/x", "file:/x"),
        ] {
            assert_eq!(shown(url), seen);
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_at_once_is_nobody() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            drop(listener.accept().await.unwrap());
            let (mut second, _) = listener.accept().await.unwrap();
            let mut ping = [0; 6];
            second.read_exact(&mut ping).await.unwrap();
            second.write_all(b"+PO").await.unwrap();
            second.write_all(b"NG\r\n").await.unwrap();
            let third = listener.accept().await.unwrap();
            let _ = listener.accept().await;
            drop(third);
        });
        let closed = talk(&address, None, None).await.unwrap_err();
        assert!(matches!(closed, NotReady::Closes(_)), "{closed}");
        talk(&address, Some("PING\r\n"), Some("+PONG")).await.unwrap();
        talk(&address, None, None).await.unwrap();
        server.abort();
        let _ = server.await;
        assert!(talk(&address, None, None).await.is_err());
    }
}
