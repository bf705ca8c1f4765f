//! Real services of a profile: PostgreSQL and Redis from the distribution, containers of the engine. Where they
//! are missing every test says so and does nothing, unless `LIFECYCLE_REQUIRE_DATABASES=1` or
//! `LIFECYCLE_REQUIRE_DOCKER=1`.

use std::fs;
use std::path::Path;

use lifecycle_harness::facade::docker::names;

use super::docker::{Held, engine};
use super::harness::{Harness, Output, events, is_root, of_kind, switch, wait_for, word};
use super::platform::block;

/// The reference platform with services above it.
fn profile(services: &str, more: &str) -> String {
    format!(
        r#"profile: services
ports: [server, one, two]
secrets: [admin, one]
{more}
admin_token: "${{secrets.admin}}"
run: [local-provision]
services:
{services}
server:
  command: ["${{program}}", serve, platform, --listen, "127.0.0.1:${{ports.server}}", --inspect, --time-scale, "20"]
  env: {{ ADMIN_TOKEN: "${{secrets.admin}}" }}
  url: "http://127.0.0.1:${{ports.server}}"
  ready: {{ http: "${{server.url}}/health", within: 20s }}
"#
    )
}

/// Folders with the programs of PostgreSQL and Redis.
fn databases() -> Option<String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut postgres: Vec<String> = versions.map(|v| v.path().join("bin").display().to_string()).collect();
    postgres.sort();
    let found = postgres.pop().filter(|_| Path::new("/usr/bin/redis-server").exists());
    match found {
        Some(folder) => Some(format!("{folder}:/usr/bin:/bin")),
        None if switch("LIFECYCLE_REQUIRE_DATABASES").as_deref() == Some("1") => {
            panic!("LIFECYCLE_REQUIRE_DATABASES=1: apt-get install postgresql redis-server")
        }
        None => {
            eprintln!("SKIPPED, no PostgreSQL or Redis: apt-get install postgresql redis-server");
            None
        }
    }
}

const DATABASES: &str = r#"
  postgres:
    USER
    before: [[initdb, -D, "${folders.postgres}", -U, dev, --auth=trust, --no-sync, --locale=C, --encoding=UTF8]]
    command: [postgres, -D, "${folders.postgres}", -p, "${ports.one}", -k, "${folders.postgres}", -c, "listen_addresses=127.0.0.1"]
    url: "postgres://dev:${secrets.one}@127.0.0.1:${ports.one}/molecule?sslmode=disable"
    ready:
      - { log: "ready to accept connections", within: 60s }
      - { tcp: "127.0.0.1:${ports.one}" }
    after:
      - [createdb, -h, 127.0.0.1, -p, "${ports.one}", -U, dev, molecule]
      - [psql, "${services.postgres.url}", -c, "create table workspaces (id text)"]
      - [psql, "${services.postgres.url}", -c, "select 'rows ' || count(*) from workspaces"]
    stop: { signal: INT, grace: 20s }
  redis:
    command: [redis-server, --port, "${ports.two}", --bind, 127.0.0.1, --save, "", --notify-keyspace-events, KEA]
    url: "redis://127.0.0.1:${ports.two}"
    ready: { tcp: "127.0.0.1:${ports.two}", send: "PING\r\n", expect: "+PONG" }
    after: [[redis-cli, -p, "${ports.two}", config, get, notify-keyspace-events]]
"#;

#[test]
fn a_real_postgresql_and_redis_come_up_and_go_down() {
    let Some(path) = databases() else { return };
    let services = DATABASES.replace("USER", if is_root() { "user: postgres" } else { "given: NEVER_SET" });
    let output = Harness::new()
        .file("p.yaml", profile(&services, "folders: [postgres]"))
        .args(["run", "--profile", "p.yaml"])
        .env("PATH", &path)
        .run()
        .exit(0);
    let states: Vec<String> = of_kind(&output.events(), "part")
        .map(|p| format!("{} {}: {}", word(&p["part"]), word(&p["state"]), word(&p["text"])))
        .collect();
    let stopped: Vec<&String> = states.iter().filter(|s| s.contains("stopped")).collect();
    assert_eq!(
        stopped,
        ["server stopped: exit status 0", "redis stopped: exit status 0", "postgres stopped: exit status 0"]
    );
    let log = |name: &str| fs::read_to_string(output.run_folder().join("logs").join(name)).unwrap();
    let postgres = log("postgres.log");
    assert!(postgres.contains("rows 0") && postgres.contains("database system is shut down"), "{postgres}");
    let redis = log("redis.log");
    assert!(redis.contains("notify-keyspace-events") && redis.contains("AKE"), "{redis}");
    let run = output.run_folder().file_name().unwrap().display().to_string();
    assert!(!Path::new(&format!("/tmp/lifecycle-{run}")).exists(), "its folder is removed");
    assert!(!output.stderr.contains("postgres://dev:") || output.stderr.contains("<redacted:ONE>"));
}

