//! A mechanism in words, for pages and commands.

use super::condition::Match;
use super::file::{CLASSES, Explains, Mechanism};

/// The class as it is written.
pub(crate) fn class(mechanism: &Mechanism) -> &'static str {
    CLASSES.iter().find(|(_, class)| *class == mechanism.class).map_or("", |(name, _)| name)
}

/// The reds that it can have made, in lines of words.
pub(crate) fn explained(mechanism: &Mechanism) -> Vec<String> {
    let one = |e: &Explains| {
        let reds: Vec<&str> = e.reds.iter().map(|red| red.as_str()).collect();
        let when: Vec<String> = e.when.iter().map(|c| c.words()).collect();
        let when = if when.is_empty() { String::new() } else { format!(" when {}", when.join(" and ")) };
        format!("{}{when}", reds.join(", "))
    };
    mechanism.explains.iter().map(one).collect()
}

/// A match in lines of words.
pub(crate) fn words(matches: &Match) -> Vec<String> {
    let group = |conditions: &[super::condition::Condition]| {
        conditions.iter().map(super::condition::Condition::words).collect::<Vec<_>>().join(" and ")
    };
    let mut lines: Vec<String> = matches.all.iter().map(|c| c.words()).collect();
    if !matches.any.is_empty() {
        let any: Vec<String> = matches.any.iter().map(|g| format!("({})", group(g))).collect();
        lines.push(any.join(" or "));
    }
    lines.extend(matches.none.iter().map(|g| format!("known not to be: {}", group(g))));
    lines.extend(matches.unless.iter().map(|g| format!("not when it is known that {}", group(g))));
    lines
}
