//! A live server with real containers, its wire spoilt or itself taken away: no wrong verdict, nothing left untold.
//! `LIFECYCLE_SOAK=1` runs the long series and prints how long each ending took at most.

use std::time::Duration;

use super::super::harness::{Process, of_kind, soak, word};
use super::super::proxy::{ALL, Mischief, NOBODYS, Proxy, Rule};
use super::*;

const SCENARIOS: [&str; 3] = ["local-provision", "local-restart-twice", "local-pause-resume"];

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
            .args(["--time-scale", "10", "--listen", listen])
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

/// From the first sign of the end, a scenario's clean-up or a cancelled run, to the log's last line.
fn ending(output: &Output) -> Duration {
    let events = output.events();
    let at = |event: &serde_json::Value| word(&event["at"]).parse::<jiff::Timestamp>().unwrap();
    let begins = |event: &&serde_json::Value| {
        ["cancel_began", "cleanup_started"].iter().any(|kind| event["event"].get(*kind).is_some())
    };
    let began = events.iter().find(begins).or(events.last()).map(at).unwrap();
    let ended = events.last().map(at).unwrap();
    ended.duration_since(began).try_into().unwrap_or_default()
}

fn tell(series: &str, runs: usize, longest: Duration) {
    eprintln!("{series}: {runs} runs, the longest ending took {:.1} s", longest.as_secs_f64());
}

#[test]
fn a_bad_wire_makes_no_red_of_real_containers() {
    let Some(held) = engine() else { return };
    let server = Server::start("127.0.0.1:0");
    let before = Held::inventory(&held.engine);
    let every: &[usize] = if soak() { &[3, 4, 5, 6, 7, 9] } else { &[5] };
    let kinds: Vec<Mischief> = match soak() {
        true => ALL.into_iter().chain(NOBODYS).collect(),
        false => vec![Mischief::Truncated],
    };
    let (mut runs, mut longest) = (0, Duration::ZERO);
    for mischief in kinds {
        for every in every {
            let rule = Rule { mischief, begins: "GET ", every: *every, reaches: false };
            let proxy = Proxy::before_address(&server.base, Some(rule));
            let output = server.run(&proxy.base).run();
            let what = format!("{mischief:?}, every {every}");
            is_no_red_of_the_platform(&output, &what);
            here(output.then(["sweep", "--docker"])).env("ADMIN_TOKEN", TOKEN).run().exit(0);
            assert_eq!(Held::inventory(&held.engine), before, "{what}");
            (runs, longest) = (runs + 1, longest.max(ending(&output)));
        }
    }
    tell("wire", runs, longest);
    server.process.signal("TERM");
    server.process.output().exit(0);
    held.as_before("after a bad wire");
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
    let runs = if soak() { 40 } else { 2 };
    let mut longest = Duration::ZERO;
    for (death, n) in deaths.into_iter().cycle().zip(0..runs) {
        let mut server = Server::start("127.0.0.1:0");
        let run = server.run(&server.base).spawn();
        wait_for("a container of the run", || {
            let found = block(held.engine.labelled(names::RUN, None)).unwrap();
            (!found.is_empty()).then_some(())
        });
        moment(Duration::from_millis(50 + n * 137 % 2_500));
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
        longest = longest.max(ending(&output));
        let what = format!("{death:?} at moment {n}");
        is_no_red_of_the_platform(&output, &what);
        server.process.signal("TERM");
        drop(server.process.output());
        here(output.then(["sweep", "--docker", "--forget"])).env("ADMIN_TOKEN", TOKEN).run();
        docker_of(["sweep", "--docker", "--older-than", "0s"]).run().exit(0);
        held.as_before(&what);
    }
    tell("server death", usize::try_from(runs).unwrap_or_default(), longest);
}
