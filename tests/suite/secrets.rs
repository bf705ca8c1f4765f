//! A planted secret is in no file of a run and in nothing that is said, in no form.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::harness::{Harness, Output};
use super::platform::Platform;
use super::proxy::{Mischief, Proxy, Rule};

/// Has characters that URLs and JSON write differently.
const PLANTED: &str = r#"sk-pl4nt/ed+s3cr3t="7\f0&x-end"#;

/// What a tenant keeps is in every environment, and is the tenant's: keys of vendors make no red, values are not shown.
#[test]
fn secrets_of_the_tenant_are_neither_judged_nor_shown() {
    let platform = Platform::start(["--time-scale", "20"]);
    let url = "https://hooks.example/services/T00/B00/qWeRtZuIoP";
    let database = "postgres://app:hunter2-tenant-pw@db/x";
    let tenants = [
        ("ANTHROPIC_API_KEY", "tenant-vendor-key-0123"),
        ("OPENAI_API_KEY", "tenant-openai-key-0123"),
        ("SLACK_WEBHOOK_URL", url),
        ("REPORT_DATABASE_URL", database),
    ];
    for (key, value) in tenants {
        let body = serde_json::json!({ "key": key, "value": value });
        assert_eq!(platform.ask("PUT", "/settings/secrets", Some(body)).0, 200);
    }
    let hidden =
        Rule { mischief: Mischief::Forbidden, begins: "GET /settings/secrets", every: 1, reaches: false };
    let front = Proxy::before(&platform, Some(hidden));
    for (base, told) in [(&platform.base, true), (&front.base, false)] {
        let line = ["run", "local-provision", "local-env-projection-minimax", "--json", "reports/out.json"];
        let output = Harness::new().file("reports/.keep", "").args(line).at(base).run().exit(0);
        assert_eq!(output.stderr.contains("the tenant's secrets are not known"), !told, "{}", output.stderr);
        if told {
            holds_none(&output, &tenants.map(|(_, value)| value));
        }
    }
    assert!(front.spoilt() > 0);
}

/// Three-byte groups fall differently after 0, 1 and 2 bytes; the groups that hold a neighbour are cut off.
fn base64_forms(secret: &str) -> Vec<String> {
    (0..3)
        .map(|before| {
            let padded = format!("{}{secret}", "x".repeat(before));
            let text = STANDARD_NO_PAD.encode(padded);
            let from = (before * 8).div_ceil(6);
            let whole = (before + secret.len()) * 8 / 6;
            text[from..whole].to_owned()
        })
        .collect()
}

fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let url = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut forms = base64_forms(secret);
    forms.extend([
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        serde_json::to_string(&json).unwrap().trim_matches('"').to_owned(),
        url.to_lowercase(),
        url,
        secret[..20.min(secret.len())].to_owned(),
    ]);
    forms
}

fn all_files(dir: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            all_files(&path, into);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            into.push((path.display().to_string(), text));
        }
    }
}

/// The scenario that a test wrote may hold what it planted; nothing else may.
fn holds_none(output: &Output, secrets: &[&str]) {
    let mut texts =
        vec![("stdout".to_owned(), output.stdout.clone()), ("stderr".into(), output.stderr.clone())];
    all_files(&output.dir.path().join("runs"), &mut texts);
    let reports = output.dir.path().join("reports");
    if reports.exists() {
        all_files(&reports, &mut texts);
    }
    assert!(
        texts.iter().any(|(_, text)| text.contains("<redacted:")),
        "nothing was redacted: is this test blind?"
    );
    for secret in secrets {
        for form in forms(secret) {
            for (place, text) in &texts {
                if let Some(at) = text.find(&form) {
                    let from = text.floor_char_boundary(at.saturating_sub(200));
                    let to = text.floor_char_boundary((at + 100).min(text.len()));
                    panic!("`{form}` of a secret is in {place}: …{}…", &text[from..to]);
                }
            }
        }
    }
}

