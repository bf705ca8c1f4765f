//! Two catalogues compared by what changes for whom, not by their text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::models::allowlist::Allowlist;
use crate::models::auto::{Overrides, auto};
use crate::models::catalogue::{Catalogue, Provider};
use crate::models::derive::derive_how;
use crate::models::inputs::LlmPath;

/// What a model is on a runtime.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Served {
    /// By whom.
    pub provider: String,
    /// Whether the platform pays.
    pub platform: bool,
    /// Whether an arm lists it, or only a pattern takes it.
    pub listed: bool,
}

impl Served {
    fn words(&self) -> String {
        match (self.platform, self.listed) {
            (true, _) => "the platform pays".into(),
            (false, true) => format!("your key, {}", self.provider),
            (false, false) => format!("your key, {} by pattern", self.provider),
        }
    }
}

/// A model whose service changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// Before; `None`: a create was refused.
    pub before: Option<Served>,
    /// After; `None`: a create is refused.
    pub after: Option<Served>,
    /// Exact id.
    pub model: String,
}

impl Change {
    /// Whether somebody else pays.
    pub(crate) fn flips_payer(&self) -> bool {
        matches!((&self.before, &self.after), (Some(a), Some(b)) if a.platform != b.platform)
    }
}

/// The consequences of going from one catalogue to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diff {
    /// Runtimes that appear.
    pub runtimes_added: Vec<String>,
    /// Runtimes that go, with the number of models that go with them.
    pub runtimes_removed: Vec<(String, usize)>,
    /// Runtime → its models whose service changes.
    pub models: BTreeMap<String, Vec<Change>>,
    /// What `auto` picks: (runtime, path and key) → before, after; `-` is nothing.
    pub picks: Vec<(String, String, String, String)>,
    /// Providers: what changed, in words.
    pub providers: Vec<(String, Vec<String>)>,
}

impl Diff {
    /// Whether nobody notices.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Diff::default()
    }
}

/// Compares two catalogues.
pub(crate) fn diff(a: &Catalogue, b: &Catalogue) -> Diff {
    let names = |catalogue: &Catalogue| -> BTreeSet<String> {
        catalogue.runtimes().iter().map(|runtime| runtime.name.clone()).collect()
    };
    let (in_a, in_b) = (names(a), names(b));
    let ids = listed(a).union(&listed(b)).cloned().collect::<BTreeSet<String>>();
    let mut models = BTreeMap::new();
    for runtime in in_a.intersection(&in_b) {
        let changes: Vec<Change> = ids.iter().filter_map(|id| change(a, b, runtime, id)).collect();
        if !changes.is_empty() {
            models.insert(runtime.clone(), changes);
        }
    }
    Diff {
        runtimes_added: in_b.difference(&in_a).cloned().collect(),
        runtimes_removed: in_a
            .difference(&in_b)
            .map(|name| (name.clone(), a.models_for(name).map_or(0, |models| models.len())))
            .collect(),
        models,
        picks: picks(a, b, &in_a, &in_b),
        providers: providers(a, b),
    }
}

fn listed(catalogue: &Catalogue) -> BTreeSet<String> {
    let arms = catalogue.runtimes().iter().flat_map(|runtime| &runtime.arms);
    arms.flat_map(|arm| arm.models.iter().map(|model| model.id.clone())).collect()
}

fn change(a: &Catalogue, b: &Catalogue, runtime: &str, model: &str) -> Option<Change> {
    let served = |catalogue: &Catalogue| {
        let (provider, matched) = derive_how(catalogue, runtime, model, &BTreeSet::new()).ok()?;
        Some(Served {
            provider: provider.name.clone(),
            platform: provider.is_platform(),
            listed: matched.is_listed(),
        })
    };
    let (before, after) = (served(a), served(b));
    (before != after).then(|| Change { before, after, model: model.to_owned() })
}

/// What `auto` picks with each path and each single key.
fn picks(
    a: &Catalogue,
    b: &Catalogue,
    in_a: &BTreeSet<String>,
    in_b: &BTreeSet<String>,
) -> Vec<(String, String, String, String)> {
    let allowlist = Allowlist::of(in_a.union(in_b).map(String::as_str));
    let keys: BTreeSet<&str> = a.auth_names().union(&b.auth_names()).copied().collect();
    let mut picks = Vec::new();
    for runtime in in_a.intersection(in_b) {
        let pick = |catalogue: &Catalogue, path: LlmPath, key: &str| {
            let keys: BTreeSet<String> =
                Some(key).filter(|key| !key.is_empty()).map(str::to_owned).into_iter().collect();
            auto(catalogue, &allowlist, runtime, path, &keys, Overrides::default(), None)
                .map_or_else(|_| "-".to_owned(), |choice| choice.model)
        };
        let ways = keys.iter().map(|key| (LlmPath::Byok, *key)).chain([(LlmPath::Platform, "")]);
        for (path, key) in ways {
            let (before, after) = (pick(a, path, key), pick(b, path, key));
            if before != after {
                let way = if key.is_empty() { "platform path".to_owned() } else { key.to_owned() };
                picks.push((runtime.clone(), way, before, after));
            }
        }
    }
    picks
}

