//! One model, several spellings; and models that are gone.

use std::collections::BTreeSet;

use crate::models::catalogue::Catalogue;
use crate::models::derive::derive;

/// Withdrawn ids: the catalogue cannot say it, so the harness keeps the list.
const WITHDRAWN: [(&str, &str); 3] = [
    ("claude-fable-5", "two days after it appeared, in June 2026"),
    ("moonshot/kimi-k2.6", "from the platform's arms in August 2026"),
    ("moonshot/kimi-k2.5", "from the platform's arms in August 2026"),
];

/// When a model was withdrawn, in words. Looks at the id without its vendor, and at dated variants;
/// a catalogue that still lists the id on some runtime is believed.
pub(crate) fn withdrawn(catalogue: &Catalogue, model: &str) -> Option<&'static str> {
    let mut listed =
        catalogue.runtimes().iter().flat_map(|runtime| &runtime.arms).flat_map(|arm| &arm.models);
    if listed.any(|known| known.id == model) {
        return None;
    }
    let stem = stem(model);
    WITHDRAWN
        .iter()
        .find(|(id, _)| *id == model || stem == *id || stem.starts_with(&format!("{id}-")))
        .map(|(_, when)| *when)
}

/// The id without the vendor before `/` or `:`.
pub(crate) fn stem(model: &str) -> &str {
    model.split_once(['/', ':']).map_or(model, |(_, rest)| rest)
}

/// Registered ids of the runtime that spell the same model, each with who pays.
pub(crate) fn other_spellings(catalogue: &Catalogue, runtime: &str, model: &str) -> Vec<(String, String)> {
    let wanted = stem(model);
    let none = BTreeSet::new();
    let listed = catalogue.models_for(runtime).unwrap_or_default();
    let same = listed.into_iter().filter(|id| *id != model && stem(id).eq_ignore_ascii_case(wanted));
    same.filter_map(|id| {
        let provider = derive(catalogue, runtime, id, &none).ok()?;
        let payer = if provider.is_platform() {
            "the platform pays".to_owned()
        } else {
            format!("your key, {}", provider.name)
        };
        Some((id.to_owned(), payer))
    })
    .collect()
}

/// A listed id that differs only in case.
pub(crate) fn case_twin<'c>(catalogue: &'c Catalogue, runtime: &str, model: &str) -> Option<&'c str> {
    let listed = catalogue.models_for(runtime)?;
    listed.into_iter().find(|id| id.eq_ignore_ascii_case(model.trim()) && *id != model.trim())
}
