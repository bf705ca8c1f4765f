//! One scenario, every combination of its matrix.

use indexmap::IndexMap;

use super::model::Scenario;

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `runtimes[runtime=codex,path=byok]`; the scenario's own name without a matrix.
    pub name: String,
    /// Key → value.
    pub bindings: IndexMap<String, String>,
}

/// The name of an instance without the round of a repetition: `a#2` is `a`.
pub(crate) fn without_round(name: &str) -> &str {
    let digits = |round: &str| !round.is_empty() && round.bytes().all(|b| b.is_ascii_digit());
    name.rsplit_once('#').filter(|(_, round)| digits(round)).map_or(name, |(name, _)| name)
}

/// The scenario of an instance, with or without a round: `runtimes[runtime=codex]#2` is one of `runtimes`.
pub fn scenario_of(instance: &str) -> &str {
    without_round(instance).split('[').next().unwrap_or_default()
}

/// Every combination of the matrix, the last key fastest; one instance without a matrix.
pub fn expand_matrix(scenario: &Scenario) -> Vec<Instance> {
    let mut combinations: Vec<IndexMap<String, String>> = vec![IndexMap::new()];
    for (key, values) in &scenario.matrix {
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut combination = combination.clone();
                    combination.insert(key.clone(), value.clone());
                    combination
                })
            })
            .collect();
    }
    combinations
        .into_iter()
        .map(|bindings| {
            let shown: Vec<String> = bindings.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let name = if shown.is_empty() {
                scenario.name.clone()
            } else {
                format!("{}[{}]", scenario.name, shown.join(","))
            };
            Instance { name, bindings }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_no_part_of_a_name() {
        for name in ["a", "a#2", "a[k=v]", "a[k=v]#12", "a[k=#2]"] {
            assert_eq!(scenario_of(name), "a");
        }
        for (name, without) in [
            ("a", "a"),
            ("a#2", "a"),
            ("a[k=v]#12", "a[k=v]"),
            ("a[k=#2]", "a[k=#2]"),
            ("a#", "a#"),
            ("a#x", "a#x"),
        ] {
            assert_eq!(without_round(name), without);
        }
    }
}