#[test]
fn base64_forms_are_what_an_encoder_writes() {
    for before in 0..3 {
        let text =
            base64::engine::general_purpose::STANDARD.encode(format!("{}{PLANTED}tail", "a".repeat(before)));
        assert!(text.contains(&base64_forms(PLANTED)[before]), "alignment {before}");
    }
}

const NEVER: &str = r#"scenario: never
summary: Waits for a workspace that never comes.
inputs:
  key:           { secret: true, env: PLANTED_KEY }
  online_within: { type: duration, default: 90s }
steps:
  - create: { as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: "${inputs.key}", NOTE: "${base64(inputs.key)}" } }
  - secret: { workspace: ws, set: { OTHER_TOKEN: "x${inputs.key}" } }
  - http:   { method: POST, path: "/nowhere?q=${urlencode(inputs.key)}", json: { deep: [ { text: "the key is ${inputs.key}, again" } ], b: "${base64(inputs.key)}" }, expect: { status: 404 } }
  - await:  { workspace: ws, status: online, within: "${inputs.online_within}" }
"#;

#[test]
fn a_server_that_never_gets_online_is_told_on_one_screen_without_a_secret() {
    let output = Harness::new()
        .args(["run", "--fault", "never-online", "--input", "online_within=2s"])
        .args(["--input", &format!("key={PLANTED}")])
        .args([
            "--junit",
            "reports/j.xml",
            "--json",
            "reports/j.json",
            "--html",
            "reports/j.html",
            "--markdown",
            "reports/j.md",
        ])
        .file("reports/.keep", "")
        .scenario(NEVER)
        .run()
        .exit(1);
    output.block_fits_a_screen();
    let output = output.stderr_has("ws online").stderr_has("CAUSE").stderr_has("next");
    holds_none(&output, &[PLANTED]);
    output.then(["report", "last", "--all", "reports/again"]).run().exit(0);
    holds_none(&output, &[PLANTED]);
}

#[test]
fn keys_of_the_environment_are_in_nothing() {
    let output = Harness::new()
        .args(["run", "-v", "--fault", "never-online", "--input", "online_within=2s", "local-provision"])
        .args([
            "--junit",
            "reports/j.xml",
            "--json",
            "reports/j.json",
            "--html",
            "reports/j.html",
            "--markdown",
            "reports/j.md",
        ])
        .file("reports/.keep", "")
        .env("MINIMAX_API_KEY", PLANTED)
        .env("PLANTED_KEY", "another-planted-value-9876")
        .run()
        .exit(1);
    assert!(output.stderr.contains("CAUSE"), "{}", output.stderr);
    // The provider has nothing to do with an agent that never speaks: `explain --full` shows what the create asked for.
    let explained = output.then(["explain", "last", "--full"]).run().exit(0);
    assert!(explained.stdout.contains("with MiniMax-"), "{}", explained.stdout);
    holds_none(&explained, &[PLANTED]);
    holds_none(&output, &[PLANTED, "another-planted-value-9876"]);
}

#[test]
fn the_admin_token_and_a_secret_that_a_server_echoes_are_in_nothing() {
    let platform = Platform::start(["--time-scale", "20", "--fault", "agent-401"]);
    let output = Harness::new()
        .args(["run", "-v"])
        .args(["--input", &format!("key={PLANTED}"), "--input", "online_within=30s"])
        .scenario(&format!("{NEVER}  - a2a: {{ to: ws, say: known-answer, within: 5s }}\n"))
        .env("LIFECYCLE_TARGET", "live")
        .env("BASE", &platform.base)
        .env("ADMIN_TOKEN", super::platform::TOKEN)
        .run();
    assert_ne!(output.code(), Some(0), "{}", output.stderr);
    holds_none(&output, &[PLANTED, super::platform::TOKEN]);
    platform.is_empty();
}
