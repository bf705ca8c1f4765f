//! What a network in memory does to a request.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This program, as whoever tests a platform.
    Harness,
    /// A reference platform.
    Platform,
    /// An agent of a reference platform.
    Agent,
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Who asks.
    pub from: Side,
    /// Whom.
    pub to: SocketAddr,
    /// How.
    pub method: &'a str,
    /// For what, with the query.
    pub path: &'a str,
    /// Its headers, credentials among them.
    pub headers: &'a HeaderMap,
    /// How many requests were before it, from anybody to anybody.
    pub number: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// How long it is on its way.
    pub there: Duration,
    /// How long the answer is.
    pub back: Duration,
    /// What goes wrong.
    pub fault: Option<Fault>,
}

/// A fault of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What whoever asks sees.
    pub what: What,
    /// The request was handled all the same; of a refused connection never.
    pub handled: bool,
}

/// What whoever asks sees of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The name does not resolve.
    NoName,
    /// The certificate begins to be good later.
    NotYetGood,
    /// Nobody listens.
    Refused,
    /// The connection breaks before an answer.
    Reset,
    /// No answer ever comes.
    Hang,
    /// The answer comes so much later.
    Slow(Duration),
    /// Half of the body comes, then the connection breaks.
    Truncated,
    /// Something that is no HTTP.
    Garbage,
    /// A gateway's page.
    Page(u16),
    /// A rate limit, with this many seconds of `Retry-After`.
    TooMany(u64),
    /// A redirect elsewhere.
    Redirect,
    /// 200, and a page instead of what was asked for.
    WrongType,
    /// 200, and a JSON body that is cut.
    Garbled,
    /// 200 and nothing else.
    Empty,
    /// A gateway's page that shows the request's credentials, plain and in base64.
    Echo,
    /// 200, and this JSON in place of what was asked for.
    Says(&'static str),
    /// The answer, with another status.
    Status(u16),
    /// The request is sent twice; the second answer comes.
    Twice,
    /// The request is sent with `confirm=true`, as a gateway for people does.
    Confirmed,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The URL names no server.
    #[error("client error (Connect): dns error: failed to lookup address information: {0} is not known")]
    Unknown(String),
    /// The certificate is not good.
    #[error("client error (Connect): invalid peer certificate: certificate not valid yet")]
    Untrusted,
    /// Nobody listens.
    #[error("client error (Connect): tcp connect error: Connection refused (os error 111)")]
    Refused,
    /// The connection broke before an answer.
    #[error("client error (SendRequest): connection error: Connection reset by peer (os error 104)")]
    Reset,
    /// What came is no HTTP.
    #[error("client error (SendRequest): invalid HTTP version parsed")]
    Garbage,
}

impl What {
    /// The answer that somebody else gives in place of the server; `None` for what is no answer of its own.
    pub(super) fn answer(self) -> Option<Response<Body>> {
        let page = |status: u16, title: &str| {
            let text = format!("<html><head><title>{status} {title}</title></head><body>nginx</body></html>");
            of(status, "text/html", &text)
        };
        Some(match self {
            What::Page(status) => page(status, "Gateway"),
            What::TooMany(seconds) => {
                let mut answer = of(429, "application/json", r#"{"error":"rate limit exceeded"}"#);
                answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                answer
            }
            What::Redirect => {
                let mut answer = page(302, "Found");
                let elsewhere = header::HeaderValue::from_static("http://elsewhere.invalid/login");
                answer.headers_mut().insert(header::LOCATION, elsewhere);
                answer
            }
            What::WrongType => page(200, "Welcome"),
            What::Garbled => of(200, "application/json", r#"{"id":"0000"#),
            What::Empty => of(200, "text/plain", ""),
            What::Says(json) => of(200, "application/json", json),
            _ => return None,
        })
    }
}

/// Why no connection opens.
pub(super) fn before_it_opens(what: What, uri: &Uri) -> Option<Broken> {
    Some(match what {
        What::NoName => Broken::Unknown(uri.host().unwrap_or_default().to_owned()),
        What::NotYetGood => Broken::Untrusted,
        What::Refused => Broken::Refused,
        _ => return None,
    })
}

/// A page that shows what somebody sent, as gateways in debug mode do.
pub(super) fn echo(authorization: &str) -> Response<Body> {
    let bare = authorization.strip_prefix("Bearer ").unwrap_or(authorization);
    let encoded = STANDARD.encode(bare);
    let text = format!("upstream failed; sent authorization={authorization} as {encoded}, token {bare}");
    of(502, "text/plain", &text)
}

fn of(status: u16, kind: &str, body: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(body.to_owned()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    if let Ok(kind) = kind.parse() {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    answer
}

/// An answer with another status.
pub(super) fn with_status(mut answer: Response<Body>, status: u16) -> Response<Body> {
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    answer
}

/// A request larger than this is not sent twice.
const LARGEST: usize = 1 << 20;

/// Adds `confirm=true` to what is asked for.
pub(super) fn confirm(request: &mut Request<Body>) {
    let asked = request.uri().to_string();
    let join = if asked.contains('?') { '&' } else { '?' };
    if let Ok(uri) = format!("{asked}{join}confirm=true").parse() {
        *request.uri_mut() = uri;
    }
}

/// A request, and the same once more.
pub(super) async fn twice(request: Request<Body>) -> Option<(Request<Body>, Request<Body>)> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, LARGEST).await.ok()?;
    let first = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    Some((first, Request::from_parts(parts, Body::from(bytes))))
}

/// The first half of a body, then a connection that breaks.
pub(super) fn half(body: Body) -> Body {
    let first = body.into_data_stream().take(1).map(|chunk| chunk.map(|c| c.slice(..c.len() / 2)));
    let reset = stream::once(async {
        Err::<Bytes, _>(axum::Error::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)))
    });
    Body::from_stream(first.chain(reset))
}
