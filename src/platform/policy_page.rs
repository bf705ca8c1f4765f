//! The table of policies as `docs/transport.md` shows it.

use std::time::Duration;

use super::policy::{ALL, Again, Policy};
use crate::domain::time;

/// One row a policy.
pub(super) fn table() -> String {
    let head = "| name | what is asked so | one attempt, from the fourth on | all of it | no whole answer | a gateway's 502–504 | another's answer | its own 502–504 | its own 500 | 429 |\n|---|---|---|---|---|---|---|---|---|---|\n";
    let rows = ALL.iter().map(|policy| row(policy));
    [head.to_owned()].into_iter().chain(rows).collect()
}

fn row(policy: &Policy) -> String {
    let attempt = match (limit(policy.attempt), limit(policy.later)) {
        (first, later) if first == later => first,
        (first, later) => format!("{first}, {later}"),
    };
    let own = match policy.own {
        Duration::ZERO => String::new(),
        own => format!(", at least {}", time::show(own)),
    };
    let outlives = match policy.outlives {
        Some(grace) => format!(", goes on for {} after its step", time::show(grace)),
        None => String::new(),
    };
    format!(
        "| {} | {}{outlives} | {attempt} | {}{own} | {} | {} | {} | {} | {} | {} |\n",
        policy.name,
        policy.about,
        limit(policy.within),
        again(policy.silent),
        again(policy.gateway),
        again(policy.elsewhere),
        again(policy.failing),
        again(policy.broken),
        again(policy.limited),
    )
}

fn limit(time: Duration) -> String {
    if time == Duration::MAX { "the step's time".to_owned() } else { time::show(time) }
}

fn again(again: Again) -> String {
    match again {
        Again::Never => "–".to_owned(),
        Again::For(time) => format!("for {}", time::show(time)),
        Again::ToTheEnd => "to its end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGINS: &str =
        "<!-- policies: written by `UPDATE_DOCS=1 cargo test --lib the_page_is_the_table_of_policies` -->\n";
    const ENDS: &str = "<!-- /policies -->\n";

    #[test]
    fn the_page_is_the_table_of_policies() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/transport.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGINS).unwrap();
        let (_, after) = rest.split_once(ENDS).unwrap();
        let wanted = format!("{before}{BEGINS}\n{}\n{ENDS}{after}", table());
        #[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page == wanted, "docs/transport.md is out of date: run this test with UPDATE_DOCS=1");
    }
}
