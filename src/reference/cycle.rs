//! Provision cycles: create, restart, resume, and restarts that the platform decides itself
//! (contract §5.1, §8.1, §8.4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::wall;
use super::faults::Fault;
use super::outbound::Call;
use super::platform::Platform;
use super::provision::InstanceSpec;
use super::state::events::Keep;
use super::state::tokens::{Kind, random_token};
use super::{proxy, rules};
use crate::behaviour::Behaviour;
use crate::clock::Instant;
use crate::domain::Status;

/// A provision is given up after this (contract §4.2).
const PROVISION: Duration = Duration::from_secs(180);
/// Programmatic restarts inside this window are dropped.
const DEBOUNCE: Duration = Duration::from_secs(60);
/// A programmatic restart of a workspace that is being provisioned waits this long first.
const ALREADY: Duration = Duration::from_secs(10);
/// How long the agent may take over the pre-restart signal.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the restart-context message waits for `online`, and then for a heartbeat.
const CONTEXT: Duration = Duration::from_secs(30);
/// How often it looks.
const CONTEXT_LOOK: Duration = Duration::from_millis(500);

/// What a cycle does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    /// The first provision of this workspace.
    pub first: bool,
    /// Stop the old instance before.
    pub stop: bool,
    /// Throw the runtime's sessions away.
    pub reset: bool,
    /// Write `provisioning` only when the old instance is stopped.
    pub begin: bool,
    /// Send the restart-context message after.
    pub context: bool,
}

impl Platform {
    /// Starts a cycle. It has run to its first wait when this returns, so that what is decided at
    /// once (an abort) is there to be read at once.
    pub(super) async fn launch(self: &Arc<Self>, id: Uuid, plan: Plan) {
        let mut cycle = Box::pin(Arc::clone(self).cycle(id, plan));
        if futures_util::poll!(&mut cycle).is_pending() {
            self.spawn(cycle);
        }
    }

    async fn cycle(self: Arc<Self>, id: Uuid, plan: Plan) {
        let began = Instant::now();
        let ended = wall();
        self.provision(id, plan).await;
        if plan.context {
            self.restart_context(id, began, &ended).await;
        }
    }

    /// One provision, under the workspace's mutex.
    async fn provision(&self, id: Uuid, plan: Plan) {
        let Some(mutex) = self.state().get(id).map(|w| Arc::clone(&w.cycle)) else { return };
        let _one_at_a_time = mutex.lock().await;
        if plan.stop {
            let mut begin = plan.begin;
            // Without an old instance none lingers.
            let old = self.provisioner.instance(id).await.is_some();
            if let Some(seconds) = self.faults.value(Fault::OldLingers).filter(|_| old) {
                if std::mem::take(&mut begin) {
                    self.state().begin_provisioning(id, self.behaviours);
                }
                self.clock.sleep(Duration::from_secs(seconds)).await;
            }
            if let Err(error) = self.provisioner.stop(id).await {
                self.say(&format!("stop {id}: {error}"));
            }
            // What the platform itself decided is written once the instance is stopped (divergences M2).
            if begin {
                self.state().begin_provisioning(id, self.behaviours);
            }
            if self.does(Behaviour::RestartKeepsAddress) {
                self.state().instance_stopped(id);
            }
            if self.fault(Fault::ConfigVolumeLost) {
                self.provisioner.empty_config(id).await;
            }
        }
        let spec = match self.prepare(id, plan) {
            Ok(Some(spec)) => spec,
            Ok(None) => return,
            Err((message, payload)) => {
                self.say(&format!("provision {id} aborted: {message}"));
                self.state().provision_failed(id, &message, payload, self.behaviours);
                return;
            }
        };
        self.boot_step(id, "provisioning compute (docker)");
        let refused = self.refused_by_control_plane();
        let started = if self.fault(Fault::BootFailed) {
            Some(Err(super::provision::StartError::Backend("fault boot-failed".to_owned())))
        } else if let Some(said) = refused {
            Some(Err(super::provision::StartError::Backend(said.to_owned())))
        } else {
            self.clock.within(PROVISION, self.provisioner.start(spec)).await
        };
        match started {
            Some(Ok(instance)) => {
                self.settle(id, &instance.url).await;
                self.boot_step(id, "compute ready — runtime starting");
            }
            failed => {
                let detail = match failed {
                    Some(Err(error)) => error.to_string(),
                    _ => "timed out".to_owned(),
                };
                let by_control_plane = self.saas() || refused.is_some();
                let who = if by_control_plane {
                    format!("CPProvisioner: workspace start failed for {id}")
                } else {
                    format!("Provisioner: start {id} failed")
                };
                self.say(&format!("{who}: {detail}"));
                // What an empty volume means is told; everything else is masked (contract §8.4, §9.2).
                let shown = match &detail {
                    detail if detail.starts_with("cannot start workspace") => detail.as_str(),
                    _ if by_control_plane => "provisioning failed",
                    _ => "workspace start failed",
                };
                self.state().provision_failed(id, shown, json!({ "error": shown }), self.behaviours);
            }
        }
    }

