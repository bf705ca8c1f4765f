//! The recordings of a real server, played against this one at time scale 1.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::play::{ADMIN, Got, Play};
use super::scripted::ScriptedAgent;
use crate::behaviour::Edition;
use crate::reference::clock::Clock;
use crate::reference::server::{AgentKind, Options};

const RECORDINGS: &str = include_str!("../../../fixtures/recordings/recordings.jsonl");
const SECOND: &str = include_str!("../../../fixtures/recordings/recordings-2.jsonl");
const AUGUST: &str = include_str!("../../../fixtures/recordings/recordings-august.jsonl");
/// What August's server answered otherwise, and why it is not played: exactly these labels differ.
const DIFFER_IN_AUGUST: &[(&str, &str)] = &[(
    "peers",
    "recorded in the middle of w1's second start (the wake, then the restart), when the row is online \
     without an address; the replay waits for the end of that start, to be the same each time",
)];
/// What the second recording of June's server shows and this one does not, and why.
const DIFFER_IN_SECOND: &[(&str, &str)] = &[(
    "who asked",
    "the newest row it shows is that of the message before, though it asks after the one that an admin sent: \
     the order in which a real server's rows become visible, which its database is not asked for",
)];
/// The health sweep comes every so many seconds.
const SWEEP: u64 = 15;
/// Whom the recorder asked for when nobody was meant.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Compares an answer with its recording; placeholders stand for what differs between any two runs.
struct Shape<'a> {
    names: &'a BTreeMap<String, String>,
}

impl Shape<'_> {
    fn differs(&self, want: &Value, got: &Value, at: &str) -> Result<(), String> {
        match (want, got) {
            (Value::String(pattern), _)
                if (pattern.starts_with('<') && !pattern.starts_with("<a "))
                    || pattern.contains("<host:port>") =>
            {
                self.placeholder(pattern, got).map_err(|why| format!("{at}: {why}: {got}"))
            }
            (Value::String(pattern), Value::String(own)) if named(self.names, pattern) == *own => Ok(()),
            (Value::String(text), Value::String(own))
                if at.ends_with(".messageId") && text.starts_with("m-") =>
            {
                own.starts_with("m-").then_some(()).ok_or_else(|| format!("{at}: {own}"))
            }
            // Numbered by the server over all of its workspaces.
            _ if at.ends_with(".seq") => got.is_number().then_some(()).ok_or_else(|| format!("{at}: {got}")),
            (Value::Object(want), Value::Object(got)) => {
                let keys =
                    |m: &serde_json::Map<String, Value>| m.keys().cloned().collect::<Vec<_>>().join(" ");
                let (mut a, mut b): (Vec<_>, Vec<_>) = (want.keys().collect(), got.keys().collect());
                a.sort();
                b.sort();
                if a != b {
                    return Err(format!("{at}: keys [{}], not [{}]", keys(got), keys(want)));
                }
                want.iter()
                    .try_for_each(|(key, value)| self.differs(value, &got[key], &format!("{at}.{key}")))
            }
            (Value::Array(want), Value::Array(got)) => self.arrays(want, got, at),
            _ if want == got => Ok(()),
            _ => Err(format!("{at}: {got}, not {want}")),
        }
    }

    /// `<more>` at the end: the recorder cut the list, whose order the server leaves to its database
    /// unless it says otherwise; each recorded item has its own counterpart.
    fn arrays(&self, want: &[Value], got: &[Value], at: &str) -> Result<(), String> {
        if let Some((Value::String(more), items)) = want.split_last()
            && more == "<more>"
        {
            if got.len() <= items.len() {
                return Err(format!("{at}: {} items, not more than {}", got.len(), items.len()));
            }
            let mut left: Vec<&Value> = got.iter().collect();
            for item in items {
                let Some(found) = left.iter().position(|g| self.differs(item, g, at).is_ok()) else {
                    let whys: Vec<String> =
                        left.iter().filter_map(|g| self.differs(item, g, at).err()).collect();
                    return Err(format!("{at}: nothing like {item}: {}", whys.join("; ")));
                };
                left.remove(found);
            }
            return Ok(());
        }
        if want.len() != got.len() {
            return Err(format!("{at}: {} items, not {}", got.len(), want.len()));
        }
        want.iter().zip(got).enumerate().try_for_each(|(n, (w, g))| self.differs(w, g, &format!("{at}[{n}]")))
    }

    fn placeholder(&self, pattern: &str, got: &Value) -> Result<(), String> {
        let text = got.as_str();
        let good = match pattern {
            "<number>" => got.is_number(),
            "<time>" => text.is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
            "<text>" => text.is_some_and(|t| !t.is_empty()),
            "<token>" => text.is_some_and(|t| t.len() == 43 || t.len() == 8),
            "<uuid>" => text.is_some_and(|t| uuid::Uuid::try_parse(t).is_ok()),
            "<uuid>:user" | "<uuid>:agent" => {
                let role = pattern.trim_start_matches("<uuid>");
                text.and_then(|t| t.strip_suffix(role)).is_some_and(|t| uuid::Uuid::try_parse(t).is_ok())
            }
            _ if pattern.contains("<host:port>") => {
                let pattern = named(self.names, pattern);
                let (start, end) = pattern.split_once("<host:port>").unwrap();
                text.and_then(|t| t.strip_prefix(start)?.strip_suffix(end)).is_some_and(|middle| {
                    middle.rsplit_once(':').is_some_and(|(h, p)| !h.is_empty() && p.parse::<u16>().is_ok())
                })
            }
            name => {
                let name = name.trim_matches(['<', '>']);
                match self.names.get(name) {
                    Some(id) => text == Some(id),
                    None => return Err(format!("nobody is called {name}")),
                }
            }
        };
        good.then_some(()).ok_or_else(|| format!("not {pattern}"))
    }
}

