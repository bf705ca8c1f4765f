//! Rules that hold for any secrets, models and modes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::models::allowlist::Allowlist;
use crate::models::billing::BillingMode;
use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Situation, detect};
use crate::models::derive::{derive, derive_how};
use crate::models::gates::{CreateFacts, check_create};
use crate::models::keys::{GUARDED, is_guarded};
use crate::models::projection::{
    Abort, Assembled, Assembly, Expect, Expecting, ServerEnv, assemble, expected,
};
use crate::source::Level;

fn any_runtime() -> impl Strategy<Value = String> {
    let names = Catalogue::built_in().runtimes().iter().map(|runtime| runtime.name.clone());
    prop::sample::select(
        names
            .chain(["seo-agent".into(), "mock".into(), "external".into(), "nope".into()])
            .collect::<Vec<_>>(),
    )
}

fn any_model() -> impl Strategy<Value = String> {
    let arms = Catalogue::built_in().runtimes().iter().flat_map(|runtime| &runtime.arms);
    let listed: Vec<String> = arms.flat_map(|arm| &arm.models).map(|model| model.id.clone()).collect();
    prop_oneof![4 => prop::sample::select(listed), 1 => "[a-zA-Z]{0,9}[:/-]?[a-z0-9.-]{0,9}"]
}

fn any_secrets() -> impl Strategy<Value = BTreeMap<String, String>> {
    let names: Vec<String> = GUARDED
        .into_iter()
        .chain(Catalogue::built_in().auth_names())
        .chain(["MODEL_PROVIDER", "ANTHROPIC_BASE_URL", "LLM_PROVIDER"])
        .map(str::to_owned)
        .collect();
    prop::collection::btree_map(
        prop::sample::select(names),
        prop_oneof![9 => Just("value".to_owned()), 1 => Just(String::new())],
        0..4,
    )
}

fn any_mode() -> impl Strategy<Value = Option<BillingMode>> {
    prop::option::of(prop::sample::select(BillingMode::ALL.to_vec()))
}

fn run(
    runtime: &str,
    payload: Option<&str>,
    global: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    mode: Option<BillingMode>,
) -> Result<Assembled, Abort> {
    let server = ServerEnv::new(BTreeMap::from([
        ("MOLECULE_LLM_BASE_URL".into(), "http://proxy/v1".into()),
        ("MOLECULE_LLM_ANTHROPIC_BASE_URL".into(), "http://proxy/anthropic/v1".into()),
        ("MOLECULE_LLM_USAGE_TOKEN".into(), "usage".into()),
    ]));
    assemble(
        Catalogue::built_in(),
        &Assembly {
            workspace_id: "w",
            name: "n",
            runtime,
            role: None,
            parent_id: None,
            payload_model: payload,
            billing_override: mode,
            global_secrets: global,
            workspace_secrets: own,
            server: &server,
            behaviours: crate::behaviour::Behaviours::default(),
            concierge: None,
            required_env: &[],
            seeded_runtime: None,
        },
    )
}

