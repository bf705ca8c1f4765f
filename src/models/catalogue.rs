//! The catalogue of providers and runtimes, in the platform's own schema (version 1).

use regex::Regex;

use crate::behaviour::{self, Edition};
use crate::source::{Problem, SourceFile, Span};

/// The one provider that the platform itself pays for; every other is "bring your own key".
pub(crate) const PLATFORM: &str = "platform";

/// Providers and the runtimes that may use them, valid by construction.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The text that it was read from.
    pub source: SourceFile,
    /// In order of declaration.
    pub providers: Vec<Provider>,
    pub(super) runtimes: Vec<Runtime>,
    /// What was read past: unknown keys.
    pub(crate) notes: Vec<Problem>,
}

/// Who serves a model, and which environment it needs.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Stable id.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// The wire format: `openai` or `anthropic`.
    pub protocol: Protocol,
    /// `anthropic_api`, `oauth`, `third_party_anthropic_compat`, `wif_adc`: not an enumeration for the platform.
    pub auth_mode: String,
    /// Names of environment variables, any of which is a credential; the order matters.
    pub auth_env: Vec<String>,
    /// The variable that the credential is copied into.
    pub auth_token_env: Option<String>,
    /// OpenAI-shaped base URL; may hold `{placeholders}`.
    pub base_url_template: Option<String>,
    /// Anthropic-shaped base URL.
    pub base_url_anthropic: Option<String>,
    /// `model_prefix_match`: which model names are this provider's; searched, so only `^` anchors.
    pub pattern: Regex,
    /// The token before `/` or `:` that the proxy knows the vendor by.
    pub upstream_vendor: Option<String>,
    /// Short names of a user interface; derivation never looks at them.
    pub model_aliases: Vec<String>,
    /// Greyed out in a user interface; changes nothing else.
    pub deprecated: bool,
    /// Where the name stands.
    pub span: Span,
    /// Where the pattern stands.
    pub pattern_span: Span,
}

impl Provider {
    /// Whether the platform pays: exactly the provider of that name.
    pub fn is_platform(&self) -> bool {
        self.name == PLATFORM
    }

    /// Whether one of these names is a credential of this provider.
    pub fn accepts<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| self.auth_env.iter().any(|accepted| accepted == name))
    }
}

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Chat completions.
    Openai,
    /// Messages.
    Anthropic,
}

impl Protocol {
    /// As in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Openai => "openai",
            Protocol::Anthropic => "anthropic",
        }
    }
}

/// An agent runtime and its arms, in order of declaration: the order breaks ties.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Stable id.
    pub name: String,
    /// For people; only newer catalogues have it.
    pub display_name: Option<String>,
    /// The providers that it may use.
    pub arms: Vec<Arm>,
    /// Where the name stands.
    pub span: Span,
}

/// A runtime's reference to a provider.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Index into [`Catalogue::providers`].
    pub(crate) provider: usize,
    /// Exact model ids. None: a name-only arm, which routes by the provider's pattern alone.
    pub models: Vec<Listed>,
    /// Where the provider's name stands.
    pub span: Span,
}

/// A model id that an arm lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Byte for byte.
    pub id: String,
    /// Where it stands.
    pub span: Span,
}

impl Catalogue {
    /// The edition that it belongs to: by the ids of the platform's arms, or by the list of withdrawn ones.
    pub fn edition(&self) -> Edition {
        let lists = |edition: Edition| {
            let model = behaviour::edition(edition).map(|row| row.platform_model.as_str());
            self.runtimes
                .iter()
                .flat_map(|r| &r.arms)
                .flat_map(|arm| &arm.models)
                .any(|m| Some(m.id.as_str()) == model)
        };
        let august = lists(Edition::MidAugust) && !lists(Edition::MidJune);
        if august || self.source.text.contains("\nwithdrawn_models:") {
            Edition::MidAugust
        } else {
            Edition::MidJune
        }
    }

    /// A provider by name.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// A runtime by name: not trimmed, case-sensitive.
    pub fn runtime(&self, name: &str) -> Option<&Runtime> {
        self.runtimes.iter().find(|runtime| runtime.name == name)
    }

