//! What an error says, whoever says it: of the credential, the model, the address, the quota, the load, the network.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// The kinds of errors that agents and providers report, as facts have them. `none` is no error.
pub(crate) const KINDS: &[&str] = &[
    "auth",
    "model",
    "endpoint",
    "quota",
    "context",
    "limited",
    "overloaded",
    "network",
    "opaque",
    "other",
    "none",
];

/// The first that fits decides: a 429 about a quota is one of the quota, a 404 about a model one of the model.
const PATTERNS: [(&str, &str); 13] = [
    ("opaque", r"_resulterror"),
    // A program of the runtime's own, no provider.
    ("other", r"hermes-agent unreachable"),
    (
        "quota",
        r"insufficient_quota|quota_exceeded|exceeded your (current |monthly )?quota|credit balance|billing hard limit|billing_(not_active|error)|quota (is |was |has been )?(exceeded|exhausted|used up|reached)|out of credits|insufficient[ _](balance|credits|funds)|balance is too low|payment required|\b402\b|usage limit|(hit|reached) your (\w+ )?limit|-hour limit reached|spend(ing)? (limit|cap)",
    ),
    (
        "context",
        r"context_length_exceeded|maximum context length|context window|(prompt|input|request) is too (long|large)|too many (input |prompt )?tokens|request_too_large|string too long",
    ),
    ("overloaded", r"\b529\b|overloaded|(at|over|exceeds?) capacity"),
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
        r"\b40[13]\b|invalid.{0,3}api.{0,3}key|incorrect api key|failed to authenticate|authentication|unauthori[sz]ed|unauthenticated|permission_(error|denied)|could not resolve authentication|no provider api key|no credential|missing_byok_credential|no anthropic_auth_token|please run /login|(missing|wrong|expired|revoked) (api )?(key|token|credential)|(key|token|credential)s? (is |are |has |have )?(been )?(invalid|expired|revoked|missing|not valid)",
    ),
    ("endpoint", r"\b404\b|\b405\b|not_found_error|method not allowed"),
    ("limited", r"\b429\b|rate.?limit|too many requests|throttl|resource_exhausted"),
    ("overloaded", r"\b50[0234]\b|service unavailable|bad gateway"),
    (
        "network",
        // A tool or a child of the agent may time out too: only what was asked over a network counts.
        r"connection refused|econnrefused|enotfound|eai_again|getaddrinfo|etimedout|dns error|name resolution|could not resolve host|failed to lookup|(connect\w*|request|read|api|https?|upstream|provider|gateway|socket)\b.{0,40}(timed out|timeout)|connect ?timeout|read ?timeout|apitimeout|unreachable|connection error|connect error|connection reset|socket hang up|fetch failed|no route to host|network is|certificate",
    ),
    ("other", r"error|exception|traceback|failed|refused|cannot|could not"),
];

/// The kind of an error's text; `none` for an empty one, `other` when it says nothing that is known.
pub(crate) fn kind(text: &str) -> &'static str {
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

/// Words that tell of a failure: a number or a topic alone stands in many an honest answer.
const FAILURE: &str = r"error|exception|traceback|fail|refus|denied|exceeded|exhausted|expired|invalid|unauthori[sz]ed|unavailable|timed? ?out|too many|not (found|supported|available)|does not exist|(hit|reached) your|limit reached|out of credits|too low";

/// Whether a text that was asked for one word tells of an error that has a name: no words of an answer do.
pub(crate) fn is_plain(text: &str) -> bool {
    static TELLS: LazyLock<Option<Regex>> =
        LazyLock::new(|| RegexBuilder::new(FAILURE).case_insensitive(true).build().ok());
    let tells = TELLS.as_ref().is_some_and(|tells| tells.is_match(text));
    tells && !matches!(kind(text), "none" | "other")
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
    fn a_topic_alone_is_no_error() {
        assert!(Regex::new(FAILURE).is_ok());
        for (text, error) in [
            ("I can summarise up to 500 words.", false),
            ("I manage TLS certificates and authentication.", false),
            ("My context window is large.", false),
            ("The model `gpt-5.9` does not exist or you do not have access to it.", true),
            ("You've hit your limit · resets 3pm (UTC)", true),
            ("Error 403: Request not allowed.", true),
        ] {
            assert_eq!(is_plain(text), error, "{text}");
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
            ("You've hit your limit · resets 3pm (UTC)", "quota"),
            ("5-hour limit reached ∙ resets 3pm", "quota"),
            ("The model `gpt-9` does not exist or you do not have access to it", "model"),
            ("Agent error: 404 page not found", "endpoint"),
            ("POST https://api.minimax.io/anthropic/v1/v1/messages: 404", "endpoint"),
            ("API Error: 404 not found", "endpoint"),
            ("API Error: 529 {\"type\":\"overloaded_error\"}", "overloaded"),
            ("Agent error: 503 Service Unavailable", "overloaded"),
            ("Error code: 429 - {'error': {'type': 'rate_limit_error'}}", "limited"),
            ("429 RESOURCE_EXHAUSTED: You exceeded your current quota", "quota"),
            ("429 The engine is currently overloaded, please try again later", "overloaded"),
            ("API Error: 402 {\"error\":{\"message\":\"Payment Required\"}}", "quota"),
            ("Your credit balance is too low to access the Anthropic API.", "quota"),
            ("invalid params, insufficient balance (1008)", "quota"),
            ("Claude AI usage limit reached|1751353200", "quota"),
            (
                "400 {\"error\":{\"message\":\"prompt is too long: 210000 tokens > 200000 maximum\"}}",
                "context",
            ),
            ("This model's maximum context length is 8192 tokens", "context"),
            ("Invalid API key · Please run /login", "auth"),
            ("OAuth token has expired", "auth"),
            ("hermes-agent unreachable: connection refused", "other"),
            ("Agent error: tool `bash` timed out after 120 s", "other"),
            ("httpx.ConnectTimeout", "network"),
            ("getaddrinfo ENOTFOUND api.minimax.io", "network"),
            ("-32603 Internal error", "other"),
            ("-32601 Method not found", "other"),
            ("-32001 Task not found", "other"),
            ("-32602 Invalid params", "other"),
            ("-32005 ContentTypeNotSupportedError", "other"),
            ("tcp connect error: Connection refused (os error 111)", "network"),
            ("request timed out", "network"),
            ("Exception: list index out of range", "other"),
            ("something odd", "other"),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
        }
    }
}
