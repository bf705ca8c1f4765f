//! Profiles: the file, and servers that a run brings up and down.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::harness::{Harness, of_kind, signal, wait_for, word};
use super::platform::{self, Platform};

/// A profile with one thing wrong: the lines, the code, and what the error says.
const WRONG: &[(&str, &str, &str)] = &[
    ("profile: Bad", "profile::name", "lower-case words"),
    ("profile: a\nsumary: x", "profile::unknown-field", "did you mean `summary`?"),
    ("profile: a\nanswers: knwon", "profile::unknown-word", "did you mean `known`?"),
    ("profile: a\nports: [x, x]", "profile::name-twice", "the port `x`"),
    ("profile: a\ndeclares: { wake: true }", "profile::unknown-capability", "or a behaviour"),
    ("profile: a\ndeclares: { hibernate-wakes: maybe }", "profile::wrong-type", "`true` or `false`"),
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
    ("profile: a\nservices: { x: { image: y, finally: [[z]] } }", "profile::not-a-command", "`finally`"),
    ("profile: a\nservices: { x: { command: [y], finally: z } }", "profile::command", "a list of commands"),
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
        .file("c.yaml", "profile: c\nserver: ~\n")
        .args(["check", "a.yaml", "b.yaml", "c.yaml"])
        .run()
        .exit(2)
        .stderr_has("needs `server` or `base_url`")
        .stderr_has("the server needs `url`")
        .stderr_has("the server needs `ready`")
        .stderr_has("checked 3 profiles: 4 errors");
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
pub(crate) const SERVES: &str = r#"profile: serves
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
    let text = text.replace("env: {", "env: { VENDOR_API_KEY: written-out-1, DB: \"postgres://u:hunter2@<h>\", GIVEN: \"${env.MINE_TOKEN}\",");
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
        .stdout_has("DB=postgres://<h>")
        .stdout_has("/health answers 200 within")
        .stdout_has("gate    @local: advisory")
        .stdout_has("online_within = 100s (profile)")
        .stdout_has("1 scenario;");
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
    for (server, said) in [
        ("base_url: \"localhost:8080\"", "`localhost:8080` is not an address"),
        ("base_url: \"\"", "`` is not an address"),
        ("server: { given: THERE, url: x, command: [x], ready: { tcp: x } }", "`there:80` is not an address"),
        (
            "ports: [a]\nserver: { command: [x], url: \"127.0.0.1:${ports.a}\", ready: { tcp: x } }",
            "`127.0.0.1:<port a>` is not an address",
        ),
    ] {
        let text = format!("profile: a\nrun: [local-provision]\n{server}\n");
        let output = with_profile(&text).env("THERE", "there:80").run().exit(2);
        output.stderr_has("profile::address").stderr_has(said);
    }
    let plan = |name: &str| Harness::new().args(["plan", "--profile", name]).run().exit(2);
    plan("nope").stderr_has("there is no profile `nope`");
    plan("./nope.yaml").stderr_has("cannot read ./nope.yaml");
    let run = Harness::new().file("p.yaml", SERVES).args(["run", "p.yaml"]).run().exit(2);
    run.stderr_has("p.yaml is a profile, not a scenario").stderr_has("--profile p.yaml");
}

pub(crate) fn with_profile(text: &str) -> Harness {
    Harness::new().file("p.yaml", text).args(["run", "--profile", "p.yaml"])
}

/// Ids of processes that a run started and that still run; a zombie does not.
pub(crate) fn alive(run: &Path) -> Vec<String> {
    let mark = format!("LIFECYCLE_STARTED_BY={}", run.file_name().unwrap().display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|e| e.path());
    let marked = processes.filter(|path| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|pair| pair == mark.as_bytes())
    });
    marked.map(|path| path.display().to_string()).collect()
}

fn states(events: &[serde_json::Value]) -> Vec<String> {
    of_kind(events, "part").map(|p| format!("{} {}", word(&p["part"]), word(&p["state"]))).collect()
}

