//! What may be typed: serde's shape of a scenario file. The checked shape is [`super::model`].
//!
//! Every field is optional and keeps its place; `check` says what is missing. Field comments are the
//! descriptions of the JSON Schema and of `docs/verbs.md`.

pub(crate) mod values;
pub(crate) mod words;

use schemars::JsonSchema;
use serde::Deserialize;

use super::decode::Spanned;
use super::model::input::{Gate, InputKind, StepGate};
use super::need::Need;
use crate::yaml::Node;
use words::{Attempts, Day, Matrix, Slug, Slugs, SomeTime, Time, TimeOrLookup, Variables};

use values::{AnyValue, NameOr, OneOrMany, StepList, Text, Texts};

/// A scenario file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lifecycle scenario", rename = "Scenario")]
pub(crate) struct RawScenario {
    /// Its name: lower-case words with dashes, unique among the loaded scenarios.
    #[schemars(required, with = "Slug")]
    pub scenario: Option<Text>,
    /// One line for lists.
    pub summary: Option<Text>,
    /// Words for `@tag` selection.
    #[schemars(with = "Option<Slugs>")]
    pub tags: Option<Node>,
    /// `required` (default), or `advisory`: shown, never turns the run red.
    pub gate: Option<Gate>,
    /// What the target must offer or its server do; else the scenario is skipped, counted and shown.
    #[schemars(with = "Option<OneOrMany<Need>>")]
    pub needs: Option<Node>,
    /// How long the whole body may take; 10m when absent.
    #[schemars(with = "Option<SomeTime>")]
    pub budget: Option<Text>,
    /// Values that a run may set.
    #[schemars(with = "Option<indexmap::IndexMap<String, InputOr>>")]
    pub inputs: Option<Node>,
    /// One scenario per combination of these values: `${matrix.key}`.
    #[schemars(with = "Option<Matrix>")]
    pub matrix: Option<Node>,
    /// Fragments whose steps come before `steps`.
    #[schemars(with = "Option<OneOrMany<NameOr<super::verbs::r#use::RawUse>>>")]
    pub r#use: Option<Node>,
    /// The body.
    #[schemars(required, with = "StepList")]
    pub steps: Option<Node>,
    /// Steps that run after the body in every ending, before clean-up.
    #[schemars(with = "Option<StepList>")]
    pub finally: Option<Node>,
    /// Milestones that must be reached under `--require-live`.
    #[schemars(with = "Option<Texts>")]
    pub milestones: Option<Node>,
    /// The body is known to fail, and how.
    #[schemars(with = "Option<RawExpectFailure>")]
    pub expect_failure: Option<Node>,
}

/// A fragment file: steps that scenarios share.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fragment")]
pub(crate) struct RawFragment {
    /// Its name, for `use:`.
    #[schemars(required)]
    pub fragment: Option<Text>,
    /// One line for people.
    pub summary: Option<Text>,
    /// Parameters and their defaults (nothing: required); `${with.name}` in the steps.
    #[schemars(with = "Option<indexmap::IndexMap<String, Option<AnyValue>>>")]
    pub with: Option<Node>,
    /// The steps.
    #[schemars(required, with = "StepList")]
    pub steps: Option<Node>,
}

/// An input of a scenario.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Input")]
pub(crate) struct RawInput {
    /// Used when nobody sets it; without one the scenario is skipped as not configured.
    pub default: Option<Text>,
    /// The allowed values.
    #[schemars(with = "Option<Texts>")]
    pub one_of: Option<Node>,
    /// Environment variables that set it; the first that is not empty wins.
    #[schemars(with = "Option<Variables>")]
    pub env: Option<Node>,
    /// Its value is never shown.
    pub secret: Option<bool>,
    /// What it must be: `text` (default), `duration`, `number`, `bool`.
    pub r#type: Option<InputKind>,
    /// One line for people.
    pub summary: Option<Text>,
}

/// An input, or its default alone.
pub(crate) struct InputOr;
impl JsonSchema for InputOr {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InputOr".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let full = generator.subschema_for::<RawInput>();
        schemars::json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, full] })
    }
}

/// A known failure.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExpectFailure")]
pub(crate) struct RawExpectFailure {
    /// Where it is tracked, for example `#2863`.
    #[schemars(required)]
    pub issue: Option<Text>,
    /// Why, for people.
    #[schemars(required)]
    pub reason: Option<Text>,
    /// Only this mechanism is the expected one.
    pub mechanism: Option<Text>,
    /// The last day on which the failure is expected, `YYYY-MM-DD`.
    #[schemars(required, with = "Day")]
    pub until: Option<Text>,
    /// Only where the target behaves like this: `{hibernate-wakes: false}`.
    #[schemars(with = "Option<indexmap::IndexMap<Need, bool>>")]
    pub when: Option<Node>,
}

/// How often a step is tried.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Retry")]
pub(crate) struct RawRetry {
    /// Attempts in all, 2 to 20.
    #[schemars(with = "Option<Attempts>")]
    pub attempts: Option<Spanned<u32>>,
    /// Pause between them; 1s when absent.
    #[schemars(with = "Option<Time>")]
    pub pause: Option<Text>,
}

/// What every step can have beside its verb.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub(crate) struct RawStep {
    /// For people; made from the verb when absent.
    pub name: Option<Text>,
    /// Runs only when this holds: `${inputs.mode} == full`, `!=`, `in [a, b]`, or a template that is true.
    pub when: Option<Text>,
    /// The step's deadline; the scenario's budget bounds it too.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
    /// Overrides the scenario's gate; `continue`: red, and the scenario goes on.
    pub gate: Option<StepGate>,
    /// Tries again on failure; a pass after a failure is flaky.
    #[schemars(with = "Option<RawRetry>")]
    pub retry: Option<Node>,
    /// Reached when the step passed.
    pub milestone: Option<Text>,
    /// The step states the contract and not the life of a workspace: where it fails, the server differs in this behaviour.
    #[schemars(with = "Option<crate::behaviour::Behaviour>")]
    pub behaviour: Option<Text>,
}

/// Keys of a step that are no verbs.
pub(crate) const STEP_KEYS: [&str; 7] = ["name", "when", "within", "gate", "retry", "milestone", "behaviour"];
