//! What an instance of a workspace is called: the engine's id, and since when it runs.

/// Behind the id of one that was made and not started yet.
const CREATED: &str = "@created";

/// The name of a container's instance; it changes with every start. `started` is empty or year 1 before the first.
pub(crate) fn name(id: &str, started: &str) -> String {
    if started.is_empty() || started.starts_with("0001-") {
        return format!("{id}{CREATED}");
    }
    format!("{id}@{started}")
}

/// Whether two names are of one instance: what was only created then and runs now was replaced by nothing.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let id = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    one == other || ((one.ends_with(CREATED) || other.ends_with(CREATED)) && id(one) == id(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_only_started_is_the_same() {
        let (made, first) = (name("aa", "0001-01-01T00:00:00Z"), name("aa", "2026-11-21T13:00:00Z"));
        let (again, other) = (name("aa", "2026-11-21T13:05:00Z"), name("bb", ""));
        for (one, two, expected) in [
            (&made, &made, true),
            (&made, &first, true),
            (&first, &made, true),
            (&first, &again, false),
            (&made, &other, false),
            (&first, &other, false),
        ] {
            assert_eq!(same(one, two), expected, "{one} {two}");
        }
        assert!(!same("plain", "other") && same("plain", "plain"));
    }
}
