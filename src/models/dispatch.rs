//! Which secrets a script sends with a create, and which it writes later (models.md §3).
//!
//! A plan holds names only: where each value comes from, never the value.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::behaviour::Edition;
use crate::models::inputs::{Inputs, LlmPath};
use crate::models::keys::is_guarded;

/// Where a secret's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// The environment variable of that name.
    Env(String),
    /// A text that is no secret.
    Text(String),
}

/// Secret name → where its value comes from.
pub(crate) type Plan = BTreeMap<String, Origin>;

/// The values of a plan; what the environment does not have is left out.
pub(crate) fn resolve(plan: &Plan, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    plan.iter()
        .filter_map(|(name, from)| {
            let value = match from {
                Origin::Env(holder) => env.get(holder)?.clone(),
                Origin::Text(text) => text.clone(),
            };
            Some((name.clone(), value))
        })
        .collect()
}

/// A family of scripts with its own chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Script {
    /// The full SaaS run: `byok` unless told; mid-June's writes guarded keys but MiniMax's later.
    FullSaas,
    /// The reconciler run: `platform` unless told, no Google, everything in the create body.
    Reconciler,
    /// This tool: the full chain, everything in the create body.
    Harness,
    /// The local lifecycle: one credential by `LIFECYCLE_*`, asserted again after the create.
    LocalProvision,
}

/// The arm of the chain that won.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// The platform pays: nothing is sent.
    Platform,
    /// MiniMax.
    MiniMax,
    /// Anthropic.
    Anthropic,
    /// Google.
    Google,
    /// OpenAI, with the settings of Hermes.
    OpenAi,
    /// `LIFECYCLE_LLM_KEY` of the local lifecycle.
    Lifecycle,
    /// No key is set.
    None,
}

/// What is sent when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Dispatch {
    /// Which arm won.
    pub arm: Arm,
    /// In the create body.
    pub create: Plan,
    /// Written after the create, one by one, after the billing mode was set to `byok` and read back.
    pub deferred: Plan,
    /// Keys that are set and take no part, in the chain's order.
    pub unused: Vec<String>,
}

/// The chain without Google.
const OF_FEW: &[(Arm, &str)] = &[
    (Arm::MiniMax, "E2E_MINIMAX_API_KEY"),
    (Arm::Anthropic, "E2E_ANTHROPIC_API_KEY"),
    (Arm::OpenAi, "E2E_OPENAI_API_KEY"),
];

const OPENAI_URL: &str = "https://api.openai.com/v1";

/// The secrets that a script would send.
pub(crate) fn dispatch(script: Script, inputs: &Inputs) -> Dispatch {
    let default = if script == Script::Reconciler { LlmPath::Platform } else { LlmPath::Byok };
    let path = inputs.llm_path.as_deref().map_or(default, |text| LlmPath::of_scripts(Some(text)));
    // Since mid-August's edition the full run has no arm of Google's, and writes nothing later.
    let old = inputs.edition == Edition::MidJune;
    let chain: &[(Arm, &str)] = match script {
        Script::FullSaas if !old => OF_FEW,
        Script::FullSaas | Script::Harness => &[
            (Arm::MiniMax, "E2E_MINIMAX_API_KEY"),
            (Arm::Anthropic, "E2E_ANTHROPIC_API_KEY"),
            (Arm::Google, "E2E_GOOGLE_API_KEY"),
            (Arm::OpenAi, "E2E_OPENAI_API_KEY"),
        ],
        Script::Reconciler => OF_FEW,
        Script::LocalProvision => &[],
    };
    let set: Vec<(Arm, &str)> = chain.iter().copied().filter(|(_, key)| inputs.keys.contains(*key)).collect();
    let (arm, winner) = match (path, set.first()) {
        (LlmPath::Platform, _) => (Arm::Platform, None),
        (LlmPath::Byok, Some((arm, key))) => (*arm, Some(*key)),
        (LlmPath::Byok, None) => (Arm::None, None),
    };
    let secrets = winner.map(|key| arm_secrets(arm, key)).unwrap_or_default();
    let (create, deferred) =
        if script == Script::FullSaas && old { split(secrets) } else { (secrets, Plan::new()) };
    let unused = inputs.keys.iter().filter(|key| Some(key.as_str()) != winner).cloned().collect();
    Dispatch { arm, create, deferred, unused }
}

