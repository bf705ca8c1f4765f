use std::collections::BTreeMap;

use super::names;
use crate::models::billing::BillingMode;
use crate::models::catalogue::Catalogue;
use crate::models::container::{ContainerFacts, config_yaml_model, container_env};
use crate::models::projection::*;

fn map(text: &str) -> BTreeMap<String, String> {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

struct Case<'a> {
    runtime: &'a str,
    model: &'a str,
    global: &'a str,
    own: &'a str,
    server: &'a str,
    mode: Option<BillingMode>,
}

const PROXY: &str = "MOLECULE_LLM_BASE_URL=http://cp/openai/v1 MOLECULE_LLM_ANTHROPIC_BASE_URL=http://cp/anthropic/v1 MOLECULE_LLM_USAGE_TOKEN=usage MOLECULE_LLM_USAGE_URL=http://cp/usage";

impl Case<'_> {
    fn run(&self) -> Result<Assembled, Abort> {
        assemble(
            Catalogue::built_in(),
            &Assembly {
                workspace_id: "w-1",
                name: "My Agent",
                runtime: self.runtime,
                role: Some("agent"),
                parent_id: None,
                payload_model: Some(self.model).filter(|model| !model.is_empty()),
                billing_override: self.mode,
                global_secrets: &map(self.global),
                workspace_secrets: &map(self.own),
                server: &ServerEnv::new(map(self.server)),
                behaviours: crate::behaviour::Behaviours::default(),
                concierge: None,
                required_env: &[],
                seeded_runtime: None,
            },
        )
    }

    fn env(&self) -> BTreeMap<String, String> {
        self.run().unwrap().env
    }
}

fn case<'a>(model: &'a str, own: &'a str) -> Case<'a> {
    Case { runtime: "claude-code", model, global: "", own, server: "", mode: None }
}

/// The table of contract §8.5 and of models.md §4.2.
#[test]
fn vendors_of_claude_code_are_projected_as_the_contract_says() {
    let rows = [
        ("MiniMax-M2.7", "MINIMAX_API_KEY=k", "ANTHROPIC_AUTH_TOKEN", "https://api.minimax.io/anthropic"),
        ("kimi-k2", "KIMI_API_KEY=k", "ANTHROPIC_API_KEY", "https://api.kimi.com/coding"),
        ("claude-opus-4-7", "ANTHROPIC_API_KEY=k", "ANTHROPIC_API_KEY", "https://api.anthropic.com"),
        ("claude-opus-4-7", "ANTHROPIC_AUTH_TOKEN=k", "ANTHROPIC_API_KEY", "https://api.anthropic.com"),
        ("sonnet", "CLAUDE_CODE_OAUTH_TOKEN=k", "CLAUDE_CODE_OAUTH_TOKEN", ""),
        ("GLM-4.6", "GLM_API_KEY=k", "ANTHROPIC_AUTH_TOKEN", "https://api.z.ai/api/anthropic"),
        ("deepseek-chat", "DEEPSEEK_API_KEY=k", "ANTHROPIC_AUTH_TOKEN", "https://api.deepseek.com/anthropic"),
        ("mimo-7b", "ANTHROPIC_API_KEY=k", "ANTHROPIC_AUTH_TOKEN", "https://api.xiaomimimo.com/anthropic"),
        ("MiniMax-M2.7", "ANTHROPIC_API_KEY=k", "ANTHROPIC_AUTH_TOKEN", "https://api.minimax.io/anthropic"),
    ];
    for (model, own, target, base) in rows {
        let env = case(model, own).env();
        assert_eq!(env.get(target).map(String::as_str), Some("k"), "{model}");
        assert_eq!(env.get("ANTHROPIC_BASE_URL").map_or("", String::as_str), base, "{model}");
        let (source, _) = own.split_once('=').unwrap();
        assert_eq!(env.get(source).map(String::as_str), Some("k"), "the original stays");
        assert_eq!(env["MOLECULE_LLM_BILLING_MODE"], "byok");
        assert_eq!(env["MOLECULE_LLM_BILLING_MODE_RESOLVED"], "byok");
        assert_eq!((env["MODEL"].as_str(), env["MOLECULE_MODEL"].as_str()), (model, model));
    }
}

