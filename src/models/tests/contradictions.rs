use std::path::Path;

use crate::behaviour::Edition;
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::models::classes::codes;
use crate::models::contradictions::*;
use crate::models::contradictions_page::page;
use crate::models::situation_file::{self, SituationFile};
use crate::source::{Level, SourceFile};

fn fixture(name: &str) -> SituationFile {
    let path = format!("fixtures/contradictions/{name}.yaml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
    situation_file::parse(Catalogue::built_in(), &SourceFile::new(path, text)).unwrap()
}

#[test]
fn contradictions_27_of_27_each_from_its_fixture_with_its_position() {
    let mut seen = 0;
    for class in &CLASSES {
        let file = fixture(class.code);
        let found = detect(Catalogue::built_in(), &file.allowlist, &file.situation);
        let listed: Vec<String> = found
            .iter()
            .map(|f| {
                format!("{} {}", f.class.code, if f.level == Level::Error { "error" } else { "warning" })
            })
            .collect();
        assert_eq!(listed, file.findings, "{}: {found:#?}", class.code);
        let finding = found.iter().find(|f| f.class.code == class.code).unwrap();
        let problem = finding.problem(&file.situation);
        let place = problem.place().unwrap_or_else(|| panic!("{} has no place: {finding:?}", class.code));
        assert!(place.starts_with(&format!("fixtures/contradictions/{}.yaml:", class.code)), "{place}");
        assert!(problem.hint.is_some() && finding.level <= class.level);
        let sent = file.situation.sent(Catalogue::built_in());
        let fate = sent.fate(Catalogue::built_in(), &file.allowlist, &file.situation);
        assert_eq!(fate.words(), file.outcome, "{}", class.code);
        seen += 1;
    }
    assert_eq!(seen, 27);
}

/// The rules that are others since mid-August: what is found, and what becomes of the create.
#[test]
fn the_same_settings_on_mid_august() {
    let catalogue = Catalogue::of_edition(Edition::MidAugust);
    let allowlist = Allowlist::of_edition(Edition::MidAugust);
    let refused = "422 UNREGISTERED_MODEL_FOR_RUNTIME at create";
    let aborts = "201, then failed at provision: MISSING_BYOK_CREDENTIAL";
    let table: &[(&str, &str, &[&str], &str)] = &[
        (
            "the default of the platform path is another one",
            "env: {E2E_RUNTIME: codex, E2E_LLM_PATH: platform}\n",
            &[],
            "accepted",
        ),
        (
            "June's default says that it was withdrawn",
            "env: {E2E_RUNTIME: codex, E2E_LLM_PATH: platform, E2E_DEFAULT_PLATFORM_MODEL: moonshot/kimi-k2.6}\n",
            &["C2 error", "C23 warning"],
            refused,
        ),
        (
            "so it does without a path",
            "create: {runtime: hermes, model: moonshot/kimi-k2.6, secrets: {}}\n",
            &["C16 error", "C23 warning"],
            refused,
        ),
        (
            "nothing is written later",
            "script: full-saas\nenv: {E2E_RUNTIME: claude-code, E2E_ANTHROPIC_API_KEY: k}\n",
            &[],
            "accepted",
        ),
        (
            "a key that create takes and provision does not, beside another vendor's",
            "create: {runtime: openclaw, model: \"groq:llama-3.3-70b\", secrets: {GROQ_API_KEY: k, OPENAI_API_KEY: k}}\n",
            &["C6 error"],
            aborts,
        ),
        (
            "only an unrelated key is left at a restart",
            "create: {runtime: claude-code, model: kimi-k2, secrets: {KIMI_API_KEY: k, OPENAI_API_KEY: k}}\n\
             left_at_restart: [OPENAI_API_KEY]\ntarget: {kind: docker, proxy: false}\n",
            &["C7 error"],
            "accepted",
        ),
        (
            "a variant as a runtime is refused",
            "create: {runtime: seo-agent, model: sonnet, secrets: {}}\n",
            &["C15 error"],
            "422 RUNTIME_UNSUPPORTED at create",
        ),
        (
            "so is the other one",
            "create: {runtime: platform-agent, model: sonnet, secrets: {}}\n",
            &["C15 error"],
            "422 RUNTIME_UNSUPPORTED at create",
        ),
        (
            "the guard is not armed on the platform path",
            "script: full-saas\nenv: {E2E_RUNTIME: claude-code, E2E_LLM_PATH: platform, E2E_MINIMAX_API_KEY: k}\n",
            &["C18 warning"],
            "accepted",
        ),
    ];
    for (name, text, codes, outcome) in table {
        let file = situation_file::parse(catalogue, &SourceFile::new("case.yaml", *text)).unwrap();
        let found = detect(catalogue, &allowlist, &file.situation);
        let level = |f: &Finding| if f.level == Level::Error { "error" } else { "warning" };
        let listed: Vec<String> = found.iter().map(|f| format!("{} {}", f.class.code, level(f))).collect();
        assert_eq!(listed, *codes, "{name}: {found:#?}");
        let fate = file.situation.sent(catalogue).fate(catalogue, &allowlist, &file.situation);
        assert_eq!(fate.words(), *outcome, "{name}");
    }
}

#[test]
fn codes_are_in_order_and_found_by_name() {
    for (index, code) in codes().enumerate() {
        assert_eq!(code, format!("C{}", index + 1));
        assert!(class_of(code).is_some());
    }
    assert!(class_of("C28").is_none());
}

#[test]
fn an_error_of_2316_shows_both_settings() {
    let file = fixture("C1");
    let found = detect(Catalogue::built_in(), &file.allowlist, &file.situation);
    let drawn = found[0].problem(&file.situation).draw(false, 120);
    for part in ["model::C1", "E2E_LLM_PATH", "E2E_MODEL_SLUG", "C1.yaml:4:3", "422 MISSING_BYOK_CREDENTIAL"]
    {
        assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
    }
}

#[test]
fn a_finding_that_hangs_on_a_secret_is_only_possible() {
    let mut situation = Situation::default();
    situation.env.insert("E2E_RUNTIME".into(), "claude-code".into());
    situation.maybe.insert("E2E_MINIMAX_API_KEY".into());
    let report =
        detect_certain(Catalogue::built_in(), &crate::models::allowlist::Allowlist::shipped(), &situation);
    assert!(report.certain.is_empty());
    assert_eq!(report.possible.iter().map(|f| f.class.code).collect::<Vec<_>>(), ["C3"]);
    situation.env.insert("E2E_LLM_PATH".into(), "platform".into());
    situation.env.insert("E2E_MODEL_SLUG".into(), "MiniMax-M2".into());
    let report =
        detect_certain(Catalogue::built_in(), &crate::models::allowlist::Allowlist::shipped(), &situation);
    assert_eq!(report.certain.iter().map(|f| f.class.code).collect::<Vec<_>>(), ["C1", "C19"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch, as insta has one")]
fn the_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contradictions.md");
    let have = std::fs::read_to_string(&path).unwrap_or_default();
    if have != page() && std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
        return;
    }
    assert!(have == page(), "docs/contradictions.md is old: run this test with UPDATE_DOCS=1");
}
