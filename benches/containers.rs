//! Real containers against the bars of DESIGN §11: the harness beside a server that somebody else runs, and the way to
//! the first `online` against the engine's own create and start of the same image.
//!
//! `cargo bench --bench containers`; needs a container engine (`DOCKER_HOST`, or the usual socket).
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up may panic")]
#![expect(clippy::disallowed_types, reason = "a process takes real time")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lifecycle_harness::facade::docker::{Action, ContainerSpec, Engine, Settings, names};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_lifecycle");
const TOKEN: &str = "bench-admin-token";
const TRIES: usize = 7;
const ONE: &str = "scenario: one
summary: Comes online and goes.
needs: [managed, containers]
budget: 5m
steps:
  - create: { as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: bench-key-1 } }
  - await:  { workspace: ws, status: online, within: 4m }
";

#[expect(clippy::disallowed_methods, reason = "a bench has no settings of its own")]
fn docker_host() -> Option<String> {
    std::env::var("DOCKER_HOST").ok().filter(|v| !v.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "between two looks at another process")]
fn nap(duration: Duration) {
    std::thread::sleep(duration);
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(BIN);
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(host) = docker_host() {
        command.env("DOCKER_HOST", host);
    }
    command
}

/// A server with containers, which ends with the value.
struct Server {
    child: Child,
    base: String,
    provider: String,
}

impl Server {
    fn start() -> Server {
        let args = ["serve", "platform", "--docker", "--listen", "127.0.0.1:0", "--time-scale", "10"];
        let mut command = command(&args);
        command.args(["--admin-token", TOKEN]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let line = |from: &mut dyn std::io::BufRead| {
            let mut text = String::new();
            from.read_line(&mut text).unwrap();
            text.trim().to_owned()
        };
        let base = line(&mut BufReader::new(child.stdout.take().unwrap()));
        let provider = line(&mut BufReader::new(child.stderr.take().unwrap()));
        Server { child, base, provider: provider.trim_start_matches("provider: ").to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).output();
        let _ = self.child.wait();
    }
}

/// Processor time of a process that lives, in seconds; the kernel counts hundredths.
fn cpu(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: f64 = [fields.next()?, fields.next()?].iter().filter_map(|f| f.parse::<f64>().ok()).sum();
    Some(ticks / 100.0)
}

/// Runs scenarios against a server; gives wall and processor time in seconds, and the log.
fn run(dir: &Path, server: &Server, scenario: &str) -> (f64, f64, Vec<Value>) {
    let _ = fs::remove_dir_all(dir.join("runs"));
    let began = Instant::now();
    let mut line =
        command(&["run", "-q", scenario, "--target", "live", "--docker", "--base-url", &server.base]);
    line.args(["--admin-token", TOKEN, "--provider-url", &server.provider]).current_dir(dir);
    let mut child = line.spawn().unwrap();
    let mut used = 0.0f64;
    let status = loop {
        used = used.max(cpu(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        nap(Duration::from_millis(2));
    };
    assert!(status.success(), "{scenario} ended with {status}");
    let folder = fs::read_dir(dir.join("runs")).unwrap().flatten().next().unwrap().path();
    let text = fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let log = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (began.elapsed().as_secs_f64(), used, log)
}

fn of<'a>(log: &'a [Value], kind: &'a str) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    log.iter().filter_map(move |e| Some((e, e["event"].get(kind)?)))
}

fn at(event: &Value) -> jiff::Timestamp {
    event["at"].as_str().unwrap().parse().unwrap()
}

/// From the create's request to the observation of online, in seconds.
fn to_online(log: &[Value]) -> f64 {
    let (sent, exchange) = of(log, "exchange").find(|(_, e)| e["purpose"] == "create").unwrap();
    let (seen, _) = of(log, "observed").find(|(_, o)| o["status"] == "online").unwrap();
    let took = exchange["took_ms"].as_f64().unwrap_or_default() / 1e3;
    at(seen).duration_since(at(sent)).as_secs_f64() + took
}

/// The engine's own create and start of the same image, in seconds.
async fn engines_own(engine: &Engine, image: &str, n: usize) -> f64 {
    let spec = ContainerSpec {
        name: format!("lifecycle-bench-{}-{n}", std::process::id()),
        image: image.to_owned(),
        network: Some(names::NETWORK.to_owned()),
        publish: Some((8000, 0)),
        memory: 512 << 20,
        nano_cpus: 1_000_000_000,
        ..ContainerSpec::default()
    };
    let began = Instant::now();
    let id = engine.create(&spec).await.unwrap();
    engine.act(&id, Action::Start).await.unwrap();
    let took = began.elapsed().as_secs_f64();
    engine.remove(&id).await.unwrap();
    took
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn row(what: &str, measured: &str, bar: &str) {
    println!("{what:<52} {measured:<44} {bar}");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Settings { host: docker_host(), ..Settings::default() };
    let found = settings.connect().and_then(|e| runtime.block_on(e.ping()).map(|()| e));
    let engine = match found {
        Ok(engine) => engine,
        Err(error) => return println!("nothing measured: {}", error.what),
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("one.yaml"), ONE).unwrap();
    let server = Server::start();
    row("what (middle of 7)", "measured", "bar (DESIGN §11)");

    let (mut walls, mut own, mut over, mut used, mut whole) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..TRIES {
        let (wall, cpu, log) = run(dir, &server, "local-provision");
        let (_, end) = of(&log, "scenario_finished").next().unwrap();
        let (took, platform) = (end["took_ms"].as_f64().unwrap(), end["platform_ms"].as_f64().unwrap());
        walls.push(took);
        own.push(platform);
        over.push((took / platform - 1.0) * 100.0);
        used.push(cpu);
        whole.push(wall);
    }
    let text = format!("{:.0} ms, platform {:.0} ms: +{:.1} %", middle(walls), middle(own), middle(over));
    row("local-provision on real containers", &text, "+5 %");
    row("  processor time of the harness", &format!("{:.2} s", middle(used)), "0.1 s");
    row("  the whole process, clean-up included", &format!("{:.2} s", middle(whole)), "");

    let image = runtime.block_on(engine.old_agent_images("")).unwrap().pop().unwrap();
    let (mut online, mut started) = (vec![], vec![]);
    for n in 0..TRIES {
        online.push(to_online(&run(dir, &server, "one.yaml").2));
        started.push(runtime.block_on(engines_own(&engine, &image, n)));
    }
    let (online, started) = (middle(online), middle(started));
    row("create to the first online", &format!("{:.0} ms", online * 1e3), "");
    row("the engine's own create and start", &format!("{:.0} ms", started * 1e3), "");
    row("  of each other", &format!("{:.2}", online / started), "");
}
