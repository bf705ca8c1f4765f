//! Symptoms as they were seen on real servers, and what they must be called.

use serde_json::{Value, json};

use crate::domain::Status;
use crate::domain::Transport;
use crate::event::{
    Body, Class, EnvVar, Evidence, EvidencePart, Exchange, Kind, Red, Subject, Wait, WaitStats,
};
use crate::mechanism::{Symptoms, UNCLASSIFIED, diagnose};

/// Symptoms that are built up part by part.
#[derive(Clone, Default)]
pub(super) struct Case(pub(super) Symptoms);

pub(super) fn case(verb: &str, message: &str) -> Case {
    let subject = Subject {
        id: "w".into(),
        managed: true,
        runtime: "claude-code".into(),
        model: "MiniMax-M2.7".into(),
        provider: "minimax".into(),
        edge: "create".into(),
        ..Subject::default()
    };
    Case(Symptoms {
        scenario: "s".into(),
        step: "3".into(),
        verb: verb.into(),
        asserts: match (verb, message.split_whitespace().next()) {
            ("await", _) => Red::Online,
            ("a2a", _) => Red::Reply,
            ("create", _) => Red::Create,
            ("delete", _) => Red::Gone,
            ("http" | "inbox" | "billing" | "restart" | "pause" | "resume" | "hibernate", _) => Red::Answer,
            ("hold", _) => Red::Hold,
            ("expect", Some("activity")) => Red::Activity,
            ("expect", Some("the")) => Red::Row,
            ("expect", Some("gone")) => Red::Gone,
            ("expect", _) => Red::Environment,
            _ => Red::Other,
        },
        message: message.into(),
        workspace: Some(subject),
        exchanges_whole: true,
        time_scale: 1.0,
        wakes: Some(false),
        ..Symptoms::default()
    })
}

fn subject(case: &mut Case) -> &mut Subject {
    case.0.workspace.as_mut().unwrap()
}

/// The kind that a text of the HTTP client stands for.
fn kind_of(error: &str) -> Transport {
    if error.contains("no whole answer") { Transport::TimedOut } else { Transport::Connect }
}

impl Case {
    pub(super) fn part(mut self, name: &str, data: Value) -> Case {
        let part = EvidencePart { name: name.into(), data, ..EvidencePart::default() };
        self.0.evidence = Evidence { parts: [self.0.evidence.parts, vec![part]].concat(), ..self.0.evidence };
        self
    }

    pub(super) fn row(self, status: &str, error: &str) -> Case {
        self.part(
            "record",
            json!({
                "status": { "value": status, "from": "read" },
                "url": { "value": "", "from": "read" },
                "last_sample_error": { "value": error, "from": "list" },
                "gone": { "value": if status == "removed" { "removed" } else { "no" }, "from": "read" },
            }),
        )
    }

    pub(super) fn event(self, kind: &str, payload: Value) -> Case {
        self.part(
            "events",
            json!([
                { "event_type": kind, "payload": payload },
                { "event_type": "WORKSPACE_PROVISIONING", "payload": {} },
            ]),
        )
    }

    pub(super) fn path(mut self, path: &str) -> Case {
        self.0.llm_path = Some(path.into());
        self
    }

    pub(super) fn deleted(mut self) -> Case {
        subject(&mut self).deleted = true;
        self
    }

    pub(super) fn edge(mut self, name: &str) -> Case {
        subject(&mut self).edge = name.into();
        subject(&mut self).edges = 1;
        self
    }

    pub(super) fn timeline(mut self, seen: &[(Status, u32)]) -> Case {
        subject(&mut self).timeline = seen.to_vec();
        self
    }

    /// Each variable: name, value in words or unset, expected.
    pub(super) fn env(self, before: Option<&[(&str, &str, &str)]>, after: &[(&str, &str, &str)]) -> Case {
        let vars = |rows: &[(&str, &str, &str)]| {
            let var = |(name, value, expected): &(&str, &str, &str)| {
                let var = EnvVar {
                    name: (*name).into(),
                    set: *value != "unset",
                    value: (*value).into(),
                    hmac: None,
                    expected: Some((*expected).into()),
                    rule: Some("contract §8.5".into()),
                    ok: Some(value == expected),
                    secret: value.strip_prefix("equals secret ").map(str::to_owned),
                    wants_secret: expected.strip_prefix("equals secret ").map(str::to_owned),
                };
                ((*name).to_owned(), var)
            };
            json!(rows.iter().map(var).collect::<std::collections::BTreeMap<_, _>>())
        };
        let data =
            json!({ "instance": "i2", "after": vars(after), "before": before.map(vars), "difference": [] });
        self.part("environment", data)
    }

    pub(super) fn exchange(
        mut self,
        purpose: &str,
        method: &str,
        path: &str,
        status: u16,
        body: Value,
    ) -> Case {
        self.0.exchanges.push(Exchange {
            purpose: purpose.into(),
            method: method.into(),
            url: format!("http://h{path}"),
            identity: "admin".into(),
            status: Some(status),
            response: Some(Body { bytes: body.to_string().len() as u64, json: Some(body), text: None }),
            step: "3".into(),
            ..Exchange::default()
        });
        self
    }

