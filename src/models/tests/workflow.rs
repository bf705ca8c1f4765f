use std::path::Path;

use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::models::workflow::{Context, WorkflowReport, check};
use crate::source::SourceFile;

fn read(path: &str) -> Option<SourceFile> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()?;
    Some(SourceFile::new(path, text))
}

fn run(file: &SourceFile) -> WorkflowReport {
    let allowlist = Allowlist::shipped();
    check(file, &Context { catalogue: Catalogue::built_in(), allowlist: &allowlist, read: &read })
}

fn workflow(text: &str) -> WorkflowReport {
    run(&SourceFile::new("w.yml", text))
}

/// `line:column code` for each label of each problem.
fn lines(report: &WorkflowReport) -> Vec<String> {
    let mut lines: Vec<String> = report
        .problems
        .iter()
        .map(|problem| {
            let source = problem.source.as_ref().unwrap();
            let at: Vec<String> =
                problem.labels.iter().map(|(span, _)| source.position(span.start).line.to_string()).collect();
            format!("{} {} {:?}", at.join("+"), problem.code, problem.level)
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn the_pair_of_2316_is_found_with_file_and_line_of_both_settings() {
    let report = run(&read("fixtures/workflows/broken/e2e-staging-reconciler.yml").unwrap());
    assert_eq!(lines(&report), ["15+16 model::C1 Error", "16+15 model::C19 Warning"]);
    let drawn = report.problems[0].draw(false, 140);
    for part in
        ["model::C1", "E2E_LLM_PATH", "E2E_MODEL_SLUG: MiniMax-M2", "422 MISSING_BYOK_CREDENTIAL", ":15:7"]
    {
        assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
    }
}

#[test]
fn healthy_workflows_give_no_alarm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workflows/healthy");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let report = run(&read(&format!("fixtures/workflows/healthy/{name}")).unwrap());
        let said: Vec<String> = report.problems.iter().map(|problem| problem.line()).collect();
        assert!(said.is_empty(), "{name}: {said:#?}");
        files += 1;
    }
    assert_eq!(files, 13);
}

#[test]
fn settings_meet_over_levels_anchors_matrix_shell_and_actions() {
    let report = run(&read("fixtures/workflows/broken/spread-over-levels.yml").unwrap());
    let mut found = lines(&report);
    found.retain(|line| line.ends_with("Error"));
    assert_eq!(
        found,
        ["26+27 model::C2 Error", "4+7 model::C1 Error", "42+40 model::C10 Error", "46 model::C1 Error"]
    );
    let said: Vec<&str> = report.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(said[0].ends_with("(when vars.NEVER is empty)"), "{said:#?}");
    let place = "E2E_MODEL_SLUG: MiniMax-M3 is at fixtures/workflows/actions/e2e-staging/action.yml:12:9";
    assert!(said.iter().any(|message| message.contains(place)), "{said:#?}");
}

#[test]
fn what_hangs_on_secrets_and_unknown_values_is_undecidable() {
    let text = "on: push\njobs:\n  a:\n    env:\n      E2E_RUNTIME: claude-code\n      E2E_MODEL_SLUG: ${{ vars.SLUG }}\n      E2E_MINIMAX_API_KEY: ${{ secrets.K }}\n    steps:\n    - run: bash tests/e2e/test_staging_full_saas.sh\n";
    let report = workflow(text);
    assert!(report.problems.is_empty() && !report.is_clean());
    let said: Vec<String> = report.undecidable.iter().map(|u| format!("{} {}", u.place, u.what)).collect();
    assert_eq!(said, ["w.yml:6:7 E2E_MODEL_SLUG", "w.yml:9:7 C3", "w.yml:9:7 C4"][..2].to_vec());
}

#[test]
fn a_key_is_wanted_where_a_model_is_named() {
    for (env, run, codes) in [
        ("", "lifecycle run --ci", &[][..]),
        ("E2E_RUNTIME: codex", "lifecycle run --ci", &[]),
        ("E2E_RUNTIME: hermes, E2E_LLM_PATH: platform", "lifecycle run --ci", &[]),
        ("E2E_RUNTIME: codex, E2E_MODEL_SLUG: openai/gpt-4o", "lifecycle run --ci", &["model::C16"]),
        ("E2E_RUNTIME: claude-code", "lifecycle run --base-url http://there:8080", &[]),
        ("E2E_MODEL_SLUG: sonnet", "lifecycle run --ci", &["model::C3"]),
    ] {
        let text = format!("on: push\njobs:\n  a:\n    env: {{ {env} }}\n    steps:\n    - run: {run}\n");
        let report = workflow(&text);
        let found: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(found, codes, "{env}: {run}");
        assert_eq!((report.calls, report.undecidable.len()), (1, 0), "{env}: {run}");
    }
}

#[test]
fn odd_files_are_survived() {
    for text in [
        "",
        "E2E_: [",
        "jobs: []\n# E2E_",
        "jobs: {a: 1}\n# E2E_",
        "jobs: {a: {env: 1, steps: {}, strategy: {matrix: 1}}}\n# E2E_",
        "env: {E2E_MODEL_SLUG: \"${{ env.E2E_MODEL_SLUG }}\"}\njobs: {a: {steps: [{run: lifecycle run}]}}",
        "jobs: {a: {strategy: {matrix: {x: [1, 2], y: \"${{ fromJSON(z) }}\"}}, env: {E2E_LLM_PATH: \"${{ matrix.y }}\"}}}",
    ] {
        workflow(text);
    }
}

#[test]
fn too_many_combinations_are_said_to_be_undecidable() {
    let alternatives: String = (0..12).map(|i| format!("${{{{ vars.V{i} && 'a' || 'b' }}}}")).collect();
    let text = format!(
        "on: push\njobs:\n  a:\n    env:\n      E2E_LLM_PATH: byok\n      E2E_MODEL_SLUG: \"{alternatives}\"\n    steps: []\n"
    );
    let report = workflow(&text);
    assert!(report.undecidable.iter().any(|u| u.why.contains("too many")), "{:?}", report.undecidable);
}

#[test]
#[ignore = "a stopwatch for people: cargo test --release -- --ignored stopwatch"]
fn stopwatch_of_200_files() {
    let files: Vec<SourceFile> = [
        "healthy/e2e-staging-saas.yml",
        "healthy/staging-smoke.yml",
        "broken/e2e-staging-reconciler.yml",
        "broken/spread-over-levels.yml",
    ]
    .iter()
    .cycle()
    .take(200)
    .filter_map(|name| read(&format!("fixtures/workflows/{name}")))
    .collect();
    let start = crate::clock::Instant::now();
    let calls: usize = files.iter().map(|file| run(file).calls).sum();
    println!("{} files, {calls} calls: {:?}", files.len(), start.elapsed());
}

/// A forge drops a workflow file with a key twice without a word: it is told whatever the file is about (field D9).
#[test]
fn a_key_twice_is_told_in_a_file_that_does_not_speak_of_models() {
    const STEP: &str = "jobs:\n  lane:\n    steps:\n      - env: { A: a }\n        run: ./fetch-key.sh\n";
    for (name, text, wanted) in [
        ("once", STEP.to_owned(), vec![]),
        ("twice", format!("{STEP}        env: {{ B: b }}\n"), vec!["6 yaml::duplicate-key Error"]),
        ("no YAML, and not ours", format!("{STEP}  }}{{\n"), vec![]),
    ] {
        assert_eq!(lines(&workflow(&text)), wanted, "{name}");
    }
}
