//! Words that depend on a number.

/// `1 poll`, `2 polls`.
pub(crate) fn count(n: impl TryInto<u64>, what: &str) -> String {
    match n.try_into() {
        Ok(1) => format!("1 {what}"),
        Ok(n) => format!("{n} {what}s"),
        Err(_) => format!("many {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!((count(0u64, "red"), count(1usize, "red")), ("0 reds".to_owned(), "1 red".to_owned()));
        assert_eq!(count(2u64, "red"), "2 reds");
    }
}
