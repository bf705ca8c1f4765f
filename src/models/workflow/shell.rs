//! What a `run:` text does to the environment, and which scripts it calls.

use std::sync::LazyLock;

use regex::Regex;

use crate::models::dispatch::Script;
use crate::models::workflow::expression::{Expr, Interpolated};

/// A script that a line calls, with what was assigned before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShellCall {
    pub(crate) script: Script,
    /// Assignments of this text that the call sees, in order.
    pub(crate) assigned: Vec<Assigned>,
}

/// `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) name: String,
    pub(crate) value: Interpolated,
    /// As it stands in the text.
    pub(crate) written: String,
}

const SCRIPTS: [(&str, Script); 3] = [
    ("test_staging_full_saas.sh", Script::FullSaas),
    ("test_reconciler_heals_terminated_instance.sh", Script::Reconciler),
    ("test_local_provision_lifecycle_e2e.sh", Script::LocalProvision),
];

/// Names of settings that model rules read.
pub(crate) fn is_setting(name: &str) -> bool {
    name.starts_with("E2E_") || name.starts_with("LIFECYCLE_") || name.ends_with("_API_KEY")
}

static ASSIGNMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"([A-Z][A-Z0-9_]*)=("[^"]*"|'[^']*'|\$\{\{.*?\}\}|[^\s;&|]*)"#).ok());
static FOR_LATER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(\s*)echo\s+["']?([A-Z][A-Z0-9_]*)=(.*?)["']?\s*>>\s*"?\$\{?GIT(?:HUB|EA)_ENV"#).ok()
});
static LIFECYCLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[\s/;&|(])lifecycle\s+run(?:\s|$)").ok());

/// The calls of a text.
pub(crate) fn calls(run: &str) -> Vec<ShellCall> {
    let mut exported: Vec<Assigned> = Vec::new();
    let mut found = Vec::new();
    for line in joined(run).lines() {
        let code = line.trim_start();
        if code.starts_with('#') {
            continue;
        }
        let script = SCRIPTS.iter().find(|(name, _)| mentions(code, name)).map(|(_, script)| *script);
        let script = script.or_else(|| {
            LIFECYCLE.as_ref().is_some_and(|regex| regex.is_match(code)).then_some(Script::Harness)
        });
        let here = assignments(code);
        match script {
            Some(script) => {
                let assigned = exported.iter().cloned().chain(here).collect();
                found.push(ShellCall { script, assigned });
            }
            None if line.starts_with(char::is_whitespace) => {
                // Inside an `if` or a loop: it may happen.
                exported.extend(
                    here.into_iter()
                        .map(|assigned| Assigned { value: unknown(&assigned.written), ..assigned }),
                );
            }
            None => exported.extend(here),
        }
    }
    found
}

/// A line that runs a script, not one that lints, copies or prints it.
fn mentions(code: &str, name: &str) -> bool {
    const READERS: [&str; 9] = ["shellcheck", "echo", "cat", "grep", "chmod", "bash -n", "git", "sed", "cp"];
    code.contains(name) && !READERS.iter().any(|reader| code.starts_with(&format!("{reader} ")))
}

/// `NAME=value` written for the steps that follow.
pub(crate) fn for_later(run: &str) -> Vec<Assigned> {
    let Some(regex) = FOR_LATER.as_ref() else { return Vec::new() };
    let lines = joined(run);
    lines
        .lines()
        .filter_map(|line| regex.captures(line))
        .map(|found| {
            let written = found[0].trim().to_owned();
            let value = if found[1].is_empty() { value(&found[3]) } else { unknown(&written) };
            Assigned { name: found[2].to_owned(), value, written }
        })
        .collect()
}

