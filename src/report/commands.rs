//! What to type next, as a shell takes it.

use super::scenario_state::ScenarioState;
use super::state::RunState;
use crate::event::RunStarted;
use crate::redact;
use crate::reference::fault_runs::making;
use crate::scenario::without_round;
use crate::source::built_in;

/// A command line, and what a person should know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Program and arguments, unquoted.
    pub args: Vec<String>,
    /// A few words; empty when there is nothing to say.
    pub remark: String,
}

impl Command {
    fn new(args: &[&str]) -> Self {
        Command { args: args.iter().map(|a| (*a).to_owned()).collect(), remark: String::new() }
    }

    /// One line for a shell.
    pub(crate) fn line(&self) -> String {
        let words: Vec<String> = self.args.iter().map(|arg| quote(arg)).collect();
        let remark = if self.remark.is_empty() { String::new() } else { format!("  # {}", self.remark) };
        words.join(" ") + &remark
    }

    /// Quoted arguments, a flag together with its value.
    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut flag = false;
        for arg in &self.args {
            let word = quote(arg);
            match words.last_mut() {
                Some(last) if flag => *last = format!("{last} {word}"),
                _ => words.push(word),
            }
            flag = !flag && arg.starts_with("--");
        }
        words
    }

    /// Lines of at most so many columns where that is possible, continued with `\`; nothing is cut.
    pub(crate) fn lines(&self, columns: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in self.words() {
            if !line.is_empty() && line.chars().count() + word.chars().count() + 3 > columns {
                lines.push(format!("{line} \\"));
                line = String::from("  ");
            }
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        if !self.remark.is_empty() && line.chars().count() + self.remark.chars().count() + 4 <= columns {
            line = format!("{line}  # {}", self.remark);
            lines.push(line);
        } else {
            lines.push(line);
            if !self.remark.is_empty() {
                lines.push(super::text::cut(&format!("  # {}", self.remark), columns));
            }
        }
        lines
    }
}

/// `, with fault no-projection`: a red that was made on purpose is nobody's to look for.
pub(super) fn by_fault(identity: &RunStarted) -> String {
    identity.asked().remove("faults").map(|faults| format!(", with fault {faults}")).unwrap_or_default()
}

/// The run's folder as a report names it: it does not know on which machine it is read.
pub(super) fn run_name(state: &RunState) -> String {
    format!("runs/{}", state.identity.run)
}

/// The commands for a scenario that failed. `run` is the run's folder as a person would type it.
pub(crate) fn next_steps(state: &RunState, scenario: &ScenarioState, run: &str) -> Vec<Command> {
    let name = without_round(scenario.name());
    let mut explain = Command::new(&["lifecycle", "explain", run]);
    if state.reds().count() > 1 {
        explain.args.push(name.to_owned());
    }
    let mut commands = vec![explain];
    let target = state.identity.target.as_ref().map_or("", |target| target.kind.as_str());
    // A server that goes on has something left to look at, when the run left it there.
    let destroy = state.identity.asked().remove("destroy").unwrap_or_else(|| "always".to_owned());
    let kept = destroy != "always" && matches!(target, "live" | "saas");
    let workspace = scenario
        .decisive_evidence()
        .and_then(|e| e.workspace.clone())
        .or_else(|| scenario.workspaces.values().last().map(|t| t.id.clone()))
        .filter(|id| kept && !id.is_empty());
    if let Some(id) = workspace {
        commands.push(Command::new(&["lifecycle", "diagnose", &id]));
    }
    // What a fault made here is red by that fault already.
    let by_fault = state.identity.asked().contains_key("faults");
    let mechanism = scenario.diagnosis.as_ref().map_or("", |d| d.mechanism.as_str());
    if !by_fault && !making(mechanism, name).is_empty() {
        commands.push(Command::new(&["lifecycle", "reproduce", run, name]));
    }
    let mut again = Command::new(&["lifecycle", "run", "--like", run, name]);
    if !state.identity.ci.is_empty() && matches!(target, "live" | "saas") {
        // The server of a CI job is not there any more for who reads its log.
        again.args.extend(["--target".to_owned(), "embedded".to_owned()]);
    }
    commands.push(again);
    commands
}

/// The command that runs one scenario again with the same inputs; secret ones come from the
/// environment again and are only named.
pub(crate) fn rerun(state: &RunState, scenario: &ScenarioState) -> Command {
    let identity = &state.identity;
    let mut command = Command::new(&["lifecycle", "run"]);
    let mut args = selectors(scenario);
    if let Some(target) = identity.target.as_ref().filter(|_| identity.profile.is_none()) {
        args.extend(["--target".to_owned(), target.kind.clone()]);
        if target.kind == "live" {
            args.extend(["--base-url".to_owned(), target.base_url.clone()]);
        }
    }
    if let Some(profile) = &identity.profile {
        args.extend(["--profile".to_owned(), profile_name(&profile.name)]);
    }
    let mut secret = Vec::new();
    for input in identity.inputs.iter().filter(|input| input.scenario == scenario.name()) {
        if redact::is_marked(&input.value) {
            secret.push(input.name.as_str());
        } else if input.source.is_typed() {
            args.extend(["--input".to_owned(), format!("{}={}", input.name, input.value)]);
        }
    }
    if let Some(folder) = identity.asked().remove("scenarios") {
        args.extend(["--scenarios".to_owned(), folder]);
    }
    command.args.extend(args);
    if !secret.is_empty() {
        command.remark = format!("secret, left out: {}", secret.join(", "));
    }
    command
}

/// Built-in scenarios are named, files are pathed; an instance of a file is both.
fn selectors(scenario: &ScenarioState) -> Vec<String> {
    let file = &scenario.plan.file;
    let name = without_round(scenario.name()).to_owned();
    let is_file = !file.is_empty() && built_in(file).is_none();
    match (is_file, name.contains('[')) {
        (true, true) => vec![file.clone(), name],
        (true, false) => vec![file.clone()],
        (false, _) => vec![name],
    }
}

/// What `--profile` takes.
pub(crate) fn profile_name(name: &str) -> String {
    match built_in(name) {
        Some(path) => {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.trim_end_matches(".yaml").to_owned()
        }
        None => name.to_owned(),
    }
}

/// Quotes an argument for a POSIX shell, when it needs it.
pub(crate) fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_a_shell() {
        for (arg, quoted) in [
            ("a=b", "a=b"),
            ("", "''"),
            ("runtimes[runtime=codex]", "'runtimes[runtime=codex]'"),
            ("it's $HOME", "'it'\\''s $HOME'"),
        ] {
            assert_eq!(quote(arg), quoted);
        }
    }

    #[test]
    fn long_commands_are_continued_and_never_cut() {
        let mut command = Command::new(&["lifecycle", "run", "x"]);
        for i in 0..9 {
            command.args.extend(["--input".to_owned(), format!("some_input_{i}=some-value-{i}")]);
        }
        let lines = command.lines(60);
        assert!(lines.len() > 3);
        let (last, others) = lines.split_last().unwrap();
        assert!(others.iter().all(|line| line.ends_with(" \\") && line.len() <= 60), "{lines:#?}");
        assert!(!last.ends_with('\\'));
        let joined = lines.join("\n").replace(" \\\n  ", " ");
        assert_eq!(joined, command.line());
    }
}
