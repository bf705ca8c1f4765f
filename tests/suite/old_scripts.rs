//! `docs/old-scripts.md` names scenarios and steps that exist.

use std::collections::BTreeSet;
use std::path::Path;

use lifecycle_harness::facade::scenario::model::{Step, walk};
use lifecycle_harness::facade::scenario::{load, shipped, shipped_fragments};
use lifecycle_harness::facade::session::old_names::NOT_READ;
use regex::Regex;

use super::contract_rows::{meant, tests_below};
use super::harness::{Harness, PASSES, of_kind};

/// Variables of the old scripts, their stubs and workflows.
const VARIABLES: [&str; 72] = [
    "A2A_MINIMAX_TIMEOUT",
    "A2A_TIMEOUT",
    "ADMIN_TOKEN",
    "BASE",
    "CACHE_TAG",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CP_STUB_BASE",
    "E2E_ANTHROPIC_API_KEY",
    "E2E_AWS_LEAK_CHECK",
    "E2E_AWS_LEAK_CHECK_INTERVAL",
    "E2E_AWS_LEAK_CHECK_SECS",
    "E2E_AWS_REGION",
    "E2E_AWS_TERMINATE_LEAKS",
    "E2E_BILLING_MODE",
    "E2E_CHILD_ACTIVITY_TIMEOUT_SECS",
    "E2E_DEFAULT_PLATFORM_MODEL",
    "E2E_GOOGLE_API_KEY",
    "E2E_INSTANCE_ID_GRACE_SECS",
    "E2E_INTENTIONAL_FAILURE",
    "E2E_KEEP_ORG",
    "E2E_LIFECYCLE",
    "E2E_LLM_PATH",
    "E2E_LLM_PROXY_TIMEOUT",
    "E2E_LLM_PROXY_URL",
    "E2E_MINIMAX_API_KEY",
    "E2E_MINIMAX_WAIT_SECS",
    "E2E_MODE",
    "E2E_MODEL",
    "E2E_MODEL_SLUG",
    "E2E_OPENAI_API_KEY",
    "E2E_PRIORITY_UNIT_SOURCE",
    "E2E_PROVIDER",
    "E2E_PROVISION_TIMEOUT_SECS",
    "E2E_RECONCILE_OFFLINE_TIMEOUT_SECS",
    "E2E_REPROVISION_TIMEOUT_SECS",
    "E2E_REQUIRE_LIVE",
    "E2E_RUNTIME",
    "E2E_RUNTIMES",
    "E2E_RUN_ID",
    "E2E_STALE_POLL_DEADLINE_SECS",
    "E2E_STALE_WAIT_SECS",
    "E2E_TRANSIENT_RETRIES",
    "E2E_WORKSPACE_ONLINE_TIMEOUT_SECS",
    "GITEA_BRANCH_API",
    "HARNESS_GIT_SHA",
    "KEEP_UP",
    "LIFECYCLE_LLM",
    "LIFECYCLE_LLM_KEY",
    "LIFECYCLE_LLM_VALUE",
    "LIFECYCLE_MODEL",
    "LIFECYCLE_PROVISIONER_BUILDS",
    "LIFECYCLE_RUNTIME_IMAGE",
    "MINIMAX_API_KEY",
    "MOLECULE_ADMIN_TOKEN",
    "MOLECULE_CP_URL",
    "MOLECULE_ENV",
    "MOLECULE_IN_DOCKER",
    "MOLECULE_ORG_ID",
    "MOLECULE_TENANT_DOMAIN",
    "MOLECULE_URL",
    "MOLECULE_WORKSPACE_ADVERTISE_HOST",
    "MOLECULE_WORKSPACE_URL",
    "ONLINE_TIMEOUT",
    "PLATFORM_URL",
    "PROVIDERS_YAML_PATH",
    "REBUILD",
    "RESTART_TIMEOUT",
    "SECRETS_ENCRYPTION_KEY",
    "STUB_REGISTER_URL",
    "WORKSPACE_CONFIG_PATH",
    "WORKSPACE_ID",
    "WORKSPACE_MANIFEST_PATH",
];

/// The program's own text, without its tests and without the list of what it does not read.
fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "old_names.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push_str(text.split("#[cfg(test)]").next().unwrap());
        }
    }
}