/// A recorded text with the ids of this run in it.
fn named(names: &BTreeMap<String, String>, text: &str) -> String {
    names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("<{name}>"), id))
}

/// The recorder's memory: who is who, whose token is whose.
#[derive(Default)]
struct Memory {
    names: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
    rotated: Option<String>,
    cursor: String,
}

impl Memory {
    fn fill(&self, text: &str) -> String {
        named(&self.names, &text.replace("<uuid>", NOBODY).replace("<cursor>", &self.cursor))
    }

    /// What a workspace is called in the recordings: its name, but for the renamed one.
    fn learn(&mut self, line: &Value, got: &Got) {
        let label = line["label"].as_str().unwrap();
        let fields = line["capture"].as_object().into_iter().flatten();
        for (name, field) in fields.filter_map(|(name, field)| Some((name, field.as_str()?))) {
            self.names.insert(name.clone(), got.body[field].as_str().unwrap_or(NOBODY).to_owned());
        }
        if let Some(who) = line["learn"].as_str() {
            let body = &got.body;
            let token = body["auth_token"].as_str().or_else(|| body["connection"]["auth_token"].as_str());
            self.tokens.extend(token.map(|token| (who.to_owned(), token.to_owned())));
            self.names.extend(body["id"].as_str().map(|id| (who.to_owned(), id.to_owned())));
            return;
        }
        if line["fact"].is_string() || line["capture"].is_object() {
            return;
        }
        if line["method"] == "POST" && line["path"] == "/workspaces" && got.status == 201 {
            let mut name = line["request"]["name"].as_str().unwrap().to_owned();
            if label == "create same name" {
                name = "kimi2".to_owned();
            }
            let body = &got.body;
            let token = body["auth_token"].as_str().or_else(|| body["connection"]["auth_token"].as_str());
            self.names.insert(name.clone(), body["id"].as_str().unwrap().to_owned());
            self.tokens.insert(name, token.unwrap_or_default().to_owned());
        }
        match label {
            "rotate" => self.rotated = got.body["connection"]["auth_token"].as_str().map(str::to_owned),
            "old token after rotate" => {
                self.tokens.insert("e1".to_owned(), self.rotated.take().unwrap());
            }
            // The recorder went on after the first of three messages.
            "inbox first" => self.cursor = got.body[2]["id"].as_str().unwrap().to_owned(),
            _ => {}
        }
    }

    fn bearer(&self, auth: &Value) -> Option<String> {
        match auth.as_str()? {
            "admin" => Some(ADMIN.to_owned()),
            "wrong" => Some("not-a-token-of-anybody".to_owned()),
            // Whose create was refused has no token; the recorder then sent one that nobody has.
            who => Some(
                self.tokens
                    .get(who.strip_prefix("workspace:").unwrap())
                    .map_or_else(|| "a-token-of-nobody".to_owned(), Clone::clone),
            ),
        }
    }
}

/// Whether a line needs `w1` online: it says so in its answer, or acts on an instance that runs.
fn needs_online(line: &Value) -> bool {
    matches!(
        line["label"].as_str().unwrap(),
        "read online" | "restart bad json" | "pause" | "hibernate" | "create external"
    ) || (line["label"] == "delete w1" && line["status"] == 200)
}

