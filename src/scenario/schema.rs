//! JSON Schema of scenario and fragment files, from the same types that read them.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::raw::{RawFragment, RawScenario, RawStep};
use super::verbs;

/// The schema of scenario files, for editors.
pub(crate) fn schema() -> Value {
    of::<RawScenario>()
}

/// The schema of fragment files.
pub(crate) fn fragment_schema() -> Value {
    let mut schema = of::<RawFragment>();
    if let Some(defs) = schema["$defs"].as_object_mut() {
        defs.values_mut().for_each(or_parameter);
    }
    schema
}

/// The schema of what this type writes: what it leaves out may be missing.
pub(crate) fn schema_of_written<T: JsonSchema>() -> Value {
    of_no_library(
        SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<T>()
            .to_value(),
    )
}

/// The schema of a file that is read by this type.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    of_no_library(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value())
}

/// Without the formats of numbers that only the library knows: validators that are strict refuse them.
fn of_no_library(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(map) => {
            let own = |format: &Value| {
                format
                    .as_str()
                    .is_some_and(|f| f.starts_with("uint") || f.starts_with("int") || f == "double")
            };
            if map.get("format").is_some_and(own) {
                map.remove("format");
            }
            map.values_mut().for_each(|value| *value = of_no_library(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| *value = of_no_library(value.take())),
        _ => {}
    }
    schema
}

fn of<T: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let step = step(&mut generator);
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["$defs"]["Step"] = step;
    describe(&mut schema);
    of_no_library(schema)
}

/// A step: the keys that all have, and exactly one verb.
fn step(generator: &mut SchemaGenerator) -> Value {
    let mut step = RawStep::json_schema(generator).to_value();
    let verbs = verbs::schemas(generator);
    step["oneOf"] = verbs.iter().map(|(help, _)| json!({ "required": [help.keyword] })).collect();
    let mut rules = vec![
        json!({ "not": { "required": ["create", "retry"] } }),
        json!({ "if": { "required": ["use"] }, "then": { "propertyNames": { "enum": ["use", "name"] } } }),
    ];
    for (help, schema) in verbs {
        let mut schema = schema.to_value();
        if !matches!(help.names, verbs::Names::Keys) {
            let inside = json!({ help.keyword: { "type": "object", "required": ["within"] } });
            rules.push(json!({ "not": { "required": ["within", help.keyword], "properties": inside } }));
        }
        schema["description"] = help.meaning.into();
        schema["markdownDescription"] = format!("{}\n\n```yaml\n{}\n```", help.meaning, help.example).into();
        step["properties"][help.keyword] = schema;
    }
    step["allOf"] = rules.into();
    step
}

/// Editors show the description of the mapping behind a verb, so it is the verb's own; none where verbs share it.
fn describe(schema: &mut Value) {
    let Some(properties) = schema["$defs"]["Step"]["properties"].as_object() else { return };
    let mut meanings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for verb in properties.values() {
        let alone = std::slice::from_ref(verb);
        let forms = verb["anyOf"].as_array().map_or(alone, Vec::as_slice);
        for name in forms.iter().filter_map(|form| form["$ref"].as_str()?.strip_prefix("#/$defs/")) {
            meanings.entry(name.to_owned()).or_default().push(verb["description"].clone());
        }
    }
    for (name, meanings) in meanings {
        let Some(def) = schema["$defs"][name.as_str()].as_object_mut() else { continue };
        match meanings.as_slice() {
            [one] if one.is_string() => def.insert("description".to_owned(), one.clone()),
            _ => def.remove("description"),
        };
    }
}

