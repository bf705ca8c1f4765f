//! What somebody is about to send: settings of an environment, a create, a target, with places.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::behaviour::Edition;
use crate::models::allowlist::{Allowlist, external_like, has_image};
use crate::models::billing::BillingMode;
use crate::models::catalogue::Catalogue;
use crate::models::dispatch::{Arm, Script, dispatch, local, resolve};
use crate::models::gates::{CreateFacts, Refusal, check_create};
use crate::models::inputs::{Inputs, LLM_PATH, LlmPath, MODEL_SLUG, RUNTIME};
use crate::models::projection::{Abort, Assembly, ServerEnv, assemble};
use crate::models::slug::pinned;
use crate::source::{SourceFile, Span};

/// Stands for the value of a key that is set.
pub(crate) const SET: &str = "set";

/// The runtime that serves templates of other names.
pub(crate) const OF_VARIANTS: &str = "claude-code";

/// Whether a name is one of a template that another runtime serves.
pub(crate) fn is_variant(edition: Edition, name: &str) -> bool {
    name == "seo-agent" || (edition == Edition::MidAugust && name == "platform-agent")
}

/// What kind of platform it goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetKind {
    /// Not known.
    #[default]
    Unknown,
    /// The reference platform in this process.
    Embedded,
    /// A server that starts containers itself.
    Docker,
    /// A server behind a control plane.
    Saas,
}

/// What is known of the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its kind.
    pub kind: TargetKind,
    /// Whether the platform has a proxy for models that it pays for; `None`: not known.
    pub proxy: Option<bool>,
}

/// Settings that are about to meet. Everything is optional; `Default` is an empty environment.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// Whose dispatch rules apply; `None`: this tool's, everything in the create body.
    pub script: Option<Script>,
    /// Non-empty settings of the environment; keys have the value [`SET`].
    pub env: BTreeMap<String, String>,
    /// Variables that may be set or empty: secrets of CI.
    pub maybe: BTreeSet<String>,
    /// `runtime` of the create, when a step says it.
    pub runtime: Option<String>,
    /// `template` of the create.
    pub template: Option<String>,
    /// `model` of the create, when a step says it.
    pub model: Option<String>,
    /// `external` of the create.
    pub external: bool,
    /// `secrets` of the create, when a step says them: name → value, [`SET`] or empty.
    pub secrets: Option<BTreeMap<String, String>>,
    /// Names that are written after the create.
    pub deferred: BTreeSet<String>,
    /// Global secrets that are known to be there.
    pub global_secrets: BTreeSet<String>,
    /// A billing override that is written after the create.
    pub billing_override: Option<BillingMode>,
    /// The workspace's secrets at a later restart, when some were deleted.
    pub left_at_restart: Option<BTreeSet<String>>,
    /// Other runtimes that the same model is used with.
    pub also_runtimes: Vec<String>,
    /// Where it goes.
    pub target: Target,
    /// Setting → where it was written.
    pub places: BTreeMap<String, (SourceFile, Span)>,
}

/// What goes over the wire first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `runtime`; empty when only a template is sent.
    pub runtime: String,
    /// The runtime that the platform resolves to.
    pub resolved_runtime: String,
    /// `template`.
    pub template: Option<String>,
    /// `model`; empty when there is none.
    pub model: String,
    /// The setting that the model comes from.
    pub model_from: String,
    /// The setting that the runtime comes from.
    pub runtime_from: String,
    /// `external`.
    pub external: bool,
    /// `secrets`.
    pub secrets: BTreeMap<String, String>,
    /// Names that are written later.
    pub deferred: BTreeSet<String>,
    /// The arm of the dispatch, when the secrets come from one.
    pub arm: Option<Arm>,
    /// Who is meant to pay.
    pub path: LlmPath,
    /// Whether somebody said so.
    pub path_from: Option<&'static str>,
}

/// What the platform makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A 4xx at create.
    Refused(Refusal),
    /// A 201, then `failed` at provision.
    Aborts(Abort),
    /// A 201, then `failed`: no image for the runtime.
    NoImage,
    /// It comes up.
    Runs,
}

impl Fate {
    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Fate::Refused(refusal) => match refusal.code {
                Some(code) => format!("{} {code} at create", refusal.status),
                None => format!("{} at create (vendor-key guard)", refusal.status),
            },
            Fate::Aborts(abort) => {
                format!("201, then failed at provision: {}", abort.code.unwrap_or("aborted"))
            }
            Fate::NoImage => "201, then failed: no image for the runtime".into(),
            Fate::Runs => "accepted".into(),
        }
    }
}

