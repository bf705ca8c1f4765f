//! Runs scenarios and emits events; prints nothing.

pub mod bundle;
mod cause;
pub mod cleanup;
mod cleanup_engine;
mod cleanup_look;
mod container;
mod container_contract;
mod container_evidence;
pub mod context;
pub mod contradictions;
pub mod credentials;
pub mod dispatcher;
pub mod drift;
pub mod ending;
pub mod environment;
pub mod evidence;
pub mod exchanges;
pub mod outcome;
pub mod plan;
pub mod root;
pub mod scenario_run;
pub mod scope;
mod server_log;
pub mod steps;
pub mod symptoms;
pub mod tenant;
pub mod workspace;
