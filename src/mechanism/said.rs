//! What an error says, whoever says it: of the credential, the model, the address, the quota, the load, the network.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// The kinds of errors that agents and providers report, as facts have them. `none` is no error.
pub const KINDS: &[&str] =
    &["auth", "model", "endpoint", "quota", "overloaded", "network", "opaque", "other", "none"];

/// The first that fits decides: a 429 about a quota is one of the quota, a 404 about a model one of the model.
const PATTERNS: [(&str, &str); 9] = [
    ("opaque", r"_resulterror"),
    (
        "quota",
        r"insufficient_quota|exceeded your current quota|credit balance|billing hard limit|quota (is |was )?(exceeded|exhausted|used up)|out of credits|insufficient (balance|credits|funds)",
    ),
    (
        "endpoint",
        r"/v1/v1|page not found|cannot (get|post) /|no (such )?route|unknown (path|route|endpoint|url)",
    ),
    (
        "model",
        r"model_not_found|model_not_supported|not_found_error.{0,80}\bmodel\b|\bmodel\b.{0,60}(not found|does not exist|not exist|not supported|not available|is unknown|no access)|(unknown|invalid|no such|unsupported) model",
    ),
    (
        "auth",
        r"\b40[13]\b|invalid.{0,3}api.{0,3}key|incorrect api key|failed to authenticate|authentication|unauthori[sz]ed|permission_error|could not resolve authentication|no provider api key|no credential|missing_byok_credential|no anthropic_auth_token|(missing|wrong|expired|revoked) (api )?(key|token|credential)",
    ),
    ("endpoint", r"\b404\b|\b405\b|not_found_error|method not allowed"),
    (
        "overloaded",
        r"\b529\b|\b429\b|overloaded|rate.?limit|too many requests|\b50[0234]\b|service unavailable|bad gateway",
    ),
    (
        "network",
        r"connection refused|dns error|name resolution|could not resolve host|timed out|timeout|unreachable|connection error|connect error|connection reset|no route to host|network is|certificate",
    ),
    ("other", r"error|exception|traceback|failed|refused|cannot|could not"),
];

/// The kind of an error's text; `none` for an empty one, `other` when it says nothing that is known.
pub fn kind(text: &str) -> &'static str {
    static READ: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
        let read = |(kind, pattern): &(&'static str, &str)| {
            let pattern =
                RegexBuilder::new(pattern).case_insensitive(true).dot_matches_new_line(true).build();
            Some((*kind, pattern.ok()?))
        };
        PATTERNS.iter().filter_map(read).collect()
    });
    match text.trim() {
        "" => "none",
        text => READ.iter().find(|(_, pattern)| pattern.is_match(text)).map_or("other", |(kind, _)| *kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_read_and_has_a_known_kind() {
        for (kind, pattern) in PATTERNS {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
            assert!(KINDS.contains(&kind), "{kind}");
        }
    }

    #[test]
    fn what_errors_say() {
        for (text, wanted) in [
            ("", "none"),
            ("Agent error (_ResultError) - see workspace logs", "opaque"),
            ("API Error: 429 {\"error\":{\"code\":\"insufficient_quota\"}}", "quota"),
            ("Agent error: 429 You exceeded your current quota, please check your plan", "quota"),
            ("Failed to authenticate. API Error: 401 invalid api key", "auth"),
            (
                "Could not resolve authentication method. Expected either apiKey or authToken to be set",
                "auth",
            ),
            (
                "API Error: 404 {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: x\"}}",
                "model",
            ),
            ("The model `gpt-9` does not exist or you do not have access to it", "model"),
            ("Agent error: 404 page not found", "endpoint"),
            ("POST https://api.minimax.io/anthropic/v1/v1/messages: 404", "endpoint"),
            ("API Error: 404 not found", "endpoint"),
            ("API Error: 529 {\"type\":\"overloaded_error\"}", "overloaded"),
            ("Agent error: 503 Service Unavailable", "overloaded"),
            ("tcp connect error: Connection refused (os error 111)", "network"),
            ("request timed out", "network"),
            ("Exception: list index out of range", "other"),
            ("something odd", "other"),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
        }
    }
}
