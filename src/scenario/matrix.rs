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
