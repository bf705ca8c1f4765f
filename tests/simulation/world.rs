//! The wire, the reference platform behind it, and others who use that platform too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle_harness::facade::behaviour::{Edition, Played};
use lifecycle_harness::facade::clock::{self, Instant};
use lifecycle_harness::facade::domain::Secret;
use lifecycle_harness::facade::http::{Client, Config, Payload, Request};
use lifecycle_harness::facade::reference::control_plane;
use lifecycle_harness::facade::reference::faults::Faults;
use lifecycle_harness::facade::reference::options::Options;
use lifecycle_harness::facade::reference::{provider, server};
use lifecycle_harness::facade::targets::embedded::proxy_env;
use lifecycle_harness::facade::wire::{Asked, Fate, Fault, Network, Side, What};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::case::{Case, Matching, Rule, Trouble};

pub(crate) const ADMIN_TOKEN: &str = "adm-planted-5f0c2d7e9b1a4c38";
/// What servers say to the control plane.
pub(crate) const SHARED_SECRET: &str = "shared-planted-7d1e0f2a3b4c5d6e";
/// Keys of the machine that runs the harness.
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("ANTHROPIC_API_KEY", "sk-ant-planted-0a1b2c3d4e5f6071"),
    ("MINIMAX_API_KEY", "mmx.planted.9f8e7d6c5b4a3928"),
    ("OPENAI_API_KEY", "sk-planted-11223344556677889900"),
];
/// The header of who only looks on: the weather leaves it alone.
const OBSERVER: &str = "x-observer";
/// Timers are as exact as this.
const ROUNDING: Duration = Duration::from_millis(2);
/// A run that asks more often is one that never ends.
const ENOUGH: u64 = 300_000;

/// What the harness is pointed at.
pub(crate) enum Front {
    Platform(server::Running),
    Plane(control_plane::Running),
}

pub(crate) struct World {
    pub network: Network,
    pub front: Front,
    pub provider: provider::Running,
    /// Every credential that was on the wire.
    pub credentials: Arc<Mutex<BTreeSet<String>>>,
    /// Requests about organisations that left before the control plane's limit was over.
    pub early: Arc<Mutex<Vec<String>>>,
    /// Requests of the harness so far.
    pub left: watch::Receiver<u64>,
    /// Events in its log, as its last request left.
    pub written: watch::Receiver<u64>,
    /// Ids of the workspaces of others.
    pub strangers: Arc<Mutex<Vec<String>>>,
    observer: Client,
}

impl World {
    pub(crate) async fn new(case: &Case) -> World {
        let network = Network::default();
        let options = provider::Options {
            accept_any_key: true,
            network: Some(network.clone()),
            ..provider::Options::default()
        };
        let provider = provider::start(options).await.unwrap();
        let faults = match &case.trouble {
            Trouble::Platform(names) => Faults::parse(names).unwrap(),
            _ => Faults::none(),
        };
        let front = match case.plane {
            true => Front::Plane(plane(case, &network, &provider, faults).await),
            false => Front::Platform(platform(case, &network, &provider, faults).await),
        };
        let observer =
            Client::new(&Config { network: Some(network.process()), ..Config::default() }).unwrap();
        let world = World {
            network,
            front,
            provider,
            credentials: Arc::default(),
            early: Arc::default(),
            left: watch::channel(0).1,
            written: watch::channel(0).1,
            strangers: Arc::default(),
            observer,
        };
        for number in 0..case.strangers {
            world.stranger(&format!("somebodys-{number}")).await;
        }
        // What a server has of its own is nobody's to remove.
        let own: Vec<String> = world.rows().into_iter().map(|(id, _)| id).collect();
        {
            let mut strangers = world.strangers.lock().unwrap();
            let new: Vec<String> = own.into_iter().filter(|id| !strangers.contains(id)).collect();
            strangers.extend(new);
        }
        if let Trouble::Plane(routes) = &case.trouble {
            for route in routes {
                let answer = world.ask("POST", "/__stub/routes", serde_json::to_value(route).unwrap()).await;
                assert_eq!(answer, Some(201), "{route:?}");
            }
        }
        world
    }

