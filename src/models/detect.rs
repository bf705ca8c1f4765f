//! Finds contradictions in a situation. The level comes from the platform's own gates and assembly.

use std::collections::BTreeSet;

use crate::behaviour::Behaviour;
use crate::models::allowlist::{ALWAYS, Allowlist, external_like};
use crate::models::auto::foreign;
use crate::models::billing::BillingMode;
use crate::models::catalogue::{Catalogue, Provider};
use crate::models::contradictions::{Finding, class_of};
use crate::models::derive::{DeriveError, Matched, derive, derive_how};
use crate::models::dispatch::{Arm, Script, local};
use crate::models::inputs::{LLM_PATH, LlmPath};
use crate::models::keys::is_guarded;
use crate::models::situation::{Fate, OF_VARIANTS, Sent, Situation, TargetKind, is_variant};
use crate::models::spelling::{case_twin, other_spellings, withdrawn};
use crate::source::{Level, did_you_mean, nearest};

/// What contradicts itself, when everything is known. [`Situation::maybe`] counts as not set.
pub(crate) fn detect(catalogue: &Catalogue, allowlist: &Allowlist, situation: &Situation) -> Vec<Finding> {
    if situation.script == Some(Script::LocalProvision) && local(&situation.env).is_none() {
        // A loud skip: nothing is sent.
        return Vec::new();
    }
    let sent = situation.sent(catalogue);
    let fate = sent.fate(catalogue, allowlist, situation);
    let mut found =
        Detection { catalogue, allowlist, situation, sent: &sent, fate: &fate, findings: Vec::new() };
    found.runtime();
    found.environment();
    found.findings
}

