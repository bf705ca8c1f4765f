//! Whose answer it is: the platform's own, or somebody's in between.

use super::record;
use crate::domain::Elsewhere;
use crate::http::Response;

/// What an answer must be to be the platform's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Due {
    /// JSON, where there is a body at all.
    #[default]
    Json,
    /// Anything.
    Any,
}

/// Who in between sent an answer; `None` when it is the platform's own. Its own errors are JSON with `error`
/// (contract §1), or the plain lines of its router.
pub(crate) fn whose(answer: &Response, due: Due) -> Option<Elsewhere> {
    let own = record::error(answer.json.as_ref()).is_some();
    let kind = answer.headers.get("content-type").map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
    match answer.status {
        300..=399 if !own => Some(Elsewhere::Redirect),
        502..=504 if !own => Some(Elsewhere::Gateway),
        _ if answer.is_garbled() => Some(Elsewhere::Garbled),
        200..=202 if due == Due::Json && answer.json.is_none() => Some(match answer.body.as_ref() {
            [] => Elsewhere::Empty,
            _ if kind.contains("html") => Elsewhere::Html,
            _ => Elsewhere::NoJson,
        }),
        400..=499 if answer.json.is_none() && kind.contains("html") => Some(Elsewhere::Html),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn whose_an_answer_is() {
        use Due::{Any, Json};
        use Elsewhere::{Empty, Garbled, Gateway, Html, NoJson, Redirect};
        let own = r#"{"error":"workspace not found"}"#;
        for (status, kind, body, due, wanted) in [
            (200, "application/json", "{}", Json, None),
            (200, "text/plain", "{}", Json, None),
            (200, "application/json", "<html>", Any, Some(Garbled)),
            (200, "", "", Json, Some(Empty)),
            (200, "", "", Any, None),
            (204, "", "", Json, None),
            (201, "text/html", "<h1>welcome</h1>", Json, Some(Html)),
            (200, "text/html", "<h1>welcome</h1>", Any, None),
            (200, "text/plain", "ok", Json, Some(NoJson)),
            (302, "", "", Any, Some(Redirect)),
            (404, "application/json", own, Json, None),
            (404, "text/plain", "404 page not found", Json, None),
            (404, "text/html", "<h1>nothing here</h1>", Any, Some(Html)),
            (404, "application/json", "{\"error\": \"works", Json, Some(Garbled)),
            (500, "", "", Json, None),
            (502, "text/html", "<h1>bad gateway</h1>", Any, Some(Gateway)),
            (503, "application/json", r#"{"error":"platform_unavailable"}"#, Json, None),
        ] {
            let headers: BTreeMap<_, _> = [("content-type".to_owned(), kind.to_owned())].into();
            let json = serde_json::from_str(body).ok();
            let answer = Response {
                status,
                headers,
                body: body.as_bytes().to_vec().into(),
                json,
                redactor: crate::redact::Redactor::new(),
            };
            assert_eq!(whose(&answer, due), wanted, "{status} {kind} {body} {due:?}");
        }
    }
}
