//! What the logs of forges understand, and how text from elsewhere is kept from being understood.

use super::scenario_state::ScenarioState;
use super::text::clean;

/// Which commands the log of a CI system understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CiLog {
    /// None.
    #[default]
    Plain,
    /// `::group::` and `::error::`, as GitHub, Gitea and Forgejo do.
    Commands,
}

impl CiLog {
    /// By the name of a CI system.
    pub fn of_system(system: &str) -> CiLog {
        let system = system.to_ascii_lowercase();
        let knows = ["github", "gitea", "forgejo"].iter().any(|name| system.contains(name));
        if knows { CiLog::Commands } else { CiLog::Plain }
    }
}

/// `::error title=left behind::…` for a resource that could not be removed.
pub(super) fn left_behind(text: &str) -> String {
    format!("::error title=left behind::{}", escape_data(&clean(text)))
}

/// `::error file=…,line=…,title=…::…` for a red scenario; a warning when it is advisory.
pub(super) fn annotation(scenario: &ScenarioState) -> String {
    let kind = if scenario.is_advisory() { "warning" } else { "error" };
    let step = scenario.decisive_step();
    let file = step.map_or(scenario.plan.file.as_str(), |step| scenario.file_of(step));
    let line = step.map_or(0, |s| s.line);
    let mut properties = Vec::new();
    if !file.is_empty() && !file.starts_with('<') {
        properties.push(format!("file={}", escape_property(file)));
        if line > 0 {
            properties.push(format!("line={line}"));
        }
    }
    properties.push(format!("title={}", escape_property(&clean(scenario.name()))));
    let mechanism = scenario.diagnosis.as_ref().map(|d| format!(" [{}]", d.mechanism)).unwrap_or_default();
    let message = clean(&format!("{}{mechanism}", scenario.reason()));
    format!("::{kind} {}::{}", properties.join(","), escape_data(&message))
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Takes the meaning from what a CI system would obey in a text that came from elsewhere.
pub(super) fn defuse(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let bare = console::strip_ansi_codes(line);
        let line =
            if bare.trim_start().starts_with("::") { line.replacen("::", ": :", 1) } else { line.to_owned() };
        line.replace("##[", "## [")
    });
    lines.collect::<Vec<_>>().join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_gives_no_command_to_a_ci_log() {
        for (text, shown) in [
            ("::error::x", ": :error::x"),
            ("a\n  ::stop-commands::t\nb\n", "a\n  : :stop-commands::t\nb\n"),
            ("\u{1b}[2m::add-mask::x", "\u{1b}[2m: :add-mask::x"),
            ("x ##[error] y", "x ## [error] y"),
            ("std::fmt", "std::fmt"),
        ] {
            assert_eq!(defuse(text), shown);
        }
    }

    #[test]
    fn ci_systems_by_name() {
        for (system, log) in [
            ("github", CiLog::Commands),
            ("GitHub Actions", CiLog::Commands),
            ("gitea", CiLog::Commands),
            ("forgejo", CiLog::Commands),
            ("jenkins", CiLog::Plain),
            ("", CiLog::Plain),
        ] {
            assert_eq!(CiLog::of_system(system), log, "{system}");
        }
    }
}
