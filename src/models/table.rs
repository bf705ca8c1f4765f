//! The catalogue as a table: who serves what on which runtime, and with which key.

use comfy_table::{ContentArrangement, Table, presets};

use crate::models::catalogue::{Catalogue, Runtime};
use crate::models::container::config_yaml_model;
use crate::models::keys::is_guarded;

/// A row of `model list`: an arm of a runtime.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Row {
    /// The runtime.
    pub runtime: String,
    /// The provider.
    pub provider: String,
    /// `platform` or `your key`.
    pub pays: &'static str,
    /// Accepted keys, in order; `*` marks one that create takes and provision does not count.
    pub keys: Vec<String>,
    /// Listed ids; for an arm that lists none its pattern.
    pub models: Vec<String>,
    /// Whether only a pattern routes to it.
    pub by_pattern: bool,
}

/// The rows of a runtime, or of all, in order of declaration.
pub(crate) fn rows(catalogue: &Catalogue, runtime: Option<&str>) -> Vec<Row> {
    let wanted = |found: &&Runtime| runtime.is_none_or(|name| found.name == name);
    let mut rows = Vec::new();
    for runtime in catalogue.runtimes().iter().filter(wanted) {
        for arm in &runtime.arms {
            let provider = catalogue.provider_of(arm);
            let platform = provider.is_platform();
            let by_pattern = arm.models.is_empty();
            rows.push(Row {
                runtime: runtime.name.clone(),
                provider: provider.name.clone(),
                pays: if platform { "platform" } else { "your key" },
                keys: if platform {
                    Vec::new()
                } else {
                    let marked =
                        |name: &String| if is_guarded(name) { name.clone() } else { format!("{name}*") };
                    provider.auth_env.iter().map(marked).collect()
                },
                models: if by_pattern {
                    vec![provider.pattern.as_str().to_owned()]
                } else {
                    arm.models.iter().map(|model| model.id.clone()).collect()
                },
                by_pattern,
            });
        }
    }
    rows
}

/// The rows drawn for a terminal of that width.
pub(crate) fn render(rows: &[Row], width: u16) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width.max(60));
    table.set_header(["runtime", "provider", "who pays", "key", "models"]);
    let mut last = "";
    for row in rows {
        let runtime = if row.runtime == last { "" } else { row.runtime.as_str() };
        last = &row.runtime;
        let models =
            if row.by_pattern { format!("any {}", row.models.join(" ")) } else { row.models.join(", ") };
        table.add_row([runtime, &row.provider, row.pays, &row.keys.join(", "), &models]);
    }
    let drawn: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let note = if rows.iter().any(|row| row.keys.iter().any(|key| key.ends_with('*'))) {
        "\n* enough for a create, not counted when the environment is assembled (C6)\n"
    } else {
        "\n"
    };
    format!("{}{note}", drawn.join("\n"))
}

/// What the model is called in a generated `config.yaml`, for a line of `explain`.
pub(crate) fn config_line(catalogue: &Catalogue, runtime: &str, model: &str) -> String {
    match config_yaml_model(catalogue, runtime, model) {
        Ok(config) => {
            let provider = config.provider.map(|name| format!(", provider: {name}")).unwrap_or_default();
            format!("model: {}{provider}", config.model)
        }
        Err(error) => error.to_string(),
    }
}