fn with_engine(text: String, args: &[&str]) -> Harness {
    with_host(
        Harness::new().file("p.yaml", text).args(["run", "--profile", "p.yaml"]).args(args.iter().copied()),
    )
}

/// On the engine of these tests.
fn with_host(harness: Harness) -> Harness {
    match switch("DOCKER_HOST") {
        Some(host) => harness.env("DOCKER_HOST", &host),
        None => harness,
    }
}

/// Containers that bear the label of a run.
fn containers(held: &Held, output: &Output) -> Vec<String> {
    let run = output.run_folder().file_name().unwrap().display().to_string();
    let listed = block(held.engine.labelled(names::RUN, Some(&run))).unwrap();
    listed.into_iter().map(|c| c.name).collect()
}

const CONTAINER: &str = r#"
  provider:
    image: agent
    command: [serve, provider, --listen, "0.0.0.0:8090"]
    publish: { port: 8090, at: "${ports.one}" }
    env: { VENDOR_API_KEY: "${secrets.one}" }
    url: "http://127.0.0.1:${ports.one}"
    ready: [{ log: "^http://", within: 60s }, { tcp: "127.0.0.1:${ports.one}", within: 60s }]
"#;

#[test]
fn a_service_in_a_container_comes_up_and_goes_down() {
    let Some(held) = engine() else { return };
    let more = "provider: \"${services.provider.url}\"\nimages: { image: agent, tag: \"lifecycle.invalid/${run.id}/x:latest\" }\nnetwork: molecule-core-net";
    let output = with_engine(profile(CONTAINER, more), &[]).run().exit(0);
    let events = output.events();
    let states: Vec<String> =
        of_kind(&events, "part").map(|p| format!("{} {}", word(&p["part"]), word(&p["state"]))).collect();
    assert_eq!(states, ["provider ready", "server ready", "server stopped", "provider stopped"]);
    assert_eq!(containers(&held, &output), Vec::<String>::new());
    let run = output.run_folder().file_name().unwrap().display().to_string();
    assert!(
        !block(held.engine.has_image(&format!("lifecycle.invalid/{run}/x:latest"))).unwrap(),
        "the name is taken away"
    );
    let log = fs::read_to_string(output.run_folder().join("logs/provider.log")).unwrap();
    assert!(log.contains("http://"), "{log}");
    let made = of_kind(&events, "intent").filter(|i| i["kind"] != "workspace").count();
    let gone = of_kind(&events, "released").filter(|r| word(&r["resource"]).starts_with('p')).count();
    assert_eq!((made, gone), (4, 4), "network, name, container, process");
    held.as_before("after a run");
}

