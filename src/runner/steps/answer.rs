//! Judging an HTTP answer: what the step says, or the verb's own success.

use crate::http::Response;
use crate::platform::record;
use crate::platform::whose::{Due, whose};
use crate::runner::outcome::{Failure, FailureKind};
use crate::scenario::model::{Answer, Http, Picked, StatusPattern, Verb};
use crate::scenario::template::Scope;

/// `201: unsupported workspace runtime (RUNTIME_UNSUPPORTED)`: what an answer says, for people.
pub(crate) fn describe(answer: &Response) -> String {
    match record::error(answer.json.as_ref()) {
        Some(error) => format!("{}: {error}", answer.status),
        None if answer.body.is_empty() => format!("{} with an empty body", answer.status),
        None if answer.json.is_none() => {
            let kind = answer.headers.get("content-type").map(String::as_str).unwrap_or("no content type");
            format!("{} with a body that is no JSON ({kind}): {}", answer.status, answer.excerpt())
        }
        None => format!("{}: {}", answer.status, answer.excerpt()),
    }
}

/// Whether an answer is not the platform's, or a rate limit that outlasted the step.
pub(crate) fn from_elsewhere(answer: &Response, due: Due) -> bool {
    answer.status == 429 || whose(answer, due).is_some()
}

/// Whether an answer says that nothing was done. A gateway's page may hide a success, and a time that ran out or a
/// rate limit may be a gateway's too.
pub(crate) fn refused(answer: &Response) -> bool {
    (400..500).contains(&answer.status)
        && !matches!(answer.status, 408 | 429)
        && whose(answer, Due::Json).is_none()
}

/// A failure for an answer that is not as wanted: the platform's, or the environment's when it is not the
/// platform's answer at all.
pub(crate) fn unwanted(answer: &Response, text: impl Into<String>) -> Failure {
    unwanted_of(answer, Due::Json, text)
}

fn unwanted_of(answer: &Response, due: Due, text: impl Into<String>) -> Failure {
    let kind = if from_elsewhere(answer, due) { FailureKind::Environment } else { FailureKind::Product };
    Failure::of(kind, text)
}

/// What answers to a verb must be: whoever asks a free request for a status or a text takes any.
pub(crate) fn due(verb: &Verb) -> Due {
    match verb {
        Verb::Http(http) => due_of(http),
        _ => Due::Json,
    }
}

/// The same of a free request: JSON where it looks into it.
pub(crate) fn due_of(http: &Http) -> Due {
    let captures = http.capture.iter().any(|(_, from)| matches!(from, Picked::Path(_)));
    if captures || !http.answer.json.is_empty() { Due::Json } else { Due::Any }
}

/// Judges an answer by what the step says.
///
/// # Errors
/// Every mismatch, each a line.
pub(crate) fn judge(answer: &Response, wanted: &Answer, scope: &dyn Scope) -> Result<(), Failure> {
    let headers: Vec<(String, String)> = answer.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    let wrong = wanted.check(answer.status, &headers, &answer.text(), answer.json.as_ref(), scope);
    let mut lines = wrong.iter().map(ToString::to_string);
    match lines.next() {
        None => Ok(()),
        Some(first) => {
            let due = if wanted.json.is_empty() { Due::Any } else { Due::Json };
            Err(unwanted_of(answer, due, format!("{first}; the answer was {}", describe(answer)))
                .details(lines))
        }
    }
}

/// Judges an answer by the verb's own success: one of these statuses and, if given, a field's value.
///
/// # Errors
/// What came instead.
pub(crate) fn succeeded(
    purpose: &str,
    answer: &Response,
    status: &[u16],
    field: Option<(&str, &[&str])>,
) -> Result<(), Failure> {
    if !status.contains(&answer.status) {
        let wanted: Vec<String> = status.iter().map(ToString::to_string).collect();
        return Err(unwanted(
            answer,
            format!("{purpose}: wanted {}, got {}", wanted.join(" or "), describe(answer)),
        ));
    }
    if let Some((name, values)) = field {
        let got = answer.json.as_ref().map(|b| record::text(b, name)).unwrap_or_default();
        if !values.contains(&got) {
            return Err(unwanted(
                answer,
                format!("{purpose}: wanted `{name}` to be {}, got {}", values.join(" or "), describe(answer)),
            ));
        }
    }
    Ok(())
}

/// Whether a step's own assertions speak of a status.
pub(crate) fn speaks_of(verb: &Verb, status: u16) -> bool {
    verb.answer().is_some_and(|answer| answer.status.contains(&StatusPattern::Exact(status)))
}
