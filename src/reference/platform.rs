//! What all parts of one running platform share.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::clock::{Clock, wall};
use super::faults::{Fault, Faults};
use super::options::{Mode, Options, ProvisionerKind};
use super::outbound::{CONNECT, Outbound};
use super::provision::cloud::{self, Cloud};
use super::provision::embedded::{self, Setup};
use super::provision::{NoBackend, Provisioner};
use super::ratelimit::RateLimit;
use super::state::State;
use super::state::tokens::random_token;
use super::state::workspace::Workspace;
use crate::behaviour::{Behaviour, Behaviours, Edition};
use crate::domain::Secret;
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::models::server_env::ServerEnv;
use crate::source::SourceFile;
use crate::wire::Side;

/// How many lines of the server's log are kept.
const LOG_LINES: usize = 1_000;
/// Where the platform's own model proxy is.
pub(super) const PROXY_ORIGIN: &str = "https://api.moleculesai.app";

/// One running platform.
pub(super) struct Platform {
    pub admin_token: Secret,
    pub clock: Clock,
    pub mode: Mode,
    pub edition: Edition,
    pub behaviours: Behaviours,
    pub faults: Faults,
    pub inspect: bool,
    pub provider: Option<String>,
    pub catalogue: &'static Catalogue,
    pub allowlist: Allowlist,
    pub server: ServerEnv,
    pub outbound: Outbound,
    pub provisioner: Arc<dyn Provisioner>,
    pub has_backend: bool,
    /// Where instances reach the platform.
    pub platform_url: String,
    pub limits: RateLimit,
    pub mint_limits: RateLimit,
    pub stopping: CancellationToken,
    tasks: TaskTracker,
    state: Mutex<State>,
    log: Mutex<VecDeque<String>>,
    counters: Mutex<HashMap<Fault, Arc<AtomicU64>>>,
    once: Mutex<HashSet<(Fault, String)>>,
}

/// How many things that happen once are remembered.
const ONCE_KEPT: usize = 100_000;

impl Platform {
    /// A platform that does not serve yet.
    pub(super) fn new(options: Options, platform_url: String) -> std::io::Result<Platform> {
        let clock = Clock::new(options.time_scale).with_floor(options.patience);
        let network = options.network;
        let through = |side| network.clone().map(|network| (network, side));
        let outbound = Outbound::connecting_within(clock.patience(CONNECT))?.through(through(Side::Platform));
        let agents = Outbound::to_one_server()?.through(through(Side::Agent));
        let slower = Duration::from_secs(options.faults.value(Fault::SlowOnline).unwrap_or(0));
        let (provisioner, has_backend): (Arc<dyn Provisioner>, bool) = match options.provisioner {
            ProvisionerKind::Embedded => {
                let setup = Setup {
                    clock: clock.clone(),
                    boot: options.boot,
                    kind: options.agent,
                    heartbeat: options.heartbeat,
                    slower,
                    seed: options.seed,
                    outbound: agents,
                    network,
                    advertise: None,
                };
                (embedded::shared(setup), true)
            }
            ProvisionerKind::ControlPlane { retries } => {
                let setup = control_plane(&options.server_env, &options.admin_token, retries, &clock, agents);
                (Arc::new(Cloud::new(cloud::Setup { platform_url: platform_url.clone(), ..setup })), true)
            }
            ProvisionerKind::Custom(own) => (own, true),
            ProvisionerKind::None => (Arc::new(NoBackend), false),
        };
        let mut server_env = options.server_env;
        if options.llm_proxy {
            for (name, value) in [
                ("MOLECULE_LLM_BASE_URL", format!("{PROXY_ORIGIN}/api/v1/internal/llm/openai/v1")),
                ("MOLECULE_LLM_ANTHROPIC_BASE_URL", format!("{PROXY_ORIGIN}/api/v1/internal/llm/anthropic")),
                ("MOLECULE_LLM_USAGE_TOKEN", random_token()),
            ] {
                server_env.entry(name.to_owned()).or_insert(value);
            }
        }
        Ok(Platform {
            admin_token: options.admin_token,
            clock: clock.clone(),
            mode: options.mode,
            edition: options.edition,
            behaviours: options.behaviours,
            faults: options.faults,
            inspect: options.inspect,
            provider: options.provider,
            catalogue: Catalogue::of_edition(options.edition),
            allowlist: allowlist(&server_env, options.edition),
            limits: RateLimit::new(&server_env, clock.clone()),
            mint_limits: RateLimit::of_mints(clock),
            server: ServerEnv::new(server_env),
            outbound,
            provisioner,
            has_backend,
            platform_url,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            state: Mutex::default(),
            log: Mutex::default(),
            counters: Mutex::default(),
            once: Mutex::default(),
        })
    }

