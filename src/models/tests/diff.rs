use crate::models::catalogue::{Catalogue, lint};
use crate::models::diff::diff;
use crate::source::SourceFile;

fn august() -> Catalogue {
    let text = include_str!("../../../fixtures/catalogues/mid-august.yaml");
    Catalogue::parse(&SourceFile::new("fixtures/catalogues/mid-august.yaml", text)).unwrap()
}

#[test]
fn both_catalogues_are_served_by_the_same_code() {
    let august = august();
    assert_eq!((august.providers.len(), august.runtimes().len()), (32, 4));
    assert!(lint(&august).iter().all(|problem| problem.code != "catalogue::unknown-key"));
    assert!(august.models_for("google-adk").is_none());
    let served = |runtime: &str, model: &str| {
        crate::models::derive::derive(&august, runtime, model, &Default::default())
            .map(|p| p.name.clone())
            .ok()
    };
    for runtime in ["claude-code", "hermes", "codex", "openclaw"] {
        assert_eq!(served(runtime, "minimax/MiniMax-M2.7").as_deref(), Some("platform"), "{runtime}");
        assert_eq!(served(runtime, "moonshot/kimi-k2.6"), None, "{runtime}");
    }
}

#[test]
fn the_difference_fits_a_screen_and_names_the_consequences() {
    let diff = diff(Catalogue::built_in(), &august());
    let text = diff.text();
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("diff_mid_june_mid_august", text);
    });
    assert!(text.lines().count() <= 40, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 120));
    assert_eq!(diff.runtimes_removed, [("google-adk".to_owned(), 6)]);
}

#[test]
fn a_catalogue_does_not_differ_from_itself() {
    assert!(diff(&august(), &august()).is_empty());
    assert_eq!(diff(&august(), &august()).text(), "no consequences\n");
}
