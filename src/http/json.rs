//! Reading a body as JSON, as leniently as a person would.

use serde_json::Value;

/// The JSON of a body, if it is one. What one row or one agent wrote badly costs nobody the rest: half of a surrogate
/// pair, which Python's `json.dumps` makes of an emoji that was cut, bytes that are no UTF-8, and a byte order mark.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(json) => Some(json),
        Err(error) if error.is_eof() => None,
        Err(_) => serde_json::from_str(&mended(&String::from_utf8_lossy(body))).ok(),
    }
}

/// A text in which each half of a surrogate pair that stands alone is the replacement character.
fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                out.push('\u{fffd}');
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // Of `\\ud83d` the first two are one escape.
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

/// The number of an escape `\uXXXX` that a text begins with.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_badly_costs_nobody_the_rest() {
        for (body, wanted) in [
            (&br#"{"a":"x"}"#[..], Some(json!({ "a": "x" }))),
            (b"\xef\xbb\xbf{\"a\":1}", Some(json!({ "a": 1 }))),
            (br#"{"a":"PONG \ud83d","b":1}"#, Some(json!({ "a": "PONG \u{fffd}", "b": 1 }))),
            (br#"{"a":"\ude00 \ud83d\ude00 \\ud83d"}"#, Some(json!({ "a": "\u{fffd} 😀 \\ud83d" }))),
            (br#"{"a":"\ud83d\ud83d\ude00"}"#, Some(json!({ "a": "\u{fffd}😀" }))),
            (b"[{\"name\":\"caf\xe9\"}]", Some(json!([{ "name": "caf\u{fffd}" }]))),
            (br#"{"a":"\ud83"#, None),
            (br#"{"a":"\ud83d"#, None),
            (b"<html>", None),
            (b"\\", None),
            (b"", None),
        ] {
            assert_eq!(read(body), wanted, "{}", String::from_utf8_lossy(body));
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_none(body in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            let _ = read(&body);
            let json = json!({ "a": text });
            prop_assert_eq!(read(json.to_string().as_bytes()), Some(json));
        }
    }
}