fn providers(a: &Catalogue, b: &Catalogue) -> Vec<(String, Vec<String>)> {
    let mut changes = Vec::new();
    for before in &a.providers {
        match b.provider(&before.name) {
            None => changes.push((before.name.clone(), vec!["removed".to_owned()])),
            Some(after) => {
                let fields = fields(before, after);
                if !fields.is_empty() {
                    changes.push((before.name.clone(), fields));
                }
            }
        }
    }
    let added = b.providers.iter().filter(|provider| a.provider(&provider.name).is_none());
    changes.extend(added.map(|provider| (provider.name.clone(), vec!["added".to_owned()])));
    changes
}

fn fields(a: &Provider, b: &Provider) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    [
        ("protocol", a.protocol.as_str().to_owned(), b.protocol.as_str().to_owned()),
        ("auth mode", a.auth_mode.clone(), b.auth_mode.clone()),
        ("keys", a.auth_env.join(", "), b.auth_env.join(", ")),
        ("copied into", text(&a.auth_token_env), text(&b.auth_token_env)),
        ("OpenAI URL", text(&a.base_url_template), text(&b.base_url_template)),
        ("Anthropic URL", text(&a.base_url_anthropic), text(&b.base_url_anthropic)),
        ("pattern", a.pattern.as_str().to_owned(), b.pattern.as_str().to_owned()),
        ("proxy vendor", text(&a.upstream_vendor), text(&b.upstream_vendor)),
        ("deprecated", a.deprecated.to_string(), b.deprecated.to_string()),
    ]
    .into_iter()
    .filter(|(_, before, after)| before != after)
    .map(|(field, before, after)| format!("{field}: {before} → {after}"))
    .collect()
}

impl Diff {
    /// For a screen: one line a kind of change, models of the same fate together.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if self.is_empty() {
            return "no consequences\n".into();
        }
        for name in &self.runtimes_added {
            let _ = writeln!(text, "+ runtime {name}");
        }
        for (name, models) in &self.runtimes_removed {
            let _ = writeln!(text, "- runtime {name}, with {models} models");
        }
        for (runtime, changes) in &self.models {
            let _ = writeln!(text, "{runtime}");
            let mut fates: Vec<(String, Vec<&str>)> = Vec::new();
            for change in changes {
                let fate = fate(change);
                match fates.iter_mut().find(|(known, _)| *known == fate) {
                    Some((_, models)) => models.push(&change.model),
                    None => fates.push((fate, vec![&change.model])),
                }
            }
            fates.sort();
            for (fate, models) in fates {
                let _ = writeln!(text, "  {fate}\n      {}", models.join(", "));
            }
        }
        if !self.picks.is_empty() {
            let _ = writeln!(text, "what `auto` picks");
            let width =
                self.picks.iter().map(|(runtime, way, ..)| runtime.len() + way.len() + 2).max().unwrap_or(0);
            for (runtime, way, before, after) in &self.picks {
                let _ = writeln!(text, "  {:width$}  {before} → {after}", format!("{runtime}, {way}"));
            }
        }
        if !self.providers.is_empty() {
            let _ = writeln!(text, "providers");
            for (name, changes) in &self.providers {
                for change in changes {
                    // Addresses are long: before and after stand under each other.
                    let change = if change.chars().count() > 80 {
                        change.replace(" → ", "\n    → ")
                    } else {
                        change.clone()
                    };
                    let _ = writeln!(text, "  {name}  {change}");
                }
            }
        }
        text
    }
}

fn fate(change: &Change) -> String {
    match (&change.before, &change.after) {
        (Some(before), None) => format!("now refused (422); was: {}", before.words()),
        (None, Some(after)) => format!("now accepted: {}; was refused (422)", after.words()),
        (Some(before), Some(after)) if change.flips_payer() => {
            format!("THE PAYER FLIPS: {} → {}", before.words(), after.words())
        }
        (Some(before), Some(after)) => format!("served otherwise: {} → {}", before.words(), after.words()),
        (None, None) => String::new(),
    }
}