/// The last row of contract §14.3, after create, after a byok override and after a restart.
#[test]
fn the_regressions_row_is_equal_at_create_and_after_a_restart() {
    for (model, own, mode) in [
        ("MiniMax-M2.7", "MINIMAX_API_KEY=k MODEL=MiniMax-M2.7", None),
        ("MiniMax-M2.7", "MINIMAX_API_KEY=k MODEL=MiniMax-M2.7", Some(BillingMode::Byok)),
        ("", "MINIMAX_API_KEY=k MODEL=MiniMax-M2.7", Some(BillingMode::Byok)),
    ] {
        let env = Case { mode, ..case(model, own) }.env();
        assert_eq!(env["ANTHROPIC_BASE_URL"], "https://api.minimax.io/anthropic");
        assert_eq!(env["ANTHROPIC_AUTH_TOKEN"], "k");
        assert_eq!(env["MINIMAX_API_KEY"], "k");
        assert!(!env.contains_key("ANTHROPIC_API_KEY"));
    }
}

#[test]
fn what_is_there_already_is_not_overwritten() {
    let env =
        case("MiniMax-M2.7", "MINIMAX_API_KEY=k ANTHROPIC_AUTH_TOKEN= ANTHROPIC_BASE_URL=http://own").env();
    assert_eq!(
        (env["ANTHROPIC_AUTH_TOKEN"].as_str(), env["ANTHROPIC_BASE_URL"].as_str()),
        ("", "http://own")
    );
    for (url, want) in [
        ("https://a/anthropic/v1", "https://a/anthropic"),
        ("https://a/v1/", "https://a"),
        ("https://a/v1/v1", "https://a/v1"),
        ("https://a/anthropic", "https://a/anthropic"),
        ("https://a/v1//", "https://a"),
    ] {
        assert_eq!(trim_v1(url), want);
    }
}

#[test]
fn other_runtimes_get_no_projection_of_a_vendor() {
    let env = Case { runtime: "hermes", ..case("openai/gpt-4o", "OPENAI_API_KEY=k") }.env();
    let llm: Vec<_> = env.keys().filter(|name| !name.starts_with("GIT_")).map(String::as_str).collect();
    assert_eq!(
        llm,
        [
            "HERMES_DEFAULT_MODEL",
            "MODEL",
            "MOLECULE_AGENT_ROLE",
            "MOLECULE_LLM_BILLING_MODE",
            "MOLECULE_LLM_BILLING_MODE_RESOLVED",
            "MOLECULE_MODEL",
            "OPENAI_API_KEY"
        ]
    );
}

#[test]
fn only_another_vendors_global_guarded_keys_are_removed() {
    let global = "OPENAI_API_KEY=g ANTHROPIC_API_KEY=g GROQ_API_KEY=g LLM_PROVIDER=x MINIMAX_API_KEY=g";
    let env = Case { global, ..case("MiniMax-M2.7", "MINIMAX_API_KEY=k KIMI_API_KEY=k") }.env();
    assert!(!env.contains_key("OPENAI_API_KEY") && !env.contains_key("LLM_PROVIDER"));
    assert_eq!(env["ANTHROPIC_API_KEY"], "g", "minimax takes it too");
    assert_eq!(env["GROQ_API_KEY"], "g", "not guarded");
    assert_eq!(env["KIMI_API_KEY"], "k", "the workspace's own");
    assert_eq!(env["ANTHROPIC_AUTH_TOKEN"], "k", "own key before the global one");
    let disabled = Case { mode: Some(BillingMode::Disabled), global, ..case("MiniMax-M2.7", "") }.env();
    assert!(!disabled.contains_key("ANTHROPIC_AUTH_TOKEN") && !disabled.contains_key("OPENAI_API_KEY"));
}