/// What hangs on the engine is known when it is there, and not before.
#[test]
fn what_is_known_only_once_everything_is_up_is_told_then() {
    let Some(held) = engine() else { return };
    let asks = "scenario: asks
summary: Asks as it is told.
inputs:
  gateway: { default: nobody-said }
  port: { type: number, default: 0 }
steps:
  - http: { path: \"/health?gateway=${inputs.gateway}&port=${inputs.port}\", expect: { status: 200 } }
  - http: { path: /workspaces, expect: { status: 200 } }
";
    let more =
        "network: molecule-core-net\ninputs: { gateway: \"${network.gateway}\", port: \"${ports.one}\" }";
    let text = profile("  none: { given: THERE }", more).replace("run: [local-provision]\n", "");
    let text = text.replace("\"${secrets.admin}\"", "\"at-${network.gateway}-admin\"");
    let text = text.replace("admin_token:", "org: \"of-${network.gateway}\"\nadmin_token:");
    let harness = with_engine(text, &[]).env("THERE", "file:nowhere").scenario(asks);
    let plan = Harness::within(&harness.dir()).args(["plan", "--profile", "p.yaml", "scenario-1.yaml"]);
    let plan = plan.env("THERE", "file:nowhere").run().exit(0);
    plan.stdout_has("gateway = <gateway of molecule-core-net> (profile)")
        .stdout_has("port = <port one> (profile)");
    let events = harness.run().exit(0).events();
    let query = of_kind(&events, "exchange").map(|e| word(&e["url"])).find(|url| url.contains('?')).unwrap();
    let (gateway, port) = query.split_once("?gateway=").unwrap().1.split_once("&port=").unwrap();
    let gateway: std::net::Ipv4Addr = gateway.parse().unwrap();
    assert_ne!(port, "0");
    let org = of_kind(&events, "intent").map(|i| word(&i["org"])).find(|org| !org.is_empty());
    assert_eq!(org, Some(format!("of-{gateway}")));
    held.as_before("after it");
}

#[test]
fn a_container_that_ends_or_is_missing_is_named() {
    let Some(held) = engine() else { return };
    let ends = CONTAINER.replace("\"0.0.0.0:8090\"", "nonsense").replace("^http://", "never");
    let network = "network: molecule-core-net";
    let output = with_engine(profile(&ends, network), &[])
        .run()
        .exit(3)
        .stderr_has("ended before it was ready: exit status 2");
    let output = output.stderr_has("invalid value 'nonsense'");
    assert_eq!(containers(&held, &output), Vec::<String>::new());
    let missing = CONTAINER.replace("image: agent", "image: lifecycle.invalid/nobody:has-it");
    with_engine(profile(&missing, network), &[])
        .run()
        .exit(3)
        .stderr_has("docker pull lifecycle.invalid/nobody:has-it");
}

#[test]
fn a_sweep_removes_the_containers_of_a_killed_run() {
    let Some(held) = engine() else { return };
    let text = profile(CONTAINER, "network: molecule-core-net");
    let text = text.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, never-online");
    let run = with_engine(text, &[]).spawn();
    wait_for("a workspace", || {
        let folder = run.run_folder()?;
        fs::read_to_string(folder.join("events.jsonl")).ok()?.contains("\"observed\"").then_some(())
    });
    run.signal("KILL");
    let output = run.output();
    assert_eq!(containers(&held, &output).len(), 1, "it outlives its run");
    let sweep = match switch("DOCKER_HOST") {
        Some(host) => output.then(["sweep"]).env("DOCKER_HOST", &host),
        None => output.then(["sweep"]),
    };
    sweep.run().exit(0).stdout_has("process server: stopped").stdout_has("container lifecycle-");
    assert_eq!(containers(&held, &output), Vec::<String>::new());
    let left = events(&output.run_folder());
    assert!(of_kind(&left, "left").next().is_none());
    held.as_before("after a sweep");
}

/// Between our tag and its removal somebody gives the name to another image.
#[test]
fn a_name_of_an_image_that_became_somebody_elses_stays() {
    let Some(held) = engine() else { return };
    let tagged =
        "network: molecule-core-net\nimages: { image: agent, tag: \"lifecycle.invalid-${run.id}/x:latest\" }";
    let text = profile("  none: { given: THERE }", tagged);
    let text = text.replace("--time-scale, \"20\"", "--time-scale, \"20\", --fault, never-online");
    for killed in [false, true] {
        let run = with_engine(text.clone(), &[]).env("THERE", "file:nowhere").spawn();
        let folder = wait_for("a workspace", || {
            let folder = run.run_folder()?;
            fs::read_to_string(folder.join("events.jsonl")).ok()?.contains("\"observed\"").then_some(folder)
        });
        let name = format!("lifecycle.invalid-{}/x", folder.file_name().unwrap().display());
        let empty = futures_util::stream::iter([Ok(vec![0; 1_024].into())]);
        block(held.engine.import_image(&format!("{name}:latest"), Vec::new(), empty)).unwrap();
        let theirs = block(held.engine.image_id(&name)).unwrap().unwrap();
        run.signal(if killed { "KILL" } else { "INT" });
        let output = run.output();
        if killed {
            let sweep = with_host(output.then(["sweep"])).run().exit(0);
            sweep.stdout_has("x:latest: is somebody else's by now, left alone");
        }
        let left = block(held.engine.image_id(&name)).unwrap();
        assert!(block(held.engine.remove_image(&name)), "ours to remove again");
        assert_eq!(left, Some(theirs), "killed: {killed}");
        held.as_before("after it");
    }
}