pub(crate) struct Detection<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) allowlist: &'a Allowlist,
    pub(crate) situation: &'a Situation,
    pub(crate) sent: &'a Sent,
    pub(crate) fate: &'a Fate,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Detection<'a> {
    /// A finding that is an error exactly when the platform refuses or the boot fails.
    fn add(&mut self, code: &str, settings: &[&str], message: String) {
        let certain = match self.fate {
            Fate::Refused(_) => true,
            // A deferred write of a guarded key heals what a missing one broke.
            Fate::Aborts(abort) => {
                abort.code != Some("MISSING_BYOK_CREDENTIAL")
                    || !self.sent.deferred.iter().any(|name| is_guarded(name))
            }
            Fate::NoImage => {
                matches!(self.situation.target.kind, TargetKind::Embedded | TargetKind::Docker)
            }
            Fate::Runs => false,
        };
        let level = if certain { Level::Error } else { Level::Warning };
        self.push(code, level, settings, message, self.fate.words(), None);
    }

    pub(crate) fn warn(&mut self, code: &str, settings: &[&str], message: String) {
        self.push(code, Level::Warning, settings, message, String::new(), None);
    }

    fn push(
        &mut self,
        code: &str,
        level: Level,
        settings: &[&str],
        message: String,
        outcome: String,
        fix: Option<String>,
    ) {
        let Some(class) = class_of(code) else { return };
        self.findings.push(Finding {
            class,
            level: level.min(class.level),
            message,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            outcome: if outcome.is_empty() { class.outcome.to_owned() } else { outcome },
            fix: fix.unwrap_or_else(|| class.fix.to_owned()),
        });
    }

    fn fix(&mut self, fix: String) {
        if let Some(last) = self.findings.last_mut() {
            last.fix = fix;
        }
    }

    fn runtime(&mut self) {
        let sent = self.sent;
        let runtime = sent.resolved_runtime.as_str();
        let from = sent.runtime_from.as_str();
        if external_like(runtime) {
            if !sent.model.is_empty() {
                self.add(
                    "C26",
                    &[&sent.model_from, from],
                    format!("model `{}` for runtime `{runtime}`, which takes none", sent.model),
                );
            } else if let Some(key) = sent.secrets.keys().find(|key| is_guarded(key)) {
                self.add(
                    "C26",
                    &[&format!("secrets.{key}"), from],
                    format!("{key} for runtime `{runtime}`, which takes no keys"),
                );
            }
            return;
        }
        let known = || self.allowlist.runtimes.iter().map(String::as_str);
        let variant = is_variant(self.catalogue.edition(), runtime);
        if variant && self.catalogue.runtime(runtime).is_none() {
            self.add(
                "C15",
                &[from, &sent.model_from],
                format!("`{runtime}` is a template of {OF_VARIANTS}, not a runtime"),
            );
            return;
        }
        if !self.allowlist.allows(runtime) {
            let folded = runtime.trim().to_lowercase();
            if let Some(twin) = known().find(|name| **name == folded) {
                let twin = twin.to_owned();
                self.add(
                    "C27",
                    &[from],
                    format!("runtime `{runtime}` is not `{twin}`: white space and case count"),
                );
            } else if self.catalogue.runtime(runtime).is_some() {
                self.add(
                    "C13",
                    &[from],
                    format!("the catalogue has runtime `{runtime}`, the platform's manifest has not"),
                );
            } else {
                let names = did_you_mean(runtime, known());
                self.add("C12", &[from], format!("nobody knows runtime `{runtime}`"));
                self.fix(names);
            }
            return;
        }
        if self.catalogue.runtime(runtime).is_none() {
            let always = if ALWAYS.contains(&runtime) { " (always accepted)" } else { "" };
            self.add(
                "C14",
                &[from, &sent.model_from],
                format!("runtime `{runtime}`{always} has no models in the catalogue: any string passes"),
            );
            return;
        }
        self.model(runtime);
    }

    fn model(&mut self, runtime: &str) {
        let sent = self.sent;
        let names: BTreeSet<String> =
            sent.secrets.keys().chain(&self.situation.global_secrets).cloned().collect();
        match derive_how(self.catalogue, runtime, &sent.model, &names) {
            Ok((provider, matched)) => {
                self.payer(runtime, provider);
                self.looseness(runtime, provider, matched);
                self.flips(provider);
                self.model_provider(runtime, provider);
            }
            Err(DeriveError::ModelRequired | DeriveError::UnknownRuntime { .. }) => {}
            Err(DeriveError::Unregistered { .. } | DeriveError::Ambiguous { .. }) => {
                self.unregistered(runtime)
            }
        }
    }

    fn unregistered(&mut self, runtime: &str) {
        let sent = self.sent;
        let (model, from) = (sent.model.as_str(), sent.model_from.as_str());
        let runtime_from = sent.runtime_from.as_str();
        let spellings = other_spellings(self.catalogue, runtime, model);
        if let Some(twin) = case_twin(self.catalogue, runtime, model) {
            self.add("C27", &[from], format!("`{model}` is not `{twin}`: case counts"));
            self.fix(format!("write `{twin}`"));
        } else if sent.path == LlmPath::Platform {
            self.add(
                "C2",
                &[LLM_PATH, runtime_from, from],
                format!("the path is platform and {runtime} has no model `{model}`"),
            );
            let listed = self.platform_models(runtime);
            if !listed.is_empty() {
                self.fix(format!("name one that the platform serves on {runtime}: {}", listed.join(", ")));
            }
        } else if !spellings.is_empty() {
            let list = spellings
                .iter()
                .map(|(id, payer)| format!("`{id}` ({payer})"))
                .collect::<Vec<_>>()
                .join(" or ");
            self.add(
                "C10",
                &[from, runtime_from],
                format!("`{model}` is not registered on {runtime}; spelled otherwise it is"),
            );
            self.fix(format!("write {list}"));
        } else {
            self.add("C16", &[from, runtime_from], format!("no arm of {runtime} has the model `{model}`"));
            let listed = self.catalogue.models_for(runtime).unwrap_or_default();
            let near: Vec<&str> = nearest(model, listed).into_iter().take(3).collect();
            if !near.is_empty() {
                self.fix(format!("pick a model of {runtime}, for example {}", near.join(", ")));
            }
        }
        if let Some(when) = withdrawn(self.catalogue, model) {
            self.warn("C23", &[from], format!("`{model}` was withdrawn {when}"));
        }
    }

    /// Models of the platform's arm; the first few are enough for a hint.
    fn platform_models(&self, runtime: &str) -> Vec<&'a str> {
        let arms = self.catalogue.runtime(runtime).into_iter().flat_map(|runtime| &runtime.arms);
        arms.filter(|arm| self.catalogue.provider_of(arm).is_platform())
            .flat_map(|arm| arm.models.iter().map(|model| model.id.as_str()))
            .take(4)
            .collect()
    }

    /// Who pays, and whether the credentials fit.
    fn payer(&mut self, runtime: &str, provider: &Provider) {
        let sent = self.sent;
        let (model, from) = (sent.model.as_str(), sent.model_from.as_str());
        if provider.is_platform() {
            if let Some(key) = sent.secrets.keys().find(|key| is_guarded(key)) {
                let holder = self.holder(key);
                self.add(
                    "C9",
                    &[from, &holder],
                    format!("the platform pays for `{model}`, and {key} is sent along"),
                );
            }
            if self.situation.target.proxy == Some(false) {
                self.add(
                    "C22",
                    &[from],
                    format!("the platform pays for `{model}`, and this target has no proxy"),
                );
            }
            if self.situation.billing_override == Some(BillingMode::Byok) {
                self.add(
                    "C24",
                    &["billing_override", from],
                    format!("billing is set to byok, and only the platform serves `{model}`"),
                );
            }
            return;
        }
        if sent.path == LlmPath::Platform {
            self.add(
                "C1",
                &[LLM_PATH, from],
                format!(
                    "the path is platform, and `{model}` is served by {} with your own key",
                    provider.name
                ),
            );
            let listed = self.platform_models(runtime);
            if !listed.is_empty() {
                self.fix(format!(
                    "drop {from}, or name a platform model of {runtime}: {}",
                    listed.join(", ")
                ));
            }
            return;
        }
        self.credential(runtime, provider);
        let left = self.situation.left_at_restart.as_ref();
        if let Some(left) = left
            && let Some(hiding) = left.iter().find(|name| is_guarded(name))
            && !provider.accepts(left.iter().map(String::as_str))
        {
            let (level, outcome) = self.restarted_without_its_key();
            self.push(
                "C7",
                level,
                &["left_at_restart", from],
                format!("at the restart {hiding} is left, and {} takes none of what is left", provider.name),
                outcome.to_owned(),
                None,
            );
        }
    }

    /// What comes of a restart at which only an unrelated key is left.
    fn restarted_without_its_key(&self) -> (Level, &'static str) {
        let behaviours = self.catalogue.edition().behaviours();
        if !behaviours.has(Behaviour::CredentialPerProvider) {
            return (Level::Warning, "comes online; the first call of the model fails");
        }
        let aborts = "the provision of the restart aborts with MISSING_BYOK_CREDENTIAL";
        match self.situation.target.proxy {
            Some(false) => (Level::Error, aborts),
            _ => (
                Level::Warning,
                "the provision of the restart aborts with MISSING_BYOK_CREDENTIAL; a tenant's model goes to the \
                 metered proxy where there is one",
            ),
        }
    }

    fn credential(&mut self, runtime: &str, provider: &Provider) {
        let sent = self.sent;
        let (model, from) = (sent.model.as_str(), sent.model_from.as_str());
        let accepted = |name: &&String| provider.auth_env.contains(*name);
        let hits: Vec<&String> =
            sent.secrets.keys().chain(&self.situation.global_secrets).filter(accepted).collect();
        let wanted = provider.auth_env.join(", ");
        if hits.is_empty() {
            if let Some(later) = sent.deferred.iter().find(accepted) {
                let holder = self.holder(later);
                self.add(
                    "C4",
                    &[from, &holder],
                    format!("`{model}` needs {later} in the create body, and it is written later"),
                );
            } else if let Some(winner) = self.other_arm(provider) {
                self.add(
                    "C5",
                    &[&winner, from],
                    format!("{winner} won the chain, and `{model}` needs {wanted}"),
                );
            } else {
                self.add(
                    "C3",
                    &[from],
                    format!(
                        "`{model}` on {runtime} is served by {} and needs one of {wanted}",
                        provider.name
                    ),
                );
            }
            return;
        }
        let Fate::Aborts(abort) = self.fate else {
            if hits.iter().all(|name| foreign(provider, name)) {
                let holder = self.holder(hits[0]);
                self.warn(
                    "C8",
                    &[from, &holder],
                    format!("`{model}` is {}'s, and only {} is sent", provider.name, hits[0]),
                );
            }
            return;
        };
        if abort.code != Some("MISSING_BYOK_CREDENTIAL") {
            return;
        }
        if let Some(blank) =
            hits.iter().find(|name| sent.secrets.get(**name).is_some_and(|v| v.trim().is_empty()))
        {
            self.add(
                "C25",
                &[&format!("secrets.{blank}"), from],
                format!("{blank} is sent with an empty value"),
            );
        } else {
            let holder = self.holder(hits[0]);
            self.add(
                "C6",
                &[from, &holder],
                format!("create takes {} for `{model}`, provision does not count it", hits[0]),
            );
        }
    }

    /// The key that won the chain, when the model's vendor has an arm of its own there.
    fn other_arm(&self, provider: &Provider) -> Option<String> {
        const OF_CHAIN: [&str; 5] =
            ["MINIMAX_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"];
        let in_chain = provider
            .auth_env
            .iter()
            .any(|name| OF_CHAIN.contains(&name.as_str()) && !foreign(provider, name));
        let winner = match self.sent.arm? {
            Arm::MiniMax => "E2E_MINIMAX_API_KEY",
            Arm::Anthropic => "E2E_ANTHROPIC_API_KEY",
            Arm::Google => "E2E_GOOGLE_API_KEY",
            Arm::OpenAi => "E2E_OPENAI_API_KEY",
            Arm::Platform | Arm::Lifecycle | Arm::None => return None,
        };
        in_chain.then(|| winner.to_owned())
    }

    fn looseness(&mut self, runtime: &str, provider: &Provider, matched: Matched) {
        let (model, from) = (self.sent.model.as_str(), self.sent.model_from.as_str());
        if matched.is_listed() {
            return;
        }
        if let Some(when) = withdrawn(self.catalogue, model) {
            self.warn(
                "C23",
                &[from],
                format!("`{model}` was withdrawn {when}; {}'s pattern still takes it", provider.name),
            );
        }
        let arms = self.catalogue.runtime(runtime).into_iter().flat_map(|runtime| &runtime.arms);
        let lists = arms
            .filter(|arm| self.catalogue.provider_of(arm).name == provider.name)
            .any(|arm| !arm.models.is_empty());
        if lists {
            self.warn(
                "C17",
                &[from],
                format!("{} lists no `{model}` on {runtime}: only its pattern takes it", provider.name),
            );
        }
    }

    fn flips(&mut self, provider: &Provider) {
        let sent = self.sent;
        let none = BTreeSet::new();
        let other = self.situation.also_runtimes.iter().find_map(|runtime| {
            let other = derive(self.catalogue, runtime, &sent.model, &none).ok()?;
            (other.is_platform() != provider.is_platform()).then(|| (runtime.clone(), other.name.clone()))
        });
        if let Some((runtime, name)) = other {
            let message = format!(
                "`{}` is {}'s on {} and {name}'s on {runtime}: the payer flips",
                sent.model, provider.name, sent.resolved_runtime
            );
            self.warn("C11", &[&sent.model_from, &sent.runtime_from], message);
        }
    }
}
