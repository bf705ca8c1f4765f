mod causes;
mod elsewhere;
mod files;
mod sentences;

use super::{catalogue, lint, page};

#[test]
fn every_shipped_mechanism_is_sound() {
    if let Err(problems) = lint::load(&catalogue::files()) {
        panic!("{}", problems.iter().map(|p| p.draw(false, 120)).collect::<String>());
    }
}

#[test]
fn every_file_of_the_folder_is_carried() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mechanism/catalogue");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".yaml").to_owned())
        .collect();
    there.sort();
    let mut carried: Vec<&str> = catalogue::names().collect();
    carried.sort_unstable();
    assert_eq!(there, carried);
}

/// `expect_failure.mechanism` of a shipped scenario is a name of the catalogue.
#[test]
fn expected_failures_name_mechanisms_that_exist() {
    let fragments = crate::scenario::shipped_fragments();
    for file in crate::scenario::shipped() {
        let scenario = crate::scenario::load(&file, &fragments).scenario.unwrap();
        if let Some(name) = scenario.expect_failure.as_ref().and_then(|e| e.mechanism.as_ref()) {
            assert!(catalogue::find(name).is_some(), "{}: {name}", file.name);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a developer's switch, read by this test only")]
fn the_page_is_the_file() {
    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mechanisms.md");
    let page = page::page(catalogue::shipped());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOCS, &page).unwrap();
    }
    let file = std::fs::read_to_string(DOCS).unwrap_or_default();
    assert!(file == page, "docs/mechanisms.md is out of date: UPDATE_DOCS=1 cargo test the_page_is_the_file");
}

/// Reds as real servers, agents and providers make them: what each is called, its class and the exit code.
#[test]
#[expect(clippy::disallowed_methods, reason = "a developer's switch, read by this test only")]
fn the_page_of_named_reds_is_the_file() {
    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/named-reds.md");
    let mut page = String::from(
        "# Named reds\n\nWritten by `UPDATE_DOCS=1 cargo test --lib the_page_of_named_reds`; do not edit.\n\n\
        Each line is a red with the evidence that such a red has on a real server, as tests build it \
        (`src/mechanism/tests`), and what the harness says of it. `unclassified` is an answer too: then the evidence \
        names no cause that could have made the red, and what decides is quoted first.\n",
    );
    let row = |what: &str, case: &causes::Case| {
        let found = super::diagnose(&case.0);
        let class = format!("{:?}", found.class).to_lowercase();
        format!("| {what} | `{}` | {class} | {} |\n", found.mechanism, found.class.exit().code())
    };
    let head = "| red | mechanism | class | exit |\n|---|---|---|---|\n";
    page.push_str(&format!("\n## Seen on servers of others\n\n{head}"));
    page.extend(causes::of_real_servers().iter().map(|(what, case, _)| row(what, case)));
    page.push_str(&format!("\n## Providers, agents and platforms in their own words\n\n{head}"));
    page.extend(elsewhere::table().iter().map(|(what, case, ..)| row(what, case)));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOCS, &page).unwrap();
    }
    let file = std::fs::read_to_string(DOCS).unwrap_or_default();
    assert!(
        file == page,
        "docs/named-reds.md is out of date: UPDATE_DOCS=1 cargo test --lib the_page_of_named_reds"
    );
}
