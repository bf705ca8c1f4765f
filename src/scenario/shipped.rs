//! The scenarios and fragments that the binary carries.

use crate::source::SourceFile;

use super::Fragments;

macro_rules! carried {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../scenarios/", $folder, $path)))),*]
    };
}

/// Path below `scenarios/` and text.
const SCENARIOS: &[(&str, &str)] = carried!("":
    "a2a/activity.yaml",
    "a2a/basics.yaml",
    "a2a/delegation.yaml",
    "a2a/envelopes.yaml",
    "a2a/refusals.yaml",
    "access/health.yaml",
    "access/hierarchy.yaml",
    "access/state.yaml",
    "access/update.yaml",
    "create/defaults.yaml",
    "create/known-runtimes.yaml",
    "create/names.yaml",
    "create/refusals.yaml",
    "create/template.yaml",
    "docker/as-made.yaml",
    "docker/config-lost.yaml",
    "docker/deleted-while-provisioning.yaml",
    "docker/exits-at-once.yaml",
    "docker/network-cut.yaml",
    "docker/out-of-memory.yaml",
    "docker/paused.yaml",
    "docker/started-again.yaml",
    "docker/thawed.yaml",
    "external/budget.yaml",
    "external/connection.yaml",
    "external/kimi-stays.yaml",
    "external/kimi.yaml",
    "external/lost-cursor.yaml",
    "external/poll-mode.yaml",
    "external/push-agent.yaml",
    "external/queue-expires.yaml",
    "external/queue-followed.yaml",
    "external/queue.yaml",
    "external/queued-while-away.yaml",
    "external/resume.yaml",
    "external/stale.yaml",
    "external/unreachable-agent.yaml",
    "local/address.yaml",
    "local/billing-override.yaml",
    "local/bootstrap-failed.yaml",
    "local/crash-recovers.yaml",
    "local/delete-leaves-nothing.yaml",
    "local/delete.yaml",
    "local/env-projection-anthropic-api.yaml",
    "local/env-projection-anthropic-oauth.yaml",
    "local/env-projection-minimax.yaml",
    "local/events.yaml",
    "local/first-answer.yaml",
    "local/hibernate-restart.yaml",
    "local/hibernate-wake.yaml",
    "local/hibernation-monitor.yaml",
    "local/instance-terminated.yaml",
    "local/known-answers.yaml",
    "local/model-change.yaml",
    "local/pause-resume.yaml",
    "local/provision-fails.yaml",
    "local/provision.yaml",
    "local/restart-context.yaml",
    "local/restart-debounce.yaml",
    "local/restart-refusals.yaml",
    "local/restart-twice.yaml",
    "local/secret-write.yaml",
    "local/two-at-once.yaml",
    "matrix/minimal-boot.yaml",
    "matrix/mock.yaml",
    "matrix/platform-path.yaml",
    "matrix/runtimes.yaml",
    "registry/degraded.yaml",
    "registry/heartbeat.yaml",
    "registry/peers.yaml",
    "registry/refusals.yaml",
    "registry/register-failure.yaml",
    "registry/stranger.yaml",
    "registry/tokens.yaml",
    "settings/offered-models.yaml",
    "settings/secrets.yaml",
);

const FRAGMENTS: &[(&str, &str)] = carried!("":
    "fragments/every-edge.yaml",
    "fragments/new-instance.yaml",
    "fragments/online.yaml",
    "fragments/poll-agent.yaml",
);

fn files(carried: &[(&str, &str)]) -> Vec<SourceFile> {
    carried.iter().map(|(path, text)| SourceFile::new(format!("<built-in>/{path}"), *text)).collect()
}

/// The shipped scenarios, by path.
pub fn shipped() -> Vec<SourceFile> {
    files(SCENARIOS)
}

/// The shipped fragments, as files.
pub fn shipped_fragment_files() -> Vec<SourceFile> {
    files(FRAGMENTS)
}

/// The shipped fragments, ready for `use:`.
pub fn shipped_fragments() -> Fragments {
    Fragments::load(&shipped_fragment_files()).0
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::load;

    /// What lies in the folder, as paths below `scenarios/`.
    fn in_folder() -> Vec<String> {
        fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, found);
                } else if path.extension().is_some_and(|e| e == "yaml") {
                    found.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        found.retain(|path| !path.starts_with("profiles/"));
        found.sort();
        found
    }

    #[test]
    fn the_list_is_the_folder() {
        let mut listed: Vec<String> =
            SCENARIOS.iter().chain(FRAGMENTS).map(|(path, _)| (*path).to_owned()).collect();
        listed.sort();
        assert_eq!(listed, in_folder(), "put new files into the lists of shipped.rs");
    }

    #[test]
    fn all_shipped_scenarios_load() {
        let (fragments, problems) = Fragments::load(&shipped_fragment_files());
        let mut lines: Vec<String> = problems.iter().map(|p| p.draw(false, 120)).collect();
        let mut names = Vec::new();
        for file in shipped() {
            let loaded = load(&file, &fragments);
            lines.extend(loaded.problems.iter().map(|p| p.draw(false, 120)));
            names.extend(loaded.scenario.map(|s| s.name));
        }
        assert!(lines.is_empty(), "{}", lines.concat());
        assert_eq!(names.len(), SCENARIOS.len());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len(), "two scenarios have the same name");
    }

    #[test]
    fn every_shipped_scenario_says_what_it_is_for() {
        for file in shipped() {
            let scenario = load(&file, &shipped_fragments()).scenario.unwrap();
            assert!(!scenario.summary.is_empty(), "{} has no summary", scenario.name);
            assert!(!scenario.tags.is_empty(), "{} has no tags", scenario.name);
        }
    }
}