proptest! {
    // A failing case goes into a table here, not into a file beside the crate.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_exact_listing_always_wins_and_never_fails(runtime in any_runtime(), model in any_model(), secrets in any_secrets()) {
        let catalogue = Catalogue::built_in();
        let names: BTreeSet<String> = secrets.keys().cloned().collect();
        let listed = catalogue.models_for(&runtime).is_some_and(|models| models.contains(&model.trim()));
        let got = derive_how(catalogue, &runtime, &model, &names);
        prop_assert_eq!(listed, got.as_ref().is_ok_and(|(_, how)| how.is_listed()));
        // White space around a model changes nothing.
        let padded = derive(catalogue, &runtime, &format!("  {model}\t"), &names).map(|p| p.name.clone());
        prop_assert_eq!(padded, derive(catalogue, &runtime, &model, &names).map(|p| p.name.clone()));
    }

    #[test]
    fn a_restart_gives_the_environment_of_the_create(
        runtime in any_runtime(), model in any_model(), global in any_secrets(), own in any_secrets(), mode in any_mode(),
    ) {
        let mut stored = own.clone();
        stored.insert("MODEL".into(), model.trim().to_owned());
        let create = run(&runtime, Some(&model), &global, &stored, mode);
        let restart = run(&runtime, None, &global, &stored, mode);
        prop_assert_eq!(create.map(|a| a.env), restart.map(|a| a.env));
    }

    #[test]
    fn who_pays_decides_which_keys_are_left(
        runtime in any_runtime(), model in any_model(), global in any_secrets(), own in any_secrets(), mode in any_mode(),
    ) {
        let Ok(assembled) = run(&runtime, Some(&model), &global, &own, mode) else { return Ok(()) };
        prop_assert!(!assembled.env.contains_key("LLM_PROVIDER"));
        if assembled.billing.mode == BillingMode::PlatformManaged {
            for name in assembled.env.keys().filter(|name| is_guarded(name)) {
                let value = assembled.env[name].as_str();
                prop_assert!(["usage", "http://proxy/v1"].contains(&value), "{} survived", name);
            }
        } else {
            for (name, value) in own.iter().filter(|(name, _)| *name != "LLM_PROVIDER") {
                prop_assert_eq!(assembled.env.get(name), Some(value), "{} is the workspace's own", name);
            }
            prop_assert!(!assembled.env.values().any(|value| value == "usage"), "the platform's token leaks");
        }
    }

    #[test]
    fn expectations_are_what_the_assembly_does(
        runtime in any_runtime(), model in any_model(), global in any_secrets(), own in any_secrets(), mode in any_mode(),
    ) {
        let filled = |secrets: &BTreeMap<String, String>, value: &str| -> BTreeMap<String, String> {
            secrets.keys().filter(|name| *name != "LLM_PROVIDER").map(|name| (name.clone(), format!("{value} {name}"))).collect()
        };
        let (global, mut own) = (filled(&global, "global"), filled(&own, "own"));
        let facts = Expecting {
 behaviours: crate::behaviour::Behaviours::default(),
            workspace_id: Some("w"),
            runtime: &runtime,
            model: &model,
            global_names: &global.keys().cloned().collect(),
            workspace_names: &own.keys().cloned().collect(),
            billing_override: mode,
            server: None,
        };
        let projection = expected(Catalogue::built_in(), &facts);
        own.insert("MODEL".into(), model.clone());
        match run(&runtime, Some(&model), &global, &own, mode) {
            Err(abort) => prop_assert_eq!(projection.abort.map(|a| a.code), Some(abort.code)),
            Ok(assembled) => for row in projection.rows {
                let have = assembled.env.get(&row.name);
                match &row.expect {
                    Expect::Absent => prop_assert_eq!(have, None, "{}", row.name),
                    Expect::Literal(text) => prop_assert_eq!(have, Some(text), "{}", row.name),
                    Expect::Present => prop_assert!(have.is_some(), "{}", row.name),
                    Expect::SecretValue(name) => {
                        let value = own.get(name).or_else(|| global.get(name));
                        prop_assert_eq!(have, value, "{}", row.name);
                    }
                }
            },
        }
    }

    #[test]
    fn an_error_is_found_exactly_where_create_or_boot_fail(
        runtime in any_runtime(), model in any_model(), secrets in any_secrets(), mode in any_mode(),
    ) {
        let catalogue = Catalogue::built_in();
        let allowlist = Allowlist::shipped();
        let situation = Situation {
            runtime: Some(runtime.clone()),
            model: Some(model.clone()),
            secrets: Some(secrets.clone()),
            billing_override: mode,
            ..Situation::default()
        };
        let facts = CreateFacts {
            runtime: Some(&runtime),
            model: Some(&model),
            template: None,
            template_runtime: None,
            template_model: None,
            external: false,
            secrets: &secrets,
            global_secret_names: &BTreeSet::new(),
        };
        let works = check_create(catalogue, &allowlist, &facts).is_ok()
            && (runtime == "external" || run(&runtime, Some(&model), &BTreeMap::new(), &secrets, mode).is_ok());
        let errors: Vec<_> = detect(catalogue, &allowlist, &situation)
            .into_iter()
            .filter(|finding| finding.level == Level::Error)
            .map(|finding| finding.class.code)
            .collect();
        prop_assert!(!works || errors.is_empty(), "{:?}", errors);
        // And the other way round: whatever is refused has a class that says why.
        prop_assert!(works || model.trim().is_empty() || !errors.is_empty(), "no class says why");
    }
}