    pub(super) fn sends(mut self, body: Value) -> Case {
        self.0.exchanges.last_mut().unwrap().request = Some(Body { json: Some(body), ..Body::default() });
        self
    }

    /// An exchange without an answer.
    pub(super) fn lost(mut self, purpose: &str, error: &str) -> Case {
        self.0.kind = Kind::Environment;
        self.0.exchanges.push(Exchange {
            purpose: purpose.into(),
            error: Some(error.into()),
            error_kind: Some(kind_of(error)),
            step: "3".into(),
            took_ms: 30_000,
            ..Exchange::default()
        });
        self
    }

    pub(super) fn waited(mut self, wants: &str, last: &str, polls: u64, error: Option<&str>) -> Case {
        let errors = if error.is_some() { polls } else { 0 };
        let (blind, last_error) = (error.is_some(), error.map(str::to_owned));
        let last_error_kind = error.filter(|e| !e.starts_with(|c: char| c.is_ascii_digit())).map(kind_of);
        let stats = WaitStats { polls, errors, last_error, last_error_kind, blind, ..WaitStats::default() };
        self.0.wait = Some(Wait {
            wants: wants.into(),
            last: last.into(),
            within_ms: 90_000,
            stats,
            ..Wait::default()
        });
        self
    }

    pub(super) fn answers(self, text: &str) -> Case {
        let result =
            json!({ "jsonrpc": "2.0", "id": "m", "result": { "parts": [{ "kind": "text", "text": text }] } });
        self.exchange("message", "POST", "/workspaces/w/a2a", 200, result).sends(json!({ "id": "m" }))
    }
}

pub(super) fn create(status: u16, code: &str, secrets: Value) -> Case {
    let body = json!({ "error": "no", "code": code });
    let sent = json!({ "runtime": "claude-code", "model": "MiniMax-M2", "secrets": secrets });
    let mut case = case("create", "create: wanted 201");
    case.0.workspace = None;
    case.exchange("create", "POST", "/workspaces", status, body).sends(sent)
}

pub(super) fn aborted(error: &str, payload: Value) -> Case {
    case("await", "failed").row("failed", error).event("WORKSPACE_PROVISION_FAILED", payload)
}

const KEY: &str = "equals secret MINIMAX_API_KEY";
const BASE: &str = "https://api.minimax.io/anthropic";

