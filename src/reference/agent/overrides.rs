//! Requests to a provider that go to another origin, path and headers kept.

/// Replaces the origin of `url` if an override names it.
/// The new URL, and the origin that it stood for.
pub(super) fn redirect(overrides: &str, url: &str) -> (String, Option<String>) {
    let (origin, path) = split_origin(url);
    for pair in overrides.split(',') {
        let Some((from, to)) = pair.trim().split_once('=') else { continue };
        let from = from.trim_end_matches('/');
        if from == "*" || from.eq_ignore_ascii_case(origin) {
            return (format!("{}{path}", to.trim_end_matches('/')), Some(origin.to_owned()));
        }
    }
    (url.to_owned(), None)
}

/// `https://host:port` and the rest.
fn split_origin(url: &str) -> (&str, &str) {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
    url.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_origins_are_replaced() {
        let table =
            "https://api.minimax.io=http://127.0.0.1:9, https://api.anthropic.com/=http://127.0.0.1:8/";
        for (url, goes) in [
            ("https://api.minimax.io/anthropic/v1/messages", "http://127.0.0.1:9/anthropic/v1/messages"),
            ("https://API.minimax.io/v1/v1/messages", "http://127.0.0.1:9/v1/v1/messages"),
            ("https://api.anthropic.com/v1/messages", "http://127.0.0.1:8/v1/messages"),
            ("https://api.minimax.io.evil/x", "https://api.minimax.io.evil/x"),
            ("http://api.minimax.io/x", "http://api.minimax.io/x"),
        ] {
            assert_eq!(redirect(table, url).0, goes, "{url}");
        }
        let (url, origin) = redirect("*=http://127.0.0.1:7", "https://a.b/c/d");
        assert_eq!((url.as_str(), origin.as_deref()), ("http://127.0.0.1:7/c/d", Some("https://a.b")));
    }
}
