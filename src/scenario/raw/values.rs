//! Small shapes that many fields share.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::words::{HttpStatuses, JsonType, Length, TimeOrLookup, WorkspaceName};
use crate::source::Span;

use crate::scenario::decode::Spanned;

/// A text with its place; numbers and bools are read as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Its place.
    pub span: Span,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Spanned { value, span } = Spanned::<String>::deserialize(d)?;
        Ok(Text { value, span })
    }
}

macro_rules! schema {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema!(Text, "Text", json_schema!({ "type": ["string", "number", "boolean"] }));

/// One text or a list of them.
pub(crate) struct Texts;
schema!(
    Texts,
    "Texts",
    json_schema!({ "anyOf": [
        { "type": "string" },
        { "type": "array", "items": { "type": ["string", "number", "boolean"] } }
    ] })
);

/// Anything.
pub(crate) struct AnyValue;
schema!(AnyValue, "AnyValue", json_schema!({}));

/// Names and texts.
pub(crate) struct TextMap;
schema!(
    TextMap,
    "TextMap",
    json_schema!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
);

/// What must hold of a value: the value itself, or a mapping of tests.
pub(crate) struct Tests;
impl JsonSchema for Tests {
    fn schema_name() -> Cow<'static, str> {
        "Tests".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let tests = generator.subschema_for::<RawTests>();
        json_schema!({
            "description": "the value itself, or a mapping of tests",
            "anyOf": [{ "type": ["string", "number", "boolean", "null", "array"] }, tests],
        })
    }
}

/// Paths and what must hold of what they find.
pub(crate) struct TestMap;
impl JsonSchema for TestMap {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TestMap".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let tests = generator.subschema_for::<Tests>();
        json_schema!({ "type": "object", "additionalProperties": tests })
    }
}

/// One of these, or a list of them.
pub(crate) struct OneOrMany<T>(PhantomData<T>);
impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// One of these, or a list of at least one.
pub(crate) struct SomeOf<T>(PhantomData<T>);
impl<T: JsonSchema> JsonSchema for SomeOf<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("SomeOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
    }
}

/// The mapping, or only the name of a workspace (or fragment) as its short form.
pub(crate) struct NameOr<T>(PhantomData<T>);
impl<T: JsonSchema> JsonSchema for NameOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("NameOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<T>();
        let name = generator.subschema_for::<WorkspaceName>();
        json_schema!({ "anyOf": [name, full] })
    }
}

/// The mapping, or only a duration as its short form.
pub(crate) struct TimeOr<T>(PhantomData<T>);
impl<T: JsonSchema> JsonSchema for TimeOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TimeOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (time, full) = (generator.subschema_for::<TimeOrLookup>(), generator.subschema_for::<T>());
        json_schema!({ "anyOf": [time, full] })
    }
}

/// The mapping, or only the list of arguments as its short form.
pub(crate) struct ListOr<T>(PhantomData<T>);
impl<T: JsonSchema> JsonSchema for ListOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } }, full] })
    }
}

/// A list of steps; [`mod@crate::scenario::schema`] puts together what a step is.
pub(crate) struct StepList;
schema!(
    StepList,
    "StepList",
    json_schema!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Step" } })
);

/// Whose credentials a request carries.
pub(crate) struct Auth;
schema!(
    Auth,
    "Auth",
    json_schema!({ "anyOf": [
        { "enum": ["admin", "none"] },
        { "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
          "properties": { "workspace": { "type": "string" }, "bearer": { "type": "string" } } }
    ] })
);

/// What must hold of an HTTP answer: a status, a list of statuses, or this mapping.
pub(crate) struct Answered;
impl JsonSchema for Answered {
    fn schema_name() -> Cow<'static, str> {
        "Answered".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let answer = generator.subschema_for::<RawAnswer>();
        let statuses = generator.subschema_for::<HttpStatuses>();
        json_schema!({ "anyOf": [statuses, answer] })
    }
}

/// What must hold of an HTTP answer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Answer", extend("minProperties" = 1))]
pub(crate) struct RawAnswer {
    /// `201`, `[200, 204]`, `2xx`, `"!200"`.
    #[schemars(with = "Option<HttpStatuses>")]
    pub status: Option<crate::yaml::Node>,
    /// JSON path → what must hold of what it finds.
    #[schemars(with = "Option<TestMap>")]
    pub json: Option<crate::yaml::Node>,
    /// What must hold of the whole body as text.
    #[schemars(with = "Option<Tests>")]
    pub text: Option<crate::yaml::Node>,
    /// Header → what must hold.
    #[schemars(with = "Option<TestMap>")]
    pub headers: Option<crate::yaml::Node>,
}

/// Tests of a value; all of them must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TestsOfAValue", extend("minProperties" = 1))]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawTests {
    /// The same value (numbers by value).
    #[schemars(with = "Option<AnyValue>")]
    pub equals: Option<crate::yaml::Node>,
    /// Any other value, or nothing.
    #[schemars(with = "Option<AnyValue>")]
    pub not: Option<crate::yaml::Node>,
    /// A text with this; a list: with all of them.
    #[schemars(with = "Option<Texts>")]
    pub contains: Option<crate::yaml::Node>,
    /// A text without this; a list: without any of them.
    #[schemars(with = "Option<Texts>")]
    pub lacks: Option<crate::yaml::Node>,
    /// `contains` and `lacks` do not look at case.
    pub ignore_case: Option<bool>,
    /// A text that matches this regular expression.
    pub matches: Option<Text>,
    /// One of these values.
    #[schemars(with = "Option<Vec<AnyValue>>")]
    pub one_of: Option<crate::yaml::Node>,
    /// `true`: something is there, even `null`; `false`: nothing is.
    pub exists: Option<Spanned<bool>>,
    /// `string`, `number`, `bool`, `array`, `object`, `null`.
    #[schemars(with = "Option<JsonType>")]
    pub r#type: Option<Text>,
    /// Of a text, list or mapping: a number, or `{min, max}`.
    #[schemars(with = "Option<Length>")]
    pub length: Option<crate::yaml::Node>,
    /// A number, this or more.
    pub at_least: Option<Spanned<f64>>,
    /// A number, this or less.
    pub at_most: Option<Spanned<f64>>,
    /// `true`: neither nothing, `null`, nor an empty text, list or mapping.
    #[schemars(extend("const" = true))]
    pub non_empty: Option<Spanned<bool>>,
    /// A list with these among its elements.
    #[schemars(with = "Option<Vec<AnyValue>>")]
    pub includes: Option<crate::yaml::Node>,
}
