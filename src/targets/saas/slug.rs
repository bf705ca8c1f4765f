//! Names of organisations that never collide, and whose they are.

/// A control plane takes no longer ones (scenarios §1.5).
pub(crate) const MAX: usize = 32;
/// What runs of this tool are called when nothing else is said.
pub(crate) const PREFIX: &str = "e2e-";

/// Why there can be no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SlugError {
    /// It has other signs than a slug may have.
    #[error("the prefix `{0}` of organisations: it begins with a letter and has only a-z, 0-9 and `-`")]
    Signs(String),
    /// Nothing would be left for the run.
    #[error(
        "the prefix `{0}` of organisations has {1} characters, limit {2}: a slug has {MAX}, and date and random tail take 18"
    )]
    Long(String, usize, usize),
}

/// `<prefix><YYYYMMDD>-<run>-<8 hex>`: what is cut is the run's part, never the random tail.
///
/// # Errors
/// A prefix with other signs, or too long a one.
pub(crate) fn make(prefix: &str, date: &str, run: &str, tail: &str) -> Result<String, SlugError> {
    check(prefix)?;
    let room = MAX - prefix.len() - date.len() - tail.len() - 2;
    let run: String =
        run.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let run: String = run.trim_matches('-').chars().take(room).collect();
    let run = run.trim_end_matches('-');
    let run = if run.is_empty() { "r" } else { run };
    Ok(format!("{prefix}{date}-{run}-{tail}"))
}

/// Whether a prefix can begin a name.
///
/// # Errors
/// Other signs, or no room for the rest.
pub(crate) fn check(prefix: &str) -> Result<(), SlugError> {
    let signs = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !prefix.starts_with(|c: char| c.is_ascii_lowercase()) || !prefix.chars().all(signs) {
        return Err(SlugError::Signs(prefix.to_owned()));
    }
    let limit = MAX - "20261128--0badcafe".len() - 1;
    if prefix.len() > limit {
        return Err(SlugError::Long(prefix.to_owned(), prefix.len(), limit));
    }
    Ok(())
}

/// Whether a slug has the form that [`make`] gives with this prefix: never by a bare part of it.
pub(crate) fn is_ours(slug: &str, prefix: &str) -> bool {
    let Some(rest) = slug.strip_prefix(prefix) else { return false };
    let mut parts = rest.splitn(2, '-');
    let date = parts.next().unwrap_or_default();
    let Some((run, tail)) = parts.next().and_then(|rest| rest.rsplit_once('-')) else { return false };
    date.len() == 8
        && date.bytes().all(|b| b.is_ascii_digit())
        && !run.is_empty()
        && tail.len() == 8
        && tail.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// How an organisation says until when somebody works on it; any machine can read it.
pub(crate) fn name_with_lease(slug: &str, until: jiff::Timestamp) -> String {
    format!("lifecycle {slug} until {}", until.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

/// Until when somebody works on it, when its name says so.
pub(crate) fn lease(name: &str) -> Option<jiff::Timestamp> {
    name.strip_prefix("lifecycle ")?.split_once(" until ")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_random_tail_and_its_length() {
        let tail = "0badcafe";
        for (prefix, run, slug) in [
            ("e2e-", "355924-2", "e2e-20261128-355924-2-0badcafe"),
            ("e2e-", "A_long/Run name here", "e2e-20261128-a-long-run-0badcafe"),
            ("e2e-smoke-", "355924-2", "e2e-smoke-20261128-3559-0badcafe"),
            ("e2e-", "", "e2e-20261128-r-0badcafe"),
            ("e2e-", "--", "e2e-20261128-r-0badcafe"),
        ] {
            let made = make(prefix, "20261128", run, tail).unwrap();
            assert_eq!(made, slug);
            assert!(made.len() <= MAX && is_ours(&made, prefix), "{made}");
        }
        assert!(matches!(make("cp455-claude-code-", "20261128", "1", tail), Err(SlugError::Long(_, 18, 13))));
        assert!(matches!(make("E2E-", "20261128", "1", tail), Err(SlugError::Signs(_))));
        assert!(matches!(make("", "20261128", "1", tail), Err(SlugError::Signs(_))));
    }

    #[test]
    fn only_the_whole_form_is_ours() {
        for (slug, ours) in [
            ("e2e-20261128-1-0badcafe", true),
            ("rt-e2e-20261128-1-0badcafe", false),
            ("e2e-20261128-1-0badcafX", false),
            ("e2e-20261128-0badcafe", false),
            ("e2e-2026112-1-0badcafe", false),
            ("e2e-customer", false),
            ("e2e-smoke-20261128-1-0badcafe", false),
        ] {
            assert_eq!(is_ours(slug, "e2e-"), ours, "{slug}");
        }
    }

    #[test]
    fn a_lease_is_read_back() {
        let until: jiff::Timestamp = "2026-11-28T13:00:00Z".parse().unwrap();
        assert_eq!(lease(&name_with_lease("e2e-x", until)), Some(until));
        assert_eq!(lease("a customer until tomorrow"), None);
    }
}
