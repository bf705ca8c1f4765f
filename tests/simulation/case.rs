//! What a seed decides.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use lifecycle_harness::facade::behaviour::Edition;
use lifecycle_harness::facade::reference::control_plane::Rule as Route;
use lifecycle_harness::facade::reference::fault_runs::{self, FaultRun};
use lifecycle_harness::facade::reference::faults;
use lifecycle_harness::facade::reference::options::{AgentKind, BootTiming};
use lifecycle_harness::facade::run::signals::Signal;
use lifecycle_harness::facade::scenario::{self, Scenario, expand_matrix};
use lifecycle_harness::facade::targets::saas::Spread;
use lifecycle_harness::facade::wire::{Fault, Side, What};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use std::time::Duration;

/// The shipped scenarios that a tenant of a control plane can run: where nothing runs, there is nothing to examine.
pub(crate) static OF_TENANTS: LazyLock<Vec<Arc<Scenario>>> = LazyLock::new(|| {
    let fragments = scenario::shipped_fragments();
    let files = scenario::shipped().into_iter().filter(|file| !file.name.contains("docker/"));
    files
        .map(|file| {
            Arc::new(scenario::load(&file, &fragments).scenario.expect("shipped scenarios are right"))
        })
        .filter(|scenario| !needs(scenario, &["containers", "limits"]))
        .collect()
});

/// Those that a live server without an engine can run.
pub(crate) static SCENARIOS: LazyLock<Vec<Arc<Scenario>>> =
    LazyLock::new(|| OF_TENANTS.iter().filter(|scenario| !needs(scenario, &["org"])).cloned().collect());

fn needs(scenario: &Scenario, any: &[&str]) -> bool {
    scenario.needs.iter().any(|need| any.contains(&need.as_str()))
}

/// One run and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub seed: u64,
    /// Names of instances; a scenario without a matrix is its only one.
    pub instances: Vec<String>,
    /// A scenario of this case's own, which is not shipped.
    pub own: Option<&'static str>,
    pub jobs: u32,
    /// After so many reds the run ends.
    pub max_fail: Option<u32>,
    /// How much faster than time the platform's clock runs.
    pub time_scale: f64,
    /// The machine that runs the harness has keys of vendors.
    pub keys: bool,
    /// Workspaces of others: there before the run, and made while it runs.
    pub strangers: usize,
    pub late_stranger: Option<u64>,
    /// A request is so long on its way, at most.
    pub latency: Duration,
    pub trouble: Trouble,
    pub cut: Cut,
    /// The sweep after a kill begins before what is under way on the platform has come true.
    pub swept_at_once: bool,
    /// What the table of faults says of this run.
    pub row: Option<&'static FaultRun>,
    pub inputs: BTreeMap<String, String>,
    pub server: Server,
    /// A control plane is the target: the run makes an organisation there.
    pub plane: bool,
    /// How many organisations.
    pub spread: Option<Spread>,
}

/// What the platform is, while nothing is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    pub edition: Edition,
    /// The edition that somebody says it is; else it is found.
    pub expected: Option<Edition>,
    pub agent: AgentKind,
    pub boot: BootTiming,
    /// As somebody else's: it shows no environment and tells of no provider.
    pub closed: bool,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    None,
    /// Faults of the reference platform.
    Platform(Vec<String>),
    Wire(Rule),
    /// The first rule that matches decides.
    Wires(Vec<Rule>),
    /// What the control plane answers in place of the truth.
    Plane(Vec<Route>),
    /// The server's process dies and comes back with all it knew.
    Down {
        at: Duration,
        lasts: Duration,
    },
    /// It stands still.
    Frozen {
        at: Duration,
        lasts: Duration,
    },
}

/// Which requests meet which fault of the wire.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub from: Side,
    pub fault: Fault,
    /// Of those that match: the first that meets it, and how many do.
    pub after: u64,
    pub count: u64,
    pub matching: Matching,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Matching {
    All,
    Reads,
    Creates,
    Deletes,
    Mutations,
    /// With this method, and a path that ends so.
    Ends(&'static str, &'static str),
    /// With this method, and a path that begins so.
    Begins(&'static str, &'static str),
    /// Every one with this chance, in percent.
    Share(u8),
}

