mod auto;
mod catalogue;
mod contradictions;
mod derive;
mod diff;
mod gates;
mod projection;
mod properties;
mod review;
mod workflow;

/// Names as derivation takes them; `-` is none.
pub(crate) fn names(text: &str) -> std::collections::BTreeSet<String> {
    text.split_whitespace().filter(|name| *name != "-").map(str::to_owned).collect()
}