#[test]
fn the_platforms_path_replaces_every_vendor_key() {
    let own = "MINIMAX_API_KEY=k MODEL_PROVIDER=x GOOGLE_API_KEY=g ANTHROPIC_BASE_URL=http://own";
    let env = Case { server: PROXY, ..case("minimax/MiniMax-M2.7", own) }.env();
    assert!(!env.contains_key("MINIMAX_API_KEY") && !env.contains_key("OPENAI_API_KEY"));
    for (name, value) in [
        ("ANTHROPIC_API_KEY", "usage"),
        ("ANTHROPIC_BASE_URL", "http://cp/anthropic/v1"),
        ("ANTHROPIC_CUSTOM_HEADERS", "X-Molecule-Workspace-Id: w-1"),
        ("MOLECULE_LLM_ANTHROPIC_BASE_URL", "http://cp/anthropic/v1"),
        ("MOLECULE_LLM_BASE_URL", "http://cp/openai/v1"),
        ("MOLECULE_LLM_USAGE_TOKEN", "usage"),
        ("MOLECULE_LLM_USAGE_URL", "http://cp/usage"),
        ("MOLECULE_LLM_BILLING_MODE", "platform_managed"),
        ("MODEL_PROVIDER", "x"),
        ("GOOGLE_API_KEY", "g"),
        ("MODEL", "minimax/MiniMax-M2.7"),
    ] {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    let server = "OPENAI_BASE_URL=http://p OPENAI_API_KEY=t";
    let codex = Case { runtime: "codex", server, ..case("openai/gpt-5.4", "") }.env();
    assert_eq!((codex["OPENAI_API_KEY"].as_str(), codex["OPENAI_BASE_URL"].as_str()), ("t", "http://p"));
    assert!(!codex.contains_key("ANTHROPIC_API_KEY"));
    let no_anthropic = Case { server, ..case("minimax/MiniMax-M2.7", "") }.env();
    assert!(!no_anthropic.contains_key("ANTHROPIC_API_KEY"));
}

#[test]
fn aborts_come_in_order_with_their_codes() {
    let step = |case: Case<'_>| match case.run() {
        Ok(_) => "ok".to_owned(),
        Err(abort) => format!("{} {}", abort.step, abort.code.unwrap_or("-")),
    };
    assert_eq!(step(case("MiniMax-M2.7", "MINIMAX_API_KEY=")), "5 MISSING_BYOK_CREDENTIAL");
    assert_eq!(step(case("kimi-k2", "OPENAI_API_KEY=k")), "ok", "any guarded key counts");
    assert_eq!(
        step(Case { runtime: "openclaw", ..case("groq:x", "GROQ_API_KEY=k") }),
        "5 MISSING_BYOK_CREDENTIAL"
    );
    assert_eq!(step(case("minimax/MiniMax-M3", "")), "6 MISSING_PLATFORM_PROXY");
    assert_eq!(step(Case { server: PROXY, ..case("", "") }), "11 MISSING_MODEL");
    assert_eq!(step(Case { mode: Some(BillingMode::Disabled), ..case("", "") }), "ok");
    assert_eq!(step(Case { global: "GH_TOKEN=x", ..case("sonnet", "CLAUDE_CODE_OAUTH_TOKEN=k") }), "2 -");
    let byok = Some(BillingMode::Byok);
    assert_eq!(
        step(Case { mode: byok, server: PROXY, ..case("anthropic/claude-opus-4-7", "") }),
        "5 MISSING_BYOK_CREDENTIAL"
    );
    let c24 = Case { mode: byok, server: PROXY, ..case("anthropic/claude-opus-4-7", "KIMI_API_KEY=k") }.env();
    assert_eq!(c24["ANTHROPIC_BASE_URL"], "https://api.moleculesai.app/api/v1/internal/llm/anthropic");
    assert!(!c24.contains_key("ANTHROPIC_API_KEY"));
    let abort = case("minimax/MiniMax-M3", "").run().unwrap_err();
    let recorded = r#"{"code": "MISSING_PLATFORM_PROXY", "error": "<text>", "issue": "2162", "billing_mode": "platform_managed"}"#;
    let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
    let payload = abort.payload();
    assert_eq!(payload.as_object().unwrap().len(), 4);
    assert_eq!((&payload["code"], &payload["issue"]), (&recorded["code"], &recorded["issue"]));
}

#[test]
fn a_container_gets_its_own_variables_and_no_write_token() {
    let assembled = map("GITEA_TOKEN=x GH_PAT=p GITHUB_TOKEN=g MODEL=m");
    let facts = ContainerFacts {
        workspace_id: "w",
        platform_url: "http://p",
        tier: 3,
        admin_token: None,
        workspace_url: Some("http://localhost:1"),
    };
    let env = container_env(&assembled, &facts);
    assert!(!env.contains_key("GITEA_TOKEN") && !env.contains_key("ADMIN_TOKEN"));
    assert_eq!((env["GH_TOKEN"].as_str(), env["GITHUB_TOKEN"].as_str()), ("p", "g"));
    assert_eq!((env["TIER"].as_str(), env["MOLECULE_URL"].as_str()), ("3", "http://p"));
    assert_eq!(env["MOLECULE_WORKSPACE_URL"], "http://localhost:1");
}

