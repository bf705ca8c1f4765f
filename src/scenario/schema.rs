//! JSON Schema of scenario and fragment files, from the same types that read them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw::{RawFragment, RawScenario};

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
    let mut schema = schema_of::<T>();
    if let Some(step) = schema.pointer_mut("/$defs/Step").and_then(Value::as_object_mut) {
        // Exactly one verb; the keys of every step do not count.
        let verbs: Vec<Value> =
            super::verbs::keywords().map(|v| serde_json::json!({ "required": [v] })).collect();
        step.insert("oneOf".to_owned(), Value::Array(verbs));
    }
    describe_verbs(&mut schema);
    schema
}

/// A verb's meaning stands in the verbs' table; editors show it from the schema.
fn describe_verbs(schema: &mut Value) {
    for verb in super::verbs::VERBS {
        let pointer = format!("/$defs/Step/properties/{}", verb.keyword);
        if let Some(Value::Object(property)) = schema.pointer_mut(&pointer) {
            property.insert("description".to_owned(), Value::String(verb.meaning.to_owned()));
        }
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
        for verb in verbs::VERBS.iter().filter(|v| !v.schema.is_empty()) {
            assert!(schema.pointer(&format!("/$defs/{}", verb.schema)).is_some(), "{}", verb.schema);
        }
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
