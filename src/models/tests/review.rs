//! The projection of every provider on every runtime, as a table that a person can review.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::models::billing::BillingMode;
use crate::models::catalogue::Catalogue;
use crate::models::preferences::by_pattern;
use crate::models::projection::{Expect, Expecting, Projection, expected};
use crate::models::table;

fn shown(projection: &Projection) -> String {
    if let Some(abort) = &projection.abort {
        return format!("aborts: {}", abort.code.unwrap_or("-"));
    }
    let mode = projection.billing.as_ref().map_or("", |billing| billing.mode.as_str());
    let mut text = mode.to_owned();
    let mut proxied = Vec::new();
    for row in &projection.rows {
        // The same in every row of the table: said once in its head.
        if row.name.starts_with("MOLECULE_LLM_BILLING_MODE") || row.name.ends_with("MODEL") {
            continue;
        }
        let _ = match &row.expect {
            Expect::Absent => Ok(()),
            Expect::Literal(value) => write!(text, " · {}={value}", row.name),
            Expect::SecretValue(secret) if *secret == row.name => write!(text, " · {}", row.name),
            Expect::SecretValue(secret) => write!(text, " · {}←{secret}", row.name),
            Expect::Present => {
                proxied.push(row.name.as_str());
                Ok(())
            }
        };
    }
    if !proxied.is_empty() {
        let _ = write!(text, " · of the proxy: {}", proxied.join(" "));
    }
    text
}

fn review(catalogue: &Catalogue) -> String {
    let mut text = String::from(
        "Every arm of every runtime: what the container's environment holds beside MODEL, MOLECULE_MODEL and the\n\
         billing mode. NAME: the secret as it is. NAME←KEY: a copy. Of the proxy: only the server knows the value.\n\
         A line a key; below the first key, what each billing override makes of it.\n",
    );
    let none = BTreeSet::new();
    for runtime in catalogue.runtimes() {
        let _ = writeln!(text, "\n{}", runtime.name);
        for arm in &runtime.arms {
            let provider = catalogue.provider_of(arm);
            let model =
                arm.models.first().map(|model| model.id.as_str()).or(by_pattern(&runtime.name, provider));
            let model = model.unwrap_or(if provider.name == "xiaomi-mimo" { "mimo-7b" } else { "?" });
            let _ = writeln!(text, "  {} ({model})", provider.name);
            let keys = if provider.is_platform() { vec![String::new()] } else { provider.auth_env.clone() };
            for (index, key) in keys.iter().enumerate() {
                let own: BTreeSet<String> =
                    Some(key.clone()).filter(|key| !key.is_empty()).into_iter().collect();
                let run = |billing_override| {
                    let facts = Expecting {
                        behaviours: crate::behaviour::Behaviours::default(),
                        workspace_id: None,
                        runtime: &runtime.name,
                        model,
                        global_names: &none,
                        workspace_names: &own,
                        billing_override,
                        server: None,
                    };
                    shown(&expected(catalogue, &facts))
                };
                let name = if key.is_empty() { "no key" } else { key.as_str() };
                let _ = writeln!(text, "    {name}: {}", run(None));
                for mode in BillingMode::ALL.into_iter().filter(|_| index == 0) {
                    let _ = writeln!(text, "      set to {mode}: {}", run(Some(mode)));
                }
            }
        }
    }
    text
}

#[test]
fn the_projection_of_all_providers_on_all_runtimes() {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("projection", review(Catalogue::built_in()));
    });
}

#[test]
fn the_table_of_models() {
    let rows = table::rows(Catalogue::built_in(), None);
    assert_eq!(rows.len(), 43);
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("model_list", table::render(&table::rows(Catalogue::built_in(), Some("claude-code")), 120));
    });
}
