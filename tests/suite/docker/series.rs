//! Real containers, the run ended at any moment, the wire to a live server spoilt, or the server taken away: no wrong
//! verdict, nothing left untold. `LIFECYCLE_SOAK=1` runs the long series and prints how long each ending took at most.

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::harness::{Process, moment, of_kind, soak, word};
use super::super::proxy::{ALL, Mischief, NOBODYS, Proxy, Rule};
use super::*;

const SCENARIOS: [&str; 3] = ["local-provision", "local-restart-twice", "local-pause-resume"];

/// How much faster the server's clock runs. Its agents are processes: at ten times, a machine that has no time for them for
/// 18 s has them taken down for their silence, which is no fault of a wire.
const SCALE: &str = "4";

/// A server whose workspaces are containers.
struct Server {
    process: Process,
    base: String,
    provider: String,
}

impl Server {
    /// At this address, or at one of its own.
    fn start(listen: &str) -> Server {
        let mut process = docker_of(["serve", "platform", "--docker", "--admin-token", TOKEN])
            .args(["--time-scale", SCALE, "--listen", listen])
            .spawn();
        let (out, err) = wait_for("the server", || {
            assert!(!process.ended(), "it ended: {}", process.stderr());
            process.stderr().contains("stop it").then(|| (process.stdout(), process.stderr()))
        });
        let base = out.lines().next().unwrap().to_owned();
        let provider = err.split("provider: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        Server { process, base, provider }
    }

    fn run(&self, base: &str) -> Harness {
        let run = here(Harness::new().args(["run", "-q"]).args(SCENARIOS));
        run.args(["--docker", "--provider-url", &self.provider]).at(base)
    }
}

/// What a run may end with when nothing but the way to the server was bad, or the server itself away.
#[track_caller]
fn is_no_red_of_the_platform(output: &Output, what: &str) {
    let code = output.code();
    assert!(matches!(code, Some(0 | 3)), "{what}: {code:?}\n{}", output.stderr);
    for ended in of_kind(&output.events(), "scenario_finished") {
        let (verdict, class) = (word(&ended["verdict"]), word(&ended["class"]));
        assert!(verdict != "failed" || class != "product", "{what}: {ended}");
    }
    every_intent_is_settled_or_told(output, what);
}

/// What is in the ledger is gone, or told as left.
#[track_caller]
fn every_intent_is_settled_or_told(output: &Output, what: &str) {
    let events = output.events();
    let resources = |kind: &str| -> BTreeSet<String> {
        of_kind(&events, kind).map(|event| word(&event["resource"])).collect()
    };
    let (owned, released, left) = (resources("owned"), resources("released"), resources("left"));
    let open: Vec<_> = owned.iter().filter(|r| !released.contains(*r) && !left.contains(*r)).collect();
    assert!(open.is_empty(), "{what}: neither gone nor told: {open:?}");
}

/// From the interrupt, or else from the end of the last step, to the log's last line: evidence and clean-up.
fn ending(output: &Output) -> Duration {
    let events = output.events();
    let at = |event: &serde_json::Value| word(&event["at"]).parse::<jiff::Timestamp>().unwrap();
    let is = |kind: &'static str| move |event: &&serde_json::Value| event["event"].get(kind).is_some();
    let stepped = || events.iter().rfind(is("step_finished"));
    let began = events.iter().find(is("cancel_began")).or_else(stepped).or(events.last()).map(at).unwrap();
    let ended = events.last().map(at).unwrap();
    ended.duration_since(began).try_into().unwrap_or_default()
}

/// One series: a red run is told, its folder is kept, and the others go on.
struct Series<'a> {
    name: &'static str,
    held: &'a Held,
    runs: usize,
    longest: (Duration, String),
    red: Vec<String>,
}