    /// All runtimes, in order of declaration.
    pub fn runtimes(&self) -> &[Runtime] {
        &self.runtimes
    }

    /// The provider behind an arm of this catalogue.
    pub fn provider_of(&self, arm: &Arm) -> &Provider {
        &self.providers[arm.provider]
    }

    /// A runtime's model ids in order of the arms, each once. `None`: unknown runtime.
    pub fn models_for(&self, runtime: &str) -> Option<Vec<&str>> {
        let mut seen = Vec::new();
        for listed in self.runtime(runtime)?.arms.iter().flat_map(|arm| &arm.models) {
            if !seen.contains(&listed.id.as_str()) {
                seen.push(listed.id.as_str());
            }
        }
        Some(seen)
    }

    /// Every name of an environment variable that is a credential of some provider.
    pub fn auth_names(&self) -> std::collections::BTreeSet<&str> {
        self.providers.iter().flat_map(|p| p.auth_env.iter().map(String::as_str)).collect()
    }
}

/// What is allowed and still looks wrong: keys that nobody reads, ids that no derivation can reach
/// or that another arm shadows, patterns that fight, providers that no runtime uses.
pub fn lint(catalogue: &Catalogue) -> Vec<Problem> {
    let mut problems = catalogue.notes.clone();
    for runtime in &catalogue.runtimes {
        lint_shadowed(catalogue, runtime, &mut problems);
        lint_fighting(catalogue, runtime, &mut problems);
    }
    for (index, provider) in catalogue.providers.iter().enumerate() {
        let used = catalogue.runtimes.iter().flat_map(|r| &r.arms).any(|arm| arm.provider == index);
        if !used && provider.upstream_vendor.is_none() {
            problems.push(
                Problem::warning(
                    "catalogue::unreachable",
                    format!("no runtime has an arm of `{}`: nothing ever derives to it", provider.name),
                )
                .at(&catalogue.source, provider.span, "never reached")
                .hint("add it to a runtime's `providers`, or remove it"),
            );
        }
    }
    problems
}

fn lint_shadowed(catalogue: &Catalogue, runtime: &Runtime, problems: &mut Vec<Problem>) {
    for (later, arm) in runtime.arms.iter().enumerate() {
        for listed in &arm.models {
            let earlier = runtime.arms[..later]
                .iter()
                .flat_map(|arm| arm.models.iter().map(move |m| (arm, m)))
                .find(|(_, other)| other.id == listed.id);
            let Some((other_arm, other)) = earlier else { continue };
            let provider = catalogue.provider_of(arm);
            let other_provider = catalogue.provider_of(other_arm);
            // A credential of its own can still turn the tie: that is how codex tells key from subscription.
            if !provider.auth_env.iter().all(|name| other_provider.auth_env.contains(name)) {
                continue;
            }
            problems.push(
                Problem::warning(
                    "catalogue::shadowed",
                    format!(
                        "`{}` of `{}` is shadowed on {}: `{}` lists it first and accepts every credential of `{}`",
                        listed.id, provider.name, runtime.name, other_provider.name, provider.name
                    ),
                )
                .at(&catalogue.source, listed.span, "never chosen")
                .at(&catalogue.source, other.span, "always wins")
                .hint("remove one of the two listings"),
            );
        }
    }
}

fn lint_fighting(catalogue: &Catalogue, runtime: &Runtime, problems: &mut Vec<Problem>) {
    // An arm without ids is reachable only by its pattern: one equal to an earlier arm's never wins alone.
    for (later, arm) in runtime.arms.iter().enumerate() {
        let provider = catalogue.provider_of(arm);
        let twin = runtime.arms[..later]
            .iter()
            .map(|other| catalogue.provider_of(other))
            .find(|other| other.pattern.as_str() == provider.pattern.as_str());
        let Some(other) = twin else { continue };
        problems.push(
            Problem::warning(
                "catalogue::ambiguous",
                format!(
                    "on {} the patterns of `{}` and `{}` are the same: an unlisted model is ambiguous",
                    runtime.name, other.name, provider.name
                ),
            )
            .at(&catalogue.source, arm.span, "same pattern")
            .at(&catalogue.source, provider.pattern_span, "this one")
            .hint("make one of the patterns narrower"),
        );
    }
}