/// How a run ends before its end.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    None,
    Signals(Vec<(When, Signal)>),
    /// `kill -9`, then a sweep.
    Kill(When),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    Event(u64),
    /// As a request of the harness leaves.
    Request(u64),
    After(Duration),
}

impl Case {
    pub(crate) fn of(seed: u64) -> Case {
        let mut chance = StdRng::seed_from_u64(seed ^ 0x6c69_6665);
        if chance.random_bool(0.12) {
            return Case::of_a_row(seed, &mut chance);
        }
        let mut scenarios: Vec<&Arc<Scenario>> = SCENARIOS.iter().collect();
        scenarios.shuffle(&mut chance);
        let how_many = *[1, 1, 1, 2, 2, 3].choose(&mut chance).unwrap();
        let instances = scenarios[..how_many]
            .iter()
            .map(|scenario| {
                let mut all = expand_matrix(scenario);
                all.swap_remove(chance.random_range(0..all.len())).name
            })
            .collect();
        let trouble = match chance.random_range(0..100) {
            0..15 => Trouble::None,
            15..40 => Trouble::Platform(platform_faults(&mut chance)),
            40..85 => Trouble::Wire(rule(&mut chance)),
            85..93 => Trouble::Down { at: moment(&mut chance), lasts: window(&mut chance) },
            _ => Trouble::Frozen { at: moment(&mut chance), lasts: window(&mut chance) },
        };
        let cut = match chance.random_range(0..100) {
            0..55 => Cut::None,
            55..80 => Cut::Signals(signals(&mut chance)),
            _ => Cut::Kill(when(&mut chance)),
        };
        Case {
            seed,
            instances,
            own: None,
            jobs: chance.random_range(1..=3),
            max_fail: None,
            time_scale: *[40.0, 40.0, 10.0, 1.0].choose(&mut chance).unwrap(),
            keys: chance.random_bool(0.5),
            strangers: chance.random_range(0..3),
            late_stranger: chance.random_bool(0.3).then(|| chance.random_range(5..150)),
            latency: Duration::from_millis(*[0, 0, 2, 30].choose(&mut chance).unwrap()),
            trouble,
            swept_at_once: matches!(cut, Cut::Kill(_)) && seed.is_multiple_of(2),
            cut,
            row: None,
            inputs: BTreeMap::new(),
            server: Server::default(),
            plane: false,
            spread: None,
        }
    }

    /// An organisation's life: made at a control plane, scenarios on its tenant, purged.
    pub(crate) fn of_organisation(seed: u64) -> Case {
        let mut chance = StdRng::seed_from_u64(seed ^ 0x6f72_6761);
        let base = Case::of(seed);
        let mut scenarios: Vec<&Arc<Scenario>> = OF_TENANTS.iter().collect();
        scenarios.shuffle(&mut chance);
        let of_lanes = |s: &&Arc<Scenario>| s.tags.iter().any(|tag| ["staging", "replays"].contains(&&**tag));
        let of_lanes: Vec<_> = scenarios.iter().copied().filter(of_lanes).collect();
        let from = if chance.random_bool(0.7) { of_lanes } else { scenarios };
        let how_many = *[1, 1, 1, 2, 2, 3].choose(&mut chance).unwrap();
        let instances = from[..how_many].iter().map(|scenario| {
            let mut all = expand_matrix(scenario);
            all.swap_remove(chance.random_range(0..all.len())).name
        });
        let instances = instances.collect();
        let trouble = match chance.random_range(0..100) {
            0..15 => Trouble::None,
            15..25 => Trouble::Platform(platform_faults(&mut chance)),
            25..60 => Trouble::Plane((0..chance.random_range(1..=2)).map(|_| route(&mut chance)).collect()),
            60..86 => Trouble::Wire(rule(&mut chance)),
            86..94 => Trouble::Down { at: moment(&mut chance), lasts: window(&mut chance) },
            _ => Trouble::Frozen { at: moment(&mut chance), lasts: window(&mut chance) },
        };
        let cut = match chance.random_range(0..100) {
            0..50 => Cut::None,
            50..78 => Cut::Signals(signals(&mut chance)),
            _ => Cut::Kill(when(&mut chance)),
        };
        let edition = *[Edition::default(), Edition::MidAugust].choose(&mut chance).unwrap();
        Case {
            instances,
            own: None,
            trouble,
            cut,
            strangers: chance.random_range(0..3),
            swept_at_once: false,
            row: None,
            inputs: BTreeMap::new(),
            server: Server { edition, ..Server::default() },
            plane: true,
            spread: chance
                .random_bool(0.5)
                .then(|| ["2", "each"].choose(&mut chance).unwrap().parse().unwrap()),
            ..base
        }
    }

