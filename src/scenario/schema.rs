//! JSON Schema of scenario and fragment files, from the same types that read them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::raw::{RawFragment, RawScenario, RawStep};
use super::verbs;

/// The schema of scenario files, for editors.
pub fn schema() -> Value {
    of::<RawScenario>()
}

/// The schema of fragment files.
pub fn fragment_schema() -> Value {
    of::<RawFragment>()
}

/// The schema of a file that is read by this type.
pub fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

fn of<T: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let step = step(&mut generator);
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["$defs"]["Step"] = step;
    schema
}

/// A step: the keys that all have, and exactly one verb. Editors show the verb's meaning.
fn step(generator: &mut SchemaGenerator) -> Value {
    let mut step = RawStep::json_schema(generator).to_value();
    let verbs = verbs::schemas(generator);
    step["oneOf"] = verbs.iter().map(|(help, _)| json!({ "required": [help.keyword] })).collect();
    for (help, schema) in verbs {
        let mut schema = schema.to_value();
        schema["description"] = help.meaning.into();
        step["properties"][help.keyword] = schema;
    }
    step
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
}
