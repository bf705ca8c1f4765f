//! `docs/verbs.md`, written from the table of verbs and the JSON Schema.

use std::fmt::Write as _;

use serde_json::{Map, Value};

#[cfg(test)]
use super::PLANNED;
use super::{Help, VERBS};

#[cfg(test)]
/// The page; the file in `docs/` is compared with it.
pub(crate) fn page() -> String {
    let schema = crate::scenario::schema();
    let mut page = String::from(
        "# Verbs\n\nGenerated from the files in `src/scenario/verbs/`; \
         `UPDATE_DOCS=1 cargo test the_page_is_the_file` writes it again.\n\n\
         A step has exactly one verb. Beside it may stand:\n\n| key | meaning |\n|---|---|\n",
    );
    let step = &schema["$defs"]["Step"]["properties"];
    for key in crate::scenario::raw::STEP_KEYS {
        let _ = writeln!(page, "| `{key}` | {} |", cell(&step[key]));
    }
    let mut group = None;
    for verb in VERBS {
        if group != Some(verb.group) {
            group = Some(verb.group);
            let _ = writeln!(page, "\n## {}", verb.group.title());
        }
        page.push('\n');
        section(&mut page, verb, &schema);
    }
    page.push_str("\n## Shared shapes\n");
    for (title, def, about) in [
        ("Answers", "Answer", "`expect` of a verb: a status, a list of statuses, or a mapping of these."),
        (
            "Tests",
            "TestsOfAValue",
            "Where a test is wanted stands the value itself, or a mapping of these; all must hold.",
        ),
        ("Files", "File", "`file` of an `http` step."),
    ] {
        let _ = writeln!(page, "\n### {title}\n\n{about}");
        parameters(&mut page, &schema["$defs"][def]);
    }
    page.push_str("\n## Not yet\n\n");
    for (verb, what) in PLANNED {
        let _ = writeln!(page, "- `{verb}`: {what}");
    }
    page
}

/// What the page says about one verb.
pub(crate) fn of(keyword: &str) -> Option<String> {
    let verb = VERBS.iter().find(|verb| verb.keyword == keyword)?;
    let mut page = String::new();
    section(&mut page, verb, &crate::scenario::schema());
    Some(page)
}

fn section(page: &mut String, verb: &Help, schema: &Value) {
    let _ = writeln!(page, "### `{}`\n\n{}\n\n```yaml\n{}\n```", verb.keyword, verb.meaning, verb.example);
    if let Some(def) = definition(&schema["$defs"]["Step"]["properties"][verb.keyword]) {
        parameters(page, &schema["$defs"][def]);
    }
}

/// The name of the mapping that a verb takes, beside its short form.
fn definition(verb: &Value) -> Option<&str> {
    let alone = std::slice::from_ref(verb);
    let forms = verb["anyOf"].as_array().map_or(alone, Vec::as_slice);
    let reference = forms.iter().find_map(|form| form["$ref"].as_str())?;
    reference.strip_prefix("#/$defs/").filter(|name| *name != "Step")
}

fn parameters(page: &mut String, def: &Value) {
    let Some(properties) = def["properties"].as_object().filter(|p| !p.is_empty()) else { return };
    let required: Vec<&str> =
        def["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    page.push_str("\n| parameter | takes | meaning |\n|---|---|---|\n");
    for (name, property) in order(properties, &required) {
        let must = if required.contains(&name.as_str()) { " (needed)" } else { "" };
        let _ = writeln!(page, "| `{name}`{must} | {} | {} |", takes(property), cell(property));
    }
}

/// What must be there comes first; otherwise as the schema has it.
fn order<'a>(properties: &'a Map<String, Value>, required: &[&str]) -> Vec<(&'a String, &'a Value)> {
    let mut all: Vec<_> = properties.iter().collect();
    all.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
    all
}

fn cell(property: &Value) -> String {
    property["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// The kind of value, in a word or two.
fn takes(property: &Value) -> String {
    if let Some(words) = property["enum"].as_array() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|w| format!("`{w}`")).collect();
        return words.join(" or ");
    }
    if let Some(reference) = property["$ref"].as_str() {
        return named(reference.rsplit('/').next().unwrap_or_default());
    }
    if let Some(any) = property["anyOf"].as_array() {
        let mut kinds: Vec<String> = any.iter().map(takes).filter(|k| k != "nothing").collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    let types: Vec<&str> = match &property["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return "anything".to_owned(),
    };
    match types.as_slice() {
        [first, ..] if *first == "object" => "mapping".to_owned(),
        [first, ..] if *first == "array" => format!("list of {}", takes(&property["items"])),
        [first, ..] if *first == "boolean" => "`true` or `false`".to_owned(),
        [first, ..] if *first == "integer" => "whole number".to_owned(),
        [first, ..] if *first == "number" => "number".to_owned(),
        [first, ..] if *first == "null" => "nothing".to_owned(),
        _ => "text".to_owned(),
    }
}

fn named(def: &str) -> String {
    match def {
        "Tests" | "TestsOfAValue" => "[test](#tests)".to_owned(),
        "Answered" | "Answer" => "[answer](#answers)".to_owned(),
        "File" => "[file](#files)".to_owned(),
        "Status" => "status".to_owned(),
        "Step" => "step".to_owned(),
        "Envelope" => "`full` or `bare`".to_owned(),
        "PartKey" => "`kind`, `type` or `content`".to_owned(),
        _ => "mapping".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{load, shipped_fragments};
    use crate::source::SourceFile;

    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verbs.md");

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a developer's switch, read by this test only")]
    fn the_page_is_the_file() {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(DOCS, page()).unwrap();
        }
        let file = std::fs::read_to_string(DOCS).unwrap_or_default();
        assert!(
            file == page(),
            "docs/verbs.md is out of date: UPDATE_DOCS=1 cargo test the_page_is_the_file"
        );
    }

    #[test]
    fn every_example_loads() {
        let prelude = "scenario: example\ninputs: {key: {env: KEY, secret: true}}\nsteps:\n  \
                       - parallel:\n      - create: {as: ws}\n      - create: {as: a}\n      - create: {as: b}\n  \
                       - restart: ws\n  - note: \"${inputs.key}\"\n  \
                       - use: {fragment: online-and-answering, with: {workspace: ws}}\n";
        let (fragments, problems) = crate::scenario::Fragments::load([&SourceFile::new(
            "f.yaml",
            "fragment: online-and-answering\nwith: {workspace: }\nsteps:\n  - await: {workspace: \"${with.workspace}\", status: online}\n",
        )]);
        assert_eq!(problems, []);
        assert!(shipped_fragments().names().count() > 0);
        for verb in VERBS {
            let example: String = verb.example.lines().map(|line| format!("  {line}\n")).collect();
            // `create` names what the prelude has named already.
            let example = example.replace("as: ws", "as: mine");
            let loaded = load(&SourceFile::new(verb.keyword, format!("{prelude}{example}")), &fragments);
            let errors: Vec<String> = loaded
                .problems
                .iter()
                .filter(|p| p.level == crate::source::Level::Error)
                .map(|p| p.line())
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{}", verb.keyword);
        }
    }
}
