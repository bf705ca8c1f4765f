//! What is wrong with a file is said, with its place and what would be right.

use crate::mechanism::lint;
use crate::source::SourceFile;

const GOOD: &str = "mechanism: one\nlayer: boot\nclass: product\nsummary: It broke.\nexplains: [online, status]\nmatch:\n  all: { record.status: failed }\nevidence: [\"row {record.status}\"]\nfix_shape: Mend it.\npart: server\n";

fn codes(files: &[(&str, String)]) -> Vec<String> {
    let files: Vec<SourceFile> =
        files.iter().map(|(name, text)| SourceFile::new(format!("{name}.yaml"), text.as_str())).collect();
    match lint::load(&files) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            assert!(problems.iter().all(|p| p.place().is_some()), "{problems:?}");
            problems.into_iter().map(|p| p.code.trim_start_matches("mechanism::").to_owned()).collect()
        }
    }
}

fn all(conditions: &str) -> String {
    GOOD.replace("{ record.status: failed }", conditions)
}

#[test]
fn each_error_of_a_file() {
    let table: [(&str, String, &[&str]); 22] = [
        ("good", GOOD.to_owned(), &[]),
        ("unknown key", format!("{GOOD}isue: x\n"), &["unknown-key"]),
        ("unknown layer", GOOD.replace("boot", "boots"), &["unknown-value"]),
        ("no part", GOOD.replace("part: server\n", ""), &["missing"]),
        ("unknown fact", all("{ record_status: failed }"), &["unknown-fact"]),
        ("unknown fact in a text", GOOD.replace("{record.status}\"", "{recrod.status}\""), &["template"]),
        ("unknown test", all("{ record.status: { equals: failed } }"), &["unknown-test"]),
        ("no regex", all("{ record.status: { matches: '(' } }"), &["regex"]),
        ("no number", all("{ wait.polls: { at_least: many } }"), &["shape"]),
        ("a value that never is", all("{ record.url: x, edge: restrat }"), &["never"]),
        ("symptom only", all("{ message: { contains: x }, step.verb: await }"), &["symptom-only"]),
        (
            "two values at once",
            all("{ record.status: failed, http.status: { is: '1', not: '1' } }"),
            &["never"],
        ),
        ("too much and too little", all("{ wait.polls: { at_least: 5, at_most: 4 } }"), &["never"]),
        (
            "excluded by none",
            GOOD.replace(
                "{ record.status: failed }",
                "{ record.status: failed }\n  none: [{ record.status: failed }]",
            ),
            &["never"],
        ),
        ("a list has many values", all("{ event.type: A, event.code: B }"), &[]),
        ("nothing that it explains", GOOD.replace("explains: [online, status]\n", ""), &["missing"]),
        ("an unknown red", GOOD.replace("[online, status]", "[onlin]"), &["unknown-red"]),
        (
            "a red with an unknown fact",
            GOOD.replace("[online, status]", "[{ red: reply, when: { reply.eror: auth } }]"),
            &["unknown-fact"],
        ),
        (
            "a red that its facts are never known under",
            all("{ reply.kind: text }").replace("[online, status]", "create"),
            &["cannot-explain"],
        ),
        (
            "excluded by unless",
            GOOD.replace(
                "{ record.status: failed }",
                "{ record.status: failed }\n  unless: [{ record.status: failed }]",
            ),
            &["never"],
        ),
        ("no evidence", GOOD.replace("[\"row {record.status}\"]", "[]"), &["missing"]),
        ("no mapping", "- a\n".to_owned(), &["shape"]),
    ];
    for (name, text, wanted) in table {
        assert_eq!(codes(&[("one", text)]), wanted, "{name}");
    }
}

#[test]
fn files_are_checked_together() {
    let other = |from: &str| from.replace("mechanism: one", "mechanism: two");
    assert_eq!(codes(&[("one", GOOD.to_owned()), ("two", other(GOOD))]), ["equal"]);
    assert_eq!(codes(&[("one", GOOD.to_owned()), ("one", GOOD.to_owned())]), ["twice"]);
    assert_eq!(codes(&[("uno", GOOD.to_owned())]), ["file-name"]);
    let higher = other(&all("{ record.status: failed, record.url: x }")).replace("boot", "reply");
    assert_eq!(codes(&[("one", GOOD.to_owned()), ("two", higher)]), ["shadowed"]);
}
