//! Where credentials stand: fields by their names, and the same in text that is no JSON, or only was.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use regex::bytes::Regex;

use super::forms::MIN_LEN;

/// Names of fields and headers, in lower case, whatever is in them.
const FIELDS: [&str; 29] = [
    "access_token",
    "admin_token",
    "api_key",
    "api_token",
    "apikey",
    "auth_token",
    "authorization",
    "bearer_token",
    "client_secret",
    "cookie",
    "id_token",
    "inbound_secret",
    "org_token",
    "passwd",
    "password",
    "platform_inbound_secret",
    "private_key",
    "proxy-authorization",
    "refresh_token",
    "secret_access_key",
    "session_token",
    "set-cookie",
    "shared_secret",
    "usage_token",
    "x-admin-token",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-key",
    "x-molecule-admin-token",
];

/// How variables with credentials end.
const ENDS: [&str; 8] =
    ["API_KEY", "_TOKEN", "_SECRET", "PASSWORD", "AUTH_JSON", "_PAT", "ENCRYPTION_KEY", "_ACCESS_KEY"];

/// Whether a field, header or variable of this name holds a credential.
pub(crate) fn is_credential_field(name: &str) -> bool {
    let is_variable = || name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
        || (ENDS.iter().any(|end| name.ends_with(end)) && is_variable())
}

/// Finds values by the name before them.
pub(super) struct Places {
    /// `"auth_token": "…"`, `auth_token='…'`, up to the quote.
    quoted: Regex,
    /// `x-api-key: …`, up to the end of the word.
    header: Regex,
    /// `NAME=…`, up to the end of the word.
    variable: Regex,
}

pub(super) static PLACES: LazyLock<Result<Places, regex::Error>> = LazyLock::new(|| {
    let fields = FIELDS.map(regex::escape).join("|");
    let ends = ENDS.join("|");
    let headers =
        "x-api-key|x-goog-api-key|x-auth-token|x-admin-token|x-molecule-admin-token|set-cookie|cookie";
    Ok(Places {
        quoted: Regex::new(&format!(
            r#"(?-u)(?i:["']?({fields})["']?|["']([A-Z0-9_]*(?-i:{ends}))["'])[ \t]*[:=][ \t\r\n]*["']([^"']+)"#
        ))?,
        header: Regex::new(&format!(r#"(?i-u)(?:{headers})["']?[ \t]*:[ \t]*["']?([^\s"',;<]+)"#))?,
        variable: Regex::new(&format!(
            r#"(?-u)(?:[A-Z0-9_]*(?:{ends})|[?&](?:token|access_token|auth_token|api_key|apikey|key|sig|secret|password))=["']?([^\s"'&;,<>]+)"#
        ))?,
    })
});

impl Places {
    /// Tells every value that stands where a credential does.
    pub(super) fn find(&self, text: &[u8], tell: &mut impl FnMut(Range<usize>, Arc<str>)) {
        // Nothing is a place without one of these, and most texts have none.
        if !text.iter().any(|b| matches!(b, b':' | b'=')) {
            return;
        }
        let mut each = |pattern: &Regex, short: usize| {
            for found in pattern.captures_iter(text) {
                let value = found.iter().skip(1).flatten().last();
                if let Some(value) = value.filter(|value| is_value(value.as_bytes(), short)) {
                    tell(value.range(), Arc::from("<redacted:credential>"));
                }
            }
        };
        each(&self.quoted, 1);
        each(&self.header, 4);
        each(&self.variable, MIN_LEN);
    }
}

/// A lookup that a shell or a template fills in is no value, nor is what was replaced already.
fn is_value(text: &[u8], short: usize) -> bool {
    text.len() >= short
        && !text.starts_with(b"$")
        && !text.starts_with(b"<redacted:")
        && !text.starts_with(b"{{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_by_name() {
        for (name, expected) in [
            ("auth_token", true),
            ("Authorization", true),
            ("X-Api-Key", true),
            ("platform_inbound_secret", true),
            ("MINIMAX_API_KEY", true),
            ("GITEA_PAT", true),
            ("CODEX_AUTH_JSON", true),
            ("AWS_SECRET_ACCESS_KEY", true),
            ("minimax_api_key", false),
            ("key", false),
            ("tokens", false),
            ("token_count", false),
            ("ws_token", false),
        ] {
            assert_eq!(is_credential_field(name), expected, "{name}");
        }
    }
}