    /// From now on the wire does what the case says.
    pub(crate) fn weather(&mut self, case: &Case, log: &Path) {
        let (counter, left) = watch::channel(0);
        let (events, written) = watch::channel(0);
        (self.left, self.written) = (left, written);
        let mut lines = Lines { path: log.to_owned(), file: None };
        let mut chance = StdRng::seed_from_u64(case.seed ^ 0x7769_7265);
        let credentials = Arc::clone(&self.credentials);
        let rules = match &case.trouble {
            Trouble::Wire(rule) => vec![rule.clone()],
            Trouble::Wires(rules) => rules.clone(),
            _ => Vec::new(),
        };
        // How many requests matched a rule, and how many of those met its fault.
        let mut counts = vec![(0, 0); rules.len()];
        let latency = case.latency;
        let (early, mut limited) = (Arc::clone(&self.early), None);
        self.network.weather(move |asked| {
            assert!(asked.number < ENOUGH, "a run that never ends");
            note(&credentials, asked);
            if asked.headers.contains_key(OBSERVER) {
                return Fate::default();
            }
            if asked.from == Side::Harness {
                counter.send_modify(|sent| *sent += 1);
                events.send_modify(|count| *count += lines.more());
            }
            let mut meets = |(rule, (matched, met)): (&Rule, &mut (u64, u64))| {
                if !matches(rule, asked, &mut chance) {
                    return None;
                }
                *matched += 1;
                let hit = *matched > rule.after && *met < rule.count;
                *met += u64::from(hit);
                hit.then_some(rule.fault)
            };
            let fault = rules.iter().zip(&mut counts).find_map(&mut meets);
            let mut way = || match latency {
                Duration::ZERO => Duration::ZERO,
                most => most.mul_f64(chance.random_range(0.0..1.0)),
            };
            let (there, back) = (way(), way());
            if asked.from == Side::Harness && about_organisations(asked) {
                let now = Instant::now();
                let within = |(told, until): (Instant, Instant)| now > told && now < until;
                if limited.is_some_and(within) {
                    early.lock().unwrap().push(format!("{} {}", asked.method, asked.path));
                }
                if let Some(Fault { what: What::TooMany(seconds), .. }) = fault {
                    let told = now + there + back + ROUNDING;
                    limited = Some((told, told + Duration::from_secs(seconds) - ROUNDING * 2));
                }
            }
            Fate { there, back, fault }
        });
    }

    /// The wire is whole again, the server is up and tells the truth.
    pub(crate) async fn fair(&self) {
        self.network.weather(|_| Fate::default());
        self.network.freeze(self.port(), false);
        self.network.up(self.port());
        if let Front::Plane(_) = self.front {
            assert_eq!(self.ask("DELETE", "/__stub/routes", json!({})).await, Some(200));
        }
    }

