use std::collections::{BTreeMap, BTreeSet};

use super::names;
use crate::models::allowlist::Allowlist;
use crate::models::auto::*;
use crate::models::billing::BillingMode;
use crate::models::catalogue::Catalogue;
use crate::models::derive::{derive, offered_models};
use crate::models::gates::{CreateFacts, check_create};
use crate::models::inputs::LlmPath;
use crate::models::projection::{Assembly, ServerEnv, assemble};

fn choose(runtime: &str, path: LlmPath, keys: &str, slug: &str) -> Result<Choice, NoChoice> {
    let overrides =
        Overrides { slug: Some(slug).filter(|slug| !slug.is_empty()), default_platform_model: None };
    auto(Catalogue::built_in(), &Allowlist::shipped(), runtime, path, &names(keys), overrides, None)
}

#[test]
fn each_key_leads_to_its_vendor() {
    let table = [
        ("claude-code", "E2E_MINIMAX_API_KEY E2E_ANTHROPIC_API_KEY", "MiniMax-M2.7 minimax MINIMAX_API_KEY"),
        (
            "claude-code",
            "E2E_ANTHROPIC_API_KEY E2E_OPENAI_API_KEY",
            "claude-sonnet-4-6 anthropic-api ANTHROPIC_API_KEY",
        ),
        ("claude-code", "ANTHROPIC_AUTH_TOKEN", "claude-sonnet-4-6 anthropic-api ANTHROPIC_AUTH_TOKEN"),
        ("claude-code", "CLAUDE_CODE_OAUTH_TOKEN", "sonnet anthropic-oauth CLAUDE_CODE_OAUTH_TOKEN"),
        ("claude-code", "KIMI_API_KEY", "kimi-for-coding kimi-coding KIMI_API_KEY"),
        ("claude-code", "DEEPSEEK_API_KEY", "deepseek-chat deepseek DEEPSEEK_API_KEY"),
        ("seo-agent", "E2E_MINIMAX_API_KEY", "MiniMax-M2.7 minimax MINIMAX_API_KEY"),
        ("codex", "OPENAI_API_KEY", "gpt-5.5 openai-api OPENAI_API_KEY"),
        ("codex", "CODEX_AUTH_JSON", "gpt-5.5 openai-subscription CODEX_AUTH_JSON"),
        ("codex", "E2E_MINIMAX_API_KEY OPENAI_API_KEY", "gpt-5.5 openai-api OPENAI_API_KEY"),
        ("codex", "E2E_MINIMAX_API_KEY", "codex-minimax-m2.7 byok-minimax MINIMAX_API_KEY"),
        ("google-adk", "E2E_GOOGLE_API_KEY", "gemini-2.5-pro google GEMINI_API_KEY+GOOGLE_API_KEY"),
        ("google-adk", "GEMINI_API_KEY", "gemini-2.5-pro google GEMINI_API_KEY"),
        ("openclaw", "E2E_OPENAI_API_KEY", "openai/gpt-4o byok-openai OPENAI_API_KEY"),
        (
            "hermes",
            "E2E_OPENAI_API_KEY",
            "openai/gpt-4o byok-openai HERMES_CUSTOM_API_KEY+HERMES_CUSTOM_API_MODE+HERMES_CUSTOM_BASE_URL+HERMES_INFERENCE_PROVIDER+MODEL_PROVIDER+OPENAI_API_KEY+OPENAI_BASE_URL",
        ),
    ];
    for (runtime, keys, want) in table {
        let choice = choose(runtime, LlmPath::Byok, keys, "").unwrap();
        let secrets = choice.create_secrets.keys().cloned().collect::<Vec<_>>().join("+");
        assert_eq!(format!("{} {} {secrets}", choice.model, choice.provider), want, "{runtime} {keys}");
        assert!(choice.why.iter().any(|reason| reason.verdict == Ruling::Fired));
    }
    assert_eq!(choose("seo-agent", LlmPath::Byok, "KIMI_API_KEY", "").unwrap().template, Some("seo-agent"));
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let table = [
        ("claude-code", LlmPath::Byok, "-", "", true, "no usable key"),
        ("openclaw", LlmPath::Byok, "GROQ_API_KEY", "groq:x", false, "no key passes both"),
        (
            "claude-code",
            LlmPath::Byok,
            "ANTHROPIC_API_KEY",
            "MiniMax-M2.7",
            true,
            "none of MINIMAX_API_KEY is set",
        ),
        ("claude-code", LlmPath::Platform, "-", "MiniMax-M2", false, "the path is platform"),
        (
            "claude-code",
            LlmPath::Byok,
            "E2E_MINIMAX_API_KEY",
            "minimax/MiniMax-M3",
            false,
            "the path is byok",
        ),
        ("codex", LlmPath::Byok, "E2E_OPENAI_API_KEY", "openai/gpt-4o", false, "not a registered model"),
        ("gemini", LlmPath::Platform, "-", "", false, "does not accept runtime"),
        ("mock", LlmPath::Platform, "-", "", false, "no models for runtime"),
        ("external", LlmPath::Platform, "-", "", false, "takes no model"),
    ];
    for (runtime, path, keys, slug, not_configured, words) in table {
        let refused = choose(runtime, path, keys, slug).unwrap_err();
        assert_eq!(refused.not_configured, not_configured, "{runtime} {slug}");
        assert!(refused.summary().contains(words), "{runtime} {slug}: {}", refused.summary());
    }
}

