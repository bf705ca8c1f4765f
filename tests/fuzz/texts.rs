//! Files: scenarios, fragments, catalogues, profiles, manifests, known reds, workflows, logs.

use std::collections::BTreeMap;

use lifecycle_harness::facade::behaviour::overlay;
use lifecycle_harness::facade::event::read_events;
use lifecycle_harness::facade::models::allowlist::Allowlist;
use lifecycle_harness::facade::models::catalogue::{Catalogue, lint};
use lifecycle_harness::facade::models::workflow::{self, Context};
use lifecycle_harness::facade::redact::Redactor;
use lifecycle_harness::facade::scenario::known::KnownReds;
use lifecycle_harness::facade::scenario::{Fragments, expand_matrix, load, shipped_fragments};
use lifecycle_harness::facade::session::project;
use lifecycle_harness::facade::source::{Problem, SourceFile};
use lifecycle_harness::facade::targets::profile;

use crate::mutate::{below, fuzz};

fn source(input: &[u8]) -> SourceFile {
    SourceFile::new("fuzz.yaml", String::from_utf8_lossy(input).into_owned())
}

/// What is wrong can be shown, too.
fn draw(problems: &[Problem]) {
    for problem in problems.iter().take(20) {
        assert!(!problem.draw(false, 100).is_empty() && !problem.line().is_empty());
    }
}

#[test]
fn scenarios() {
    let fragments = shipped_fragments();
    let corpus = [below("scenarios", ".yaml"), below("fixtures/scenarios", ".yaml")].concat();
    fuzz("scenarios", &corpus, |input| {
        let loaded = load(&source(input), &fragments);
        draw(&loaded.problems);
        if let Some(scenario) = loaded.scenario {
            let first = expand_matrix(&scenario).into_iter().next();
            assert!(first.is_some_and(|instance| instance.name.starts_with(&scenario.name)));
        }
    });
}

#[test]
fn fragments() {
    let corpus =
        [below("scenarios/fragments", ".yaml"), below("fixtures/scenarios/fragments", ".yaml")].concat();
    let user = source(
        b"scenario: a\nsteps:\n  - create: {as: ws}\n  - use: {fragment: online, with: {workspace: ws}}\n",
    );
    fuzz("fragments", &corpus, |input| {
        let file = source(input);
        let (fragments, problems) = Fragments::load([&file]);
        draw(&problems);
        draw(&load(&user, &fragments).problems);
    });
}

#[test]
fn catalogues() {
    let corpus = [below("", "/providers.yaml"), below("fixtures/catalogues", ".yaml")].concat();
    fuzz("catalogues", &corpus, |input| match Catalogue::parse(&source(input)) {
        Ok(catalogue) => draw(&lint(&catalogue)),
        Err(problems) => draw(&problems),
    });
}

#[test]
fn profiles() {
    let nothing = BTreeMap::new();
    fuzz("profiles", &below("scenarios/profiles", ".yaml"), |input| {
        let loaded = profile::load(&source(input));
        draw(&loaded.problems);
        if let Some(profile) = loaded.profile
            && let Err(problems) = profile::foresee(&profile, &nothing)
        {
            draw(&problems);
        }
    });
}

#[test]
fn overlays_and_project_files() {
    let corpus = vec![
        b"edition: mid-august\naccepted:\n  - {behaviour: billing-route, value: off, reason: it is gone, date: 2026-08-14}\n"
            .to_vec(),
        b"edition: mid-june\naccepted:\n- behaviour: hibernate-wakes\n  value: on\n  reason: mended\n  date: 2026-09-01\n"
            .to_vec(),
        b"scenarios: e2e\nruns: runs\njobs: 4\ninputs: {a: b}\nprofiles:\n  ci: {keep_runs: 3, known: known.yaml}\n".to_vec(),
    ];
    fuzz("overlays", &corpus, |input| {
        let file = source(input);
        match overlay::read(&file) {
            Ok(overlay) => assert!(overlay.rows.len() < 1_000),
            Err(problems) => draw(&problems),
        }
        if let Err(problems) = project::parse(&file) {
            draw(&problems);
        }
    });
}

#[test]
fn manifests_and_known_reds() {
    let corpus = vec![
        br##"{"workspace_templates": [{"name": "hermes-default"}, {"name": "seo", "runtime": "codex"}]}"##.to_vec(),
        b"- {red: a/await ws/connection-refused, issue: '#1', until: 2026-12-31}\n- {red: b/c/d, issue: x, until: 2030-01-01}\n"
            .to_vec(),
    ];
    fuzz("manifests", &corpus, |input| {
        let file = source(input);
        if let Err(problems) = Allowlist::from_manifest(&file) {
            draw(&problems);
        }
        if let Err(problems) = KnownReds::parse(&file) {
            draw(&problems);
        }
    });
}

#[test]
fn workflows() {
    let (catalogue, allowlist) = (Catalogue::built_in(), Allowlist::shipped());
    let corpus =
        [below("fixtures/workflows", ".yml"), below("fixtures/workflows", ".yaml"), below(".gitea", ".yml")]
            .concat();
    fuzz("workflows", &corpus, |input| {
        let file = source(input);
        let read = |_: &str| Some(file.clone());
        let report = workflow::check(&file, &Context { catalogue, allowlist: &allowlist, read: &read });
        draw(&report.problems);
    });
}

#[test]
fn event_logs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    fuzz(
        "events",
        &[below("fixtures/logs", ".jsonl"), below("fixtures/fuzz/corpus", ".jsonl")].concat(),
        |input| {
            std::fs::write(&path, input).unwrap();
            let mut seen = 0u64;
            if let Ok(summary) = read_events(&path, |_| seen += 1) {
                assert!(summary.remarks().len() < 100);
            }
        },
    );
}

#[test]
fn texts_with_secrets() {
    let redactor = Redactor::new();
    redactor.register("KEY", "s3cr3t-valu3-of-a-test");
    let corpus = vec![
        br#"{"token": "s3cr3t-valu3-of-a-test", "url": "http://u:s3cr3t-valu3-of-a-test@h/"}"#.to_vec(),
        b"Authorization: Bearer s3cr3t-valu3-of-a-test\nczNjcjN0LXZhbHUzLW9mLWEtdGVzdA==".to_vec(),
    ];
    fuzz("redaction", &corpus, |input| {
        let text = String::from_utf8_lossy(input);
        let clean = redactor.text(&text);
        assert!(!clean.contains("s3cr3t-valu3-of-a-test"), "{clean}");
        if let Ok(mut value) = serde_json::from_slice(input) {
            redactor.value(&mut value);
            assert!(!value.to_string().contains("s3cr3t-valu3-of-a-test"), "{value}");
        }
    });
}