    /// The state. Never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a fault is on.
    pub(super) fn fault(&self, fault: Fault) -> bool {
        self.faults.has(fault)
    }

    /// Whether it is the turn of a fault that hits every n-th request, and how often it has hit.
    pub(super) fn fault_turn(&self, fault: Fault) -> Option<u64> {
        let every = self.faults.value(fault)?;
        let counter = {
            let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(counters.entry(fault).or_default())
        };
        let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
        count.is_multiple_of(every).then(|| count / every)
    }

    /// Whether a fault that hits a thing once has not hit this one yet; it has now.
    pub(super) fn fault_once(&self, fault: Fault, what: &str) -> bool {
        if !self.fault(fault) {
            return false;
        }
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        if once.len() >= ONCE_KEPT {
            once.clear();
        }
        once.insert((fault, what.to_owned()))
    }

    /// What happened once may happen again.
    pub(super) fn fault_again(&self, fault: Fault, what: &str) {
        self.once.lock().unwrap_or_else(PoisonError::into_inner).remove(&(fault, what.to_owned()));
    }

    /// Whether agents may be at a loopback address that is written as a number.
    pub(super) fn loopback_ok(&self) -> bool {
        self.mode == Mode::Development && self.does(Behaviour::LoopbackInDevelopment)
    }

    /// Whether this behaviour is on.
    pub(super) fn does(&self, behaviour: Behaviour) -> bool {
        self.behaviours.has(behaviour)
    }

    /// A variable of the server's environment that is not empty.
    pub(super) fn server_var(&self, name: &str) -> Option<&str> {
        self.server.vars.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A whole number above zero of the server's environment, else the usual one.
    pub(super) fn server_number(&self, name: &str, usual: u64) -> u64 {
        let own = self.server_var(name).and_then(|v| v.parse().ok());
        own.filter(|n| (1..=u64::from(u32::MAX)).contains(n)).unwrap_or(usual)
    }

    /// Ids of live rows for which something holds.
    pub(super) fn which(&self, holds: impl Fn(&Workspace) -> bool) -> Vec<Uuid> {
        self.state().live().filter(|w| holds(w)).map(|w| w.id).collect()
    }

    /// Whether this server is one tenant of many (contract §6.1).
    pub(super) fn saas(&self) -> bool {
        match self.server_var("MOLECULE_DEPLOY_MODE") {
            Some(mode) => mode == "saas",
            None => self.server_var("MOLECULE_ORG_ID").is_some(),
        }
    }

    /// Writes a line into the server's log.
    pub(super) fn say(&self, line: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(format!("{} {line}", wall()));
    }

    /// The server's log, oldest line first.
    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Runs work that outlives its request; it ends when the platform stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let _ = stopping.run_until_cancelled_owned(work).await;
        });
    }

    /// Ends all work and all instances.
    pub(super) async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The name of a workspace, for summaries.
    pub(super) fn name_of(&self, id: Uuid) -> String {
        self.state().get(id).map(|w| w.name.clone()).unwrap_or_default()
    }
}

/// Which control plane a server calls, and with what (contract §10): `CP_UPSTREAM_URL` is not read for this.
fn control_plane(
    env: &BTreeMap<String, String>,
    admin_token: &Secret,
    retries: bool,
    clock: &Clock,
    outbound: Outbound,
) -> cloud::Setup {
    let first = |names: &[&str]| {
        names.iter().find_map(|name| env.get(*name)).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    };
    cloud::Setup {
        base_url: first(&["CP_PROVISION_URL"]).or_else(|| first(&["MOLECULE_CP_URL"])),
        shared_secret: first(&["MOLECULE_CP_SHARED_SECRET"])
            .or_else(|| first(&["PROVISION_SHARED_SECRET"]))
            .map(Secret::new),
        admin_token: admin_token.clone(),
        org: first(&["MOLECULE_ORG_ID"]).unwrap_or_default(),
        platform_url: String::new(),
        retries,
        clock: clock.clone(),
        outbound,
    }
}

/// The runtimes of the manifest (contract §2.2): the shipped one, or the one that the server's
/// environment names; a platform that cannot read it falls back to fewer.
fn allowlist(server_env: &BTreeMap<String, String>, edition: Edition) -> Allowlist {
    let Some(path) = server_env.get("WORKSPACE_MANIFEST_PATH") else { return Allowlist::of_edition(edition) };
    std::fs::read_to_string(path)
        .ok()
        .and_then(|text| Allowlist::from_manifest(&SourceFile::new(path.clone(), text)).ok())
        .unwrap_or_else(Allowlist::fallback)
}
