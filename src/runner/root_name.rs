//! How the roots of runs are called, and what bears a name.

use serde_json::Value;

use crate::platform::row::Row;

/// How the roots of this tool's runs are called.
pub(super) const PREFIX: &str = "lc-root-";

/// A name without the platform's own suffix.
pub(super) fn base(name: &str) -> &str {
    let Some((base, rest)) = name.rsplit_once(" (") else { return name };
    let number =
        rest.strip_suffix(')').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if number { base } else { name }
}

/// Whether a row bears a name, or the name with the platform's own suffix.
pub(crate) fn is_called(row: &Value, name: &str) -> bool {
    let Some(rest) = row.name().strip_prefix(name) else { return false };
    let number = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    rest.is_empty() || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_with_the_platforms_own_number_is_the_same_name() {
        for (stored, without, called) in [
            ("lc-ws-2ba01a10", "lc-ws-2ba01a10", true),
            ("lc-ws-2ba01a10 (2)", "lc-ws-2ba01a10", true),
            ("lc-ws-2ba01a10 (12)", "lc-ws-2ba01a10", true),
            ("lc-ws-2ba01a10 ()", "lc-ws-2ba01a10 ()", false),
            ("lc-ws-2ba01a10 (2", "lc-ws-2ba01a10 (2", false),
            ("lc-ws-2ba01a10 (two)", "lc-ws-2ba01a10 (two)", false),
            ("lc-ws-2ba01a10-2", "lc-ws-2ba01a10-2", false),
            ("my lc-ws-2ba01a10", "my lc-ws-2ba01a10", false),
            ("", "", false),
        ] {
            assert_eq!(base(stored), without, "{stored}");
            assert_eq!(is_called(&json!({ "name": stored }), "lc-ws-2ba01a10"), called, "{stored}");
        }
    }
}