/// In a fragment a parameter may stand for any value: its type is known where the fragment is used.
fn or_parameter(schema: &mut Value) {
    let parameter = json!({ "type": "string", "pattern": r"\$\{with\." });
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match key.as_str() {
                    "properties" => {
                        value.as_object_mut().into_iter().flat_map(|p| p.values_mut()).for_each(|property| {
                            or_parameter(property);
                            let description =
                                property.as_object_mut().and_then(|map| map.remove("description"));
                            *property = json!({ "anyOf": [property.take(), parameter] });
                            if let Some(description) = description {
                                property["description"] = description;
                            }
                        });
                    }
                    "items" | "additionalProperties" | "propertyNames" if value.is_object() => {
                        or_parameter(value);
                        *value = json!({ "anyOf": [value.take(), parameter] });
                    }
                    "anyOf" => or_parameter(value),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(or_parameter),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::verbs;

    #[test]
    fn every_verb_is_in_the_schema_and_nothing_else() {
        let schema = schema();
        let properties = schema.pointer("/$defs/Step/properties").unwrap().as_object().unwrap();
        let mut described: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut wanted: Vec<&str> = verbs::keywords().chain(crate::scenario::raw::STEP_KEYS).collect();
        described.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(described, wanted);
    }

    #[test]
    fn unknown_keys_are_refused_at_every_level() {
        let schema = schema();
        let defs = schema["$defs"].as_object().unwrap();
        for (name, def) in defs.iter().filter(|(_, def)| def.get("properties").is_some()) {
            assert_eq!(def["additionalProperties"], Value::Bool(false), "{name}");
        }
        assert_eq!(schema["additionalProperties"], Value::Bool(false));
        assert_eq!(schema["required"], serde_json::json!(["scenario", "steps"]));
    }

    struct Validator {
        schemas: boon::Schemas,
        index: boon::SchemaIndex,
    }

    impl Validator {
        fn new(schema: Value) -> Validator {
            let mut schemas = boon::Schemas::new();
            let mut compiler = boon::Compiler::new();
            compiler.add_resource("schema.json", schema).unwrap();
            let index = compiler.compile("schema.json", &mut schemas).unwrap_or_else(|e| panic!("{e}"));
            Validator { schemas, index }
        }

        fn validate(&self, text: &str) -> Result<(), String> {
            let source = crate::source::SourceFile::new("a.yaml", text);
            let node = crate::yaml::parse(&source, &crate::scenario::reading::READING, &mut Vec::new());
            let json = node.unwrap_or_else(|| panic!("{text}")).to_json();
            self.schemas.validate(&json, self.index).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn every_shipped_file_and_example_is_valid() {
        let scenarios = Validator::new(schema());
        for file in crate::scenario::shipped() {
            assert_eq!(scenarios.validate(&file.text), Ok(()), "{}", file.name);
        }
        let fragments = Validator::new(fragment_schema());
        for file in crate::scenario::shipped_fragment_files() {
            assert_eq!(fragments.validate(&file.text), Ok(()), "{}", file.name);
        }
        for verb in verbs::VERBS {
            let text = format!("scenario: a\nsteps:\n{}\n", verb.example);
            assert_eq!(scenarios.validate(&text), Ok(()), "{}", verb.keyword);
        }
        for short in [
            "inputs: {runtime: claude-code, count: 3}",
            "use: online",
            "use: [online, {fragment: online, with: {workspace: ws}}]",
            "tags: one",
            "needs: managed",
            "matrix: {runtime: [a, b]}",
            "budget: 90",
        ] {
            let text = format!("scenario: a\n{short}\nsteps: [{{note: a}}]\n");
            assert_eq!(scenarios.validate(&text), Ok(()), "{short}");
        }
    }

    #[test]
    fn what_check_refuses_is_refused_where_a_schema_can_say_it() {
        let (scenarios, folder) =
            (Validator::new(schema()), concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios"));
        let mut accepted = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let code = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // What is no YAML has no schema.
            if path.extension().is_some_and(|e| e == "yaml") && code != "yaml" {
                let text = std::fs::read_to_string(&path).unwrap();
                accepted.extend(scenarios.validate(&text).is_ok().then_some(code));
            }
        }
        accepted.sort();
        // Faults that lie between two places of a file, or inside a text.
        let beyond =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/schema-cannot-say.txt"));
        assert_eq!(accepted, beyond.unwrap().lines().collect::<Vec<_>>());
        for (bad, code) in [
            ("- create: {as: two words}", "bad-name"),
            ("- create: {as: auto}", "reserved-name"),
            ("- hold: banana", "duration"),
            ("- note: a\n  within: banana", "duration"),
            ("- steps: []", "no-steps"),
            ("- parallel: []", "no-steps"),
            ("- create: {as: ws, tier: 8}", "tier"),
            ("- exec: []", "missing-field"),
            ("- foreach: {in: [], as: x, steps: [{note: \"${x}\"}]}", "missing-field"),
            ("- http: {path: /a, expect: {}}", "unknown-test"),
            ("- create: {as: ws}\n- secret: {workspace: ws}", "missing-field"),
            ("- stub: {as: x, script: [dance]}", "stub-act"),
        ] {
            let text = format!("scenario: a\nsteps:\n{bad}\n");
            assert!(scenarios.validate(&text).is_err(), "the schema accepts {bad}");
            let source = crate::source::SourceFile::new("a.yaml", text);
            let problems = crate::scenario::load(&source, &crate::scenario::Fragments::default()).problems;
            let codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
            assert!(codes.contains(&format!("scenario::{code}").as_str()), "{bad}: {codes:?}");
        }
    }

    #[test]
    fn formats_are_those_of_the_standard() {
        let formats = regex::Regex::new(r#""format":"([^"]+)""#).unwrap();
        for schema in [schema(), fragment_schema(), schema_of_written::<crate::event::Event>()] {
            let text = schema.to_string();
            let odd: Vec<&str> = formats.captures_iter(&text).map(|c| c.get(1).unwrap().as_str()).collect();
            assert!(odd.iter().all(|format| ["date-time", "uri", "uuid"].contains(format)), "{odd:?}");
        }
    }

    #[test]
    fn durations_are_those_that_are_read() {
        let scenarios = Validator::new(schema());
        for nothing in ["0", "0s", "\"0\"", "0.0", "00ms", "\"0 s\""] {
            let text = format!("scenario: a\nbudget: {nothing}\nsteps: [{{note: a}}]\n");
            assert!(scenarios.validate(&text).is_err(), "{nothing}");
        }
        let wanted = [
            ("90s", true),
            ("4m", true),
            ("1m 30s", true),
            ("90", true),
            ("1.5s", true),
            ("2h5min", true),
            ("banana", false),
            ("", false),
            ("5 parsecs", false),
            ("-1", false),
            ("s", false),
            ("1m30", false),
        ];
        for (text, good) in wanted {
            let json = json!({ "scenario": "a", "budget": text, "steps": [{ "note": "a" }] }).to_string();
            assert_eq!(scenarios.validate(&json).is_ok(), good, "{text}");
            assert_eq!(crate::domain::time::parse(text).is_ok(), good, "{text}");
        }
    }
}
