//! Background loops: health, liveness, provision timeout, hibernation, stale tokens (contract §4.2).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::clock::wall;
use super::faults::Fault;
use super::platform::Platform;
use super::stall;
use super::state::workspace::Workspace;
use crate::behaviour::Behaviour;
use crate::clock::Instant;
use crate::domain::Status;

const HEALTH: Duration = Duration::from_secs(15);
const LIVENESS_LOOK: Duration = Duration::from_secs(1);
const LIVENESS_TTL: Duration = Duration::from_secs(180);
const EXTERNAL_STALE: Duration = Duration::from_secs(180);
const PROVISION_TIMEOUT_LOOK: Duration = Duration::from_secs(30);
const PROVISION_TIMEOUT: Duration = Duration::from_secs(12 * 60);
const PROVISION_TIMEOUT_HERMES: Duration = Duration::from_secs(30 * 60);
const HIBERNATION: Duration = Duration::from_secs(120);
const ORPHANS: Duration = Duration::from_secs(60);
const STALE_TOKEN: Duration = Duration::from_secs(300);
const RETENTION_DAYS: u64 = 7;
const RETENTION_LOOK_HOURS: u64 = 6;
const SCHEDULER: Duration = Duration::from_secs(30);
/// However fast the clock runs, a loop does not look more often than this in real time.
const SHORTEST: Duration = Duration::from_millis(10);

/// Starts all loops.
pub(super) fn start(platform: &Arc<Platform>) {
    each(platform, "health-sweep", HEALTH, health);
    each(platform, "liveness", LIVENESS_LOOK, |p| async move { liveness(&p) });
    each(platform, "provision-timeout", PROVISION_TIMEOUT_LOOK, |p| async move { provision_timeout(&p) });
    each(platform, "hibernation-monitor", HIBERNATION, hibernation);
    each(platform, "orphan-sweep", ORPHANS, stale_tokens);
    each(platform, "activity-retention", retention_look(platform), |p| async move { retention(&p) });
    if let Some(times) = stall::times(platform) {
        each(platform, "stall-watchdog", times.interval, move |p| async move { stall::watch(&p, &times) });
    }
    let clock = platform.clock.clone();
    platform.spawn(async move { clock.watch().await });
    each(platform, "scheduler", SCHEDULER, |_| async {});
}

/// The loops that `/admin/liveness` names.
const SHOWN: [&str; 2] = ["hibernation-monitor", "scheduler"];

