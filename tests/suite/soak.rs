//! Much at once, and for long: nothing is lost, nothing doubled, nothing grows, nothing healthy is red.
//! `LIFECYCLE_SOAK=1` runs the long forms.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{Harness, word};
use super::platform::{Platform, TOKEN, beside, block};

const AGENTS: usize = 200;
/// Rows that the reference platform keeps of each workspace.
const LOG: usize = 1_000;

/// Whether the long forms are wanted.
fn long() -> bool {
    super::harness::soak()
}

#[expect(clippy::disallowed_methods, reason = "agents poll at a pace")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Speaks to the platform without waiting for ever.
#[derive(Clone)]
struct Wire {
    http: reqwest::Client,
    base: Arc<str>,
}

impl Wire {
    async fn send(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(token);
        let request = request.timeout(Duration::from_secs(60));
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }
}

/// What all agents count together.
#[derive(Default)]
struct Count {
    sent: AtomicUsize,
    received: AtomicUsize,
    doubled: AtomicUsize,
    out_of_order: AtomicUsize,
    beats: AtomicUsize,
    /// No more messages are sent; agents end when they have all of theirs.
    over: AtomicBool,
}

/// One agent: registers, beats, polls with a cursor, and is sent messages that carry a number.
async fn agent(wire: Wire, number: usize, count: Arc<Count>, every: Duration) {
    let body = json!({ "name": format!("soak {number}"), "external": true, "delivery_mode": "poll" });
    let (status, made) = wire.send("POST", "/workspaces", TOKEN, Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let (id, token) = (word(&made["id"]), word(&made["connection"]["auth_token"]));
    let body = json!({ "id": id, "delivery_mode": "poll", "agent_card": { "name": "soak", "skills": [] } });
    assert_eq!(wire.send("POST", "/registry/register", &token, Some(body)).await.0, 200);
    let (mut sent, mut received, mut cursor) = (0_usize, 0_usize, String::new());
    let mut seen = HashSet::new();
    let mut beat = Instant::now() - Duration::from_secs(60);
    while received < sent || !count.over.load(Ordering::SeqCst) {
        if beat.elapsed() > Duration::from_secs(20) {
            beat = Instant::now();
            let body = json!({ "workspace_id": id, "active_tasks": 0 });
            assert_eq!(wire.send("POST", "/registry/heartbeat", &token, Some(body)).await.0, 200);
            count.beats.fetch_add(1, Ordering::SeqCst);
        }
        if !count.over.load(Ordering::SeqCst) {
            let text = format!("{number}:{sent}");
            let body = json!({ "method": "message/send", "params": { "message": { "messageId": format!("m-{text}"), "parts": [{ "kind": "text", "text": text }] } } });
            let (status, answer) =
                wire.send("POST", &format!("/workspaces/{id}/a2a"), TOKEN, Some(body)).await;
            assert_eq!((status, &answer["status"]), (200, &json!("queued")), "{answer}");
            sent += 1;
            count.sent.fetch_add(1, Ordering::SeqCst);
        }
        let path = format!("/workspaces/{id}/activity?type=a2a_receive{cursor}");
        let (status, rows) = wire.send("GET", &path, &token, None).await;
        assert_eq!(status, 200, "{rows}");
        for row in rows.as_array().unwrap() {
            let text = word(&row["request_body"]["params"]["message"]["parts"][0]["text"]);
            if text != format!("{number}:{received}") {
                count.out_of_order.fetch_add(1, Ordering::SeqCst);
            }
            if !seen.insert(text) {
                count.doubled.fetch_add(1, Ordering::SeqCst);
            }
            received += 1;
            count.received.fetch_add(1, Ordering::SeqCst);
            cursor = format!("&since_id={}", word(&row["id"]));
        }
        // A log keeps so many rows; until it is full it grows.
        let filling = long() && sent < LOG;
        pause(if filling { Duration::from_millis(10) } else { every }).await;
    }
}

/// Resident memory of a process in MiB.
fn memory(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

#[test]
fn two_hundred_agents_lose_and_double_nothing() {
    let (whole, every) = match long() {
        true => (Duration::from_secs(600), Duration::from_secs(2)),
        false => (Duration::from_secs(6), Duration::from_millis(200)),
    };
    let platform = Platform::start([]);
    let wire = Wire {
        http: lifecycle_harness::facade::tls::client().no_proxy().build().unwrap(),
        base: platform.base.clone().into(),
    };
    let count = Arc::new(Count::default());
    let ended = Arc::new(AtomicUsize::new(0));
    for number in 0..AGENTS {
        let (wire, count, ended) = (wire.clone(), Arc::clone(&count), Arc::clone(&ended));
        beside(async move {
            agent(wire, number, count, every).await;
            ended.fetch_add(1, Ordering::SeqCst);
        });
    }
    let began = Instant::now();
    let mut samples = Vec::new();
    for _ in 0..12 {
        block(pause(whole / 12));
        samples.push(memory(platform.pid()));
    }
    count.over.store(true, Ordering::SeqCst);
    super::harness::wait_for("the end of all agents", || {
        (ended.load(Ordering::SeqCst) == AGENTS).then_some(())
    });
    let get = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    println!(
        "{AGENTS} agents, {:?}: {} sent, {} received, {} doubled, {} out of order, {} heartbeats; MiB {samples:?}",
        began.elapsed(),
        get(&count.sent),
        get(&count.received),
        get(&count.doubled),
        get(&count.out_of_order),
        get(&count.beats),
    );
    assert!(get(&count.sent) >= AGENTS * 5, "only {} messages", get(&count.sent));
    assert_eq!(get(&count.sent), get(&count.received), "lost messages");
    assert_eq!((get(&count.doubled), get(&count.out_of_order)), (0, 0));
    let online = platform.rows().iter().filter(|row| row["status"] == "online").count();
    assert_eq!(online, AGENTS);
    if long() {
        // Logs are kept up to a bound; once they are full, nothing may grow any more.
        let (middle, last) = (samples[8], samples[11]);
        assert!(last <= middle + middle / 10 + 4, "memory grows: {samples:?}");
    }
}

#[test]
fn healthy_runs_are_never_red() {
    let (repeat, jobs) = if long() { ("1000", "64") } else { ("30", "30") };
    let output =
        Harness::new().args(["run", "-q", "local-provision", "--repeat", repeat, "--jobs", jobs]).run();
    println!("{}", output.stderr.lines().find(|l| l.contains("scenarios:")).unwrap_or_default());
    let output = output.exit(0);
    let verdicts = output.verdicts();
    assert_eq!(verdicts.len(), repeat.parse::<usize>().unwrap());
    assert!(verdicts.iter().all(|(_, verdict)| verdict == "passed"), "{verdicts:?}");
}
