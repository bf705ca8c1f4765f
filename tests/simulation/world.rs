//! The wire, the reference platform behind it, and others who use that platform too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle_harness::facade::clock::{self, Instant};
use lifecycle_harness::facade::domain::Secret;
use lifecycle_harness::facade::http::{Client, Config, Payload, Request};
use lifecycle_harness::facade::reference::faults::Faults;
use lifecycle_harness::facade::reference::options::Options;
use lifecycle_harness::facade::reference::{provider, server};
use lifecycle_harness::facade::targets::embedded::proxy_env;
use lifecycle_harness::facade::wire::{Asked, Fate, Network, Side};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::sync::watch;

use super::case::{Case, Matching, Rule, Trouble};

pub(crate) const ADMIN_TOKEN: &str = "adm-planted-5f0c2d7e9b1a4c38";
/// Keys of the machine that runs the harness.
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("ANTHROPIC_API_KEY", "sk-ant-planted-0a1b2c3d4e5f6071"),
    ("MINIMAX_API_KEY", "mmx.planted.9f8e7d6c5b4a3928"),
    ("OPENAI_API_KEY", "sk-planted-11223344556677889900"),
];
/// The header of who only looks on: the weather leaves it alone.
const OBSERVER: &str = "x-observer";
/// A run that asks more often is one that never ends.
const ENOUGH: u64 = 300_000;

pub(crate) struct World {
    pub network: Network,
    pub platform: server::Running,
    pub provider: provider::Running,
    /// Every credential that was on the wire.
    pub credentials: Arc<Mutex<BTreeSet<String>>>,
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
        let platform = server::start(Options {
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
        .unwrap();
        let observer =
            Client::new(&Config { network: Some(network.process()), ..Config::default() }).unwrap();
        let world = World {
            network,
            platform,
            provider,
            credentials: Arc::default(),
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
        let mut strangers = world.strangers.lock().unwrap();
        for id in own {
            if !strangers.contains(&id) {
                strangers.push(id);
            }
        }
        drop(strangers);
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
        let rule = match &case.trouble {
            Trouble::Wire(rule) => Some(rule.clone()),
            _ => None,
        };
        let (latency, mut matched, mut met) = (case.latency, 0, 0);
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
            let fault = rule.as_ref().filter(|rule| matches(rule, asked, &mut chance)).and_then(|rule| {
                matched += 1;
                let hit = matched > rule.after && met < rule.count;
                met += u64::from(hit);
                hit.then_some(rule.fault)
            });
            let mut way = || match latency {
                Duration::ZERO => Duration::ZERO,
                most => most.mul_f64(chance.random_range(0.0..1.0)),
            };
            Fate { there: way(), back: way(), fault }
        });
    }

    /// The wire is whole again, the server is up.
    pub(crate) fn fair(&self) {
        self.network.weather(|_| Fate::default());
        let port = self.platform.addr.port();
        self.network.freeze(port, false);
        self.network.up(port);
    }

    /// Somebody else makes a workspace, without a parent: the platform chooses one.
    pub(crate) async fn stranger(&self, name: &str) {
        stranger(&self.observer, &self.platform.base_url(), name, &self.strangers).await;
    }

    /// As [`World::stranger`], once the harness has sent so many requests.
    pub(crate) fn late_stranger(&self, after: u64) {
        let (mut left, observer, base) = (self.left.clone(), self.observer.clone(), self.platform.base_url());
        let strangers = Arc::clone(&self.strangers);
        tokio::spawn(async move {
            if left.wait_for(|sent| *sent >= after).await.is_ok() {
                stranger(&observer, &base, "somebodys-late", &strangers).await;
            }
        });
    }

    /// Ids and names of all workspaces that are there, looked at behind the routes.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        self.platform.workspaces().into_iter().map(|(id, name)| (id.to_string(), name)).collect()
    }

    /// Ids of the workspaces that have an instance.
    pub(crate) async fn instances(&self) -> Vec<String> {
        self.platform.instances().await.iter().map(ToString::to_string).collect()
    }

    pub(crate) async fn stop(self) {
        let World { platform, provider, network, .. } = self;
        network.weather(|_| Fate::default());
        platform.stop().await;
        provider.stop().await;
        // What still sleeps sees the end of its client.
        clock::sleep(Duration::from_secs(120)).await;
    }
}

async fn stranger(observer: &Client, base: &str, name: &str, strangers: &Mutex<Vec<String>>) {
    let request = Request {
        method: "POST".into(),
        url: format!("{base}/workspaces"),
        headers: vec![(OBSERVER.into(), "1".into())],
        bearer: Some(Secret::new(ADMIN_TOKEN)),
        body: Payload::Json(
            json!({ "name": name, "external": true, "runtime": "external", "delivery_mode": "poll" }),
        ),
        ..Request::default()
    };
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

fn matches(rule: &Rule, asked: &Asked<'_>, chance: &mut StdRng) -> bool {
    if asked.from != rule.from {
        return false;
    }
    let is_list = asked.path.split('?').next() == Some("/workspaces");
    match rule.matching {
        Matching::All => true,
        Matching::Reads => asked.method == "GET",
        Matching::Creates => asked.method == "POST" && is_list,
        Matching::Deletes => asked.method == "DELETE",
        Matching::Mutations => asked.method != "GET",
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