    /// A fault of the table, and a scenario that must notice it.
    fn of_a_row(seed: u64, chance: &mut StdRng) -> Case {
        let fits = |row: &&FaultRun| row.verdict.is_some() && row.scenarios != ["waits"];
        let rows: Vec<&'static FaultRun> = fault_runs::TABLE.iter().filter(fits).collect();
        let row = *rows.choose(chance).unwrap();
        let mut case = Case {
            seed,
            own: None,
            instances: vec![(*row.scenarios.choose(chance).unwrap()).to_owned()],
            jobs: 1,
            max_fail: None,
            time_scale: 40.0,
            keys: false,
            strangers: chance.random_range(0..2),
            late_stranger: None,
            latency: Duration::from_millis(*[0, 2].choose(chance).unwrap()),
            trouble: Trouble::Platform(vec![row.fault.to_owned()]),
            cut: Cut::None,
            swept_at_once: false,
            row: Some(row),
            inputs: BTreeMap::new(),
            server: Server::default(),
            plane: false,
            spread: None,
        };
        for flag in row.flags.chunks(2) {
            match flag {
                ["--edition", edition] => case.server.edition = Edition::named(edition).unwrap(),
                ["--time-scale", scale] => case.time_scale = scale.parse().unwrap(),
                ["-i", input] => {
                    let (name, value) = input.split_once('=').unwrap();
                    case.inputs.insert(name.to_owned(), value.to_owned());
                }
                other => panic!("{other:?}"),
            }
        }
        case
    }

    /// A run to which nothing happens.
    pub(crate) fn healthy(seed: u64) -> Case {
        let mut case = Case::of(seed);
        // A row's inputs are for its fault.
        case.inputs.clear();
        Case { trouble: Trouble::None, cut: Cut::None, swept_at_once: false, row: None, ..case }
    }

    pub(crate) fn is_healthy(&self) -> bool {
        matches!((&self.trouble, &self.cut), (Trouble::None, Cut::None))
    }
}

fn moment(chance: &mut StdRng) -> Duration {
    Duration::from_millis(chance.random_range(0..6_000))
}

fn window(chance: &mut StdRng) -> Duration {
    Duration::from_millis(*[200, 2_000, 10_000, 45_000, 600_000].choose(chance).unwrap())
}

fn when(chance: &mut StdRng) -> When {
    match chance.random_range(0..3) {
        0 => When::Event(chance.random_range(1..150)),
        1 => When::Request(chance.random_range(1..120)),
        _ => When::After(moment(chance)),
    }
}

fn signals(chance: &mut StdRng) -> Vec<(When, Signal)> {
    let first = *[Signal::Interrupt, Signal::Interrupt, Signal::Terminate].choose(chance).unwrap();
    let mut signals = vec![(when(chance), first)];
    if chance.random_bool(0.3) {
        signals.push((when(chance), Signal::Interrupt));
    }
    if chance.random_bool(0.2) {
        signals.push((when(chance), Signal::Terminate));
    }
    if chance.random_bool(0.1) {
        signals.push((when(chance), Signal::Dump));
    }
    signals
}

fn platform_faults(chance: &mut StdRng) -> Vec<String> {
    // Those of the wire are the wire's.
    let of_the_wire = |name: &str| name == "hang" || name.ends_with("-every-n");
    let mut names: Vec<&str> =
        faults::ALL.iter().map(|info| info.name).filter(|name| !of_the_wire(name)).collect();
    names.shuffle(chance);
    let how_many = if chance.random_bool(0.2) { 2 } else { 1 };
    names[..how_many].iter().map(|name| (*name).to_owned()).collect()
}