#[test]
fn a_server_is_brought_up_used_and_brought_down() {
    let output = with_profile(SERVES).run().exit(0).stderr_has("server  ready after").stderr_has("DOWN");
    let (run, events) = (output.run_folder(), output.events());
    assert_eq!(states(&events), ["server ready", "server stopped"]);
    assert!(events[0]["event"].get("run_started").is_some(), "the identity comes first");
    assert!(events[events.len() - 1]["event"].get("run_finished").is_some(), "the end comes last");
    assert_eq!(alive(&run), Vec::<String>::new());
    let log = fs::read_to_string(run.join("logs/server.log")).unwrap();
    assert!(log.contains("stop it with Ctrl-C"), "{log}");
    let asked = of_kind(&events, "intent").filter(|i| i["kind"] == "process").count();
    assert_eq!(asked, 1, "it is in the ledger before it is started");
    let report = output.then(["report", "--json", "r.json", "--junit", "r.xml"]).run().exit(0);
    let json: serde_json::Value = serde_json::from_str(&report.file("r.json")).unwrap();
    assert_eq!(json["run"]["target"]["capabilities"][0], "managed", "the target as it was found");
    assert_eq!(json["run"]["profile"]["name"], "p.yaml");
    assert_eq!(json["parts"].as_array().unwrap().len(), 2);
}

