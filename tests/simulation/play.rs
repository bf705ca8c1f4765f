//! Plays a case: one runtime, one thread, no real second.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lifecycle_harness::facade::clock::{self, Instant};
use lifecycle_harness::facade::domain::{ExitCode, Secret};
use lifecycle_harness::facade::event::{Event, EventKind, Log, RunFinished, read_events};
use lifecycle_harness::facade::http::{Client, Config};
use lifecycle_harness::facade::models::catalogue::Catalogue;
use lifecycle_harness::facade::output::{Colour, Printer, Terminal, Verbosity};
use lifecycle_harness::facade::platform::control_plane::ControlPlane;
use lifecycle_harness::facade::platform::limits::Limits;
use lifecycle_harness::facade::redact::Redactor;
use lifecycle_harness::facade::run::ledger::Ledger;
use lifecycle_harness::facade::run::signals::{Signal, Signals};
use lifecycle_harness::facade::runner::{bundle, owing, sweep};
use lifecycle_harness::facade::scenario;
use lifecycle_harness::facade::session::{
    self, Env, LibrarySettings, Outside, RunName, RunSettings, Shell, TargetSettings,
};
use lifecycle_harness::facade::targets::saas::{Desk, Leaks, Made, PurgeRules, purge};
use lifecycle_harness::facade::targets::{self, Kind};
use lifecycle_harness::facade::wire::Network;
use tokio::sync::mpsc;

use super::case::{Case, Cut, OF_TENANTS, Trouble, When};
use super::world::{ADMIN_TOKEN, Front, KEYS, World};

/// Later than any run ends.
const NEVER: Duration = Duration::from_secs(4 * 3_600);

/// What came of a case.
pub(crate) struct Played {
    /// The log as it was written, up to the end or the kill.
    pub log: String,
    /// The same, read back; or why it cannot be.
    pub events: Vec<Event>,
    pub unreadable: Option<String>,
    /// It did not come to its end in hours.
    pub hung: bool,
    /// What the run said of its end: its code, or why it did not begin.
    pub ran: Option<Result<ExitCode, String>>,
    /// What it wrote to a person.
    pub said: String,
    /// Rows and instances that are not of others, after the run and after the sweep.
    pub after_run: Left,
    pub after_sweep: Left,
    /// What the sweep wrote and said.
    pub swept: Swept,
    /// After another one.
    pub after_second: Left,
    /// Workspaces of others that are gone.
    pub lost_strangers: Vec<String>,
    pub credentials: Vec<String>,
    /// Requests about organisations that left before a limit of the control plane was over.
    pub early: Vec<String>,
    /// Tasks that were alive when everything had been stopped.
    pub alive: usize,
    pub simulated: Duration,
    pub asked: u64,
    /// Requests that the harness sent until then.
    pub sent: u64,
}

#[derive(Default)]
pub(crate) struct Left {
    /// Id and name.
    pub rows: Vec<(String, String)>,
    /// Ids of workspaces.
    pub instances: Vec<String>,
}

impl Left {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.instances.is_empty()
    }
}

/// What a sweep wrote into the log, and what it told a person.
#[derive(Default)]
pub(crate) struct Swept {
    pub events: Vec<Event>,
    pub said: Vec<String>,
}

impl Played {
    pub(crate) fn finished(&self) -> Option<&RunFinished> {
        self.events.iter().find_map(|event| match &event.event {
            EventKind::RunFinished(finished) => Some(finished),
            _ => None,
        })
    }

    pub(crate) fn exit(&self) -> Option<ExitCode> {
        self.finished().map(|finished| finished.exit)
    }
}

pub(crate) fn play(case: &Case) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let _chance = lifecycle_harness::facade::chance::seeded(case.seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut played = runtime.block_on(async {
        let began = Instant::now();
        let _wall = clock::simulate_wall("2026-06-15T09:00:00Z".parse().unwrap());
        let mut played = inside(case, folder.path()).await;
        played.simulated = began.elapsed();
        played
    });
    played.alive = runtime.metrics().num_alive_tasks();
    played
}

