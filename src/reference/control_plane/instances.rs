//! Machines: what an instance id stands for, its state and how it came to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::machine::{CONSOLE, Machine, MachineState};
use super::plane::Plane;
use crate::reference::provision::embedded::Embedded;
use crate::reference::provision::{InstanceSpec, Provisioner as _};

/// What a provision call asks for.
pub(super) struct Wanted {
    pub org: Uuid,
    pub workspace: Uuid,
    pub runtime: String,
    pub tier: i64,
    pub env: BTreeMap<String, String>,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Makes a machine; it comes up after this returns.
pub(super) fn launch(plane: &Arc<Plane>, machines: Arc<Embedded>, wanted: Wanted) -> String {
    let machine = Machine::new(wanted.org, Some(wanted.workspace));
    let id = machine.id.clone();
    plane.state().machines.insert(id.clone(), machine);
    let (own, name) = (Arc::clone(plane), id.clone());
    plane.spawn(async move { boot(&own, &machines, wanted, &name).await });
    id
}

async fn boot(plane: &Plane, machines: &Embedded, wanted: Wanted, id: &str) {
    let workspace = wanted.workspace;
    let spec = InstanceSpec {
        workspace,
        runtime: wanted.runtime,
        tier: wanted.tier,
        env: wanted.env,
        files: wanted.files,
        workspace_dir: None,
        reset_session: false,
        // A machine has no volume of an earlier one.
        first: true,
    };
    let started = machines.start(spec).await;
    let ended = {
        let mut state = plane.state();
        let Some(machine) = state.machines.get_mut(id) else { return };
        match started {
            Ok(_) if machine.ended() => true,
            Ok(_) => {
                machine.turns(MachineState::Running, "its agent runs");
                false
            }
            Err(error) => {
                machine.turns(MachineState::Terminated, &format!("cloud-init failed: {error}"));
                false
            }
        }
    };
    if ended {
        let _ = machines.stop(workspace).await;
    }
}

/// Ends a machine; `None` when there is none of this name.
pub(super) async fn terminate(plane: &Plane, id: &str, why: &str) -> Option<Value> {
    let (stop, shown) = {
        let mut state = plane.state();
        let (org, workspace, was) = {
            let machine = state.machines.get_mut(id)?;
            let was = machine.state;
            if !machine.ended() {
                machine.turns(MachineState::ShuttingDown, why);
            }
            (machine.org, machine.workspace, was)
        };
        // Of a workspace's machines only the newest has an agent.
        let newest = state.machines.values().rev().find(|m| m.workspace == workspace).map(|m| m.id.as_str());
        let agent = newest == Some(id) && was == MachineState::Running;
        let stop = workspace.filter(|_| agent).zip(state.orgs.get(&org).map(|o| Arc::clone(&o.machines)));
        (stop, state.machines.get(id)?.shown())
    };
    if let Some((workspace, machines)) = stop {
        let lines = machines.logs(workspace, CONSOLE).await;
        let _ = machines.stop(workspace).await;
        if let Some(machine) = plane.state().machines.get_mut(id) {
            lines.into_iter().for_each(|line| machine.console.push_back(line));
        }
    }
    if let Some(machine) = plane.state().machines.get_mut(id)
        && machine.state == MachineState::ShuttingDown
    {
        machine.turns(MachineState::Terminated, why);
    }
    Some(shown)
}

/// What the newest machine of a workspace printed.
pub(super) async fn console(plane: &Plane, workspace: Uuid) -> Option<String> {
    let (mut lines, machines) = {
        let state = plane.state();
        let machine = state.machines.values().rev().find(|m| m.workspace == Some(workspace))?;
        let machines = state.orgs.get(&machine.org).map(|org| Arc::clone(&org.machines));
        (machine.console.iter().cloned().collect::<Vec<_>>(), machines)
    };
    if let Some(machines) = machines {
        lines.extend(machines.logs(workspace, CONSOLE).await);
    }
    Some(lines.join("\n"))
}
