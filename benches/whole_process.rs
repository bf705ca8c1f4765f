//! Whole processes against the bars of DESIGN §11: wall time and peak memory, printed as a table.
//!
//! `cargo bench --bench whole_process`; the binary is the release build.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up may panic")]
#![expect(clippy::disallowed_types, reason = "a process takes real time")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_lifecycle");
const TOKEN: &str = "bench-admin-token";
const ONE: &str = "scenario: one
summary: Comes online and goes.
budget: 5m
steps:
  - create: { as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: bench-key-1 } }
  - await:  { workspace: ws, status: online, within: 4m }
  - delete: ws
";

/// What a process cost.
struct Cost {
    wall: Duration,
    peak_kb: u64,
    code: Option<i32>,
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BIN);
    command.args(args).current_dir(dir).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The high-water mark of a process's memory, while it lives.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "between two looks at another process")]
fn nap(duration: Duration) {
    std::thread::sleep(duration);
}

fn measure(dir: &Path, args: &[&str]) -> Cost {
    let began = Instant::now();
    let mut child = command(dir, args).spawn().unwrap();
    let mut peak_kb = 0;
    loop {
        peak_kb = peak_kb.max(peak(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            return Cost { wall: began.elapsed(), peak_kb, code: status.code() };
        }
        nap(Duration::from_millis(1));
    }
}

/// The best and the middle of some tries.
fn tries(n: usize, mut one: impl FnMut() -> Cost) -> (Cost, Duration) {
    let mut costs: Vec<Cost> = (0..n).map(|_| one()).collect();
    costs.sort_by_key(|c| c.wall);
    let middle = costs[n / 2].wall;
    (costs.swap_remove(0), middle)
}

struct Platform {
    child: Child,
    base: String,
}

impl Platform {
    fn start() -> Platform {
        let args = [
            "serve",
            "platform",
            "--listen",
            "127.0.0.1:0",
            "--time-scale",
            "1",
            "--boot",
            "1s",
            "--jitter",
            "0",
        ];
        let mut child = Command::new(BIN)
            .args(args)
            .args(["--admin-token", TOKEN])
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut base = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut base).unwrap();
        Platform { child, base: base.trim().to_owned() }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes connections on, except those that want an event stream.
fn without_events(base: &str) -> String {
    let upstream = base.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let upstream = upstream.clone();
            std::thread::spawn(move || -> std::io::Result<()> {
                let mut first = [0; 16 << 10];
                let read = client.read(&mut first)?;
                if first[..read].starts_with(b"GET /ws") || read == 0 {
                    return Ok(());
                }
                let mut server = TcpStream::connect(upstream)?;
                server.write_all(&first[..read])?;
                let (mut back, mut to) = (server.try_clone()?, client.try_clone()?);
                std::thread::spawn(move || std::io::copy(&mut back, &mut to));
                std::io::copy(&mut client, &mut server)?;
                server.shutdown(std::net::Shutdown::Write)
            });
        }
    });
    address
}

