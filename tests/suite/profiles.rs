//! Profiles: the file, and servers that a run brings up and down.

use super::harness::Harness;

/// A profile with one thing wrong: the lines, the code, and what the error says.
const WRONG: &[(&str, &str, &str)] = &[
    ("profile: Bad", "profile::name", "lower-case words"),
    ("profile: a\nsumary: x", "profile::unknown-field", "did you mean `summary`?"),
    ("profile: a\nanswers: knwon", "profile::unknown-word", "did you mean `known`?"),
    ("profile: a\nports: [x, x]", "profile::name-twice", "the port `x`"),
    ("profile: a\ndeclares: { wake: true }", "profile::unknown-capability", "did you mean `wakes`?"),
    ("profile: a\ndeclares: { wakes: maybe }", "profile::wrong-type", "`true` or `false`"),
    ("profile: a\ngates: { all: advisry }", "profile::unknown-word", "did you mean `advisory`?"),
    ("profile: a\nneeds_env: [A-B]", "profile::variable", "letters, digits"),
    ("profile: a\nadmin_token: \"${secrets.admin}\"", "profile::unknown-name", "under `secrets`"),
    ("profile: a\norg: \"${porst.x}\"", "profile::unknown-name", "did you mean `ports`?"),
    ("profile: a\norg: \"${network.gateway}\"", "profile::unknown-name", "network: molecule-core-net"),
    ("profile: a\norg: \"${first(\"", "profile::template", "here"),
    ("profile: a\nservices: { x: { command: x -y } }", "profile::command", "there is no shell"),
    ("profile: a\nservices: { x: { url: y } }", "profile::missing-field", "how to start `x`"),
    ("profile: a\nservices: { x: { image: y, user: z } }", "profile::not-a-command", "`user`"),
    ("profile: a\nservices: { x: { image: y, before: [[z]] } }", "profile::not-a-command", "`before`"),
    ("profile: a\nservices: { x: { image: y, publish: { port: 0, at: 1 } } }", "profile::port", "`0`"),
    (
        "profile: a\nservices: { x: { command: [y], publish: { port: 1, at: 1 } } }",
        "profile::not-an-image",
        "image",
    ),
    ("profile: a\nservices: { x: { command: [y], ready: { log: \"(\" } } }", "profile::regex", "unclosed"),
    ("profile: a\nservices: { x: { command: [y], ready: { tcp: a, http: b } } }", "profile::ready", "not 2"),
    (
        "profile: a\nservices: { x: { command: [y], ready: { tcp: a, status: 200 } } }",
        "profile::ready",
        "`http`",
    ),
    (
        "profile: a\nservices: { x: { command: [y], ready: { tcp: a, within: soon } } }",
        "profile::duration",
        "90s",
    ),
    (
        "profile: a\nservices: { x: { command: [y], stop: { signal: TRM } } }",
        "profile::unknown-word",
        "`TERM`",
    ),
    ("profile: a\nservices: { server: { command: [y] } }", "profile::name", "stands for itself"),
];

#[test]
fn every_mistake_of_a_profile_has_a_code_and_a_way_out() {
    let mut harness = Harness::new().args(["check"]);
    for (n, (text, ..)) in WRONG.iter().enumerate() {
        let name = format!("p{n}.yaml");
        harness = harness.file(&name, format!("{text}\nbase_url: http://127.0.0.1:1\n")).args([name]);
    }
    let output = harness.run().exit(2);
    let plain = output.stderr.replace(|c: char| !c.is_ascii(), " ");
    let said = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    for (n, (text, code, words)) in WRONG.iter().enumerate() {
        let at =
            said.find(&format!("p{n}.yaml:")).unwrap_or_else(|| panic!("{text} is fine?\n{}", output.stderr));
        let before = &said[..at];
        assert!(
            before[before.len().saturating_sub(260)..].contains(code),
            "{text}: not {code}\n{}",
            output.stderr
        );
        assert!(said.contains(words), "{text}: nobody says {words}\n{}", output.stderr);
    }
}

#[test]
fn a_profile_without_a_server_says_what_it_needs() {
    Harness::new()
        .file("a.yaml", "profile: a\n")
        .file("b.yaml", "profile: b\nserver: { command: [x] }\n")
        .args(["check", "a.yaml", "b.yaml"])
        .run()
        .exit(2)
        .stderr_has("needs `server` or `base_url`")
        .stderr_has("the server needs `url`")
        .stderr_has("the server needs `ready`")
        .stderr_has("checked 2 profiles: 3 errors");
}