/// The secrets of an arm, all of them.
pub(crate) fn arm_secrets(arm: Arm, holder: &str) -> Plan {
    let key = || Origin::Env(holder.to_owned());
    let text = |text: &str| Origin::Text(text.to_owned());
    let pairs: Vec<(&str, Origin)> = match arm {
        Arm::MiniMax => vec![("MINIMAX_API_KEY", key())],
        Arm::Anthropic => vec![("ANTHROPIC_API_KEY", key())],
        Arm::Google => vec![("GOOGLE_API_KEY", key()), ("GEMINI_API_KEY", key())],
        Arm::OpenAi => vec![
            ("OPENAI_API_KEY", key()),
            ("OPENAI_BASE_URL", text(OPENAI_URL)),
            ("MODEL_PROVIDER", text("openai:gpt-4o")),
            ("HERMES_INFERENCE_PROVIDER", text("custom")),
            ("HERMES_CUSTOM_BASE_URL", text(OPENAI_URL)),
            ("HERMES_CUSTOM_API_KEY", key()),
            ("HERMES_CUSTOM_API_MODE", text("chat_completions")),
        ],
        Arm::Platform | Arm::Lifecycle | Arm::None => Vec::new(),
    };
    pairs.into_iter().map(|(name, from)| (name.to_owned(), from)).collect()
}

/// Guarded keys are written later, MiniMax's is not: the strip list of the full SaaS script.
fn split(secrets: Plan) -> (Plan, Plan) {
    secrets.into_iter().partition(|(name, _)| !is_guarded(name) || name == "MINIMAX_API_KEY")
}