/// What a control plane may say or do when it should not.
fn route(chance: &mut StdRng) -> Route {
    let (method, path, org) = *[
        ("GET", "/health", ""),
        ("GET", "/cp/admin/orgs", ""),
        ("GET", "/cp/admin/orgs", ""),
        ("POST", "/cp/admin/orgs", ""),
        ("POST", "/cp/admin/orgs", ""),
        ("POST", "/cp/admin/orgs", ""),
        ("GET", "/cp/admin/orgs/*", ""),
        ("GET", "/cp/admin/quota", ""),
        ("DELETE", "/cp/admin/tenants/*", ""),
        ("DELETE", "/cp/admin/tenants/*", ""),
        ("DELETE", "/cp/admin/tenants/*", ""),
        ("", "/cp/admin/*", ""),
        ("POST", "/cp/workspaces/provision", ""),
        ("DELETE", "/cp/workspaces/*", ""),
        ("GET", "/cp/workspaces/*", ""),
        ("GET", "/cp/tenants/config", ""),
        ("GET", "/health", "*"),
        ("GET", "/workspaces*", "*"),
        ("", "/*", "*"),
    ]
    .choose(chance)
    .unwrap();
    let mut route = Route { method: method.into(), path: path.into(), org: org.into(), ..Route::default() };
    match chance.random_range(0..10) {
        0..5 => {
            let codes = [202, 400, 401, 403, 404, 409, 422, 500, 502, 503, 504];
            route.status = codes.choose(chance).copied();
            route.body = chance.random_bool(0.5).then(|| json!({ "error": "not now" }));
        }
        5 => {
            (route.status, route.body) = (Some(429), Some(json!({ "error": "slow down" })));
            route.headers.insert("retry-after".into(), (*["1", "20"].choose(chance).unwrap()).into());
        }
        6 => {
            let bodies = ["<html><body>Bad Gateway</body></html>", "\u{1}not json {", ""];
            let status = *[200, 201, 502].choose(chance).unwrap();
            (route.status, route.body) = (Some(status), Some(json!(bodies.choose(chance).unwrap())));
        }
        7 => route.reset = true,
        8 => route.hang = true,
        _ => route.delay_ms = *[3_000, 40_000].choose(chance).unwrap(),
    }
    // A hang comes before or after the work, a delay before the truth.
    route.after = route.delay_ms == 0 && chance.random_bool(0.4);
    route.times = *[Some(1), Some(1), Some(2), Some(5), None].choose(chance).unwrap();
    route
}

fn rule(chance: &mut StdRng) -> Rule {
    let what = *[
        What::Refused,
        What::Reset,
        What::Reset,
        What::Hang,
        What::Hang,
        What::Slow(Duration::from_secs(3)),
        What::Truncated,
        What::Garbage,
        What::Page(502),
        What::Page(503),
        What::Page(504),
        What::TooMany(1),
        What::TooMany(20),
        What::Redirect,
        What::WrongType,
        What::Garbled,
        What::Empty,
        What::Echo,
    ]
    .choose(chance)
    .unwrap();
    let handled = matches!(what, What::Truncated | What::Slow(_))
        || (what != What::Refused && !matches!(what, What::TooMany(_)) && chance.random_bool(0.5));
    let matching = *[
        Matching::All,
        Matching::Reads,
        Matching::Creates,
        Matching::Creates,
        Matching::Deletes,
        Matching::Deletes,
        Matching::Mutations,
        Matching::Share(5),
        Matching::Share(20),
    ]
    .choose(chance)
    .unwrap();
    Rule {
        from: *[Side::Harness, Side::Harness, Side::Harness, Side::Platform, Side::Agent]
            .choose(chance)
            .unwrap(),
        fault: Fault { what, handled },
        after: match matching {
            Matching::Share(_) => 0,
            // A run has few of them.
            Matching::Creates | Matching::Deletes => chance.random_range(0..40) / 10,
            _ => chance.random_range(0..40) / 3,
        },
        count: *[1, 1, 2, 5, 1_000_000].choose(chance).unwrap(),
        matching,
    }
}