/// #2863: a tenant whose control plane is nobody's is a tenant of production.
#[test]
fn a_server_in_saas_mode_is_refused_unless_every_address_is_set() {
    let with = |env: &str| {
        let text = format!(
            "profile: a\nserver: {{ command: [x], url: u, ready: {{ tcp: a }}, env: {{ {env} }} }}\n"
        );
        Harness::new().file("a.yaml", text).args(["check", "a.yaml"]).run()
    };
    let all = "CP_PROVISION_URL: a, MOLECULE_CP_URL: b, CP_UPSTREAM_URL: c";
    with("MOLECULE_ORG_ID: o").exit(2).stderr_has("CP_PROVISION_URL").stderr_has("MOLECULE_CP_URL");
    with("MOLECULE_ORG_ID: o, CP_UPSTREAM_URL: c").exit(2).stderr_has("profile::production");
    with("MOLECULE_ORG_ID: o, CP_PROVISION_URL: a, MOLECULE_CP_URL: '', CP_UPSTREAM_URL: c").exit(2);
    with("MOLECULE_DEPLOY_MODE: saas").exit(2);
    with(&format!("MOLECULE_ORG_ID: o, {}", all.replace(": c", ": \"https://api.moleculesai.app\""))).exit(2);
    with(&format!("MOLECULE_ORG_ID: o, {all}")).exit(0);
    with("MOLECULE_ORG_ID: ''").exit(0);
    with("OTHER: x").exit(0);
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = Harness::new().args(["schema", "profile"]).run().exit(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["profile"]));
    assert_eq!(schema["$defs"]["Part"]["additionalProperties"], false);
}

/// The reference platform as somebody's server.
const SERVES: &str = r#"profile: serves
ports: [server]
secrets: [admin]
admin_token: "${secrets.admin}"
run: [local-provision]
server:
  command: ["${program}", serve, platform, --listen, "127.0.0.1:${ports.server}", --inspect, --time-scale, "20"]
  env: { ADMIN_TOKEN: "${secrets.admin}" }
  url: "http://127.0.0.1:${ports.server}"
  ready: { http: "${server.url}/health", within: 20s }
"#;

#[test]
fn a_plan_shows_what_would_be_started_and_no_secret() {
    let text = format!("{SERVES}gates: {{ \"@local\": advisory }}\ninputs: {{ online_within: 100s }}\n");
    let text = text.replace("env: {", "env: { VENDOR_API_KEY: written-out-1, GIVEN: \"${env.MINE_TOKEN}\",");
    Harness::new()
        .file("p.yaml", text)
        .env("MINE_TOKEN", "from-outside-12345")
        .args(["plan", "--profile", "p.yaml"])
        .run()
        .exit(0)
        .stdout_has("server: command lifecycle serve platform --listen 127.0.0.1:<port server>")
        .stdout_has("ADMIN_TOKEN=<secret admin>")
        .stdout_has("VENDOR_API_KEY=<redacted:VENDOR_API_KEY>")
        .stdout_has("GIVEN=<redacted:MINE_TOKEN>")
        .stdout_has("/health answers 200 within")
        .stdout_has("gate    @local: advisory")
        .stdout_has("online_within = 100s (profile)")
        .stdout_has("1 scenarios");
}

#[test]
fn what_a_profile_names_must_be_there() {
    for (text, code, words) in [
        ("run: [local-provisoin]", 2, "did you mean `local-provision`?"),
        ("gates: { \"@lokal\": advisory }", 2, "did you mean `local`?"),
        ("inputs: { online_wihtin: 1s }", 2, "did you mean `online_within`?"),
        ("org: \"${env.NOT_SET}\"", 2, "the variable NOT_SET is not set"),
        ("org: \"${first(env.NOT_SET, 'x')}\"", 0, ""),
        ("needs_env: [NOT_SET]\norg: \"${env.NOT_SET}\"", 0, ""),
    ] {
        let text = format!("{}{text}\n", SERVES.replace("run: [local-provision]\n", ""));
        let output =
            Harness::new().file("p.yaml", text).args(["plan", "--profile", "p.yaml"]).run().exit(code);
        output.stderr_has(words);
    }
    let plan = |name: &str| Harness::new().args(["plan", "--profile", name]).run().exit(2);
    plan("nope").stderr_has("there is no profile `nope`");
    plan("./nope.yaml").stderr_has("cannot read ./nope.yaml");
}