impl Series<'_> {
    fn new<'a>(name: &'static str, held: &'a Held) -> Series<'a> {
        Series { name, held, runs: 0, longest: Default::default(), red: Vec::new() }
    }

    /// `check` panics where the run is red.
    fn ran(&mut self, what: String, output: &Output, ending: Duration, check: impl FnOnce(&str)) {
        self.runs += 1;
        eprintln!("{} {}: {what}: {:?}, {:.1} s", self.name, self.runs, output.code(), ending.as_secs_f64());
        if ending > self.longest.0 {
            self.longest = (ending, what.clone());
        }
        if catch_unwind(AssertUnwindSafe(|| check(&what))).is_err() {
            forget(Arc::clone(&output.dir));
            self.red.push(format!("{what}, kept in {}", output.dir.path().display()));
            docker_of(["sweep", "--docker", "--older-than", "0s"]).run();
        }
    }

    #[track_caller]
    fn end(self) {
        let (longest, what) = self.longest;
        let seconds = longest.as_secs_f64();
        eprintln!(
            "{}: {} runs, {} red; the longest ending took {seconds:.1} s ({what})",
            self.name,
            self.runs,
            self.red.len()
        );
        assert!(self.red.is_empty(), "{}: {:#?}", self.name, self.red);
        self.held.as_before(self.name);
    }
}

/// The log of a run of [`SCENARIOS`] has some 200 lines; when it has so many, the last clean-ups are under way.
const LINES: usize = 180;

/// Moments of a run, as lengths of its log: a time would be before the first container on a busy machine.
/// `LIFECYCLE_SOAK=1` tries sixty.
fn moments(usual: usize) -> impl Iterator<Item = usize> {
    let count = if soak() { 60 } else { usual };
    (0..count).map(move |n| 2 + n * LINES / count)
}

/// How many lines a run's log has.
fn lines_of(run: &Process) -> usize {
    let log = run.run_folder().map(|folder| folder.join("events.jsonl"));
    let log = log.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    log.iter().filter(|byte| **byte == b'\n').count()
}

/// Until a run's log has so many lines, or the run has ended.
fn at_line(run: &mut Process, lines: usize) {
    wait_for("a moment of a run", || (lines_of(run) >= lines || run.ended()).then_some(()));
}

#[test]
fn interrupts_at_any_moment_leave_nothing() {
    let Some(held) = engine() else { return };
    let mut series = Series::new("interrupt", &held);
    for (n, lines) in moments(6).enumerate() {
        let mut run = docker().args(SCENARIOS).spawn();
        at_line(&mut run, lines);
        let (name, code) = if n % 2 == 0 { ("INT", 130) } else { ("TERM", 143) };
        run.signal(name);
        let output = run.output();
        series.ran(format!("{name} after {lines} lines"), &output, ending(&output), |what| {
            // The last moments may be after everything; while a target opens or closes no step is there to be cancelled.
            let met = of_kind(&output.events(), "cancel_began").next().is_some();
            let fine = output.code() == Some(code) || (!met && output.code() == Some(0));
            assert!(fine, "{what}: {:?}\n{}", output.code(), output.stderr);
            every_intent_is_settled_or_told(&output, what);
            held.as_before(what);
        });
    }
    series.end();
}

#[test]
fn a_kill_and_a_sweep_leave_nothing() {
    let Some(held) = engine() else { return };
    let mut series = Series::new("kill and sweep", &held);
    for lines in moments(3) {
        let mut run = docker().args(SCENARIOS).spawn();
        at_line(&mut run, lines);
        run.signal("KILL");
        let output = run.output();
        let began = Instant::now();
        let swept = [["sweep", "--docker", "--dry-run"].as_slice(), &["sweep", "--docker"]]
            .map(|words| here(output.then(words.iter().copied())).run());
        series.ran(format!("KILL after {lines} lines and a sweep"), &output, began.elapsed(), |what| {
            assert!(matches!(output.code(), None | Some(0)), "{what}: {:?}", output.code());
            for sweep in swept {
                sweep.exit(0);
            }
            held.as_before(what);
        });
    }
    series.end();
}