    /// Where the harness is pointed at.
    pub(crate) fn base_url(&self) -> String {
        match &self.front {
            Front::Platform(platform) => platform.base_url(),
            Front::Plane(plane) => plane.base_url(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match &self.front {
            Front::Platform(platform) => platform.addr.port(),
            Front::Plane(plane) => plane.addr().port(),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Option<u16> {
        let request = observed(method, format!("{}{path}", self.base_url()), body);
        let answer = self.observer.send(&request, Instant::now() + Duration::from_secs(60)).await;
        answer.ok().map(|answer| answer.status)
    }

    /// Somebody else makes a workspace, without a parent: the platform chooses one.
    pub(crate) async fn stranger(&self, name: &str) {
        stranger(&self.observer, self.of_somebody(name), &self.strangers).await;
    }

    /// What somebody else asks for: at a control plane an organisation whose name looks like one of ours.
    fn of_somebody(&self, name: &str) -> Request {
        let base = self.base_url();
        match self.front {
            Front::Platform(_) => observed(
                "POST",
                format!("{base}/workspaces"),
                json!({ "name": name, "external": true, "runtime": "external", "delivery_mode": "poll" }),
            ),
            Front::Plane(_) => observed(
                "POST",
                format!("{base}/cp/admin/orgs"),
                json!({ "slug": format!("e2e-20260615-{name}"), "name": name, "owner_user_id": "somebody" }),
            ),
        }
    }

    /// As [`World::stranger`], once the harness has sent so many requests.
    pub(crate) fn late_stranger(&self, after: u64) {
        let (mut left, observer) = (self.left.clone(), self.observer.clone());
        let request = self.of_somebody("somebodys-late");
        let strangers = Arc::clone(&self.strangers);
        tokio::spawn(async move {
            if left.wait_for(|sent| *sent >= after).await.is_ok() {
                stranger(&observer, request, &strangers).await;
            }
        });
    }

    /// Ids and names of all that is there, looked at behind the routes: workspaces, or organisations.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let rows = match &self.front {
            Front::Platform(platform) => platform.workspaces(),
            Front::Plane(plane) => plane.organisations(),
        };
        rows.into_iter().map(|(id, name)| (id.to_string(), name)).collect()
    }

    /// Ids of those that have an instance.
    pub(crate) async fn instances(&self) -> Vec<String> {
        let owners = match &self.front {
            Front::Platform(platform) => platform.instances().await,
            Front::Plane(plane) => plane.machines(),
        };
        owners.iter().map(ToString::to_string).collect()
    }

    pub(crate) async fn stop(self) {
        let World { front, provider, network, .. } = self;
        network.weather(|_| Fate::default());
        match front {
            Front::Platform(platform) => platform.stop().await,
            Front::Plane(plane) => plane.stop().await,
        }
        provider.stop().await;
        // What still sleeps sees the end of its client.
        clock::sleep(Duration::from_secs(120)).await;
    }
}

async fn platform(
    case: &Case,
    network: &Network,
    provider: &provider::Running,
    faults: Faults,
) -> server::Running {
    server::start(Options {
        network: Some(network.clone()),
        admin_token: Secret::new(ADMIN_TOKEN),
        time_scale: case.time_scale,
        inspect: !case.server.closed,
        faults,
        edition: case.server.edition,
        behaviours: case.server.edition.behaviours(),
        agent: case.server.agent,
        boot: case.server.boot,
        seed: case.seed,
        llm_proxy: true,
        heartbeat: Duration::from_secs(5),
        server_env: proxy_env(&provider.base_url()),
        provider: (!case.server.closed).then(|| provider.base_url()),
        ..Options::default()
    })
    .await
    .unwrap()
}

async fn plane(
    case: &Case,
    network: &Network,
    provider: &provider::Running,
    faults: Faults,
) -> control_plane::Running {
    let edition = case.server.edition;
    control_plane::start(control_plane::Options {
        network: Some(network.clone()),
        admin_token: Secret::new(ADMIN_TOKEN),
        shared_secret: Some(Secret::new(SHARED_SECRET)),
        time_scale: case.time_scale,
        tenant_env: proxy_env(&provider.base_url()),
        provider: Some(provider.base_url()),
        plays: Played { edition, behaviours: edition.behaviours() },
        august: edition == Edition::MidAugust,
        faults,
        seed: case.seed,
        ..control_plane::Options::default()
    })
    .await
    .unwrap()
}

/// A request of whoever only looks on.
fn observed(method: &str, url: String, body: Value) -> Request {
    Request {
        method: method.into(),
        url,
        headers: vec![(OBSERVER.into(), "1".into())],
        bearer: Some(Secret::new(ADMIN_TOKEN)),
        body: Payload::Json(body),
        ..Request::default()
    }
}

async fn stranger(observer: &Client, request: Request, strangers: &Mutex<Vec<String>>) {
    let answer = observer.send(&request, Instant::now() + Duration::from_secs(60)).await;
    // One whose answer is a fault of the platform's is known by its name alone.
    if let Some(id) = answer.ok().and_then(|a| a.json).and_then(|b| b["id"].as_str().map(str::to_owned)) {
        strangers.lock().unwrap().push(id);
    }
}

fn note(credentials: &Mutex<BTreeSet<String>>, asked: &Asked<'_>) {
    for name in ["authorization", "x-api-key"] {
        let value = asked.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(value) = value {
            let bare = value.strip_prefix("Bearer ").unwrap_or(value).trim();
            credentials.lock().unwrap().insert(bare.to_owned());
        }
    }
}

/// What a run asks to make, to see and to purge organisations; what scenarios ask there is theirs.
fn about_organisations(asked: &Asked<'_>) -> bool {
    let list = asked.method == "GET" && asked.path == "/cp/admin/orgs";
    list || asked.path.starts_with("/cp/admin/tenants/") || asked.path.ends_with("/admin-token")
}

fn matches(rule: &Rule, asked: &Asked<'_>, chance: &mut StdRng) -> bool {
    if asked.from != rule.from {
        return false;
    }
    let is_list = matches!(asked.path.split('?').next(), Some("/workspaces" | "/cp/admin/orgs"));
    match rule.matching {
        Matching::All => true,
        Matching::Reads => asked.method == "GET",
        Matching::Creates => asked.method == "POST" && is_list,
        Matching::Deletes => asked.method == "DELETE",
        Matching::Mutations => asked.method != "GET",
        Matching::Ends(method, path) => asked.method == method && asked.path.ends_with(path),
        Matching::Begins(method, path) => asked.method == method && asked.path.starts_with(path),
        Matching::Share(percent) => chance.random_range(0..100) < percent,
    }
}

/// Counts the lines of a file as it grows.
struct Lines {
    path: PathBuf,
    file: Option<File>,
}

impl Lines {
    fn more(&mut self) -> u64 {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let mut text = Vec::new();
        if let Some(file) = &mut self.file {
            let _ = file.read_to_end(&mut text);
        }
        text.iter().filter(|byte| **byte == b'\n').count() as u64
    }
}
