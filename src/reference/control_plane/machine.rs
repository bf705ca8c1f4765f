//! A machine, as a cloud shows it.

use std::collections::VecDeque;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::reference::clock::wall;

/// So many lines of a console are kept.
pub(super) const CONSOLE: usize = 200;

/// What a cloud says of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MachineState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
}

impl MachineState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            MachineState::Pending => "pending",
            MachineState::Running => "running",
            MachineState::ShuttingDown => "shutting-down",
            MachineState::Terminated => "terminated",
        }
    }
}

/// One machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub id: String,
    pub org: Uuid,
    /// `None` for the tenant's own.
    pub workspace: Option<Uuid>,
    pub state: MachineState,
    pub history: Vec<Value>,
    pub console: VecDeque<String>,
}

impl Machine {
    pub(super) fn new(org: Uuid, workspace: Option<Uuid>) -> Machine {
        let id = crate::chance::uuid().simple().to_string();
        let mut machine = Machine {
            id: format!("i-{}", &id[..17]),
            org,
            workspace,
            state: MachineState::Pending,
            history: Vec::new(),
            console: VecDeque::new(),
        };
        machine.turns(MachineState::Pending, "created");
        machine
    }

    pub(super) fn turns(&mut self, state: MachineState, why: &str) {
        self.state = state;
        self.history.push(json!({ "at": wall(), "state": state.as_str(), "why": why }));
        self.says(format!("{}: {why}", state.as_str()));
    }

    pub(super) fn says(&mut self, line: String) {
        if self.console.len() == CONSOLE {
            self.console.pop_front();
        }
        self.console.push_back(format!("{} {line}", wall()));
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.state, MachineState::ShuttingDown | MachineState::Terminated)
    }

    pub(super) fn shown(&self) -> Value {
        json!({
            "instance_id": self.id,
            "org_id": self.org,
            "workspace_id": self.workspace,
            "kind": if self.workspace.is_some() { "workspace" } else { "tenant" },
            "state": self.state.as_str(),
            "history": self.history,
        })
    }
}
