//! `lifecycle schema report|events`: what is written is what the schemas say.

use serde_json::Value;

use super::sample::{Sample, everything, healthy};
use crate::event::Event;
use crate::report::FileKind;

fn validator(schema: Value) -> impl Fn(&Value) {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    move |what| {
        if let Err(error) = schemas.validate(what, index) {
            panic!("{error}");
        }
    }
}

#[test]
fn reports_and_logs_are_as_their_schemas_say() {
    let report = validator(crate::report::json_schema());
    // A strict validator refuses formats that no standard has.
    assert!(!crate::report::json_schema().to_string().contains("\"format\":\"uint"));
    let event = validator(crate::scenario::schema_of_written::<Event>());
    for sample in [healthy(), everything(), Sample::default()] {
        let text = FileKind::Json.render(&sample.state()).unwrap();
        report(&serde_json::from_str(&text).unwrap());
        for line in &sample.events {
            event(&serde_json::to_value(line).unwrap());
        }
    }
}
