//! Contradictions among settings of the environment, whatever is sent.

use std::collections::BTreeSet;

use crate::behaviour::Edition;
use crate::models::catalogue::Provider;
use crate::models::derive::derive;
use crate::models::detect::Detection;
use crate::models::dispatch::{Arm, Script};
use crate::models::inputs::{Inputs, LLM_PATH, LlmPath, MODEL_SLUG, RUNTIME, native};
use crate::models::situation::{Fate, SET};
use crate::models::slug::pinned;

impl Detection<'_> {
    pub(crate) fn model_provider(&mut self, runtime: &str, provider: &Provider) {
        let Some(text) =
            self.sent.secrets.get("MODEL_PROVIDER").filter(|text| *text != SET && !text.is_empty())
        else {
            return;
        };
        if matches!(self.fate, Fate::Refused(_)) {
            return;
        }
        let model = self.sent.model.as_str();
        let same_model = text == model || text.replacen(':', "/", 1) == model.replacen(':', "/", 1);
        // A bare name says only who: the provider's, or the token before its separator.
        let bare = !text.contains([':', '/']);
        let same_vendor = bare && (provider.name == *text || provider.name.ends_with(&format!("-{text}")));
        let same_provider = derive(self.catalogue, runtime, text, &BTreeSet::new())
            .is_ok_and(|p| bare && p.name == provider.name);
        if !same_model && !same_vendor && !same_provider {
            let holder = self.holder("MODEL_PROVIDER");
            self.warn(
                "C20",
                &[&holder, &self.sent.model_from],
                format!("MODEL_PROVIDER says `{text}`, the create says `{model}`"),
            );
        }
    }

    /// Settings of the environment that fight whatever is sent.
    pub(crate) fn environment(&mut self) {
        let inputs = Inputs::from_env(self.catalogue, &self.situation.env);
        if let (Some(slug), None) = (&inputs.slug, &self.situation.model) {
            let bare =
                Inputs { slug: None, llm_path: Some(self.sent.path.as_str().into()), ..inputs.clone() };
            let name = self.sent.template.as_deref().unwrap_or(&self.sent.runtime);
            let pick = pinned(name, &bare).slug;
            if pick != *slug && (self.sent.path == LlmPath::Platform || !inputs.keys.is_empty()) {
                let main = if self.sent.path == LlmPath::Platform { LLM_PATH } else { RUNTIME };
                self.warn(
                    "C19",
                    &[MODEL_SLUG, main],
                    format!("{MODEL_SLUG} is `{slug}`; without it the pick is `{pick}`"),
                );
            }
        }
        let used: BTreeSet<&str> =
            self.sent.secrets.keys().chain(&self.sent.deferred).map(String::as_str).collect();
        let chain = Inputs {
            keys: inputs.keys.iter().filter(|key| key.starts_with("E2E_")).cloned().collect(),
            ..inputs
        };
        for key in &chain.keys {
            if self.sent.path == LlmPath::Platform && self.situation.secrets.is_none() {
                self.warn("C18", &[key, LLM_PATH], format!("{key} is set, and the path is platform"));
            } else if !used.contains(native(key)) {
                self.warn("C18", &[key], format!("{key} is set, and an earlier key won or nothing needs it"));
            }
        }
        let armed =
            chain.keys.iter().find(|key| matches!(native(key), "MINIMAX_API_KEY" | "ANTHROPIC_API_KEY"));
        // Mid-August's script leaves the guard out on the platform path.
        if self.situation.script == Some(Script::FullSaas)
            && chain.edition == Edition::MidJune
            && self.sent.path == LlmPath::Platform
            && let Some(key) = armed
        {
            self.warn(
                "C21",
                &[key, LLM_PATH],
                format!("{key} arms the own-key guard, and the path is platform"),
            );
        }
    }

    /// The setting that a sent secret comes from.
    pub(crate) fn holder(&self, name: &str) -> String {
        let explicit = format!("secrets.{name}");
        if self.situation.secrets.is_some() {
            return explicit;
        }
        if self.sent.arm == Some(Arm::OpenAi) && !self.sent.deferred.contains(name) {
            return "E2E_OPENAI_API_KEY".to_owned();
        }
        let inputs = Inputs::from_env(self.catalogue, &self.situation.env);
        inputs.holder(name).map_or(explicit, str::to_owned)
    }
}
