//! What a JSON Schema can say of single words: names, durations, statuses of HTTP, and lists that are not empty.
//!
//! These types hold nothing. They stand in `#[schemars(with = …)]`; `check` has the last word and the better message.

use schemars::{Schema, json_schema};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl ::schemars::JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                    $schema
                }
            }
        )*
    };
}
pub(in crate::scenario) use words;

/// A number, or numbers with units.
const TIME: &str = r"^\s*([0-9]+(\.[0-9]+)?([eE][0-9]+)?|([0-9]+(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yr|y)\s*)+)\s*$";
const NAME: &str = "^[A-Za-z_][A-Za-z0-9_-]*$";
const SLUG: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
const LOOKUP: &str = r"\$\{";
const STATUS: &str = "^!?[1-5][0-9][0-9]$|^[1-5]xx$";

fn slug() -> Schema {
    json_schema!({ "type": "string", "pattern": SLUG, "maxLength": 80 })
}

fn one_or_many(one: &Schema) -> Schema {
    json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
}

fn word_or_lookup(words: &[&str]) -> Schema {
    json_schema!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": LOOKUP }] })
}

fn http_status() -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 100, "maximum": 599 },
        { "type": "string", "pattern": STATUS },
    ] })
}

words! {
    /// A duration that is known when the file is read.
    Time = json_schema!({ "anyOf": [
        { "type": "number", "minimum": 0 },
        { "type": "string", "pattern": TIME },
    ] });
    /// A duration in which something can happen.
    SomeTime = json_schema!({ "anyOf": [
        { "type": "number", "exclusiveMinimum": 0 },
        { "type": "string", "pattern": TIME, "not": { "pattern": "^[^1-9]*$" } },
    ] });
    /// A duration, or one that inputs or the matrix decide.
    TimeOrLookup = json_schema!({ "anyOf": [
        { "type": "number", "minimum": 0 },
        { "type": "string", "pattern": TIME },
        { "type": "string", "pattern": r"\$\{.*(inputs|matrix)\." },
    ] });
    /// A name that a step introduces.
    NewName = json_schema!({ "type": "string", "pattern": NAME, "not": { "enum": [
        "inputs", "matrix", "run", "target", "with", "admin", "none", "auto",
        "uuid", "random", "sha256", "urlencode", "base64", "first",
    ] } });
    /// The name of a workspace that an earlier step made.
    WorkspaceName = json_schema!({ "type": "string", "pattern": NAME });
    /// Lower-case words with dashes.
    Slug = slug();
    /// One of them, or a list.
    Slugs = json_schema!({ "anyOf": [slug(), { "type": "array", "items": slug() }] });
    /// Names and what they stand for.
    NamedTexts = json_schema!({
        "type": "object",
        "propertyNames": { "pattern": NAME },
        "additionalProperties": { "type": ["string", "number", "boolean"] },
    });
    /// Names and any values.
    NamedValues = json_schema!({ "type": "object", "propertyNames": { "pattern": NAME } });
    /// A list of texts, at least one.
    SomeTexts = json_schema!({
        "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] },
    });
    /// A status of HTTP, a class of them, or all but one.
    HttpStatuses = one_or_many(&http_status());
    /// A method of HTTP.
    HttpMethod = json_schema!({ "type": "string", "pattern":
        "^([Gg][Ee][Tt]|[Pp][Oo][Ss][Tt]|[Pp][Uu][Tt]|[Pp][Aa][Tt][Cc][Hh]|[Dd][Ee][Ll][Ee][Tt][Ee]|[Hh][Ee][Aa][Dd]|[Oo][Pp][Tt][Ii][Oo][Nn][Ss])$" });
    /// A path, or a URL.
    PathOrUrl = json_schema!({ "type": "string", "pattern": r"^[/$]|://" });
    /// How messages reach an agent.
    DeliveryMode = word_or_lookup(&["push", "poll"]);
    /// Who pays for the model.
    LlmPath = word_or_lookup(&["byok", "platform"]);
    /// A text; nothing clears.
    TextOrNull = json_schema!({ "type": ["string", "number", "boolean", "null"] });
    /// 1 to 4.
    Tier = json_schema!({ "type": "integer", "minimum": 1, "maximum": 4 });
    /// 2 to 20.
    Attempts = json_schema!({ "type": "integer", "minimum": 2, "maximum": 20 });
    /// The code of a contradiction.
    ContradictionCode = json_schema!({ "type": "string", "pattern": "^C[0-9]{1,3}$" });
    /// A day.
    Day = json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" });
    /// Environment variables.
    Variables = one_or_many(&json_schema!({ "type": "string", "pattern": "^[A-Z0-9_]+$" }));
    /// Values by name, each with at least one.
    Matrix = json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^[a-z][a-z0-9]*([-_][a-z0-9]+)*$" },
        "additionalProperties": { "anyOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "array", "minItems": 1, "uniqueItems": true,
              "items": { "type": ["string", "number", "boolean"] } },
        ] },
    });
    /// A number, or bounds.
    Length = json_schema!({ "anyOf": [
        { "type": "number" },
        { "type": "object", "additionalProperties": false, "properties": {
            "min": { "type": "number" }, "max": { "type": "number" },
        } },
    ] });
    /// A type of JSON values.
    JsonType = json_schema!({ "enum": ["string", "number", "bool", "array", "object", "null"] });
}