fn each<F, W>(platform: &Arc<Platform>, name: &'static str, every: Duration, work: F)
where
    F: Fn(Arc<Platform>) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send,
{
    let own = Arc::clone(platform);
    let pause = every.max(SHORTEST.mul_f64(own.clock.scale()));
    platform.spawn(async move {
        let mut began = own.does(Behaviour::LivenessListsAtOnce);
        loop {
            if SHOWN.contains(&name) && std::mem::replace(&mut began, true) {
                own.state().ticks.insert(name, (wall(), Instant::now()));
            }
            own.clock.sleep(pause).await;
            work(Arc::clone(&own)).await;
        }
    });
}

/// How often old activity is looked for.
fn retention_look(platform: &Platform) -> Duration {
    Duration::from_secs(
        platform.server_number("ACTIVITY_CLEANUP_INTERVAL_HOURS", RETENTION_LOOK_HOURS) * 3_600,
    )
}

/// Activity rows that are older than the server keeps them.
fn retention(platform: &Platform) {
    let days = platform.server_number("ACTIVITY_RETENTION_DAYS", RETENTION_DAYS);
    let limit = Duration::from_secs(days * 86_400);
    for activities in platform.state().activity.values_mut() {
        activities.forget(|at| platform.clock.since(at) > limit);
    }
}

/// Instances that do not run, and external agents that fell silent. Observed servers look for the
/// containers of kimi workspaces too, which have none (contract §13, 11).
async fn health(platform: Arc<Platform>) {
    let watched = |w: &Workspace| {
        w.is_up()
            && !matches!(w.runtime.as_str(), "external" | "mock")
            && !(platform.does(Behaviour::KimiIsExternal) && w.external_like())
    };
    if platform.has_backend && !platform.fault(Fault::StaleOnlineAfterKill) {
        for id in platform.which(watched) {
            // A stop and its row are a moment apart, a start and its row too: nothing in 15 s, but most
            // of them on a fast clock. What somebody is at work on is looked at the next time.
            let quiet = |w: &Workspace| w.stopping == 0 && w.cycle.try_lock().is_ok();
            let dead = async || {
                platform.state().get(id).is_some_and(|w| watched(w) && quiet(w))
                    && platform.provisioner.is_running(id).await == Ok(false)
            };
            if dead().await && dead().await {
                platform.say(&format!("health sweep: {id} is not running"));
                platform.state().offline(id, Status::Offline);
                platform.restart_by_id(id);
            }
        }
    }
    let stale_after = platform
        .server_var("REMOTE_LIVENESS_STALE_AFTER")
        .and_then(|s| s.parse().ok())
        .map_or(EXTERNAL_STALE, Duration::from_secs);
    let silent = |w: &Workspace| {
        w.is_up()
            && w.runtime == "external"
            && platform.clock.since(w.last_heartbeat.unwrap_or(w.created)) > stale_after
    };
    for id in platform.which(silent) {
        platform.state().offline(id, Status::AwaitingAgent);
    }
}

/// Liveness keys that ran out.
fn liveness(platform: &Arc<Platform>) {
    if platform.fault(Fault::StaleOnlineAfterKill) {
        return;
    }
    let expired = |w: &Workspace| w.liveness.is_some_and(|at| platform.clock.since(at) > LIVENESS_TTL);
    for id in platform.which(expired) {
        if platform.state().expired(id, platform.behaviours) {
            platform.restart_by_id(id);
        }
    }
}

fn provision_timeout(platform: &Arc<Platform>) {
    let own: Option<Duration> = platform
        .server_var("PROVISION_TIMEOUT_SECONDS")
        .and_then(|s| s.parse().ok())
        .map(Duration::from_secs);
    let limit = |runtime: &str| {
        own.unwrap_or(if runtime == "hermes" { PROVISION_TIMEOUT_HERMES } else { PROVISION_TIMEOUT })
    };
    let late = |w: &Workspace| {
        w.status == Status::Provisioning && platform.clock.since(w.updated) > limit(&w.runtime)
    };
    for id in platform.which(late) {
        let mut state = platform.state();
        let Some(runtime) = state.get(id).map(|w| w.runtime.clone()) else { continue };
        let seconds = limit(&runtime).as_secs();
        let error = format!("provisioning timed out after {seconds}s");
        let payload = json!({
            "error": error,
            "timeout_secs": seconds,
            "runtime": runtime,
            "source": "provision_timeout_sweep",
        });
        state.provision_failed(id, &error, payload, platform.behaviours);
    }
}

/// Idle ones: an agent that goes on with its heartbeats never is (contract §4.2).
async fn hibernation(platform: Arc<Platform>) {
    let idle = |w: &Workspace| {
        let limit = Duration::from_secs(w.hibernation_idle_minutes * 60);
        !limit.is_zero()
            && w.is_up()
            && w.active_tasks == 0
            && w.runtime != "external"
            && w.last_heartbeat.is_some_and(|at| platform.clock.since(at) > limit)
    };
    for id in platform.which(idle) {
        if platform.state().claim_hibernation(id, false) {
            let _ = platform.provisioner.stop(id).await;
            platform.state().hibernated(id);
        }
    }
}

/// Tokens of managed workspaces without an instance that nobody used for a while, of any kind
/// (contract §13, 17).
async fn stale_tokens(platform: Arc<Platform>) {
    let managed = |w: &Workspace| {
        !matches!(w.runtime.as_str(), "external" | "mock")
            && w.status != Status::Provisioning
            && !(platform.does(Behaviour::KimiIsExternal) && w.external_like())
    };
    for id in platform.which(managed) {
        if platform.provisioner.is_running(id).await != Ok(false) {
            continue;
        }
        let clock = &platform.clock;
        let spares = platform.does(Behaviour::SweepSparesApiTokens);
        platform.state().tokens.revoke(id, |row| {
            let spared = spares && row.kind == super::state::tokens::Kind::Api;
            !spared && clock.since(row.last_used) > STALE_TOKEN
        });
    }
}

#[cfg(test)]
mod tests;
