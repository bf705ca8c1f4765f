//! What the readers of evidence share.

use serde_json::Value;

use crate::event::Symptoms;

/// What a gatherer found; `None` when it could not.
pub(super) fn part<'s>(symptoms: &'s Symptoms, name: &str) -> Option<&'s Value> {
    let part = symptoms.evidence.parts.iter().find(|p| p.name == name)?;
    part.error.is_none().then_some(&part.data)
}

/// A line of a log with the time of day instead of the whole date.
pub(crate) fn short_time(line: &str) -> String {
    let Some((stamp, rest)) = line.split_once(' ') else { return line.to_owned() };
    match stamp.split_once('T').and_then(|(_, time)| time.strip_suffix('Z')) {
        Some(time) => format!("{} {rest}", time.split('.').next().unwrap_or(time)),
        None => line.to_owned(),
    }
}

pub(super) fn yes(is: bool) -> String {
    is.to_string()
}

/// A JSON value as a text: strings as they are.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
