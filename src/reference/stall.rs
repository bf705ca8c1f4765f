//! The watchdog of stalled agents (contract §4.2).
//!
//! The contract gives its times, that it sends a probe through the queue before other messages, and that it restarts.
//! What counts as a stall is this file's reading: tasks that do not change, and nothing that is logged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::platform::Platform;
use super::state::queue::{Item, Standing};
use super::state::workspace::{StallWatch, Workspace};
use crate::clock::Instant;

/// Probes overtake tasks (contract §7.5).
const PRIORITY: u32 = 100;

/// How often it looks and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub interval: Duration,
    stale: Duration,
    grace: Duration,
    cooldown: Duration,
}

/// The times of this server; `None` when it has no watchdog.
pub(super) fn times(platform: &Platform) -> Option<Times> {
    if platform.server_var("STALL_WATCHDOG_DISABLED") == Some("true") {
        return None;
    }
    let of = |name: &str, usual| Duration::from_secs(platform.server_number(name, usual));
    Some(Times {
        interval: of("STALL_WATCHDOG_INTERVAL_S", 180),
        stale: of("STALL_WATCHDOG_STALE_AFTER_S", 720),
        grace: of("STALL_WATCHDOG_PROBE_GRACE_S", 300),
        cooldown: of("STALL_WATCHDOG_COOLDOWN_S", 1_800),
    })
}

/// One look at every workspace.
pub(super) fn watch(platform: &Arc<Platform>, times: &Times) {
    let watched = |w: &Workspace| {
        w.stall.probe.is_some()
            || (w.is_up() && w.active_tasks > 0 && !w.external_like() && w.runtime != "mock")
    };
    for id in platform.which(watched) {
        look(platform, times, id);
    }
}

fn look(platform: &Arc<Platform>, times: &Times, id: Uuid) {
    let mut state = platform.state();
    let logged = state.activity.get(&id).and_then(super::state::activity::Activities::newest);
    let Some(workspace) = state.get(id) else { return };
    let since = |at: Instant| platform.clock.since(at);
    let working = workspace.is_up() && workspace.active_tasks > 0;
    let moved = workspace.progress.max(logged.unwrap_or(workspace.created)).max(workspace.updated);
    let rested = workspace.stall.settled.is_none_or(|at| since(at) > times.cooldown);
    let next = match workspace.stall.probe {
        None if since(moved) <= times.stale || !rested => return,
        None => {
            let item = Item { priority: PRIORITY, ..Item::new(None, None, probe()) };
            let Some((item, _)) = state.queue.enqueue(id, item, |at| platform.clock.since(at)) else {
                return;
            };
            platform.say(&format!("stall watchdog: {id} does not get on, probe {item}"));
            StallWatch { probe: Some((item, Instant::now())), settled: None }
        }
        Some((item, at)) => {
            let answered = state.queue.find(item).is_none_or(|(_, i)| i.standing == Standing::Completed);
            let over = since(at) > times.grace;
            if working && !answered && !over {
                return;
            }
            state.queue.update(id, item, |i| {
                if i.standing != Standing::Completed {
                    i.standing = Standing::Dropped;
                }
            });
            if working && !answered {
                platform.say(&format!("stall watchdog: {id} did not answer, restarting it"));
                drop(state);
                platform.restart_by_id(id);
                state = platform.state();
            }
            StallWatch { probe: None, settled: Some(Instant::now()) }
        }
    };
    if let Some(workspace) = state.get_mut(id) {
        workspace.stall = next;
    }
}

fn probe() -> Bytes {
    let message = json!({
        "role": "user",
        "messageId": crate::chance::uuid(),
        "parts": [{ "kind": "text", "text": "Are you still at work?" }],
    });
    let body = json!({ "jsonrpc": "2.0", "id": crate::chance::uuid(), "method": "message/send", "params": { "message": message } });
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests;
