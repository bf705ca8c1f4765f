use crate::models::catalogue::{Catalogue, lint};
use crate::source::SourceFile;

fn problems(text: &str) -> Vec<String> {
    match Catalogue::parse(&SourceFile::new("p.yaml", text)) {
        Ok(catalogue) => lint(&catalogue),
        Err(problems) => problems,
    }
    .iter()
    .map(|problem| format!("{} {}", problem.place().unwrap_or_default(), problem.code))
    .collect()
}

#[test]
fn the_built_in_catalogue_has_the_numbers_that_are_known() {
    let catalogue =
        Catalogue::parse(&SourceFile::new("providers.yaml", include_str!("../../../providers.yaml")))
            .unwrap();
    let arms: Vec<_> = catalogue.runtimes().iter().flat_map(|r| &r.arms).collect();
    let listings: Vec<_> = arms.iter().flat_map(|arm| &arm.models).map(|m| m.id.as_str()).collect();
    let distinct: std::collections::BTreeSet<_> = listings.iter().collect();
    let name_only = arms.iter().filter(|arm| arm.models.is_empty()).count();
    assert_eq!(
        (
            catalogue.providers.len(),
            catalogue.runtimes().len(),
            arms.len(),
            name_only,
            listings.len(),
            distinct.len()
        ),
        (32, 5, 43, 29, 58, 48)
    );
    assert_eq!(Catalogue::built_in().providers.len(), 32);
    assert_eq!(catalogue.models_for("codex").map(|m| m.len()), Some(8));
    // vertex and ollama have no arm anywhere; moonshot is still an upstream of the proxy.
    let linted: Vec<String> = lint(&catalogue).iter().map(|p| p.message.clone()).collect();
    assert_eq!(linted.len(), 2, "{linted:#?}");
}

#[test]
fn all_mistakes_come_at_once_each_with_its_place() {
    let text = "\
schema_version: 2
providers:
- name: a
  display_name: A
  protocol: soap
  auth_mode: oauth
  auth_env: [A_KEY]
  model_prefix_match: '^(a'
  upstream_vendor: v
- name: a
  display_name: [A]
  auth_env: []
  model_prefix_match: ^b
  upstream_vendor: v
  protocol: openai
runtimes:
  r:
    providers:
    - {name: a}
    - {name: a}
    - {name: aa, models: [1]}
  s: {}
";
    assert_eq!(
        problems(text),
        [
            "p.yaml:1:17 catalogue::schema-version",
            "p.yaml:5:13 catalogue::bad-protocol",
            "p.yaml:8:23 catalogue::bad-pattern",
            "p.yaml:10:9 catalogue::duplicate-provider",
            "p.yaml:10:9 catalogue::missing-field",
            "p.yaml:11:17 catalogue::bad-type",
            "p.yaml:12:3 catalogue::missing-field",
            "p.yaml:14:20 catalogue::duplicate-vendor",
            "p.yaml:20:14 catalogue::duplicate-arm",
            "p.yaml:21:14 catalogue::dangling-provider",
            "p.yaml:21:27 catalogue::bad-type",
            "p.yaml:22:3 catalogue::no-arms",
        ]
    );
}

#[test]
fn what_nobody_reads_or_reaches_is_a_warning() {
    let text = "\
schema_version: 1
providers:
- {name: a, display_name: A, protocol: openai, auth_mode: x, auth_env: [A_KEY], model_prefix_match: ^a, logo: x}
- {name: b, display_name: B, protocol: openai, auth_mode: x, auth_env: [A_KEY], model_prefix_match: ^a}
- {name: c, display_name: C, protocol: openai, auth_mode: x, auth_env: [C_KEY], model_prefix_match: ^c}
runtimes:
  r:
    providers:
    - {name: a, models: [a-1]}
    - {name: b, models: [a-1]}
extra: 1
";
    assert_eq!(
        problems(text),
        [
            "p.yaml:11:1 catalogue::unknown-key",
            "p.yaml:3:105 catalogue::unknown-key",
            "p.yaml:10:26 catalogue::shadowed",
            "p.yaml:10:14 catalogue::ambiguous",
            "p.yaml:5:10 catalogue::unreachable",
        ]
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in [
        "",
        "1",
        "[]",
        "providers: 1",
        "schema_version: 1\nproviders: {}\nruntimes: []",
        "a: &a [*a]",
        "\u{feff}",
        "providers:\n- 1\n- {name: [x]}\nruntimes: {r: 1}",
    ] {
        assert!(!problems(text).is_empty(), "{text:?}");
    }
}