async fn inside(case: &Case, folder: &Path) -> Played {
    let runs = folder.join("runs");
    let name = RunName { stamp: "20260615-090000".to_owned(), tail: format!("{:08x}", case.seed) };
    let log_file = runs.join(name.id()).join("events.jsonl");
    let mut world = World::new(case).await;
    world.weather(case, &log_file);
    if let Some(after) = case.late_stranger {
        world.late_stranger(after);
    }
    let windows = tokio::spawn(windows(case.trouble.clone(), world.network.clone(), world.port()));
    let own = world.network.process();
    let (sender, signals) = mpsc::unbounded_channel();
    let (signals_at, kill_at) = match &case.cut {
        Cut::None => (Vec::new(), None),
        Cut::Signals(signals) => (signals.clone(), None),
        Cut::Kill(when) => (Vec::new(), Some(*when)),
    };
    let mut helpers = Vec::new();
    // Of two at one moment the first comes first, every time.
    for together in signals_at.chunk_by(|(one, _), (next, _)| one == next) {
        let (due, sender) = (due(together[0].0, &world), sender.clone());
        let signals: Vec<Signal> = together.iter().map(|(_, signal)| *signal).collect();
        helpers.push(tokio::spawn(async move {
            due.await;
            for signal in signals {
                let _ = sender.send(signal);
            }
        }));
    }
    let killed = async {
        match kill_at {
            Some(at) => due(at, &world).await,
            None => std::future::pending().await,
        }
    };
    let terminal = Terminal::default();
    let (printer, said) = Printer::captured(Verbosity::Normal, Colour::Never, true, terminal);
    let shell = Shell::new(printer, env(case), runs.clone());
    let outside = Outside { signals: Signals::given(signals), network: Some(own.clone()), name };
    let asked = asked(case, &world.base_url(), folder);
    let (mut hung, mut ran) = (false, None);
    tokio::select! {
        biased;
        () = killed => own.kill(),
        ended = clock::timeout(NEVER, session::run(asked, &shell, outside)) => match ended {
            Ok(ended) => ran = Some(ended.map(|ran| ran.code).map_err(|e| e.to_string())),
            Err(_) => { hung = true; own.kill(); }
        },
    }
    for helper in helpers {
        helper.abort();
    }
    drop(sender);
    let sent = *world.left.borrow();
    let text = std::fs::read_to_string(&log_file).unwrap_or_default();
    let said = format!("{}{}", said.stdout(), said.stderr());
    // What a killed process leaves: its log as it was then, and no lock.
    let left = folder.join("left");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("events.jsonl"), &text).unwrap();
    windows.abort();
    world.fair().await;
    // Whatever is under way on the platform comes true before anybody looks.
    let all_comes_true =
        || clock::sleep(Duration::from_secs(2) + Duration::from_secs(70).div_f64(case.time_scale));
    if !case.swept_at_once {
        all_comes_true().await;
    }
    let after_run = look(&world).await;
    let read = read_all(&left);
    let swept = sweep(&left, &world).await;
    all_comes_true().await;
    let after_sweep = look(&world).await;
    // What could still come, and did, is the next one's.
    let after_second = match after_sweep.is_empty() {
        true => Left::default(),
        false => {
            sweep(&left, &world).await;
            look(&world).await
        }
    };
    let rows = world.rows();
    let strangers = world.strangers.lock().unwrap().clone();
    let lost_strangers = strangers.into_iter().filter(|id| !rows.iter().any(|(row, _)| row == id)).collect();
    let credentials = world.credentials.lock().unwrap().iter().cloned().collect();
    let early = std::mem::take(&mut *world.early.lock().unwrap());
    let asked = world.network.asked();
    world.stop().await;
    let (events, unreadable) = match read {
        Ok(events) => (events, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Played {
        log: text.replace(&*folder.to_string_lossy(), "<folder>"),
        events,
        unreadable,
        hung,
        ran,
        said,
        after_run,
        after_sweep,
        swept,
        after_second,
        lost_strangers,
        credentials,
        early,
        alive: 0,
        simulated: Duration::ZERO,
        asked,
        sent,
    }
}

fn read_all(folder: &Path) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    let summary = read_events(folder, |event| events.push(event)).map_err(|e| e.to_string())?;
    if summary.torn || !summary.unknown.is_empty() {
        return Err(format!("torn: {}, unknown: {:?}", summary.torn, summary.unknown));
    }
    Ok(events)
}

async fn look(world: &World) -> Left {
    let strangers = world.strangers.lock().unwrap().clone();
    let others = |id: &String, name: &str| strangers.contains(id) || name.contains("somebodys-");
    let (theirs, rows): (Vec<_>, Vec<_>) = world.rows().into_iter().partition(|(id, name)| others(id, name));
    let mut instances = world.instances().await;
    instances.retain(|of| !theirs.iter().any(|(id, _)| id == of));
    Left { rows, instances }
}

/// The machine on which the harness runs.
fn env(case: &Case) -> Env {
    let keys =
        KEYS.iter().filter(|_| case.keys).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Env::of(keys.collect())
}