#[test]
fn what_was_seen_has_the_right_name() {
    let right: &[(&str, &str, &str)] =
        &[("ANTHROPIC_AUTH_TOKEN", KEY, KEY), ("ANTHROPIC_BASE_URL", BASE, BASE)];
    let unset: &[(&str, &str, &str)] =
        &[("ANTHROPIC_AUTH_TOKEN", "unset", KEY), ("ANTHROPIC_BASE_URL", "unset", BASE)];
    let double = "https://api.minimax.io/anthropic/v1";
    let log = |lines: &[&str]| json!({ "lines": lines });
    let key = json!({ "MINIMAX_API_KEY": "x" });
    let table: Vec<(Case, &str)> = vec![
        // Historic regressions (contract §14.3).
        (case("expect", "env").row("online", "").env(None, unset), "projection-missing"),
        (case("expect", "env").row("online", "").edge("restart").env(Some(unset), unset), "projection-missing"),
        (case("expect", "env").row("online", "").edge("restart").env(Some(right), unset), "projection-lost-over-edge"),
        (case("expect", "env").row("online", "").env(None, &[("PROBE", "unset", "equals secret PROBE")]), "secret-not-passed"),
        (
            case("expect", "env").row("online", "").env(None, &[right[0], ("ANTHROPIC_BASE_URL", double, BASE)]),
            "base-url-keeps-v1",
        ),
        (
            case("await", "not in time")
                .edge("restart")
                .row("degraded", "")
                .event("WORKSPACE_DEGRADED", json!({ "register_failure": true, "sample_error": "" })),
            "register-400-leaves-degraded",
        ),
        (
            case("expect", "activity of ws: no restart-context row")
                .edge("restart")
                .row("online", "")
                .part("activity", json!([]))
                .part("server log", log(&["12:00:00 LogActivity insert error: pq: invalid input syntax for type uuid: \"system:restart-context\""])),
            UNCLASSIFIED, // nobody knows which rows were there before the edge
        ),
        (
            case("await", "not in time")
                .edge("restart")
                .row("provisioning", "")
                .timeline(&[(Status::Online, 0), (Status::Provisioning, 1)])
                .part("agent log", log(&["12:00:00 register answered 401"])),
            "token-lost-over-edge",
        ),
        (
            case("expect", "the row of agent: expected $.uptime_seconds to be 42, got nothing there")
                .row("awaiting_agent", "")
                .event("WORKSPACE_OFFLINE", json!({}))
                .timeline(&[(Status::Online, 0), (Status::AwaitingAgent, 0)]),
            UNCLASSIFIED,
        ),
        (
            case("await", "not in time")
                .row("online", "")
                .part("environment", json!({ "instance": null, "status": "online" })),
            "dead-instance-stays-online",
        ),
        (
            // The row was read before the restart, the instance in the middle of it.
            case("await", "not in time")
                .row("online", "")
                .part("environment", json!({ "instance": null, "status": "provisioning" })),
            UNCLASSIFIED,
        ),
        (
            case("await", "not in time")
                .row("online", "")
                .part("environment", json!({ "instance": null })),
            UNCLASSIFIED,
        ),
        (
            // The row of a tenant keeps the id of its instance; the control plane says what became of it.
            case("await", "not in time")
                .row("online", "")
                .part("environment", json!({ "instance": "i-1", "status": "online" }))
                .part("control plane", json!({ "instances": [{ "instance_id": "i-1", "state": "terminated" }] })),
            "dead-instance-stays-online",
        ),
        (
            // An earlier instance ended; the row's own one runs.
            case("await", "not in time")
                .row("online", "")
                .part("environment", json!({ "instance": "i-2", "status": "online" }))
                .part("control plane", json!({ "instances": [
                    { "instance_id": "i-2", "state": "running" }, { "instance_id": "i-1", "state": "terminated" }
                ] })),
            UNCLASSIFIED,
        ),
        (
            case("await", "not in time")
                .row("failed", "provisioning failed")
                .part("control plane", json!({ "provisions": [] }))
                .part("server log", log(&["cp provisioner: provision failed (401): <unstructured body, 0 bytes>"])),
            "cp-call-went-elsewhere",
        ),
        (
            case("await", "not in time")
                .row("provisioning", "")
                .part("control plane", json!({ "counters": { "provision_calls": 0 } })),
            "cp-call-went-elsewhere",
        ),
        (
            // Somebody's call arrived; whose, a number does not tell.
            case("await", "not in time")
                .row("failed", "provisioning failed")
                .part("control plane", json!({ "counters": { "provision_calls": 1 } })),
            "cp-provision-failed",
        ),
        (
            // It failed before a call was due.
            case("await", "not in time")
                .row("failed", "no key")
                .event("WORKSPACE_PROVISION_FAILED", json!({ "error": "no key", "code": "MISSING_BYOK_CREDENTIAL" }))
                .part("control plane", json!({ "provisions": [] })),
            "provision-missing-credential",
        ),
        (
            case("await", "not in time").row("failed", "provisioning failed").event("WORKSPACE_PROVISION_FAILED", json!({ "error": "provisioning failed" })),
            "cp-provision-failed",
        ),
        (
            case("await", "not in time")
                .row("failed", "provisioning failed")
                .part("server log", log(&["cp provisioner: provision failed (200): <unstructured body, 68 bytes>"])),
            "cp-answers-200-instead-of-201",
        ),
        (
            case("await", "not in time")
                .row("failed", "provisioning failed")
                .part("server log", log(&["cp provisioner: provision failed (401): <unstructured body, 0 bytes>"])),
            "cp-refuses-credentials",
        ),
        (create(422, "MISSING_BYOK_CREDENTIAL", json!({})).path("platform"), "platform-path-with-vendor-model"),
        // The key was forgotten: nobody spoke of the platform's path.
        (create(422, "MISSING_BYOK_CREDENTIAL", json!({})).path("byok"), "create-missing-credential"),
        (create(422, "MISSING_REQUIRED_ENV", key.clone()), "create-required-variable"),
        (create(422, "SOMETHING_NEW", key.clone()), "create-refused-otherwise"),
        // Create gates.
        (create(422, "MISSING_BYOK_CREDENTIAL", key.clone()), "create-missing-credential"),
        (create(422, "RUNTIME_UNRESOLVED", key.clone()), "create-runtime-unresolved"),
        (create(422, "RUNTIME_UNSUPPORTED", key.clone()), "create-runtime-unsupported"),
        (create(422, "MODEL_REQUIRED", key.clone()).sends(json!({ "runtime": "claude-code" })), "create-model-required"),
        (create(422, "UNREGISTERED_MODEL_FOR_RUNTIME", key.clone()), "create-model-not-registered"),
        (create(422, "DERIVED_PROVIDER_NOT_IN_REGISTRY", key.clone()), "create-provider-not-in-registry"),
        (
            case("create", "409").exchange("create", "POST", "/workspaces", 409, json!({ "error": "workspace name already in use; please pick a different name" })),
            "create-name-taken",
        ),
        (
            case("create", "400").exchange("create", "POST", "/workspaces", 400, json!({ "error": "no", "key": "ANTHROPIC_API_KEY", "workspace_id": "w" })),
            "create-vendor-key-refused",
        ),
        (
            case("create", "400").exchange("create", "POST", "/workspaces", 400, json!({ "error": "invalid workspace fields" })),
            "create-field-refused",
        ),
        // Provision aborts.
        (aborted("x", json!({ "error": "x", "code": "MISSING_BYOK_CREDENTIAL" })), "provision-missing-credential"),
        (aborted("x", json!({ "error": "x", "code": "MISSING_PLATFORM_PROXY" })), "provision-missing-platform-proxy"),
        (aborted("x", json!({ "error": "x", "code": "MISSING_MODEL" })), "provision-missing-model"),
        (aborted("x", json!({ "error": "required environment variable X is not set", "missing": ["X"] })), "provision-required-variable"),
        (aborted("x", json!({ "error": "x", "forbidden_env_keys": ["GH_TOKEN"], "rfc": "523", "source": "global_secrets" })), "provision-forbidden-secret"),
        (aborted("x", json!({ "error": "failed to decrypt workspace secret" })), "provision-secret-not-decrypted"),
        (aborted("x", json!({ "error": "plugin env mutator chain failed" })), "provision-plugin-failed"),
        (aborted("workspace start failed", json!({ "error": "workspace start failed" })), "provision-start-failed"),
        (aborted("cannot start workspace w: no config.yaml source and config volume is empty", json!({})), "config-volume-lost"),
        (aborted("x", json!({ "source": "provision_timeout_sweep" })), "register-timeout"),
        (aborted("x", json!({ "source": "bootstrap_watcher" })), "bootstrap-reported-failed"),
        // The way to the server.
        (case("http", "x").lost("GET /", "error sending request: dns error: failed to lookup address"), "name-does-not-resolve"),
        (case("http", "x").lost("GET /", "tcp connect error: Connection refused (os error 111)"), "connection-refused"),
        (case("http", "x").lost("GET /", "connection error: Connection reset by peer"), "connection-cut"),
        (case("http", "x").lost("GET /", "invalid peer certificate: UnknownIssuer"), "certificate-not-trusted"),
        (case("http", "x").lost("GET /", "no whole answer within 30.00 s"), "server-hangs"),
        (
            case("a2a", "x").lost("message", "no whole answer within 30.00 s").part("server", json!({ "health_state": "ok", "data_state": "ok" })),
            "reply-too-slow",
        ),
        (
            case("a2a", "x")
                .lost("message", "no whole answer within 30.00 s")
                .sends(json!({ "params": { "message": { "messageId": "m-1" } } }))
                .exchange("look for the lost answer", "GET", "/workspaces/w/activity", 200, json!([])),
            "message-not-taken-in",
        ),
        (case("await", "x").waited("online", "x", 5, Some("503: service unavailable")), "server-unavailable"),
        (case("await", "x").waited("online", "x", 5, Some("429: rate limit exceeded")), "rate-limited"),
        (case("await", "x").waited("online", "x", 5, Some("200, but no workspace record: <html>")), "proxy-page-instead-of-server"),
        (case("await", "x").waited("online", "x", 5, Some("200, but no workspace record: zzz")), "answer-is-no-json"),
        (case("http", "x").exchange("x", "GET", "/workspaces", 401, json!({ "error": "invalid admin auth token" })), "admin-token-refused"),
        (
            case("http", "x")
                .row("removed", "")
                .exchange("x", "GET", "/workspaces/x/activity", 410, json!({ "error": "workspace removed" })),
            "removed-under-us",
        ),
        (
            case("http", "x")
                .row("removed", "")
                .deleted()
                .exchange("x", "GET", "/workspaces/x/activity", 410, json!({ "error": "workspace removed" })),
            UNCLASSIFIED,
        ),
        (
            // The list was given to the same bearer afterwards.
            case("http", "x")
                .exchange("x", "GET", "/workspaces/x/state", 401, json!({ "error": "invalid workspace auth token" }))
                .part("neighbours", json!([])),
            "unclassified",
        ),
        (case("http", "x").exchange("x", "GET", "/workspaces", 400, json!({ "error": "no", "code": "TENANT_ORG_HEADER_REQUIRED" })), "organisation-header-missing"),
        // Replies.
        (case("a2a", "x").answers(""), "empty-completion"),
        (case("a2a", "x").answers("Failed to authenticate. API Error: 401 invalid api key").env(None, right), "provider-refuses-credential"),
        (case("a2a", "x").answers("Failed to authenticate. API Error: 401 invalid api key"), "agent-meets-401"),
        (case("a2a", "x").answers("Agent error: 401 invalid api key").env(None, unset), "projection-missing"),
        (case("a2a", "x").answers("Agent error: insufficient_quota"), "provider-quota-exhausted"),
        (case("a2a", "x").answers("Agent error: model_not_found"), "provider-model-unknown"),
        (case("a2a", "x").answers("Agent error: tcp connect error: Connection refused"), "provider-unreachable"),
        (case("a2a", "x").answers("Agent error (_ResultError) - see workspace logs"), "opaque-agent-error"),
        (case("a2a", "x").answers("PONG").sends(json!({ "id": "another" })), "reply-of-another-request"),
        (case("a2a", "wanted the known answer PONG, got: hello").answers("hello"), "wrong-answer"),
        (case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 502, json!({ "error": "workspace URL is not publicly routable" })), "agent-address-blocked"),
        (case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 502, json!({ "error": "failed to reach workspace agent" })), "agent-unreachable"),
        (case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 503, json!({ "error": "workspace has no URL", "status": "paused" })), "workspace-has-no-url"),
        // Not enough for any.
        (case("expect", "environment of ws after create: ANTHROPIC_AUTH_TOKEN is unset"), UNCLASSIFIED),
        (case("await", "wanted ws online: not in time; last seen: failed").waited("online", "failed", 9, None), UNCLASSIFIED),
        (case("a2a", "wanted the known answer"), UNCLASSIFIED),
        (case("expect", "x").row("online", "").env(None, right), UNCLASSIFIED),
    ];
    let wrong: Vec<String> = table
        .iter()
        .enumerate()
        .filter_map(|(i, (case, wanted))| {
            let got = diagnose(&case.0);
            (got.mechanism != *wanted)
                .then(|| format!("{i}: wanted {wanted}, got {} {:?}", got.mechanism, got.nearest))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was wrong with confidence, or vague, on real servers.
pub(super) fn of_real_servers() -> Vec<(&'static str, Case, &'static str)> {
    let right: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", KEY, KEY)];
    let unset: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", "unset", KEY)];
    let mode: &[(&str, &str, &str)] = &[right[0], ("MOLECULE_LLM_BILLING_MODE", "unset", "byok")];
    let error = |status: u16, said: &str| {
        case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", status, json!({ "error": said }))
    };
    let well = json!({ "health_state": "ok", "data_state": "ok" });
    let server = |health: &str, data: &str| json!({ "health_state": health, "data_state": data });
    let log = |lines: &[&str]| json!({ "lines": lines });
    let engine = |listens: &str, status: &str, events: Value| {
        json!({
            "container": { "status": status, "exit_code": 137, "restarts": 0, "oom_killed": false, "error": "" },
            "events": events, "log": [], "volumes": [], "on_network": true, "listens": listens,
        })
    };
    let gap = |mut case: Case, errors: u64, seconds: u64, last: &str| {
        let wait = case.0.wait.as_mut().unwrap();
        (wait.stats.errors, wait.stats.longest_gap_ms) = (errors, seconds * 1_000);
        wait.stats.last_error = Some(last.into());
        case
    };
    let booting = || {
        case("await", "x")
            .edge("restart")
            .waited("online", "provisioning", 90, None)
            .row("provisioning", "")
            .event("WORKSPACE_PROVISIONING", json!({}))
    };
    let nothing_there = json!({ "instance": null, "status": "provisioning" });
    let stream = |mut case: Case, seen: &[&str]| {
        subject(&mut case).stream = Some(seen.iter().map(|s| (*s).to_owned()).collect());
        subject(&mut case).online_told_ms = seen.contains(&"WORKSPACE_ONLINE").then_some(20_000);
        case
    };
    let answered = |mut case: Case| {
        subject(&mut case).answered = true;
        case
    };
    let bearer = |mut case: Case, whose: &str| {
        case.0.exchanges.last_mut().unwrap().identity = whose.into();
        case
    };
    let gone = |status: &str| json!({ "gone": { "value": status, "from": "read, list" } });
    let refused_401 = json!({ "error": "invalid workspace auth token" });
    let missing_401 = json!({ "error": "missing workspace auth token" });
    let plane = |status: u16| {
        let line = format!("cp provisioner: provision failed ({status}): <unstructured body, 68 bytes>");
        aborted("provisioning failed", json!({ "error": "provisioning failed" }))
            .part("server log", log(&[&line]))
    };
    vec![
        // A deviation of the environment makes no 502, no empty text, no 529, no missing row.
        ("opaque, and a variable is missing", case("a2a", "x").answers("Agent error (_ResultError)").env(None, unset), "opaque-agent-error"),
        ("empty, and a variable is missing", case("a2a", "x").answers("").env(None, unset), "empty-completion"),
        ("529, and a variable is missing", case("a2a", "x").answers("API Error: 529 overloaded").env(None, unset), "provider-overloaded"),
        ("does not listen", error(502, "failed to reach workspace agent").env(None, unset), "agent-unreachable"),
        ("bookkeeping only", case("expect", "x").row("online", "").env(None, mode), "bookkeeping-missing"),
        ("401, bookkeeping only", case("a2a", "x").answers("Agent error: 401 invalid api key").env(None, mode), "provider-refuses-credential"),
        ("it answered before", answered(case("a2a", "x").answers("Agent error: 401 invalid api key").env(None, unset)), "agent-meets-401"),
        ("another wording", case("expect", "activity of ws: no such row").row("online", "").env(None, unset), UNCLASSIFIED),
        ("an unknown method", case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 200, json!({ "jsonrpc": "2.0", "error": { "code": -32601, "message": "Method not found" } })).env(None, unset), "agent-refuses-message"),
        ("degraded by a 401, and the variable is missing", case("await", "x").row("degraded", "API Error: 401 invalid api key").env(None, unset), "projection-missing"),
        ("degraded by something else", case("await", "x").row("degraded", "disk on fire").env(None, unset), "agent-reports-degraded"),
        // The control plane, by its status in the server's log.
        ("a control plane answers 200", plane(200), "cp-answers-200-instead-of-201"),
        ("a control plane answers 302", plane(302), "cp-answers-otherwise"),
        ("a control plane answers 401", plane(401), "cp-refuses-credentials"),
        ("a control plane answers 402", plane(402), "cp-answers-otherwise"),
        ("a control plane answers 403", plane(403), "cp-refuses-credentials"),
        ("a control plane answers 422", plane(422), "cp-answers-otherwise"),
        ("a control plane answers 429", plane(429), "cp-answers-otherwise"),
        ("a control plane answers 500", plane(500), "cp-answers-server-error"),
        ("a control plane answers 502", plane(502), "cp-behind-a-gateway-error"),
        ("a control plane forbids a name", aborted("provisioning failed", json!({})).part("server log", log(&["cp provisioner: provision failed (400): privileged_env_forbidden ADMIN_TOKEN"])), "cp-forbids-name"),
        ("a control plane that nobody saw answer", aborted("provisioning failed", json!({ "error": "provisioning failed" })), "cp-provision-failed"),
        // What an agent or its provider says.
        ("a path is no model", case("a2a", "x").answers("Agent error: 404 page not found").env(None, right), "endpoint-misrouted"),
        ("quota in a 200", case("a2a", "x").answers("API Error: 429 insufficient_quota"), "provider-quota-exhausted"),
        ("agent's 500", error(500, "Internal Server Error").part("server", well.clone()), "agent-answers-error"),
        ("agent's 503", error(503, "Service Unavailable").part("server", well.clone()), "agent-answers-error"),
        ("agent's 405", error(405, "Method Not Allowed"), "agent-answers-error"),
        ("agent's own words", error(503, "agent says 503").part("activity", json!([{ "status": "error", "error_detail": null }])), "agent-answers-error"),
        ("words of nobody", error(500, "something new"), UNCLASSIFIED),
        ("server's 500", error(500, "lookup failed"), "server-error"),
        ("an answer cut off", error(502, "failed to read agent response"), "agent-answer-cut"),
        ("an empty body", case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 200, json!({ "error": "agent returned empty response body" })), "agent-answers-nothing"),
        // The container.
        ("loopback only", error(502, "failed to reach workspace agent").part("container", engine("loopback", "running", json!([]))), "agent-listens-on-loopback"),
        ("nobody listens", error(502, "failed to reach workspace agent").part("container", engine("nowhere", "running", json!([]))), "agent-does-not-listen"),
        ("it listens", error(502, "failed to reach workspace agent").part("container", engine("everywhere", "running", json!([]))), "agent-unreachable"),
        ("crash on the message", error(502, "failed to read agent response").part("container", engine("", "exited", json!([{ "at": 1, "what": "die (exit code 1)", "since_edge": true }]))), "agent-crashes-on-message"),
        ("killed within the restart", booting().part("container", engine("", "exited", json!([{ "at": 1, "what": "start", "since_edge": true }, { "at": 2, "what": "die (exit code 137)", "since_edge": true }]))), "container-ended"),
        // Gaps.
        ("away within the restart", gap(booting().part("environment", nothing_there.clone()), 30, 6, "503: service unavailable"), "server-interrupted-during-provision"),
        ("a hiccup", gap(booting().part("environment", nothing_there.clone()), 1, 1, "503: service unavailable"), "boot-outlives-deadline"),
        ("nothing failed", booting().part("environment", nothing_there), "boot-outlives-deadline"),
        ("forgotten", gap(booting().env(None, right), 30, 6, "connection refused"), UNCLASSIFIED),
        // Words of any agent.
        ("401 in other words", booting().part("agent log", log(&["12:00:00 POST /registry/register -> HTTP 401"])), "token-lost-over-edge"),
        ("the server's own sentence", booting().part("agent log", log(&["{\"error\":\"url targets a blocked address: loopback address\"}"])), "agent-url-blocked"),
        ("503 at register", booting().part("agent log", log(&["could not register: 503"])), "register-not-served"),
        ("register 503", booting().part("agent log", log(&["register failed with 503, again in 2 s"])), "register-not-served"),
        ("no way to the platform", booting().part("agent log", log(&["register failed: connection refused"])), "agent-cannot-reach-platform"),
        // Contradictions.
        ("the volume is there", aborted("no config.yaml source and config volume is empty", json!({})).part("container", json!({ "container": null, "events": [], "log": [], "volumes": ["ws-w-configs"] })), "config-volume-unseen"),
        ("a bearer that does not arrive", bearer(case("http", "x").exchange("x", "GET", "/workspaces/w", 401, missing_401), "workspace ws"), "bearer-does-not-arrive"),
        ("a bearer that is refused", bearer(case("http", "x").exchange("x", "GET", "/workspaces/w", 401, refused_401), "workspace ws"), "workspace-token-refused"),
        ("told on the stream", stream(case("await", "x").waited("online", "provisioning", 90, None).row("online", "").timeline(&[(Status::Provisioning, 0)]), &["WORKSPACE_PROVISIONING", "WORKSPACE_ONLINE"]), "reads-are-stale"),
        ("not told on the stream", stream(case("await", "x").waited("online", "provisioning", 90, None).row("online", "").timeline(&[(Status::Provisioning, 0)]), &["WORKSPACE_PROVISIONING"]), "came-after-deadline"),
        // Gone.
        ("purged", case("await", "x").waited("online", "404", 9, None).part("record", gone("404")).timeline(&[(Status::Online, 0)]), "removed-under-us"),
        ("gone, and the message is answered 503", error(503, "workspace agent unreachable — container restart triggered").part("record", gone("410")), "removed-under-us"),
        ("gone by us", case("await", "x").waited("online", "404", 9, None).part("record", gone("404")).deleted(), UNCLASSIFIED),
        // Health.
        ("all hangs", case("a2a", "x").lost("message", "no whole answer within 30.00 s").part("server", server("hangs", "hangs")), "server-hangs"),
        ("the database hangs", case("a2a", "x").lost("message", "no whole answer within 30.00 s").part("server", server("ok", "hangs")), "server-datastore-hangs"),
        ("only the agent is slow", case("a2a", "x").lost("message", "no whole answer within 30.00 s").part("server", server("ok", "ok")), "reply-too-slow"),
        ("nothing is known of the server", case("a2a", "x").lost("message", "no whole answer within 30.00 s"), UNCLASSIFIED),
        // A pause that does not hold.
        ("brought back", stream(case("hold", "x").waited("paused", "online", 9, None).row("online", ""), &["WORKSPACE_PAUSED", "WORKSPACE_PROVISIONING", "WORKSPACE_ONLINE"]), "pause-undone"),
        ("brought back, and no stream told", case("hold", "x").waited("paused", "provisioning", 9, None).row("provisioning", "").timeline(&[(Status::Online, 0), (Status::Paused, 0), (Status::Provisioning, 0)]), "pause-undone"),
        ("queued for one that is paused", case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 202, json!({ "queued": true, "queue_id": "q" })).row("paused", ""), "message-queued-at-rest"),
        ("queued for one that runs", case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 202, json!({ "queued": true, "queue_id": "q" })).row("online", "http://h"), "message-queued-not-answered"),
        ("a restart after a resume", case("hold", "x").edge("resume").waited("online", "provisioning", 9, None).row("provisioning", "").timeline(&[(Status::Paused, 0), (Status::Provisioning, 1), (Status::Online, 1), (Status::Provisioning, 1)]), UNCLASSIFIED),
        ("an August server", bearer(case("a2a", "x").exchange("message", "POST", "/workspaces/w/a2a", 401, json!({ "error": "missing caller auth token" })), "anonymous"), "caller-needs-token"),
    ]
}