#[test]
fn every_variable_of_the_old_scripts_is_read_or_is_told_not_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/old-scripts.md")).unwrap();
    let table = page.split("\n## Variables\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| `([A-Z0-9_]+)` \| .* \| (.*) \|$").unwrap();
    let rows: Vec<(&str, bool)> = row
        .captures_iter(table)
        .map(|found| (found.get(1).unwrap().as_str(), found[2].starts_with("not read")))
        .collect();
    let mut named: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    named.sort_unstable();
    assert_eq!(named, VARIABLES);
    let not_read: BTreeSet<&str> = rows.iter().filter(|(_, not)| *not).map(|(name, _)| *name).collect();
    assert_eq!(not_read, NOT_READ.iter().map(|(name, _)| *name).collect());
    let mut program = String::new();
    sources(&root.join("src"), &mut program);
    let fragments = shipped_fragments();
    let scenarios = shipped().into_iter().map(|file| load(&file, &fragments).scenario.unwrap());
    let inputs: BTreeSet<String> =
        scenarios.flat_map(|s| s.inputs.into_values().flat_map(|input| input.env)).collect();
    let mut profiles = String::new();
    for entry in std::fs::read_dir(root.join("scenarios/profiles")).unwrap() {
        profiles.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for name in named.into_iter().filter(|name| !not_read.contains(name)) {
        let of_profile = [format!("env.{name},"), format!("    {name}: "), format!("needs_env: [{name}]")];
        let read = inputs.contains(name)
            || program.contains(&format!("\"{name}\""))
            || of_profile.iter().any(|text| profiles.contains(text));
        assert!(read, "nothing reads {name}");
    }
}

#[test]
fn a_variable_that_is_not_read_any_more_is_told() {
    let run = || Harness::new().env("E2E_RUNTIMES", "mock").env("KEEP_UP", "");
    for typed in ["run", "plan"] {
        let done = run().args([typed]).scenario(PASSES).run().exit(0);
        let done = done.stderr_has("E2E_RUNTIMES is set and not read: name the arms");
        assert!(!done.stderr.contains("KEEP_UP"), "{}", done.stderr);
    }
    let smoke = Harness::new().env("E2E_MODE", "canary").args(["run", "staging-full"]).run().exit(0);
    assert!(!smoke.stderr.contains("child"), "{}", smoke.stderr);
    let made = of_kind(&smoke.events(), "intent").filter(|i| i["kind"] == "workspace").count();
    assert_eq!(made, 2, "the run's root and one more");
    Harness::new()
        .env("E2E_MODE", "half")
        .args(["plan", "staging-full"])
        .run()
        .exit(2)
        .stderr_has("E2E_MODE");
    let catalogue = Harness::new().env("PROVIDERS_YAML_PATH", "nowhere.yaml").args(["plan"]).scenario(PASSES);
    catalogue.run().exit(2).stderr_has("nowhere.yaml");
}

fn ids(steps: &[Step], found: &mut BTreeSet<String>) {
    for step in walk(steps) {
        // A fragment's steps stand below the place that uses it: `2.1` is there, and `2` with it.
        for (at, _) in step.id.match_indices('.') {
            found.insert(step.id[..at].to_owned());
        }
        found.insert(step.id.clone());
    }
}

#[test]
fn every_step_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/old-scripts.md")).unwrap();
    let tests = std::fs::read_to_string(root.join("tests/suite/false_greens.rs")).unwrap();
    let (fragments, scenarios) = (shipped_fragments(), shipped());
    let reference = Regex::new(r"`([a-z0-9]+/[a-z0-9-]+)(?: ([0-9.]+))?`").unwrap();
    let mut named = 0;
    let now =
        |line: &str| line.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default().to_owned();
    let cells: Vec<String> = page.lines().filter(|l| l.starts_with('|')).map(now).collect();
    for (line, found) in cells.iter().flat_map(|cell| reference.captures_iter(cell).map(move |c| (cell, c))) {
        let path = format!("{}.yaml", &found[1]);
        let file = scenarios.iter().find(|file| file.name.ends_with(&format!("/{path}")));
        let file = file.unwrap_or_else(|| panic!("there is no {path}: {line}"));
        let mut steps = BTreeSet::new();
        ids(&load(file, &fragments).scenario.unwrap().steps, &mut steps);
        if let Some(step) = found.get(2) {
            assert!(steps.contains(step.as_str()), "{path} has no step {}: {steps:?}", step.as_str());
        }
        named += 1;
    }
    assert!(named > 100, "only {named}");
    let mut all = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests_below(&root.join(folder), "", &mut all);
    }
    let test = Regex::new(r"`([a-z0-9_]+(?:::[a-z0-9_]+)+)`").unwrap();
    let staging = std::fs::read_to_string(root.join("docs/staging.md")).unwrap();
    for found in test.captures_iter(&page).chain(test.captures_iter(&staging)) {
        assert_eq!(meant(&all, &found[1]).len(), 1, "{} is not one test", &found[1]);
    }
    let shown = Regex::new(r"`false_greens: ([a-z_]+)`").unwrap();
    for found in shown.captures_iter(&page) {
        assert!(
            tests.contains(&format!("fn {}()", &found[1])),
            "tests/suite/false_greens.rs does not have {}",
            &found[1]
        );
    }
    for line in page.lines().filter(|l| l.starts_with('|') && !l.starts_with("|---")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert!(cells.len() >= 3 && cells.iter().all(|c| !c.trim().is_empty()), "a cell is missing: {line}");
    }
}
