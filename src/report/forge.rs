//! What the logs of forges understand: annotations, one a cause, with paths from the workspace's root.

use std::path::{Component, Path, PathBuf};

use super::causes::Cause;
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::{clean, count, listed, short};
use crate::domain::ExitCode;

/// Names of scenarios that an annotation lists.
const MAX_NAMES: usize = 600;

/// The folder of a forge's job, from which it resolves the paths of annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    /// Its root, and the folder that paths are relative to; `None`: paths stay as they are.
    pub root_and_current: Option<(PathBuf, PathBuf)>,
}

impl Workspace {
    /// A path from the root, without `.` and `..`.
    pub fn path(&self, file: &str) -> String {
        let named = match &self.root_and_current {
            Some((_, current)) => current.join(file),
            None => PathBuf::from(file),
        };
        let mut path = PathBuf::new();
        for part in named.components() {
            match part {
                Component::CurDir => {}
                // What leads above the beginning stays.
                Component::ParentDir
                    if path.components().next_back().is_some_and(|c| matches!(c, Component::Normal(_))) =>
                {
                    path.pop();
                }
                part => path.push(part),
            }
        }
        let root = self.root_and_current.as_ref().map(|(root, _)| root.as_path());
        let shown: &Path = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(&path);
        shown.display().to_string()
    }
}

/// `::error file=…,line=…,title=…::…` for each cause, the ones that count first, then for what is left behind and for an
/// ending that no red explains.
pub(super) fn annotations(state: &RunState, workspace: &Workspace, max: usize) -> Vec<String> {
    let mut all = Vec::new();
    let causes = state.causes();
    for left in state.left() {
        all.push(command("error", &[("title", "left behind".to_owned())], &left));
    }
    let code = state.finished.as_ref().map_or(1, |finished| finished.code);
    let explained = causes.iter().any(|cause| !cause.is_advisory()) || !all.is_empty();
    if let Some(finished) = state.finished.as_ref().filter(|_| code != 0 && !explained) {
        all.push(ending(code, &finished.reason));
    }
    // An ending by skips has said it.
    if code != ExitCode::NotLive.code() {
        all.extend(skipped(state));
    }
    all.extend(causes.iter().map(|cause| of_cause(cause, workspace)));
    let more = all.len().saturating_sub(max);
    if more > 0 {
        all.truncate(max - 1);
        let text = format!("{} in the summary", count(more as u64 + 1, "more cause"));
        all.push(command("warning", &[("title", "lifecycle".to_owned())], &text));
    }
    all
}

/// What somebody chose and nobody ran: a green of the rest says nothing of it.
fn skipped(state: &RunState) -> Option<String> {
    let chosen = !state.identity.selection.is_empty() || state.identity.profile.is_some();
    let skips = state.skips();
    let n: usize = skips.values().map(Vec::len).sum();
    if n == 0 || !chosen {
        return None;
    }
    let title = format!("lifecycle: {n} of {} skipped", state.scenarios.len());
    let reasons = skips.iter().map(|(reason, names)| format!("{} ({reason})", names.len()));
    Some(command("warning", &[("title", title)], &reasons.collect::<Vec<_>>().join("; ")))
}

/// For a run that ended with a code that is not 0, whatever the reason.
pub(crate) fn ending(code: u8, reason: &str) -> String {
    // Other programs look for these words at the very beginning.
    if ["DEP-DOWN:", "CONFIG-MISSING:"].iter().any(|word| reason.starts_with(word)) {
        return command("error", &[], reason);
    }
    command("error", &[("title", format!("lifecycle: exit {code}"))], reason)
}

/// For a place in a file.
pub(crate) fn problem(kind: &str, file: &str, line: usize, message: &str, workspace: &Workspace) -> String {
    let mut properties = Vec::new();
    if !file.is_empty() && !file.starts_with('<') {
        properties.push(("file", workspace.path(file)));
        if line > 0 {
            properties.push(("line", line.to_string()));
        }
    }
    command(kind, &properties, message)
}

fn of_cause(cause: &Cause<'_>, workspace: &Workspace) -> String {
    let red: &ScenarioState = cause.representative();
    let kind = match cause {
        cause if cause.is_advisory() || cause.is_known() => "warning",
        _ => "error",
    };
    let step = red.decisive_step();
    let file = step.map_or(red.plan.file.as_str(), |step| red.file_of(step));
    let mut properties = Vec::new();
    if !file.is_empty() && !file.starts_with('<') {
        properties.push(("file", workspace.path(file)));
        properties.extend(step.filter(|s| s.line > 0).map(|s| ("line", s.line.to_string())));
    }
    let begun = cause.reds.iter().any(|red| red.started_ms.is_some());
    let title = match cause.reds.len() {
        // Why stands in the text.
        n if !begun => format!("{} did not begin", count(n as u64, "scenario")),
        1 => format!("{}: {}", red.name(), cause.title()),
        n => format!("{n} scenarios: {}", cause.title()),
    };
    properties.push(("title", short(&clean(&title), 120)));
    let mut text = if cause.summary.is_empty() { red.reason().to_owned() } else { cause.summary.to_owned() };
    if let Some(fix) = red.diagnosis.as_ref().map(|d| d.fix_shape.as_str()).filter(|fix| !fix.is_empty()) {
        text = format!("{}; suggested fix: {fix}", text.trim_end_matches('.'));
    }
    if cause.reds.len() > 1 {
        let names: Vec<&str> = cause.reds.iter().map(|red| red.name()).collect();
        text.push_str(&format!("; {}", listed("red", &names, MAX_NAMES, 1).concat()));
    }
    command(kind, &properties, &text)
}

fn command(kind: &str, properties: &[(&str, String)], text: &str) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", escape_property(&clean(value)))).collect();
    let gap = if properties.is_empty() { "" } else { " " };
    format!("::{kind}{gap}{}::{}", properties.join(","), escape_data(&clean(text)))
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_from_the_root_of_the_workspace() {
        let at =
            |root: &str, current: &str| Workspace { root_and_current: Some((root.into(), current.into())) };
        for (workspace, file, shown) in [
            (Workspace::default(), "./mine.yaml", "mine.yaml"),
            (at("/w", "/w/e2e"), "mine.yaml", "e2e/mine.yaml"),
            (at("/w", "/w/e2e"), "./a/../mine.yaml", "e2e/mine.yaml"),
            (at("/w", "/w/e2e"), "../mine.yaml", "mine.yaml"),
            (at("/w", "/w"), "/w/x/mine.yaml", "x/mine.yaml"),
            (at("/w", "/w"), "/elsewhere/mine.yaml", "/elsewhere/mine.yaml"),
        ] {
            assert_eq!(workspace.path(file), shown, "{workspace:?} {file}");
        }
        assert_eq!(
            problem("error", "./a,b.yaml", 3, "100 % wrong\n::x", &Workspace::default()),
            "::error file=a%2Cb.yaml,line=3::100 %25 wrong ::x"
        );
    }
}
