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
pub fn whose(answer: &Response, due: Due) -> Option<Elsewhere> {
    let own = record::error(answer.json.as_ref()).is_some();
    let kind = answer.headers.get("content-type").map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
    match answer.status {
        300..=399 if !own => Some(Elsewhere::Redirect),
        502..=504 if !own => Some(Elsewhere::Gateway),
        _ if answer.is_garbled() => Some(Elsewhere::Garbled),
        200 | 201 | 202 if due == Due::Json && answer.json.is_none() => Some(match answer.body.as_ref() {
            [] => Elsewhere::Empty,
            _ if kind.contains("html") => Elsewhere::Html,
            _ => Elsewhere::NoJson,
        }),
        400..=499 if answer.json.is_none() && kind.contains("html") => Some(Elsewhere::Html),
        _ => None,
    }
}