/// A server that is none: what it does, what is said, the code.
const NONE: &[(&str, &str)] = &[
    (r#"["/bin/sh", "-c", "echo first words; echo last words >&2; exit 7"]"#, "exit status 7"),
    (r#"["/bin/sh", "-c", "echo last words; kill -9 $$"]"#, "signal 9"),
    (r#"["/bin/sh", "-c", "echo last words; sleep 60"]"#, "not ready within 1.00 s"),
    (r#"["/bin/sh", "-c", "echo last words; trap '' TERM; sleep 60 & wait; sleep 60"]"#, "not ready within"),
];

#[test]
fn a_server_that_is_not_ready_is_the_environments_fault_and_its_last_words_are_shown() {
    for (command, said) in NONE {
        let text = format!(
            "profile: none\nports: [server]\nrun: [local-provision, access-health]\nserver:\n  command: {command}\n  \
             url: \"http://127.0.0.1:${{ports.server}}\"\n  ready: {{ http: \"${{server.url}}/health\", within: 1s }}\n  \
             stop: {{ grace: 100ms }}\n"
        );
        let output = with_profile(&text).args(["--junit", "r.xml"]).run().exit(3);
        let output = output.stderr_has(said).stderr_has("last words").stderr_has("logs/server.log");
        assert_eq!(
            output.stderr.matches("ERROR  ").count(),
            1,
            "one reason is told once:\n{}",
            output.stderr
        );
        let output = output.stderr_has("2 reds, 1 cause");
        let verdicts = output.verdicts();
        assert!(verdicts.len() == 2 && verdicts.iter().all(|(_, v)| v == "error"), "{verdicts:?}");
        assert!(output.file("r.xml").contains("last words"), "JUnit has them");
        assert_eq!(alive(&output.run_folder()), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn what_cannot_be_started_says_so() {
    let text = SERVES.replace("\"${program}\"", "/nowhere/server");
    with_profile(&text).run().exit(3).stderr_has("cannot run `/nowhere/server`: there is no such program");
    let text = SERVES.replace("server:\n", "server:\n  user: nobody-of-that-name\n");
    with_profile(&text).run().exit(3).stderr_has("no user `nobody-of-that-name`");
    let text = SERVES.replace("server:\n", "server:\n  before: [[/bin/sh, -c, \"echo broken; exit 3\"]]\n");
    with_profile(&text).run().exit(3).stderr_has("exit status 3").stderr_has("broken");
    let text = SERVES.replace("server:\n", "server:\n  pass: [MOLECULE_ORG_ID]\n");
    let refused = with_profile(&text).env("MOLECULE_ORG_ID", "org-1").run().exit(2);
    refused.stderr_has("SaaS mode").stderr_has("CP_PROVISION_URL");
    // The server would read this file by itself.
    let text = SERVES.replace("server:\n", "server:\n  directory: workspace-server\n");
    let checkout = |text: &str, dotenv: &str| {
        with_profile(text).file("workspace-server/go.mod", "").file(".env", dotenv).run()
    };
    checkout(&text, "MOLECULE_ORG_ID=org-1\n")
        .exit(3)
        .stderr_has("with .env beside the checkout, it would be in SaaS mode");
    checkout(&text, "# nothing\n").exit(0);
}

#[test]
fn services_come_before_the_server_and_go_after_it() {
    let services = r#"
folders: [data]
services:
  given:
    given: GIVEN_URL
  files:
    before: [[/bin/sh, -c, "echo made > ${folders.data}/file"]]
    command: [/bin/sh, -c, "cat ${folders.data}/file; echo up on ${ports.server}; exec sleep 60"]
    url: "file:${folders.data}/file"
    ready: [{ log: "^made$" }, { log: "^up on [0-9]+$" }]
    after: [[/bin/sh, -c, "echo after >> ${folders.data}/file"]]
    stop: { signal: INT, grace: 5s }
"#;
    let text = SERVES.replace("run:", &format!("{}\nrun:", services.trim()));
    let text =
        text.replace("env: {", "env: { DATA: \"${services.files.url}\", OTHER: \"${services.given.url}\",");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let given = format!("http://dev:planted-password@{}", listener.local_addr().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let output = with_profile(&text)
        .env("GIVEN_URL", &given)
        .env("TMPDIR", temp.path().to_str().unwrap())
        .run()
        .exit(0);
    let wanted = ["given given", "files ready", "server ready", "server stopped", "files stopped"];
    assert_eq!(states(&output.events()), wanted);
    let output = output.stderr_has("signal 2");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "the folder is removed");
    let log = fs::read_to_string(output.run_folder().join("events.jsonl")).unwrap();
    assert!(!(log + &output.stderr).contains("planted-password"));
    let plan = output.then(["plan", "--profile", "p.yaml"]).env("GIVEN_URL", &given).run().exit(0);
    let plan = plan.stdout_has("given: there already, says GIVEN_URL at http://127.0.0.1").stdout;
    assert!(!plan.contains("planted-password"), "{plan}");
    // Nobody answers where it is said to be.
    drop(listener);
    with_profile(&text)
        .env("GIVEN_URL", "http://127.0.0.1:1")
        .run()
        .exit(3)
        .stderr_has("GIVEN_URL says where it is");
    with_profile(&text).run().exit(2).stderr_has("none of GIVEN_URL is set");
}

#[test]
fn a_server_that_dies_ends_the_run_and_is_named() {
    let text = SERVES.replace(
        "[\"${program}\", serve",
        "[/bin/sh, -c, \"\\\"$0\\\" \\\"$@\\\" & echo $! > pid; wait $!; echo it went away; exit 9\", \"${program}\", serve",
    );
    let text = text.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, never-online");
    let run = with_profile(&text).spawn();
    wait_for("a workspace", || {
        let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("\"observed\"").then_some(())
    });
    let pid = fs::read_to_string(run.dir().path().join("pid")).unwrap();
    signal(pid.trim().parse().unwrap(), "KILL");
    let output = run.output().exit(3).stderr_has("the profile's `server` ended by itself: exit status 9");
    let output = output.stderr_has("it went away");
    let events = output.events();
    assert_eq!(states(&events), ["server ready", "server died", "server stopped"]);
    let last = &events[events.len() - 1]["event"]["run_finished"];
    assert_eq!(last["left"], serde_json::json!([]), "what it had went with it");
    output.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}

/// A server that somebody else runs still has its workspaces when a helper of ours is gone.
#[test]
fn a_helper_that_dies_does_not_take_a_server_with_it() {
    for given in [false, true] {
        let platform = Platform::start(["--time-scale", "20", "--fault", "never-online"]);
        let server = match given {
            false => format!("base_url: \"{}\"", platform.base),
            true => "server: { given: THERE, url: x, command: [x], ready: { tcp: x } }".to_owned(),
        };
        let text = format!(
            "profile: helped\n{server}\nrun: [local-provision]\nservices:\n  mock-server:\n    \
             command: [/bin/sh, -c, \"echo $$ > pid; echo up; exec sleep 600\"]\n    ready: {{ log: up }}\n"
        );
        let run =
            with_profile(&text).args(["--admin-token", platform::TOKEN]).env("THERE", &platform.base).spawn();
        wait_for("a workspace", || {
            let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
            log.contains("\"observed\"").then_some(())
        });
        let pid = fs::read_to_string(run.dir().path().join("pid")).unwrap();
        signal(pid.trim().parse().unwrap(), "KILL");
        let output = run.output().exit(3).stderr_has("`mock-server` ended by itself");
        let by: Vec<String> = of_kind(&output.events(), "released").map(|r| word(&r["by"])).collect();
        assert!(!by.is_empty() && !by.iter().any(|by| by.contains("server")), "{by:?}");
        platform.is_empty();
    }
}

#[test]
fn interrupts_bring_everything_down_at_any_moment() {
    let slow =
        SERVES.replace("ready: {", "ready: [{ log: never, within: 60s }, {").replace("20s }", "20s }]");
    let busy = SERVES.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, never-online");
    for (text, name, code, until) in [
        (&slow, "INT", 130, "\"owned\""),
        (&slow, "TERM", 143, "\"owned\""),
        (&busy, "INT", 130, "\"observed\""),
        (&busy, "TERM", 143, "\"observed\""),
    ] {
        let run = with_profile(text).spawn();
        wait_for("the server", || {
            let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
            log.contains(until).then_some(())
        });
        run.signal(name);
        let output = run.output().exit(code);
        if until.contains("owned") {
            assert!(
                output.stderr.contains("interrupted while the profile was brought up"),
                "{}",
                output.stderr
            );
        }
        assert_eq!(alive(&output.run_folder()), Vec::<String>::new());
        output.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
    }
}

#[test]
fn an_interrupt_does_not_wait_for_a_long_grace() {
    let text = SERVES.replace(
        "[\"${program}\", serve",
        "[/bin/sh, -c, \"trap '' TERM; \\\"$0\\\" \\\"$@\\\" & wait; wait; /bin/sleep 600\", \"${program}\", serve",
    );
    let text = format!("{text}  stop: {{ grace: 10m }}\n");
    let run = with_profile(&text).spawn();
    wait_for("the end of the scenarios", || {
        let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("cleanup_finished").then_some(())
    });
    run.signal("INT");
    let output = run.output().exit(130).stderr_has("1 passed").stderr_has("signal 9");
    assert_eq!(alive(&output.run_folder()), Vec::<String>::new());
}

#[test]
fn what_the_server_printed_is_evidence() {
    let fails = "scenario: fails\nsummary: Fails.\nsteps:\n  - http: { path: /health, expect: 418 }\n";
    let text = SERVES.replace(" --inspect,", "").replace("run: [local-provision]\n", "");
    let output = with_profile(&text).scenario(fails).run().exit(1).stderr_has("stop it with Ctrl-C");
    let events = output.events();
    let evidence = of_kind(&events, "evidence").next().unwrap();
    let part = evidence["parts"].as_array().unwrap().iter().find(|p| p["name"] == "server log").unwrap();
    assert!(word(&part["data"]["file"]).ends_with("logs/server.log"), "{part}");
}

#[test]
fn a_sweep_stops_what_a_killed_run_left_and_nothing_else() {
    let text = SERVES.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, never-online");
    let text = text.replace("run:", "folders: [data]\nrun:");
    let temp = tempfile::tempdir().unwrap();
    let run = with_profile(&text).env("TMPDIR", temp.path().to_str().unwrap()).spawn();
    wait_for("a workspace", || {
        let log = fs::read_to_string(run.run_folder()?.join("events.jsonl")).ok()?;
        log.contains("\"observed\"").then_some(())
    });
    run.signal("KILL");
    let output = run.output();
    assert_eq!(output.code(), None);
    let folder = output.run_folder();
    assert_eq!(alive(&folder).len(), 1, "it outlives its run");
    output.then(["sweep", "--dry-run"]).run().exit(0).stdout_has("would remove process server");
    assert_eq!(alive(&folder).len(), 1);
    let swept = output.then(["sweep"]).run().exit(0).stdout_has("process server: stopped");
    swept.stdout_has("went with their server");
    assert_eq!(alive(&folder), Vec::<String>::new());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    output.then(["sweep"]).run().exit(0).stderr_has("0 removed, 0 left");
}

/// The number in the ledger may belong to somebody else by now.
#[test]
fn a_sweep_never_stops_a_process_that_only_has_the_same_number() {
    let output = with_profile(SERVES).run().exit(0);
    let log = output.run_folder().join("events.jsonl");
    let mut bystander = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let label =
        of_kind(&output.events(), "owned").find(|o| o["resource"] == "p1").map(|o| word(&o["id"])).unwrap();
    let (rest, started) = label.rsplit_once(':').unwrap();
    let (host, _) = rest.rsplit_once(':').unwrap();
    let text = text.replace(&label, &format!("{host}:{}:{started}", bystander.id()));
    let kept: Vec<&str> =
        text.lines().filter(|l| !(l.contains("\"released\"") && l.contains("\"p1\""))).collect();
    fs::write(&log, kept.join("\n") + "\n").unwrap();
    output.then(["sweep"]).run().exit(0).stdout_has("process server: had ended");
    assert!(bystander.try_wait().unwrap().is_none(), "it was none of ours");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn without_its_key_a_profile_is_a_loud_skip() {
    let text = format!("{SERVES}needs_env: [MINIMAX_API_KEY]\n");
    // It was named: that nothing of it ran is no green, unless somebody allows it.
    with_profile(&text).args(["--allow-none"]).run().exit(0).stderr_has("1 skipped");
    let output = with_profile(&text).args(["--junit", "r.xml"]).run().exit(5);
    let output = output
        .stderr_has("nothing runs: not configured")
        .stderr_has("MINIMAX_API_KEY")
        .stderr_has("1 skipped");
    assert_eq!(states(&output.events()), Vec::<String>::new(), "nothing is started");
    assert!(output.file("r.xml").contains("<skipped"));
    with_profile(&text).args(["--require-live"]).run().exit(5);
    with_profile(&text).env("MINIMAX_API_KEY", "sk-planted-0123456789").run().exit(0).stderr_has("1 passed");
}

#[test]
fn gates_and_answers_of_a_profile_hold() {
    let text = format!("{SERVES}gates: {{ local-provision: advisory }}\n");
    let text = text.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, no-projection");
    let output = with_profile(&text).run().exit(0).stderr_has("(advisory)");
    assert_eq!(output.verdicts()[0].1, "failed");
    // The evidence of a red has what the server printed.
    let evidence = output.events();
    let names: Vec<String> = of_kind(&evidence, "evidence")
        .flat_map(|e| e["parts"].as_array().unwrap().iter().map(|p| word(&p["name"])).collect::<Vec<_>>())
        .collect();
    assert!(names.contains(&"server output".to_owned()), "{names:?}");
    // How to run it again, with and without the log.
    let json = output.then(["report", "last", "--json", "r.json"]).run().exit(0).file("r.json");
    assert!(json.contains("lifecycle run local-provision --profile p.yaml"), "{json}");
    let output = output.stderr_has("lifecycle run --like runs/");
    let again = output.then(["run", "--like", "last"]).run().exit(0).stderr_has(", profile p.yaml");
    assert_eq!(again.verdicts(), output.verdicts());
    with_profile(&text.replace("local-provision: advisory", "all: required")).run().exit(1);
}

#[test]
fn a_profile_and_an_address_exclude_each_other() {
    let run = |args: &[&str]| with_profile(SERVES).args(args.iter().copied()).run().exit(2);
    run(&["--base-url", "http://127.0.0.1:1"]).stderr_has("cannot be used with");
    run(&["--target", "embedded"]).stderr_has("cannot be used with");
    run(&["--admin-token", "x"]).stderr_has("has its own `admin_token`");
    // An address in the environment is not the profile's.
    with_profile(SERVES).env("BASE", "http://127.0.0.1:1").env("MOLECULE_ORG_ID", "org-1").run().exit(0);
}

#[test]
fn no_secret_of_a_profile_reaches_the_disk() {
    let text = SERVES.replace(
        "[\"${program}\", serve",
        "[/bin/sh, -c, \"env; exec \\\"$0\\\" \\\"$@\\\"\", \"${program}\", serve",
    );
    let text = text
        .replace("env: {", "env: { VENDOR_API_KEY: written-out-12345, DB: \"postgres://u:hunter2@host\",");
    let output = with_profile(&text).run().exit(0);
    let run = output.run_folder();
    let log = fs::read_to_string(run.join("logs/server.log")).unwrap();
    assert!(
        log.contains("ADMIN_TOKEN=<redacted:ADMIN>") && log.contains("VENDOR_API_KEY=<redacted:"),
        "{log}"
    );
    let all = log + &fs::read_to_string(run.join("events.jsonl")).unwrap() + &output.stderr;
    assert!(!all.contains("written-out-12345") && !all.contains("hunter2"));
}