/// What is spoilt: reads in every way that the wire has, and writes that reach the platform while their answers do not
/// come back.
fn rules() -> Vec<Rule> {
    let reads = |mischief, every| Rule { mischief, begins: "GET ", every, reaches: false };
    if !soak() {
        return vec![reads(Mischief::Truncated, 5)];
    }
    let writes =
        |mischief, every| Rule { mischief, begins: "POST |PUT |PATCH |DELETE ", every, reaches: true };
    let all = ALL.into_iter().chain(NOBODYS);
    let mut rules: Vec<Rule> =
        all.flat_map(|mischief| [3, 4, 5, 6, 7, 9].map(|every| reads(mischief, every))).collect();
    for mischief in [Mischief::Reset, Mischief::Status503, Mischief::Truncated, Mischief::Hang] {
        rules.extend([2, 3, 5].map(|every| writes(mischief, every)));
    }
    rules
}

#[test]
fn a_bad_wire_makes_no_red_of_real_containers() {
    let Some(held) = engine() else { return };
    let server = Server::start("127.0.0.1:0");
    let before = Held::inventory(&held.engine);
    let mut series = Series::new("wire", &held);
    for rule in rules() {
        let proxy = Proxy::before_address(&server.base, Some(rule));
        let output = server.run(&proxy.base).run();
        let swept = here(output.then(["sweep", "--docker"])).env("ADMIN_TOKEN", TOKEN).run();
        let after = Held::inventory(&held.engine);
        let writes = if rule.reaches { "writes" } else { "reads" };
        let what = format!("{:?}, every {} of the {writes}", rule.mischief, rule.every);
        series.ran(what, &output, ending(&output), |what| {
            is_no_red_of_the_platform(&output, what);
            swept.exit(0);
            assert_eq!(after, before, "{what}");
        });
    }
    server.process.signal("TERM");
    server.process.output().exit(0);
    series.end();
}

/// What happens to a server.
#[derive(Clone, Copy, Debug)]
enum Death {
    Killed,
    Frozen(u64),
    KilledAndBack,
}

#[test]
fn a_server_that_goes_away_is_told_and_its_containers_are_swept() {
    let Some(held) = engine() else { return };
    let deaths = [Death::Frozen(3), Death::Killed, Death::KilledAndBack, Death::Frozen(40)];
    let runs = if soak() { 40_usize } else { 2 };
    let mut series = Series::new("server death", &held);
    for (death, n) in deaths.into_iter().cycle().zip(0..runs) {
        let mut server = Server::start("127.0.0.1:0");
        let before = Held::inventory(&held.engine);
        let mut run = server.run(&server.base).spawn();
        wait_for("a container of the run", || {
            let found = block(held.engine.labelled(names::RUN, None)).unwrap();
            (!found.is_empty()).then_some(())
        });
        let made = lines_of(&run);
        at_line(&mut run, made + n * 37 % 120);
        match death {
            Death::Killed => server.process.signal("KILL"),
            Death::Frozen(seconds) => {
                server.process.signal("STOP");
                moment(Duration::from_secs(seconds));
                server.process.signal("CONT");
            }
            Death::KilledAndBack => {
                let address = server.base.trim_start_matches("http://").to_owned();
                server.process.signal("KILL");
                drop(server.process.output());
                server = Server::start(&address);
            }
        }
        let output = run.output();
        let after = Held::inventory(&held.engine);
        let what = format!("{death:?} at moment {n}");
        server.process.signal("TERM");
        drop(server.process.output());
        here(output.then(["sweep", "--docker", "--forget"])).env("ADMIN_TOKEN", TOKEN).run();
        docker_of(["sweep", "--docker", "--older-than", "0s"]).run().exit(0);
        series.ran(what, &output, ending(&output), |what| {
            is_no_red_of_the_platform(&output, what);
            let told = of_kind(&output.events(), "left").next().is_some();
            // The server that came back has a share in the network of its own.
            let of_workspaces = |thing: &&String| thing.contains(" ws-");
            let there: Vec<_> = after.difference(&before).filter(of_workspaces).collect();
            assert!(told || there.is_empty(), "{what}: there and not told: {there:?}");
            held.as_before(what);
        });
    }
    series.end();
}