fn events(dir: &Path) -> Vec<Value> {
    let mut runs: Vec<_> = fs::read_dir(dir.join("runs")).unwrap().flatten().map(|e| e.path()).collect();
    runs.sort();
    let text = fs::read_to_string(runs.last().unwrap().join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// From the sending of the create to the observation of online, minus what the platform itself took.
fn lateness(dir: &Path, base: &str) -> Option<(f64, f64)> {
    let _ = fs::remove_dir_all(dir.join("runs"));
    let file = ONE.replace("  - delete: ws\n", "");
    fs::write(dir.join("stays.yaml"), file).unwrap();
    let line = ["run", "-q", "stays.yaml", "--base-url", base, "--admin-token", TOKEN, "--destroy", "never"];
    measure(dir, &line);
    let log = events(dir);
    let seen = log.iter().find(|e| {
        let seen = &e["event"]["observed"];
        seen["status"] == "online" && seen["workspace"] == "ws"
    })?;
    let id = seen["event"]["observed"]["id"].as_str()?.to_owned();
    let seen: jiff::Timestamp = seen["at"].as_str()?.parse().ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows: Value = runtime.block_on(async {
        let client = lifecycle_harness::facade::tls::client().no_proxy().build().unwrap();
        let sent = client.get(format!("{base}/events/{id}")).bearer_auth(TOKEN).send().await.unwrap();
        sent.json().await.unwrap()
    });
    let row = rows.as_array()?.iter().find(|r| r["event_type"] == "WORKSPACE_ONLINE")?;
    let happened: jiff::Timestamp = row["created_at"].as_str()?.parse().ok()?;
    let first = rows
        .as_array()?
        .iter()
        .filter_map(|r| r["created_at"].as_str()?.parse::<jiff::Timestamp>().ok())
        .min()?;
    let ms =
        |later: jiff::Timestamp, earlier: jiff::Timestamp| later.duration_since(earlier).as_secs_f64() * 1e3;
    let swept = ["sweep", "--admin-token", TOKEN];
    measure(dir, &swept);
    Some((ms(seen, happened), ms(happened, first)))
}

struct Table;

impl Table {
    fn row(&self, what: &str, measured: &str, bar: &str) {
        println!("{what:<52} {measured:<44} {bar}");
    }

    /// Where the time of the last try went: start-up, the scenarios, the platform's own part of them, clean-up.
    fn spans(&self, log: &[Value]) {
        let at = |kind: &str| {
            let of_kind = log.iter().filter(move |e| e["event"].get(kind).is_some());
            of_kind.filter_map(|e| e["ms"].as_u64()).collect::<Vec<_>>()
        };
        let (starts, ends) = (at("scenario_started"), at("scenario_finished"));
        let (first, last) = (starts[0], ends[ends.len() - 1]);
        let exchanges = log.iter().map(|e| &e["event"]["exchange"]).filter(|e| e["purpose"] == "delete");
        let mut deletes: Vec<u64> = exchanges.filter_map(|e| e["took_ms"].as_u64()).collect();
        deletes.sort_unstable();
        let delete = deletes.last().copied().unwrap_or_default();
        self.row("  first scenario begins → last one ends", &format!("{} ms", last - first), "");
        self.row("  of that the platform's slowest answer to a DELETE", &format!("{delete} ms"), "");
        let end = log.last().and_then(|e| e["ms"].as_u64()).unwrap_or(last);
        let rest = end.saturating_sub(last - first);
        self.row("  start-up and clean-up, apart", &format!("{rest} ms"), "");
    }

    fn cost(&self, what: &str, (best, middle): &(Cost, Duration), bar: &str) {
        let failed = best.code.filter(|c| *c != 0).map(|c| format!(" EXIT {c}")).unwrap_or_default();
        let text = format!(
            "{:.1} ms best, {:.1} ms middle, {:.1} MB{failed}",
            best.wall.as_secs_f64() * 1e3,
            middle.as_secs_f64() * 1e3,
            best.peak_kb as f64 / 1024.0
        );
        self.row(what, &text, bar);
    }
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("one.yaml"), ONE).unwrap();
    let table = Table;
    table.row("what", "measured", "bar (DESIGN §11)");

    table.cost("--help", &tries(20, || measure(dir, &["--help"])), "15 ms");
    fs::create_dir(dir.join("hundred")).unwrap();
    for n in 0..100 {
        let text = include_str!("../scenarios/local/env-projection-minimax.yaml");
        let name = format!("scenario: bench-{n}");
        let text = text.replace("scenario: local-env-projection-minimax", &name);
        fs::write(dir.join(format!("hundred/{n}.yaml")), text).unwrap();
    }
    table.cost("check of 100 scenarios", &tries(10, || measure(dir, &["check", "hundred"])), "100 ms");

    let platform = Platform::start();
    for (count, n, bar) in
        [("1", 5, "online + 30 ms, 20 MB"), ("50", 3, "1.1 s, 40 MB"), ("1000", 2, "2 s, 150 MB")]
    {
        let line = [
            "run",
            "-q",
            "one.yaml",
            "--base-url",
            &platform.base,
            "--admin-token",
            TOKEN,
            "--repeat",
            count,
            "--jobs",
            "1000",
        ];
        let cost = tries(n, || measure(dir, &line));
        table.cost(&format!("{count} × create, online at 1.0 s, delete"), &cost, bar);
        let log = events(dir);
        table.spans(&log);
    }
    for (what, base, bar) in [
        ("a change is seen, with events", platform.base.clone(), "10 ms"),
        ("a change is seen, by polling", without_events(&platform.base), "2 % of the time waited"),
    ] {
        let mut late: Vec<(f64, f64)> = (0..5).filter_map(|_| lateness(dir, &base)).collect();
        late.sort_by(|a, b| a.0.total_cmp(&b.0));
        match (late.get(late.len() / 2), late.last()) {
            (Some(middle), Some(worst)) => {
                let text =
                    format!("{:.1} ms middle, {:.1} ms worst of {:.0} ms", middle.0, worst.0, middle.1);
                table.row(what, &text, bar);
            }
            _ => table.row(what, "was not seen", bar),
        }
    }
    drop(platform);

    let _ = fs::remove_dir_all(dir.join("runs"));
    table.cost("the whole embedded suite", &tries(3, || measure(dir, &["run", "-q"])), "10 s");
    let log = events(dir);
    let exchange = log.iter().rev().find(|e| e["event"].get("exchange").is_some());
    if let Some(line) = exchange.map(ToString::to_string) {
        let big = dir.join("big");
        fs::create_dir_all(&big).unwrap();
        let mut file = std::io::BufWriter::new(fs::File::create(big.join("events.jsonl")).unwrap());
        let mut written = 0;
        for event in &log[..log.len() - 1] {
            writeln!(file, "{event}").unwrap();
        }
        while written < 100 << 20 {
            writeln!(file, "{line}").unwrap();
            written += line.len() + 1;
        }
        writeln!(file, "{}", log[log.len() - 1]).unwrap();
        file.flush().unwrap();
        for (what, command) in [("report of a 100 MB log", "report"), ("explain of a 100 MB log", "explain")]
        {
            table.cost(what, &tries(3, || measure(dir, &[command, "big"])), "1 s, memory flat");
        }
    }
}