    /// What a server with a control plane writes when that does not provision, where a fault says so.
    fn refused_by_control_plane(&self) -> Option<&'static str> {
        let said = [
            (Fault::CpForbids, "cp provisioner: provision failed (400): privileged_env_forbidden"),
            (Fault::CpAway, "cp provisioner: provision failed (502): <unstructured body, 16 bytes>"),
            (
                Fault::CpSilent,
                "cp provisioner: send: Post \"https://cp.invalid/cp/workspaces/provision\": context deadline exceeded \
                 (Client.Timeout exceeded while awaiting headers)",
            ),
        ];
        said.into_iter().find(|(fault, _)| self.fault(*fault)).map(|(_, said)| said)
    }

    /// Tells the streams how far a boot is.
    fn boot_step(&self, id: Uuid, message: &str) {
        if self.does(Behaviour::BootSteps) {
            let payload = json!({
                "workspace_id": id, "step": 1, "total": 8, "key": "PWR", "label": "Provision compute",
                "status": "running", "message": message,
            });
            self.state().emit("BOOT_STEP", id, payload, Keep::StreamOnly);
        }
    }

    /// The instance runs. A delete that came first is noticed only where it is final (contract §14.2, L1).
    async fn settle(&self, id: Uuid, url: &str) {
        let removed = {
            let mut state = self.state();
            let removed = state.present(id).is_none();
            // A control plane's instance has no address before its agent registers (contract §10).
            if (!removed || !self.does(Behaviour::EarlyDeleteIsFinal)) && !url.is_empty() {
                state.instance_started(id, url);
            }
            removed
        };
        if removed && self.does(Behaviour::EarlyDeleteIsFinal) {
            let _ = self.provisioner.stop(id).await;
            let _ = self.provisioner.remove_volumes(id, true).await;
        }
    }

    /// Tokens, environment and files of the next instance; `None` when there is nothing to start.
    fn prepare(&self, id: Uuid, plan: Plan) -> Result<Option<InstanceSpec>, (String, Value)> {
        let mut state = self.state();
        let Some(workspace) = state.get(id) else { return Ok(None) };
        if self.does(Behaviour::EarlyDeleteIsFinal) && workspace.status == Status::Removed {
            return Ok(None);
        }
        if !self.has_backend {
            let text = "no workspace backend is configured";
            return Err((text.to_owned(), json!({ "error": text })));
        }
        let env = rules::environment(self, &state, workspace, plan.first)
            .map_err(|abort| (abort.message.clone(), abort.payload()))?;
        let mut files = BTreeMap::new();
        if plan.first {
            let config =
                rules::config_yaml(self, workspace).map_err(|e| (e.clone(), json!({ "error": e })))?;
            files.insert("config.yaml".to_owned(), config.into_bytes());
        }
        let spec = InstanceSpec {
            workspace: id,
            runtime: workspace.runtime.clone(),
            tier: workspace.tier,
            env,
            files,
            workspace_dir: workspace
                .workspace_dir
                .clone()
                .filter(|_| workspace.workspace_access != "none")
                .map(|dir| (dir, workspace.workspace_access.clone())),
            reset_session: plan.reset,
            first: plan.first,
        };
        state.tokens.revoke(id, |row| row.kind == Kind::Instance);
        // The control plane takes no token along: registering issues the next one (contract §14.4).
        let saas = self.saas();
        let token = if saas { String::new() } else { state.tokens.issue(id, Kind::Instance) };
        let inbound = random_token();
        if let Some(workspace) = state.get_mut(id) {
            workspace.inbound_secret = Some(inbound.clone());
        }
        drop(state);
        let mut spec = spec;
        let lost = self.fault(Fault::TokenLostOnRestart) && !plan.first;
        if !saas {
            self.say(&format!("Provisioner: injected fresh auth token into config volume of {id}"));
        }
        // An empty file is no file: the token was minted and did not arrive.
        let token = if lost { Vec::new() } else { token.into_bytes() };
        spec.files.insert(".auth_token".to_owned(), token);
        spec.files.insert(".platform_inbound_secret".to_owned(), inbound.into_bytes());
        Ok(Some(spec))
    }

    /// A restart that the platform decides: after a secret write, a model change, a dead instance
    /// (`RestartByID`). Calls shortly after the last one are dropped, later ones coalesced.
    pub(super) fn restart_by_id(self: &Arc<Self>, id: Uuid) {
        {
            let mut state = self.state();
            let Some(workspace) = state.get_mut(id) else { return };
            let restarts = &mut workspace.restarts;
            if restarts.started.is_some_and(|at| self.clock.since(at) < DEBOUNCE) {
                return;
            }
            if restarts.running {
                restarts.pending = true;
                return;
            }
            restarts.started = Some(Instant::now());
            restarts.running = true;
        }
        let platform = Arc::clone(self);
        self.spawn(async move {
            loop {
                platform.programmatic(id).await;
                let mut state = platform.state();
                let Some(workspace) = state.get_mut(id) else { return };
                if !std::mem::take(&mut workspace.restarts.pending) {
                    workspace.restarts.running = false;
                    return;
                }
                workspace.restarts.started = Some(Instant::now());
            }
        });
    }

    /// Whether a programmatic cycle touches this workspace. Observed servers leave hibernated ones
    /// alone, so that the announced wake never happens (contract §7.6).
    fn restartable(&self, id: Uuid) -> bool {
        self.state().get(id).is_some_and(|w| {
            let skipped = match w.status {
                Status::Removed | Status::Paused => true,
                Status::Hibernated => !self.does(Behaviour::HibernateWakes),
                _ => false,
            };
            !skipped && !w.external_like() && w.runtime != "mock"
        }) && self.state().paused_ancestor(id).is_none()
    }

    async fn programmatic(self: &Arc<Self>, id: Uuid) {
        if !self.restartable(id) {
            return;
        }
        // A provision under way is waited for; an instance that is up and not yet registered gets some more time.
        let cycle = self.state().get(id).map(|w| Arc::clone(&w.cycle));
        if let Some(cycle) = cycle {
            drop(cycle.lock().await);
        }
        if self.state().get(id).is_some_and(|w| w.status == Status::Provisioning) {
            self.clock.sleep(ALREADY).await;
        }
        self.announce(id).await;
        if !self.restartable(id) {
            return;
        }
        let wakes = self.state().get(id).is_some_and(|w| w.status == Status::Hibernated);
        if wakes {
            self.state().begin_resuming(id, self.behaviours);
        }
        let plan = Plan { stop: true, context: true, begin: !wakes, ..Plan::default() };
        Arc::clone(self).cycle(id, plan).await;
    }

    /// Tells the old instance that it will be stopped; any answer will do.
    async fn announce(&self, id: Uuid) {
        let Some(url) = self.state().get(id).map(|w| w.url.clone()).filter(|u| !u.is_empty()) else { return };
        let body = json!({
            "jsonrpc": "2.0",
            "method": "signals/restart_pending",
            "params": { "drain_seconds": 20, "workspace_id": id },
            "id": null,
        });
        let call = Call::post_json(
            format!("{}/signals/restart_pending", url.trim_end_matches('/')),
            body.to_string(),
        )
        .header("x-restart-signal", "true")
        .within(self.clock.patience(DRAIN));
        let outbound = self.outbound.clone();
        // Stopping does not wait for it.
        self.spawn(async move {
            let _ = outbound.send(call).await;
        });
    }

    /// Sends the restart-context message once the new instance is online and has spoken.
    async fn restart_context(self: &Arc<Self>, id: Uuid, began: Instant, ended: &str) {
        let online = |platform: &Platform| {
            platform.state().get(id).is_some_and(|w| w.status == Status::Online && !w.url.is_empty())
        };
        let fresh = |platform: &Platform| {
            platform.state().get(id).is_some_and(|w| w.last_heartbeat.is_some_and(|at| at > began))
        };
        if !self.wait_for(online).await || !self.wait_for(fresh).await {
            self.say(&format!("restart context for {id} dropped"));
            return;
        }
        let keys: Vec<String> = {
            let state = self.state();
            let own =
                state.get(id).map(|w| w.secrets.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
            let mut keys: Vec<String> = state.global_secrets.keys().cloned().chain(own).collect();
            keys.sort();
            keys.dedup();
            keys
        };
        let text = format!(
            "This workspace was restarted at {}. The session before ended at {ended}. \
             Environment variables that are set: {}.",
            wall(),
            keys.join(", ")
        );
        let body = json!({
            "jsonrpc": "2.0",
            "id": crate::chance::uuid(),
            "method": "message/send",
            "params": { "message": {
                "role": "user",
                "messageId": crate::chance::uuid(),
                "parts": [{ "kind": "text", "text": text }],
                "metadata": {
                    "source": "platform",
                    "kind": "restart_context",
                    "layer": 1,
                    "restart_context": true,
                },
            } },
        });
        proxy::send_system(self, id, body).await;
    }

    async fn wait_for(&self, holds: impl Fn(&Platform) -> bool) -> bool {
        let deadline = Instant::now() + self.clock.patience(CONTEXT);
        while Instant::now() < deadline {
            if holds(self) {
                return true;
            }
            self.clock.sleep(CONTEXT_LOOK).await;
        }
        holds(self)
    }
}

#[cfg(test)]
mod tests;