#[test]
fn config_yaml_cuts_the_vendor_for_claude_code_only() {
    let get = |runtime, model| config_yaml_model(Catalogue::built_in(), runtime, model).unwrap();
    let model = |runtime, model| get(runtime, model).model;
    assert_eq!(model("claude-code", "minimax/MiniMax-M2.7"), "MiniMax-M2.7");
    assert_eq!(model("claude-code", "anthropic:sonnet"), "anthropic:sonnet");
    assert_eq!(model("hermes", "openai/gpt-4o"), "openai/gpt-4o");
    assert_eq!(get("claude-code", "minimax/MiniMax-M2.7").provider.as_deref(), Some("platform"));
    assert_eq!(get("seo-agent", "x").provider, None);
}

#[test]
fn expectations_never_hold_a_secret() {
    let known = ServerEnv::new(map(PROXY));
    let own = names("MINIMAX_API_KEY");
    let facts = Expecting {
        behaviours: crate::behaviour::Behaviours::default(),
        workspace_id: Some("w-1"),
        runtime: "claude-code",
        model: "MiniMax-M2.7",
        global_names: &names("OPENAI_API_KEY"),
        workspace_names: &own,
        billing_override: None,
        server: None,
    };
    let find = |facts: &Expecting<'_>, name: &str| {
        expected(Catalogue::built_in(), facts)
            .rows
            .into_iter()
            .find(|row| row.name == name)
            .map(|r| (r.expect, r.rule))
    };
    let secret = |name: &str| Expect::SecretValue(name.into());
    assert_eq!(
        find(&facts, "ANTHROPIC_AUTH_TOKEN"),
        Some((secret("MINIMAX_API_KEY"), "contract §8.5: copy"))
    );
    assert_eq!(find(&facts, "OPENAI_API_KEY").unwrap().0, Expect::Absent);
    assert_eq!(
        find(&facts, "ANTHROPIC_BASE_URL").unwrap().0,
        Expect::Literal("https://api.minimax.io/anthropic".into())
    );
    let platform = Expecting { model: "minimax/MiniMax-M3", server: Some(&known), ..facts };
    assert_eq!(find(&platform, "ANTHROPIC_API_KEY").unwrap().0, Expect::Present);
    assert_eq!(
        find(&platform, "MOLECULE_LLM_BASE_URL").unwrap().0,
        Expect::Literal("http://cp/openai/v1".into())
    );
    assert_eq!(find(&platform, "MINIMAX_API_KEY").unwrap().0, Expect::Absent);
    let unknown = Expecting { workspace_id: None, server: None, ..platform };
    assert_eq!(find(&unknown, "ANTHROPIC_BASE_URL").unwrap().0, Expect::Present);
    assert_eq!(find(&unknown, "ANTHROPIC_CUSTOM_HEADERS").unwrap().0, Expect::Present);
    assert_eq!(find(&unknown, "MOLECULE_LLM_USAGE_URL"), None);
    let keyless = Expecting { workspace_names: &names("-"), ..facts };
    assert_eq!(
        expected(Catalogue::built_in(), &keyless).abort.and_then(|a| a.code),
        Some("MISSING_BYOK_CREDENTIAL")
    );
}

/// Contract §8.4, steps 2, 8, 12 and 13, for each of their names.
#[test]
fn the_other_steps_of_the_assembly() {
    let run = |global: &str, own: &str, required: &[String], seeded: Option<&str>, parent: Option<&str>| {
        assemble(
            Catalogue::built_in(),
            &Assembly {
                workspace_id: "w-1",
                name: "My Agent",
                runtime: "claude-code",
                role: Some("agent"),
                parent_id: parent,
                payload_model: Some("sonnet"),
                billing_override: None,
                global_secrets: &map(global),
                workspace_secrets: &map(&format!("CLAUDE_CODE_OAUTH_TOKEN=k {own}")),
                server: &ServerEnv::new(map("")),
                behaviours: crate::behaviour::Behaviours::default(),
                concierge: None,
                required_env: required,
                seeded_runtime: seeded,
            },
        )
    };
    for name in [
        "GITEA_TOKEN",
        "GITEA_PAT",
        "GITHUB_TOKEN",
        "GITHUB_PAT",
        "GH_TOKEN",
        "GITLAB_TOKEN",
        "GL_TOKEN",
        "BITBUCKET_TOKEN",
        "CP_ADMIN_API_TOKEN",
        "CP_ADMIN_TOKEN",
        "INFISICAL_OPERATOR_TOKEN",
        "INFISICAL_BOOTSTRAP_TOKEN",
        "RAILWAY_TOKEN",
        "RAILWAY_PERSONAL_API_TOKEN",
        "HETZNER_TOKEN",
        "HETZNER_API_TOKEN",
        "MOLECULE_OPERATOR_X",
    ] {
        let set = format!("{name}=x");
        assert_eq!(run(&set, "", &[], None, None).unwrap_err().step, 2, "{name} of everybody");
        assert!(run("", &set, &[], None, None).is_ok(), "{name} of its own");
    }
    let env = run("", "", &[], None, Some("p-1")).unwrap().env;
    assert_eq!((env["MOLECULE_AGENT_ROLE"].as_str(), env["PARENT_ID"].as_str()), ("agent", "p-1"));
    assert!(!run("", "", &[], None, None).unwrap().env.contains_key("PARENT_ID"));
    let required = ["A".to_owned(), "B".to_owned(), "CLAUDE_CODE_OAUTH_TOKEN".to_owned()];
    let abort = run("", "A=1", &required, None, None).unwrap_err();
    assert_eq!((abort.step, &abort.payload()["missing"]), (12, &serde_json::json!(["B"])));
    assert!(run("B=1", "A=1", &required, None, None).is_ok());
    let abort = run("", "", &[], Some("codex"), None).unwrap_err();
    let payload = abort.payload();
    assert_eq!(
        (abort.step, payload["requested_runtime"].as_str(), payload["seeded_runtime"].as_str()),
        (13, Some("claude-code"), Some("codex"))
    );
    assert!(run("", "", &[], Some("claude-code"), None).is_ok());
}