fn assignments(code: &str) -> Vec<Assigned> {
    let Some(regex) = ASSIGNMENT.as_ref() else { return Vec::new() };
    let code = code.strip_prefix("export ").or(code.strip_prefix("env ")).unwrap_or(code);
    let mut assigned = Vec::new();
    let mut rest = code.trim_start();
    // Only at the start of the command: `echo X=1` assigns nothing.
    while let Some(found) = regex.captures(rest)
        && let Some(whole) = found.get(0)
        && whole.start() == 0
    {
        if is_setting(&found[1]) {
            assigned.push(Assigned {
                name: found[1].to_owned(),
                value: value(&found[2]),
                written: format!("{}={}", &found[1], &found[2]),
            });
        }
        rest = rest[whole.end()..].trim_start_matches([' ', ';']);
        rest = rest.strip_prefix("export ").unwrap_or(rest);
    }
    assigned
}

/// Lines that end in a backslash go on.
fn joined(run: &str) -> String {
    run.replace("\\\n", " ")
}

fn value(text: &str) -> Interpolated {
    let bare = text.trim();
    let single = bare.starts_with('\'');
    let inner = bare.trim_matches(['"', '\'']);
    let shell = inner.replace("${{", "");
    if single || inner.contains("${{") || !shell.contains(['$', '`']) {
        return Interpolated::parse(inner);
    }
    let name = |text: &str| {
        let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| Expr::Name(format!("env.{text}")))
    };
    let braced = inner.strip_prefix("${").and_then(|inner| inner.strip_suffix('}'));
    let expr = match (braced, inner.strip_prefix('$')) {
        (Some(inside), _) => match inside.split_once(":-") {
            Some((left, literal)) if !literal.contains('$') => {
                name(left).map(|left| Expr::Or(Box::new(left), Box::new(Expr::Literal(literal.to_owned()))))
            }
            Some(_) => None,
            None => name(inside),
        },
        (None, Some(inside)) => name(inside),
        (None, None) => None,
    };
    Interpolated::of(expr.unwrap_or_else(|| Expr::Name(inner.to_owned())))
}

fn unknown(written: &str) -> Interpolated {
    Interpolated::of(Expr::Name(written.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_see_what_was_assigned_before_and_on_their_line() {
        let run = "# E2E_MODEL_SLUG=no bash test_staging_full_saas.sh\nset -e\nexport E2E_RUNTIME=codex\n\
                   E2E_LLM_PATH=\"platform\" \\\n  bash tests/e2e/test_staging_full_saas.sh\n\
                   shellcheck tests/e2e/test_staging_full_saas.sh\n./lifecycle run @saas\n";
        let found = calls(run);
        let names =
            |call: &ShellCall| call.assigned.iter().map(|a| a.name.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].script, names(&found[0]).as_str()),
            (Script::FullSaas, "E2E_RUNTIME E2E_LLM_PATH")
        );
        assert_eq!((found[1].script, names(&found[1]).as_str()), (Script::Harness, "E2E_RUNTIME"));
        assert_eq!(found[0].assigned[1].value, Interpolated::parse("platform"));
    }

    #[test]
    fn what_is_written_for_later_steps_is_read() {
        let later = for_later(
            "echo \"E2E_MODEL_SLUG=sonnet\" >> \"$GITHUB_ENV\"\nif x; then\n  echo E2E_RUNTIME=codex >> $GITHUB_ENV\nfi\n",
        );
        assert_eq!(later[0].value, Interpolated::parse("sonnet"));
        assert_eq!(later[1].value, unknown("echo E2E_RUNTIME=codex >> $GITHUB_ENV"));
    }

    #[test]
    fn defaults_of_the_shell_are_alternatives() {
        let or = Expr::Or(Box::new(Expr::Name("env.A".into())), Box::new(Expr::Literal("x".into())));
        assert_eq!(value("\"${A:-x}\""), Interpolated::of(or));
        assert_eq!(value("$A"), Interpolated::of(Expr::Name("env.A".into())));
        assert_eq!(value("\"$(date)\""), Interpolated::of(Expr::Name("$(date)".into())));
        assert_eq!(value("'$A'"), Interpolated::parse("$A"));
    }
}
