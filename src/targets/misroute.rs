//! A server that would call another control plane than its lane means, found in workflow and compose files (#2863).

use std::collections::BTreeMap;

use crate::source::{Problem, SourceFile, Span};
use crate::yaml::{self, Kind, Node};

/// Where browsers are passed on to; the server's own calls do not read it.
const UPSTREAM: &str = "CP_UPSTREAM_URL";
/// What the server's own calls read, the first that is set.
const READ: [&str; 2] = ["CP_PROVISION_URL", "MOLECULE_CP_URL"];

/// Name → value and place; a value that is not known yet counts as set.
type Env = BTreeMap<String, (String, Span)>;

/// Every environment of the file, with what it has from above: of a compose file each service's, of a workflow each
/// step's.
pub(crate) fn check(file: &SourceFile) -> Vec<Problem> {
    if !file.text.contains(UPSTREAM) {
        return Vec::new();
    }
    let reading = yaml::Reading {
        code: "yaml",
        max_nodes: 100_000,
        max_aliases: 1_000,
        max_bytes: 1 << 20,
        aliases: yaml::Aliases::Defined,
    };
    let mut unread = Vec::new();
    // What cannot be read is told by whoever checks the rest of the file.
    let Some(root) = yaml::parse(file, &reading, &mut unread) else { return Vec::new() };
    let mut found = Vec::new();
    walk(&root, &Env::new(), &mut found);
    found.sort_by_key(|span: &Span| span.start);
    found.dedup_by_key(|span| span.start);
    found.into_iter().map(|span| problem(file, span)).collect()
}

fn problem(file: &SourceFile, span: Span) -> Problem {
    let text = format!(
        "{UPSTREAM} is set and neither {} nor {} is: the server's own calls go to the production control plane (#2863)",
        READ[0], READ[1]
    );
    Problem::error("check::control-plane-misrouted", text)
        .at(file, span, "not read for provision calls")
        .hint("set CP_PROVISION_URL (or MOLECULE_CP_URL) to the same address")
}

fn walk(node: &Node, above: &Env, found: &mut Vec<Span>) {
    let mut env = above.clone();
    for key in ["env", "environment"] {
        if let Some(own) = node.get(key) {
            env.extend(read(own));
        }
    }
    let mut deeper = false;
    for (key, value) in node.entries() {
        if !matches!(key.text.as_str(), "env" | "environment") {
            let containers = matches!(value.kind, Kind::Map(_) | Kind::List(_));
            deeper |= containers && holds_env(value);
            walk(value, &env, found);
        }
    }
    if let Kind::List(items) = &node.kind {
        items.iter().for_each(|item| walk(item, &env, found));
    }
    // Decided where nothing below can add to it.
    let own = ["env", "environment"].iter().any(|key| node.get(key).is_some());
    let set = |name: &str| env.get(name).is_some_and(|(value, _)| !value.trim().is_empty());
    if own
        && !deeper
        && set(UPSTREAM)
        && !READ.into_iter().any(set)
        && let Some((_, span)) = env.get(UPSTREAM)
    {
        found.push(*span);
    }
}

fn holds_env(node: &Node) -> bool {
    let here = ["env", "environment"].iter().any(|key| node.get(key).is_some());
    let items = match &node.kind {
        Kind::List(items) => items.iter().any(holds_env),
        _ => false,
    };
    here || items || node.entries().iter().any(|(_, value)| holds_env(value))
}

/// A mapping, or a list of `NAME=value`.
fn read(node: &Node) -> Env {
    match &node.kind {
        Kind::List(items) => items
            .iter()
            .filter_map(|item| match &item.kind {
                Kind::Text(text) => {
                    let (name, value) = text.split_once('=').unwrap_or((text, "from outside"));
                    Some((name.trim().to_owned(), (value.to_owned(), item.span)))
                }
                _ => None,
            })
            .collect(),
        _ => node
            .entries()
            .iter()
            .map(|(key, value)| {
                let text = match &value.kind {
                    Kind::Text(text) => text.clone(),
                    // Compose takes a name without a value from outside.
                    Kind::Null => "from outside".to_owned(),
                    _ => "set".to_owned(),
                };
                (key.text.clone(), (text, key.span))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_would_call_production() {
        for (text, line) in [
            ("services:\n  t:\n    environment:\n      CP_UPSTREAM_URL: http://cp:9090\n", Some(4)),
            ("services:\n  t:\n    environment:\n      - CP_UPSTREAM_URL=http://cp:9090\n", Some(4)),
            (
                "services:\n  t:\n    environment:\n      CP_UPSTREAM_URL: http://cp\n      CP_PROVISION_URL: http://cp\n",
                None,
            ),
            (
                "services:\n  t:\n    environment:\n      CP_UPSTREAM_URL: http://cp\n      MOLECULE_CP_URL: http://cp\n",
                None,
            ),
            (
                "services:\n  t:\n    environment:\n      CP_UPSTREAM_URL: http://cp\n      CP_PROVISION_URL: \"\"\n",
                Some(4),
            ),
            ("services:\n  t:\n    environment:\n      CP_UPSTREAM_URL: \"\"\n", None),
            (
                "env:\n  CP_UPSTREAM_URL: http://cp\njobs:\n  a:\n    steps:\n      - run: x\n        env:\n          MOLECULE_CP_URL: http://cp\n",
                None,
            ),
            ("env:\n  CP_UPSTREAM_URL: http://cp\njobs:\n  a:\n    steps:\n      - run: ./server\n", Some(2)),
            (
                "jobs:\n  a:\n    steps:\n      - run: ./server\n        env:\n          CP_UPSTREAM_URL: http://cp\n",
                Some(6),
            ),
        ] {
            let file = SourceFile::new("compose.yml", text);
            let found = check(&file);
            let lines: Vec<String> = found.iter().filter_map(|p| p.place()).collect();
            let wanted: Vec<String> = line.iter().map(|l| format!("compose.yml:{l}")).collect();
            assert_eq!(lines.len(), wanted.len(), "{text}: {lines:?}");
            assert!(lines.iter().zip(&wanted).all(|(got, want)| got.starts_with(want)), "{text}: {lines:?}");
        }
    }
}