async fn ask(play: &Play, memory: &Memory, line: &Value) -> Got {
    let text = |key: &str| line[key].as_str().map(str::to_owned);
    let body = text("request_text")
        .or_else(|| line.get("request").filter(|r| !r.is_null()).map(|r| memory.fill(&r.to_string())));
    let mut headers: Vec<(&'static str, String)> = Vec::new();
    for name in ["Content-Type", "X-Workspace-ID", "X-Confirm-Name", "X-Timeout", "Origin"] {
        if let Some(value) = line["headers"][name].as_str() {
            headers.push((name, memory.fill(value)));
        }
    }
    let path = memory.fill(line["path"].as_str().unwrap());
    let token = memory.bearer(&line["auth"]);
    play.send_with(line["method"].as_str().unwrap(), &path, token.as_deref(), headers, body).await
}

fn compare(memory: &Memory, line: &Value, got: &Got) -> Result<(), String> {
    if line["status"] != got.status {
        return Err(format!("{}, not {}: {}", got.status, line["status"], got.body));
    }
    for (name, value) in line["response_headers"].as_object().unwrap() {
        let own = got.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if value != own {
            return Err(format!("{name}: `{own}`, not {value}"));
        }
    }
    let label = line["label"].as_str().unwrap();
    let shape = Shape { names: &memory.names };
    shape.differs(&line["response"], &got.body, "body").map_err(|why| format!("{label}: {why}"))
}

/// Events that come at any time, so that their order says nothing.
fn noise(kind: &Value) -> bool {
    ["WORKSPACE_HEARTBEAT", "ACTIVITY_LOGGED", "USER_MESSAGE", "BOOT_STEP"].iter().any(|k| kind == k)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junes_conversation_is_the_same_here() {
    replay(RECORDINGS, Edition::MidJune, (167, 13), &[]).await;
}

/// The second recording: where this platform once differed (divergences.md; a line's `fact` is its row there).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junes_second_conversation_is_the_same_here() {
    let agent = ScriptedAgent::start().await;
    let play = Play::new(Options {
        admin_token: ADMIN.into(),
        agent: AgentKind::Stub,
        heartbeat: Duration::from_secs(2),
        behaviours: Edition::MidJune.behaviours(),
        ..Options::default()
    })
    .await;
    let recording = SECOND.replace("<agent>", &agent.authority);
    let lines: Vec<Value> = recording.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (events, exchanges): (Vec<&Value>, Vec<&Value>) =
        lines.iter().partition(|l| l.get("event").is_some());
    assert_eq!((exchanges.len(), events.len()), (221, 4));
    let mut memory = Memory::default();
    memory.names.insert("uuid".to_owned(), NOBODY.to_owned());
    let mut heard = None;
    let mut differences = BTreeMap::new();
    for line in &exchanges {
        let label = line["label"].as_str().unwrap();
        waited(&play, &memory, &line["before"]).await;
        if label == "register pc by hand" {
            // In the recording no health sweep came between this line and the look at its end.
            let swept = play.running.platform().clock.passed().as_secs() % SWEEP;
            if swept > SWEEP - 4 {
                Clock::new(1.0).sleep(Duration::from_secs(SWEEP - swept + 1)).await;
            }
        }
        if label == "sibling to se, listening" {
            heard = Some(play.listen(&memory.names["se"], &memory.tokens["se"]).await);
        }
        let got = ask(&play, &memory, line).await;
        memory.learn(line, &got);
        if let Err(why) = compare(&memory, line, &got) {
            differences.insert(label, format!("{label}: {why}"));
        }
    }
    let told = differences.values().cloned().collect::<Vec<_>>().join("\n");
    let expected: BTreeSet<&str> = DIFFER_IN_SECOND.iter().map(|(label, _)| *label).collect();
    assert_eq!(differences.keys().copied().collect::<BTreeSet<_>>(), expected, "{told}");
    let mut heard: UnboundedReceiver<Value> = heard.unwrap();
    let shape = Shape { names: &memory.names };
    for line in events {
        let event = heard.recv().await.unwrap();
        shape.differs(&line["event"], &event, "event").unwrap();
    }
    play.running.stop().await;
}

/// What the recorder waited for before a line.
async fn waited(play: &Play, memory: &Memory, before: &Value) {
    if let Some([who, status]) = before["until"].as_array().map(Vec::as_slice) {
        let (id, status) = (&memory.names[who.as_str().unwrap()], status.as_str().unwrap());
        match status {
            "online" => drop(play.online(id).await),
            status => drop(play.status(id, status).await),
        }
    }
    if let Some(seconds) = before["seconds"].as_f64() {
        Clock::new(1.0).sleep(Duration::from_secs_f64(seconds)).await;
    }
    for who in before["settled"].as_array().into_iter().flatten() {
        let id = uuid::Uuid::try_parse(&memory.names[who.as_str().unwrap()]).unwrap();
        play.eventually("nothing under way", async || {
            let state = play.running.platform().state();
            let row = state.get(id)?;
            let quiet = !row.restarts.running && row.cycle.try_lock().is_ok();
            (quiet && row.last_heartbeat.is_some()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn augusts_conversation_is_the_same_here() {
    replay(AUGUST, Edition::MidAugust, (157, 22), DIFFER_IN_AUGUST).await;
}

async fn replay(recording: &str, edition: Edition, count: (usize, usize), known: &[(&str, &str)]) {
    let built = [("GIT_SHA".to_owned(), "aeec8e47a3a031e9a6b2278328bba23d86f8390b".to_owned())];
    let play = Play::new(Options {
        admin_token: ADMIN.into(),
        agent: AgentKind::Stub,
        heartbeat: Duration::from_secs(2),
        edition,
        behaviours: edition.behaviours(),
        server_env: if edition == Edition::MidJune { BTreeMap::new() } else { BTreeMap::from(built) },
        ..Options::default()
    })
    .await;
    let lines: Vec<Value> = recording.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (events, exchanges): (Vec<&Value>, Vec<&Value>) =
        lines.iter().partition(|l| l.get("event").is_some());
    assert_eq!((exchanges.len(), events.len()), count);
    let mut memory = Memory::default();
    // Where the create is refused, nobody is called so.
    memory.names.insert("seo".to_owned(), NOBODY.to_owned());
    let online = |event: &Value| event["type"] == "WORKSPACE_ONLINE";
    let starts = events.iter().filter(|l| online(&l["event"])).count();
    let (mut stream, mut seen) = (None, Vec::new());
    let mut differences = BTreeMap::new();
    for line in &exchanges {
        let label = line["label"].as_str().unwrap();
        if needs_online(line) {
            play.online(&memory.names["w1"]).await;
        }
        if label == "pause" {
            // In the recording the restart-context message came before the pause.
            heard(&play, &memory).await;
        }
        if label == "restart" {
            stream = Some(play.listen(&memory.names["w1"], &memory.tokens["w1"]).await);
        }
        if label == "peers" {
            // In the recording every start of `w1` was over before it was deleted.
            let stream: &mut UnboundedReceiver<Value> = stream.as_mut().unwrap();
            while seen.iter().filter(|e| online(e)).count() < starts {
                let next = crate::clock::timeout(Duration::from_secs(20), stream.recv()).await;
                seen.push(next.expect("w1 starts as often as recorded").unwrap());
            }
        }
        let got = ask(&play, &memory, line).await;
        memory.learn(line, &got);
        if let Err(why) = compare(&memory, line, &got) {
            differences.insert(label, format!("{label}: {why}"));
        }
    }
    let told = differences.values().cloned().collect::<Vec<_>>().join("\n");
    let expected: BTreeSet<&str> = known.iter().map(|(label, _)| *label).collect();
    assert_eq!(differences.keys().copied().collect::<BTreeSet<_>>(), expected, "{told}");
    let mut stream = stream.unwrap();
    while let Ok(Some(event)) = crate::clock::timeout(Duration::from_secs(2), stream.recv()).await {
        let last = event["type"] == "WORKSPACE_OFFLINE";
        seen.push(event);
        if last {
            break;
        }
    }
    let kinds = |list: &[&Value]| list.iter().map(|e| e["type"].to_string()).collect::<Vec<_>>();
    let want: Vec<&Value> = events.iter().map(|e| &e["event"]).collect();
    let steady =
        |list: &[&Value]| kinds(&list.iter().copied().filter(|e| !noise(&e["type"])).collect::<Vec<_>>());
    let got: Vec<&Value> = seen.iter().collect();
    assert_eq!(steady(&want), steady(&got));
    assert_eq!(BTreeSet::from_iter(kinds(&want)), BTreeSet::from_iter(kinds(&got)));
    let shape = Shape { names: &memory.names };
    for wanted in want {
        let same_kind = got.iter().filter(|g| g["type"] == wanted["type"]);
        let whys: Vec<String> =
            same_kind.clone().filter_map(|g| shape.differs(wanted, g, "event").err()).collect();
        assert!(whys.len() < same_kind.count(), "{whys:?}");
    }
    play.running.stop().await;
}

/// Waits until `w1` has been told of its restart.
async fn heard(play: &Play, memory: &Memory) {
    let path = format!("/workspaces/{}/chat-history?limit=20", memory.names["w1"]);
    for _ in 0..1_000 {
        let got = play.send("GET", &path, Some(&memory.tokens["w1"]), None).await;
        let told = got.body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["content"].as_str().unwrap().contains("was restarted at"));
        if told {
            return;
        }
        Clock::new(1.0).sleep(Duration::from_millis(10)).await;
    }
    panic!("no restart context");
}
