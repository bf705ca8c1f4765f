//! Durations and times as people write and read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

/// Nothing here takes longer, and sums of a few of them still fit into the clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum DurationError {
    /// A number that no duration can hold.
    #[error("`{0}` is not a duration: write 90s, 4m or 1m 30s")]
    Number(String),
    /// Neither a number nor numbers with units.
    #[error("`{text}` is not a duration ({why}): write 90s, 4m or 1m 30s")]
    Unreadable {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: humantime::DurationError,
    },
    /// Nothing here takes so long.
    #[error("`{0}` is longer than a year")]
    TooLong(String),
}

/// Reads `90s`, `4m`, `1m 30s`; a bare number means seconds, as the old scripts' variables do.
///
/// # Errors
/// A text that says what is accepted.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let duration = match text.parse::<f64>() {
        Ok(seconds) => {
            Duration::try_from_secs_f64(seconds).map_err(|_| DurationError::Number(text.to_owned()))
        }
        Err(_) => humantime::parse_duration(text)
            .map_err(|why| DurationError::Unreadable { text: text.to_owned(), why }),
    }?;
    if duration > LONGEST {
        return Err(DurationError::TooLong(text.to_owned()));
    }
    Ok(duration)
}

/// The time at the beginning of a log's line: RFC 3339, or Go's `2026/06/15 10:00:00`, which is UTC in a container.
pub(crate) fn written_at(line: &str) -> Option<Timestamp> {
    let first = line.split_whitespace().next()?;
    if let Ok(at) = first.parse::<Timestamp>() {
        return Some(at);
    }
    let at = DateTime::strptime("%Y/%m/%d %H:%M:%S", line.get(..19)?).ok()?;
    at.in_tz("UTC").ok().map(|zoned| zoned.timestamp())
}

/// Shows a duration with the precision a person wants: `7 ms`, `1.24 s`, `4m 05s`.
pub(crate) fn show(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.2} s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{}m {:02}s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{}h {:02}m", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// Milliseconds, saturating: what events carry.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for (text, shown) in [
            ("7ms", "7 ms"),
            ("90", "1m 30s"),
            ("1.5", "1.50 s"),
            ("1m 30s", "1m 30s"),
            ("2h", "2h 00m"),
            ("240s", "4m 00s"),
        ] {
            assert_eq!(parse(text).map(show).unwrap(), shown, "{text}");
        }
        for text in ["", "soon", "-1", "1e400", "NaN", "5 parsecs", "1e12", "2y", "99999999999999999999s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