/// The local lifecycle's credential (models.md §3.3). `minimax`: `LIFECYCLE_LLM=minimax`, which
/// needs `MINIMAX_API_KEY`; `None` when it is not there (a loud skip).
pub(crate) fn local(env: &BTreeMap<String, String>) -> Option<(String, Dispatch)> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty());
    let minimax = set("LIFECYCLE_LLM").is_some_and(|mode| mode == "minimax");
    let (model, key, from) = if minimax {
        set("MINIMAX_API_KEY")?;
        ("MiniMax-M3".to_owned(), "MINIMAX_API_KEY".to_owned(), Origin::Env("MINIMAX_API_KEY".into()))
    } else {
        let from = match set("LIFECYCLE_LLM_VALUE") {
            Some(_) => Origin::Env("LIFECYCLE_LLM_VALUE".into()),
            None => Origin::Text("dummy".into()),
        };
        let model = set("LIFECYCLE_MODEL").cloned().unwrap_or_else(|| "claude-opus-4-7".into());
        (model, set("LIFECYCLE_LLM_KEY").cloned().unwrap_or_else(|| "ANTHROPIC_API_KEY".into()), from)
    };
    let create = Plan::from([(key, from)]);
    let mut deferred = create.clone();
    deferred.insert("HOSTNAME".into(), Origin::Text("localhost".into()));
    if minimax {
        deferred.insert("MODEL_PROVIDER".into(), Origin::Text("minimax".into()));
    }
    Some((model, Dispatch { arm: Arm::Lifecycle, create, deferred, unused: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::catalogue::Catalogue;

    fn env(text: &str) -> BTreeMap<String, String> {
        text.split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn run(script: Script, text: &str) -> (Dispatch, BTreeMap<String, String>, BTreeMap<String, String>) {
        let env = env(text);
        let plan = dispatch(script, &Inputs::from_env(Catalogue::built_in(), &env));
        let (create, deferred) = (resolve(&plan.create, &env), resolve(&plan.deferred, &env));
        (plan, create, deferred)
    }

    /// The ten assertions of upstream's own test look at the whole set of secrets.
    #[test]
    fn dispatch_10_of_10() {
        let all = |text: &str| {
            let (_, mut create, deferred) = run(Script::FullSaas, text);
            create.extend(deferred);
            create
        };
        let one = all("E2E_MINIMAX_API_KEY=mx-test");
        assert_eq!(one["MINIMAX_API_KEY"], "mx-test");
        assert_eq!(one.len(), 1);
        let two = all("E2E_MINIMAX_API_KEY=mx-priority E2E_OPENAI_API_KEY=oai-loser");
        assert_eq!(two["MINIMAX_API_KEY"], "mx-priority");
        assert!(!two.contains_key("OPENAI_API_KEY"));
        assert!(!two.contains_key("HERMES_INFERENCE_PROVIDER"));
        let openai = all("E2E_OPENAI_API_KEY=oai-test");
        assert_eq!(openai["OPENAI_API_KEY"], "oai-test");
        assert_eq!(openai["HERMES_CUSTOM_API_KEY"], "oai-test");
        assert_eq!(openai["MODEL_PROVIDER"], "openai:gpt-4o");
        assert!(!openai.contains_key("MINIMAX_API_KEY"));
        assert_eq!(all("E2E_MINIMAX_API_KEY="), BTreeMap::new());
    }

    #[test]
    fn the_split_is_the_strip_list() {
        let rows = [
            ("", "", ""),
            ("E2E_LLM_PATH=platform E2E_MINIMAX_API_KEY=k", "", ""),
            ("E2E_MINIMAX_API_KEY=k", "MINIMAX_API_KEY", ""),
            ("E2E_ANTHROPIC_API_KEY=k", "", "ANTHROPIC_API_KEY"),
            ("E2E_GOOGLE_API_KEY=k", "GOOGLE_API_KEY", "GEMINI_API_KEY"),
            (
                "E2E_OPENAI_API_KEY=k",
                "HERMES_CUSTOM_API_MODE HERMES_INFERENCE_PROVIDER MODEL_PROVIDER",
                "HERMES_CUSTOM_API_KEY HERMES_CUSTOM_BASE_URL OPENAI_API_KEY OPENAI_BASE_URL",
            ),
        ];
        for (text, create, deferred) in rows {
            let (_, c, d) = run(Script::FullSaas, text);
            assert_eq!(c.into_keys().collect::<Vec<_>>().join(" "), create, "{text}");
            assert_eq!(d.into_keys().collect::<Vec<_>>().join(" "), deferred, "{text}");
        }
    }

    #[test]
    fn the_reconciler_sends_nothing_unless_told_and_never_splits() {
        assert_eq!(run(Script::Reconciler, "E2E_MINIMAX_API_KEY=k").0.arm, Arm::Platform);
        let (plan, create, deferred) =
            run(Script::Reconciler, "E2E_LLM_PATH=byok E2E_OPENAI_API_KEY=k E2E_GOOGLE_API_KEY=g");
        assert_eq!((plan.arm, create.len(), deferred.len()), (Arm::OpenAi, 7, 0));
        assert_eq!(plan.unused, ["E2E_GOOGLE_API_KEY"]);
    }

    #[test]
    fn the_local_lifecycle_asserts_its_credential_again() {
        let (model, plan) = local(&env("")).unwrap();
        assert_eq!(model, "claude-opus-4-7");
        assert_eq!(resolve(&plan.create, &env(""))["ANTHROPIC_API_KEY"], "dummy");
        assert_eq!(plan.deferred.keys().collect::<Vec<_>>(), ["ANTHROPIC_API_KEY", "HOSTNAME"]);
        assert!(local(&env("LIFECYCLE_LLM=minimax")).is_none());
        let (model, plan) = local(&env("LIFECYCLE_LLM=minimax MINIMAX_API_KEY=k LIFECYCLE_MODEL=x")).unwrap();
        assert_eq!(model, "MiniMax-M3");
        assert_eq!(
            plan.deferred.keys().collect::<Vec<_>>(),
            ["HOSTNAME", "MINIMAX_API_KEY", "MODEL_PROVIDER"]
        );
    }
}