impl Situation {
    /// The environment at hand.
    pub fn from_env(catalogue: &Catalogue, env: &BTreeMap<String, String>) -> Situation {
        let keys = Inputs::from_env(catalogue, env).keys;
        let kept = env.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| {
            let value = if keys.contains(name) { SET.to_owned() } else { value.clone() };
            (name.clone(), value)
        });
        Situation { env: kept.collect(), ..Situation::default() }
    }

    /// Remembers where a setting was written.
    pub fn place(&mut self, setting: &str, source: &SourceFile, span: Span) {
        self.places.insert(setting.to_owned(), (source.clone(), span));
    }

    /// What would be sent, with every default filled in.
    pub fn sent(&self, catalogue: &Catalogue) -> Sent {
        let inputs = Inputs::from_env(catalogue, &self.env);
        let script = self.script;
        let default_runtime = if script == Some(Script::FullSaas) { "hermes" } else { "claude-code" };
        let in_env = self.env.get(RUNTIME).map(String::as_str);
        let (mut runtime, runtime_from) = match (&self.runtime, &self.template, in_env) {
            (Some(runtime), _, _) => (runtime.clone(), "runtime"),
            (None, Some(_), _) => (String::new(), "template"),
            (None, None, _) if self.external => ("external".to_owned(), "external"),
            (None, None, Some(runtime)) => (runtime.to_owned(), RUNTIME),
            (None, None, None) => (default_runtime.to_owned(), RUNTIME),
        };
        let mut template = self.template.clone();
        let variant = |name: &str| is_variant(catalogue.edition(), name);
        if script == Some(Script::FullSaas) && variant(&runtime) && self.runtime.is_none() {
            template = Some(std::mem::take(&mut runtime));
        }
        let resolved_runtime = match template.as_deref() {
            Some(name) if runtime.is_empty() => {
                let name = name.strip_suffix("-default").unwrap_or(name);
                if variant(name) { OF_VARIANTS } else { name }.to_owned()
            }
            _ => runtime.clone(),
        };
        let default_path = if script == Some(Script::Reconciler) { LlmPath::Platform } else { LlmPath::Byok };
        let path = inputs.llm_path.as_deref().map_or(default_path, |text| LlmPath::of_scripts(Some(text)));
        let picked = || {
            let table = Inputs { llm_path: Some(path.as_str().to_owned()), ..inputs.clone() };
            let name = template.as_deref().unwrap_or(&runtime);
            let pick = pinned(name, &table);
            let from = match (pick.row.0, inputs.default_platform_model.is_some()) {
                (1, _) => MODEL_SLUG,
                (2, true) => crate::models::inputs::DEFAULT_PLATFORM_MODEL,
                (2, false) => LLM_PATH,
                _ => RUNTIME,
            };
            (pick.slug, from)
        };
        let lifecycle = (script == Some(Script::LocalProvision)).then(|| local(&self.env)).flatten();
        let (model, model_from) = match (&self.model, &lifecycle) {
            (Some(model), _) => (model.clone(), "model"),
            (None, Some((model, _))) => (model.clone(), "LIFECYCLE_MODEL"),
            (None, None) if external_like(&resolved_runtime) => {
                (inputs.slug.clone().unwrap_or_default(), MODEL_SLUG)
            }
            (None, None) => picked(),
        };
        let plan = match (&self.secrets, lifecycle) {
            (Some(_), _) => None,
            (None, Some((_, plan))) => Some(plan),
            (None, None) => Some(dispatch(script.unwrap_or(Script::Harness), &inputs)),
        };
        let secrets = match (&self.secrets, &plan) {
            (Some(secrets), _) => secrets.clone(),
            (None, Some(plan)) => resolve(&plan.create, &self.env),
            (None, None) => BTreeMap::new(),
        };
        let mut deferred = self.deferred.clone();
        deferred.extend(plan.iter().flat_map(|plan| plan.deferred.keys().cloned()));
        Sent {
            runtime,
            resolved_runtime,
            template,
            model,
            model_from: model_from.to_owned(),
            runtime_from: runtime_from.to_owned(),
            external: self.external,
            secrets,
            deferred,
            arm: plan.map(|plan| plan.arm),
            path,
            path_from: inputs.llm_path.as_ref().map(|_| LLM_PATH),
        }
    }
}

impl Sent {
    /// The body of the create.
    pub fn body(&self, name: &str) -> Value {
        let mut body = json!({"name": name, "tier": 2});
        for (key, value) in [("runtime", self.runtime.as_str()), ("model", &self.model)] {
            if !value.is_empty() {
                body[key] = value.into();
            }
        }
        if let Some(template) = &self.template {
            body["template"] = template.as_str().into();
        }
        if self.external {
            body["external"] = true.into();
        }
        if !self.secrets.is_empty() {
            body["secrets"] = json!(self.secrets);
        }
        body
    }

    /// What the platform makes of it: the gates, the first provision, the image.
    pub fn fate(&self, catalogue: &Catalogue, allowlist: &Allowlist, situation: &Situation) -> Fate {
        let facts = CreateFacts {
            runtime: Some(&self.runtime),
            model: Some(&self.model),
            template: self.template.as_deref(),
            template_runtime: self.template.as_ref().map(|_| self.resolved_runtime.as_str()),
            template_model: None,
            external: self.external,
            secrets: &self.secrets,
            global_secret_names: &situation.global_secrets,
        };
        let resolved = match check_create(catalogue, allowlist, &facts) {
            Ok(resolved) => resolved,
            Err(refusal) => return Fate::Refused(refusal),
        };
        if resolved.external {
            return Fate::Runs;
        }
        let global = situation.global_secrets.iter().map(|name| (name.clone(), SET.to_owned())).collect();
        let proxy = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let server = match situation.target.proxy {
            Some(false) => ServerEnv::default(),
            Some(true) | None => ServerEnv::new(
                [("MOLECULE_LLM_BASE_URL", "http://proxy"), ("MOLECULE_LLM_USAGE_TOKEN", SET)]
                    .map(proxy)
                    .into(),
            ),
        };
        let assembled = assemble(
            catalogue,
            &Assembly {
                workspace_id: "",
                name: "",
                runtime: &resolved.runtime,
                role: None,
                parent_id: None,
                payload_model: Some(&resolved.model),
                billing_override: situation.billing_override,
                global_secrets: &global,
                workspace_secrets: &self.secrets,
                server: &server,
                behaviours: catalogue.edition().behaviours(),
                concierge: None,
                required_env: &[],
                seeded_runtime: None,
            },
        );
        match assembled {
            Err(abort) => Fate::Aborts(abort),
            Ok(_) if !has_image(&resolved.runtime) => Fate::NoImage,
            Ok(_) => Fate::Runs,
        }
    }
}