#[test]
fn what_the_server_does_not_offer_is_avoided() {
    let catalogue = Catalogue::built_in();
    let mut offered = offered_models(catalogue, "claude-code").unwrap();
    offered.retain(|row| !row.model.contains("kimi") && row.model != "MiniMax-M2.7");
    let run = |path, keys: &str| {
        auto(
            catalogue,
            &Allowlist::shipped(),
            "claude-code",
            path,
            &names(keys),
            Overrides::default(),
            Some(&offered),
        )
        .unwrap()
        .model
    };
    assert_eq!(run(LlmPath::Platform, "-"), "minimax/MiniMax-M2.7");
    assert_eq!(run(LlmPath::Byok, "MINIMAX_API_KEY"), "MiniMax-M2");
}

/// Every runtime × path × override × default × set of keys: whatever is chosen passes the create
/// gates and the assembly, is paid for as the path says, and needs nothing that was not sent.
#[test]
fn auto_never_yields_a_rejected_pair_in_312320_combinations() {
    let catalogue = Catalogue::built_in();
    let allowlist = Allowlist::shipped();
    let runtimes: Vec<&str> = catalogue
        .runtimes()
        .iter()
        .map(|runtime| runtime.name.as_str())
        .chain(["seo-agent", "mock", "external", "kimi", "gemini"])
        .collect();
    let mut slugs: BTreeSet<&str> = catalogue
        .runtimes()
        .iter()
        .flat_map(|r| &r.arms)
        .flat_map(|arm| &arm.models)
        .map(|m| m.id.as_str())
        .collect();
    slugs.extend([
        "openai/gpt-4o",
        "platform/x",
        "groq:x",
        "minimax:MiniMax-M2.7",
        "some-bare-id",
        "hf/x",
        "Claude-Opus-4-7",
        " sonnet ",
    ]);
    let mut overrides: Vec<Overrides<'_>> =
        slugs.iter().map(|slug| Overrides { slug: Some(slug), default_platform_model: None }).collect();
    for default in
        [None, Some("minimax/MiniMax-M3"), Some("moonshot/kimi-k2.6"), Some("MiniMax-M2"), Some("nope")]
    {
        overrides.push(Overrides { slug: None, default_platform_model: default });
    }
    let keys = [
        "E2E_MINIMAX_API_KEY",
        "E2E_ANTHROPIC_API_KEY",
        "E2E_GOOGLE_API_KEY",
        "E2E_OPENAI_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CODEX_AUTH_JSON",
        "GROQ_API_KEY",
        "KIMI_API_KEY",
    ];
    let sets: Vec<BTreeSet<String>> = (0..1_u32 << keys.len())
        .map(|bits| {
            keys.iter()
                .enumerate()
                .filter(|(i, _)| bits >> i & 1 == 1)
                .map(|(_, key)| (*key).to_owned())
                .collect()
        })
        .collect();
    let server = ServerEnv::new(BTreeMap::from([
        ("MOLECULE_LLM_BASE_URL".into(), "http://cp".into()),
        ("MOLECULE_LLM_USAGE_TOKEN".into(), "t".into()),
    ]));
    let (mut combinations, mut chosen) = (0, 0);
    let mut distinct = BTreeSet::new();
    for runtime in &runtimes {
        for path in [LlmPath::Byok, LlmPath::Platform] {
            for over in &overrides {
                for set in &sets {
                    combinations += 1;
                    let result = auto(catalogue, &allowlist, runtime, path, set, *over, None);
                    let choice = match result {
                        Ok(choice) => choice,
                        Err(refused) => {
                            assert!(!refused.why.is_empty());
                            continue;
                        }
                    };
                    chosen += 1;
                    let secrets: Vec<&String> = choice.create_secrets.keys().collect();
                    let seen = (choice.runtime.clone(), choice.model.clone(), format!("{secrets:?}"), path);
                    if distinct.insert(seen) {
                        works(catalogue, &allowlist, &server, path, &choice);
                    }
                }
            }
        }
    }
    assert_eq!((combinations, chosen > 0), (10 * 2 * overrides.len() * sets.len(), true));
    assert_eq!(combinations, 312_320);
}

fn works(catalogue: &Catalogue, allowlist: &Allowlist, server: &ServerEnv, path: LlmPath, choice: &Choice) {
    let secrets: BTreeMap<String, String> =
        choice.create_secrets.keys().map(|name| (name.clone(), "value".to_owned())).collect();
    let none = BTreeSet::new();
    let facts = CreateFacts {
        runtime: choice.template.is_none().then_some(choice.runtime.as_str()),
        model: Some(&choice.model),
        template: choice.template,
        template_runtime: choice.template.map(|_| "claude-code"),
        template_model: None,
        external: false,
        secrets: &secrets,
        global_secret_names: &none,
    };
    let resolved =
        check_create(catalogue, allowlist, &facts).unwrap_or_else(|refusal| panic!("{choice:?} {refusal:?}"));
    let names = secrets.keys().cloned().collect();
    let derived = derive(catalogue, &resolved.runtime, &choice.model, &names).unwrap();
    assert_eq!(derived.name, choice.provider, "{choice:?}");
    assert_eq!(derived.is_platform(), path == LlmPath::Platform, "{choice:?}");
    assert_eq!(choice.billing == BillingMode::PlatformManaged, path == LlmPath::Platform);
    let assembled = assemble(
        catalogue,
        &Assembly {
            workspace_id: "w",
            name: "n",
            runtime: &resolved.runtime,
            role: None,
            parent_id: None,
            payload_model: Some(&choice.model),
            billing_override: None,
            global_secrets: &BTreeMap::new(),
            workspace_secrets: &secrets,
            server,
            behaviours: crate::behaviour::Behaviours::default(),
            concierge: None,
            required_env: &[],
            seeded_runtime: None,
        },
    )
    .unwrap_or_else(|abort| panic!("{choice:?} {abort:?}"));
    assert_eq!(assembled.billing.mode, choice.billing);
}
