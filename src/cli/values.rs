//! Values of flags that are more than a word.

use crate::behaviour::{Behaviour, Edition};
use crate::source::did_you_mean;

/// A value that is not what its flag takes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadValue {
    #[error("write NAME=VALUE")]
    Pair,
    #[error("write a number from 0.001 to 100000")]
    Scale,
    #[error("a run writes reports: --json FILE, --junit FILE, --html FILE, --markdown FILE")]
    Format,
    #[error("write more than 0")]
    Nothing,
    #[error("write a whole number of at least 1")]
    Count,
    #[error("{0}")]
    Duration(crate::domain::time::DurationError),
}

pub(crate) fn pair(text: &str) -> Result<(String, String), BadValue> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(BadValue::Pair),
    }
}

/// `run --format json` is what other commands taught somebody to type.
pub(crate) fn no_format(_: &str) -> Result<String, BadValue> {
    Err(BadValue::Format)
}

pub(crate) fn duration(text: &str) -> Result<std::time::Duration, BadValue> {
    crate::domain::time::parse(text).map_err(BadValue::Duration)
}

/// A duration in which something can happen.
pub(crate) fn some_time(text: &str) -> Result<std::time::Duration, BadValue> {
    duration(text).and_then(|time| if time.is_zero() { Err(BadValue::Nothing) } else { Ok(time) })
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, BadValue> {
    text.parse().ok().filter(|n| *n > 0).ok_or(BadValue::Count)
}

pub(crate) fn scale(text: &str) -> Result<f64, BadValue> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && (0.001..=100_000.0).contains(&n) => Ok(n),
        _ => Err(BadValue::Scale),
    }
}

/// `PHASE=DURATION`.
pub(crate) fn phase(text: &str) -> Result<(String, std::time::Duration), String> {
    let (phase, within) = pair(text).map_err(|e| e.to_string())?;
    Ok((phase, duration(&within).map_err(|e| e.to_string())?))
}

/// `--edition`.
pub(crate) fn edition(text: &str) -> Result<Edition, String> {
    let names = Edition::ALL.map(Edition::as_str);
    Edition::named(text)
        .ok_or_else(|| format!("no edition is called `{text}`: {}", did_you_mean(text, names)))
}

/// `--behaviour`.
pub(crate) fn behaviour(text: &str) -> Result<(Behaviour, bool), String> {
    crate::behaviour::typed(text)
}