/// Contract §8.6.
#[test]
fn what_every_container_has_and_none_gets() {
    let facts = ContainerFacts {
        workspace_id: "w",
        platform_url: "http://p",
        tier: 2,
        admin_token: Some("t"),
        workspace_url: None,
    };
    let env = container_env(
        &map("GITEA_TOKEN=x GITLAB_TOKEN=x GL_TOKEN=x BITBUCKET_TOKEN=x GH_TOKEN=own GH_PAT=p"),
        &facts,
    );
    let want = map(
        "WORKSPACE_ID=w WORKSPACE_CONFIG_PATH=/configs PLATFORM_URL=http://p MOLECULE_URL=http://p \
                    TIER=2 PLUGINS_DIR=/plugins PYTHONPATH=/app ADMIN_TOKEN=t GH_TOKEN=own GITHUB_TOKEN=p GH_PAT=p",
    );
    assert_eq!(env, want);
}

/// Contract §8.4, step 3: who commits, unless a secret says otherwise.
#[test]
fn commits_have_the_workspaces_name() {
    let key = "CLAUDE_CODE_OAUTH_TOKEN=k";
    let env = case("sonnet", key).env();
    for who in ["AUTHOR", "COMMITTER"] {
        assert_eq!(env[&format!("GIT_{who}_NAME")], "My Agent");
        assert!(env[&format!("GIT_{who}_EMAIL")].starts_with("my-agent@"));
    }
    let own = format!("{key} GIT_AUTHOR_NAME=Somebody GIT_COMMITTER_EMAIL=a@b");
    let env = case("sonnet", &own).env();
    assert_eq!((env["GIT_AUTHOR_NAME"].as_str(), env["GIT_COMMITTER_EMAIL"].as_str()), ("Somebody", "a@b"));
    assert_eq!(env["GIT_COMMITTER_NAME"], "My Agent");
}

/// Contract §8.5, the row of a vendor that no runtime of the catalogue has: its data, and what they would give.
#[test]
fn moonshot_would_be_projected_if_a_runtime_had_it() {
    let catalogue = Catalogue::built_in();
    let moonshot = catalogue.provider("moonshot").unwrap();
    assert_eq!(moonshot.auth_env, ["MOONSHOT_API_KEY", "KIMI_API_KEY"]);
    for runtime in catalogue.runtimes() {
        for model in ["moonshot:kimi-k2.6", "moonshot-v1", "moonshot/x"] {
            let names = names("MOONSHOT_API_KEY");
            let found = crate::models::derive::derive(catalogue, &runtime.name, model, &names);
            assert!(!found.is_ok_and(|p| p.name == "moonshot"), "{} {model}", runtime.name);
        }
    }
    for (own, copied) in
        [("MOONSHOT_API_KEY=m", "m"), ("KIMI_API_KEY=k", "k"), ("MOONSHOT_API_KEY=m KIMI_API_KEY=k", "m")]
    {
        let env = vendor_env(moonshot, map(own));
        assert_eq!(env["ANTHROPIC_API_KEY"], copied, "{own}");
        assert_eq!(env["ANTHROPIC_BASE_URL"], "https://api.moonshot.ai/anthropic");
    }
}