#[test]
fn a_cause_that_could_not_have_made_the_red_is_not_named() {
    let table = of_real_servers();
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(name, case, wanted)| {
            let got = diagnose(&case.0);
            (got.mechanism != *wanted).then(|| {
                format!("{name}: wanted {wanted}, got {} {:?} {:?}", got.mechanism, got.nearest, got.evidence)
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only holds is said, and never as the cause; a second cause is told as one.
#[test]
fn what_holds_besides_is_also_seen() {
    let unset: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", "unset", KEY)];
    let found = diagnose(&case("a2a", "x").answers("").env(None, unset).0);
    let also: Vec<(&str, bool)> =
        found.also_seen.iter().map(|a| (a.mechanism.as_str(), a.explains)).collect();
    assert_eq!(also, [("projection-missing", false)]);
    assert!(found.also_seen[0].evidence[0].contains("ANTHROPIC_AUTH_TOKEN is unset"));
    let two = case("a2a", "x").answers("Agent error: 401 invalid api key").env(None, unset);
    let two = two.part("record", json!({ "gone": { "value": "410" } }));
    let found = diagnose(&two.0);
    assert_eq!(found.mechanism, "removed-under-us");
    assert!(found.also_seen.iter().any(|a| a.mechanism == "projection-missing" && a.explains), "{found:?}");
    // Without a cause, what was seen is quoted.
    let found = diagnose(&case("await", "x").row("failed", "zzz").0);
    assert_eq!(found.mechanism, UNCLASSIFIED);
    assert!(found.evidence.iter().any(|e| e.contains("zzz")), "{:?}", found.evidence);
}

#[test]
fn the_lower_layer_wins() {
    // Everything at once: the connection is gone, the projection is wrong, the reply is an error.
    let unset: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", "unset", KEY)];
    let all = case("a2a", "x").answers("Agent error: 401").env(None, unset);
    assert_eq!(diagnose(&all.0).mechanism, "projection-missing");
    let all = all.lost("message", "tcp connect error: Connection refused");
    assert_eq!(diagnose(&all.0).mechanism, "connection-refused");
}

#[test]
fn a_look_that_the_deadline_cut_off_is_no_hang() {
    let mut case = case("expect", "activity of ws: no restart-context row")
        .exchange("activity", "GET", "/workspaces/w/activity", 200, json!([]))
        .lost("activity", "no whole answer within 0 ms");
    case.0.exchanges.last_mut().unwrap().took_ms = 0;
    assert_eq!(diagnose(&case.0).mechanism, UNCLASSIFIED);
    // A message that was waited for in earnest, and a look that had no time left.
    let mut case = self::case("a2a", "no answer").lost("message", "no whole answer within 5.00 s");
    case = case
        .lost("read the row", "no whole answer within 0 ms")
        .part("server", json!({ "health_state": "ok" }));
    case.0.exchanges.last_mut().unwrap().took_ms = 0;
    assert_eq!(diagnose(&case.0).mechanism, "reply-too-slow");
}

#[test]
fn what_an_engine_saw_has_the_right_name() {
    let events =
        |all: &[&str]| json!(all.iter().map(|what| json!({ "at": 1, "what": what })).collect::<Vec<_>>());
    let of = |status: &str, restarts: i64, oom: bool| json!({ "status": status, "exit_code": 1, "restarts": restarts, "oom_killed": oom, "error": "" });
    let shown = |container: Value, all: &[&str], on_network: bool, answered: Option<bool>| {
        let asked =
            answered.map(|answered| json!({ "answered": answered, "said": "http://gateway: refused" }));
        json!({
            "container": container, "events": events(all), "log": ["x"], "volumes": [],
            "on_network": on_network, "platform_from_inside": asked,
        })
    };
    let waits = || case("await", "not in time").row("provisioning", "");
    let engine = |data: Value| waits().part("container", data);
    let failed = |line: &str| {
        let log = json!({ "lines": [format!("12:00:00 Provisioner: start w failed: {line}")] });
        case("await", "failed").row("failed", "workspace start failed").part("server log", log)
    };
    let table = [
        (engine(shown(of("running", 0, false), &["start"], true, Some(true))), UNCLASSIFIED),
        (
            engine(shown(of("restarting", 3, false), &["die (exit code 3)"], true, None)),
            "container-keeps-exiting",
        ),
        // Started again, the flag is gone; the engine's events are not.
        (
            engine(shown(of("running", 1, false), &["oom", "die (exit code 137)"], true, None)),
            "container-out-of-memory",
        ),
        (engine(shown(of("exited", 0, true), &[], true, None)), "container-out-of-memory"),
        (engine(shown(of("exited", 0, false), &["die (exit code 1)"], true, None)), "container-ended"),
        (engine(shown(of("paused", 0, false), &["pause"], true, None)), "container-frozen"),
        (engine(shown(of("running", 0, false), &[], false, Some(false))), "container-cut-off"),
        (engine(shown(of("running", 0, false), &[], true, Some(false))), "platform-unreachable-from-inside"),
        (
            failed("Conflict. The container name \"/ws-w\" is already in use by container"),
            "container-name-taken",
        ),
        (failed("Bind for 127.0.0.1:1 failed: port is already allocated"), "container-port-taken"),
        (failed("write /x: no space left on device (500)"), "engine-disk-full"),
        (failed("exec /agent: exec format error"), "image-cannot-run"),
        (failed("exec: \"/agent\": stat /agent: no such file or directory: unknown"), "image-without-agent"),
        (failed("No such image: x:1 (404)"), "image-missing"),
        (failed("network molecule-core-net not found (404)"), "container-network-missing"),
        (failed("something else"), "provision-start-failed"),
    ];
    for (case, wanted) in table {
        let got = diagnose(&case.0);
        assert_eq!(got.mechanism, wanted, "{:?}", case.0.evidence.parts);
    }
}

#[test]
fn a_diagnosis_quotes_rules_out_and_tells_reds_apart() {
    let right: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", KEY, KEY)];
    let unset: &[(&str, &str, &str)] = &[("ANTHROPIC_AUTH_TOKEN", "unset", KEY)];
    let found = diagnose(&case("expect", "x").edge("resume").row("online", "").env(Some(right), unset).0);
    assert_eq!((found.class, found.issue.as_deref()), (Class::Product, Some("#2712")));
    assert_eq!(found.fingerprint, "s/3/projection-lost-over-edge/ANTHROPIC_AUTH_TOKEN");
    assert!(found.summary.contains("before the resume"), "{}", found.summary);
    assert!(
        found.evidence.iter().any(|e| e.contains("ANTHROPIC_AUTH_TOKEN is unset")),
        "{:?}",
        found.evidence
    );
    assert!(found.rules_out.iter().any(|r| r.contains("#2530")), "{:?}", found.rules_out);
    // What was not seen rules nothing out.
    let blind = diagnose(&case("expect", "x").edge("resume").env(Some(right), unset).0);
    assert!(!blind.rules_out.iter().any(|r| r.contains("#2530")), "{:?}", blind.rules_out);
}

#[test]
fn unclassified_names_the_nearest_and_what_they_lack() {
    let found = diagnose(&case("await", "x").row("degraded", "").0);
    assert_eq!(found.mechanism, UNCLASSIFIED);
    assert!(found.nearest.len() <= 3 && !found.nearest.is_empty());
    assert!(found.nearest.iter().all(|n| n.contains(" lacks: ")), "{:?}", found.nearest);
    assert!(
        found.nearest.iter().any(|n| n.contains("(unknown)") || n.contains("is empty")),
        "{:?}",
        found.nearest
    );
}