/// What is typed: a live server, and of the scenarios only the chosen ones, so that no other is read.
fn asked(case: &Case, base_url: &str, folder: &Path) -> RunSettings {
    let scenarios = folder.join("scenarios");
    std::fs::create_dir(&scenarios).unwrap();
    let chosen = case.instances.iter().filter(|_| case.own.is_none()).map(|instance| {
        let name = scenario::scenario_of(instance);
        OF_TENANTS.iter().find(|s| s.name == name).expect("a shipped scenario").source.clone()
    });
    let files = chosen.chain(scenario::shipped_fragment_files()).map(|file| file.text.to_string());
    for (number, text) in case.own.map(str::to_owned).into_iter().chain(files).enumerate() {
        std::fs::write(scenarios.join(format!("{number}.yaml")), text).unwrap();
    }
    let target = match case.plane {
        true => TargetSettings {
            kind: Some(Kind::Saas),
            cp_url: Some(base_url.to_owned()),
            cp_token: Some(Secret::new(ADMIN_TOKEN)),
            spread: case.spread,
            ..TargetSettings::default()
        },
        false => TargetSettings {
            kind: Some(Kind::Live),
            base_url: Some(base_url.to_owned()),
            admin_token: Some(Secret::new(ADMIN_TOKEN)),
            edition: case.server.expected,
            ..TargetSettings::default()
        },
    };
    RunSettings {
        selection: case.instances.clone(),
        library: LibrarySettings { scenarios: Some(scenarios), ..LibrarySettings::default() },
        target,
        inputs: case.inputs.clone(),
        jobs: Some(case.jobs),
        seed: Some(case.seed),
        max_fail: case.max_fail,
        ..RunSettings::default()
    }
}

/// Ends when it is time.
fn due(at: When, world: &World) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    match at {
        When::After(time) => Box::pin(clock::sleep(time)),
        When::Request(number) => {
            let mut left = world.left.clone();
            Box::pin(async move {
                if left.wait_for(|sent| *sent >= number).await.is_err() {
                    std::future::pending().await
                }
            })
        }
        When::Event(number) => {
            let mut written = world.written.clone();
            Box::pin(async move {
                if written.wait_for(|events| *events >= number).await.is_err() {
                    std::future::pending().await
                }
            })
        }
    }
}

/// The server's process dies or stands still for a while.
async fn windows(trouble: Trouble, network: Network, port: u16) {
    match trouble {
        Trouble::Down { at, lasts } => {
            clock::sleep(at).await;
            network.down(port);
            clock::sleep(lasts).await;
            network.up(port);
        }
        Trouble::Frozen { at, lasts } => {
            clock::sleep(at).await;
            network.freeze(port, true);
            clock::sleep(lasts).await;
            network.freeze(port, false);
        }
        _ => {}
    }
}

fn settings(network: &Network, base_url: &str) -> targets::Settings {
    targets::Settings {
        kind: Kind::Live,
        base_url: Some(base_url.to_owned()),
        admin_token: Some(Secret::new(ADMIN_TOKEN)),
        org: None,
        http: lifecycle_harness::facade::http::Config {
            network: Some(network.clone()),
            ..Default::default()
        },
        embedded: targets::embedded::Settings::default(),
        docker: targets::docker::Settings::default(),
        with_engine: false,
        log_source: None,
        provider: None,
        answers: None,
        declared: BTreeMap::new(),
        patience: Duration::from_secs(5),
        contract: targets::Asked::default(),
        played: None,
        saas: targets::saas::Settings::default(),
        behind: None,
        catalogue: Arc::new(Catalogue::built_in().clone()),
    }
}

/// What `lifecycle sweep` does with a run of a live server; gives what it wrote.
async fn sweep(left: &Path, world: &World) -> Swept {
    let Ok(Some(owing)) = owing::read(left) else { return Swept::default() };
    let redactor = Redactor::new();
    redactor.register("ADMIN_TOKEN", ADMIN_TOKEN);
    let log = Log::reopen(left, redactor).unwrap();
    let written = log.listen();
    if let Front::Plane(_) = world.front {
        let api = ControlPlane {
            client: Client::new(&Config { network: Some(world.network.process()), ..Config::default() })
                .unwrap(),
            base_url: owing.plane.clone(),
            token: Some(Secret::new(ADMIN_TOKEN)),
            limits: Limits::default(),
        };
        let desk = Desk::new(log.clone(), &owing.plane);
        for org in &owing.orgs {
            let made = Made { resource: org.resource.clone(), slug: org.name.clone() };
            desk.restore(made.clone());
            let rules = PurgeRules { limit: Duration::from_secs(180), leaks: Leaks::default() };
            purge(&api, &made, &desk, rules).await;
        }
        log.close();
        return told(written).await;
    }
    let ledger = Ledger::restore(log.clone(), owing.home, owing.entries, owing.once, owing.slowest);
    let opened = targets::open(&settings(&world.network.process(), &world.base_url())).await;
    // A platform whose fault is that it cannot be read cannot be swept either.
    let Ok(target) = opened else { return Swept::default() };
    let run = bundle::sweeper(&target, log.clone(), ledger.clone(), &owing.tail);
    let back = sweep::sweep(&run, &owing.watched).await;
    target.close().await;
    log.close();
    let mut swept = told(written).await;
    swept.said.extend(back.lines);
    swept
}

/// What was written until the log was closed.
async fn told(mut written: mpsc::UnboundedReceiver<Arc<Event>>) -> Swept {
    let mut swept = Swept::default();
    while let Some(event) = written.recv().await {
        if let EventKind::Warning { text, .. } = &event.event {
            swept.said.push(text.clone());
        }
        swept.events.push(Event::clone(&event));
    }
    swept
}
