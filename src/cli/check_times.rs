//! Jobs of CI workflows that end before the lane that they run may.

use std::time::Duration;

use super::Shell;
use super::args::LibraryArgs;
use crate::domain::time;
use crate::runner::plan;
use crate::session::library::Library;
use crate::session::profile;
use crate::source::{Problem, SourceFile};
use crate::targets::TargetFacts;
use crate::targets::saas::Waits;
use crate::yaml::{self, Aliases, Kind, Node, Reading};

/// The worst case of a profile, with the organisation that it makes and purges; `None` when it is no profile here.
pub(super) fn worst_case(name: &str, args: &LibraryArgs, shell: &Shell) -> Option<Duration> {
    let files = args.settings();
    let library = Library::load(&files, &[]).ok()?;
    let chosen = profile::choose(name, &files, shell).ok()?;
    let choice = chosen.scenarios(&library, &[]).ok()?;
    let sources = profile::sources(&std::collections::BTreeMap::new(), Some(&chosen), shell);
    let able = TargetFacts::everything();
    let instances = plan::plan(&choice.scenarios, &choice.only, &sources, &able, 1).ok()?;
    let longest: Duration = instances.iter().map(plan::worst_case).max()?;
    Some(longest + around(&chosen))
}

/// What a profile's organisation adds before and after.
pub(super) fn around(chosen: &profile::Chosen) -> Duration {
    if chosen.profile.makes_organisation { Waits::default().sum() } else { Duration::ZERO }
}

/// Warnings for jobs whose `timeout-minutes` is shorter than the profile that one of their steps runs.
pub(super) fn check(file: &SourceFile, args: &LibraryArgs, shell: &Shell) -> Vec<Problem> {
    if !(file.text.contains("timeout-minutes") && file.text.contains("--profile")) {
        return Vec::new();
    }
    let reading = Reading {
        code: "yaml",
        max_nodes: 100_000,
        max_aliases: 1_000,
        max_bytes: 1 << 20,
        aliases: Aliases::Defined,
    };
    let mut told_elsewhere = Vec::new();
    let Some(root) = yaml::parse(file, &reading, &mut told_elsewhere) else { return Vec::new() };
    let mut problems = Vec::new();
    for (name, job) in root.get("jobs").map(Node::entries).unwrap_or_default() {
        let Some(limit) = job.get("timeout-minutes") else { continue };
        let Kind::Number(minutes, _) = &limit.kind else { continue };
        let Some(given) = minutes.as_u64().map(|m| Duration::from_secs(m * 60)) else { continue };
        for profile in profiles(job) {
            let Some(worst) = worst_case(&profile, args, shell) else { continue };
            if worst > given {
                let text = format!(
                    "the job `{}` ends after {}, and the profile `{profile}` may take {} with clean-up",
                    name.text,
                    time::show(given),
                    time::show(worst)
                );
                let minutes = worst.as_secs().div_ceil(60);
                problems.push(
                    Problem::warning("check::timeout-too-short", text)
                        .at(file, limit.span, "a run that is cut off here leaves what it made to a sweep")
                        .hint(format!("timeout-minutes: {minutes}, or shorter deadlines of the inputs")),
                );
            }
        }
    }
    problems
}

/// Profiles that a job's steps run: `lifecycle run … --profile NAME`.
fn profiles(job: &Node) -> Vec<String> {
    let steps = match job.get("steps").map(|steps| &steps.kind) {
        Some(Kind::List(steps)) => steps.as_slice(),
        _ => &[],
    };
    let mut found = Vec::new();
    for step in steps {
        let Some(Kind::Text(script)) = step.get("run").map(|run| &run.kind) else { continue };
        for line in script.lines().filter(|line| line.contains("lifecycle run")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let named = words.iter().position(|word| *word == "--profile").and_then(|at| words.get(at + 1));
            let named = named.copied().or_else(|| words.iter().find_map(|w| w.strip_prefix("--profile=")));
            found.extend(named.map(|name| name.trim_matches(['"', '\'']).to_owned()));
        }
    }
    found
}
