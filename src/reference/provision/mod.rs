//! What runs workspaces: one interface, so that containers are one more implementation.

pub(crate) mod cloud;
pub(crate) mod embedded;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use uuid::Uuid;

/// A future that a provisioner returns.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What an instance is started from (contract §8.6, §9).
#[derive(Clone, Debug)]
pub struct InstanceSpec {
    /// The workspace.
    pub workspace: Uuid,
    /// Its runtime; decides the image.
    pub runtime: String,
    /// Limits and privileges.
    pub tier: i64,
    /// The environment, whole, but for `MOLECULE_WORKSPACE_URL`, which the provisioner adds.
    pub env: BTreeMap<String, String>,
    /// Files for the config volume: path below it and content. A file that is not here stays as it
    /// is, one without content is taken away.
    pub files: BTreeMap<String, Vec<u8>>,
    /// A directory of the host to mount, with `read_only` or `read_write`.
    pub workspace_dir: Option<(String, String)>,
    /// Whether the runtime's sessions are thrown away first.
    pub reset_session: bool,
    /// Whether this is the first provision: an empty config volume is then no error.
    pub first: bool,
}

/// An instance that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Its id: never the same for two instances.
    pub instance: String,
    /// Whose it is.
    pub workspace_id: Uuid,
    /// Where the platform reaches it.
    pub url: String,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Whether it runs right now.
    pub running: bool,
}

/// Why an instance did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is no image for this runtime.
    #[error("no image for runtime \"{0}\"")]
    NoImage(String),
    /// The config volume has nothing in it (contract §9.2).
    #[error(
        "cannot start workspace {0}: no config.yaml source and config volume is empty — delete the workspace or provide a template"
    )]
    EmptyVolume(Uuid),
    /// The backend says no.
    #[error("{0}")]
    Backend(String),
}

/// What runs workspaces. Names follow contract §9.
pub trait Provisioner: Send + Sync + 'static {
    /// Starts a new instance; an old one must have been stopped before. Returns when it runs.
    fn start(&self, spec: InstanceSpec) -> Pending<'_, Result<Instance, StartError>>;

    /// Stops the instance of a workspace; none is success. Volumes stay.
    fn stop(&self, workspace: Uuid) -> Pending<'_, Result<(), String>>;

    /// Whether the instance runs. An error counts as alive.
    fn is_running(&self, workspace: Uuid) -> Pending<'_, Result<bool, String>>;

    /// The current instance, running or not.
    fn instance(&self, workspace: Uuid) -> Pending<'_, Option<Instance>>;

    /// All instances that there are, also of workspaces that the platform forgot.
    fn instances(&self) -> Pending<'_, Vec<Instance>>;

    /// Volumes that there are, by name.
    fn volumes(&self) -> Pending<'_, Vec<String>>;

    /// Removes the config and sessions volumes; the workspace volume only when told to.
    fn remove_volumes(&self, workspace: Uuid, also_workspace: bool) -> Pending<'_, Result<(), String>>;

    /// Empties the config volume.
    fn empty_config(&self, workspace: Uuid) -> Pending<'_, ()>;

    /// Last lines that the instance printed.
    fn logs(&self, workspace: Uuid, lines: usize) -> Pending<'_, Vec<String>>;
}

/// No backend at all.
pub(crate) struct NoBackend;

impl Provisioner for NoBackend {
    fn start(&self, _: InstanceSpec) -> Pending<'_, Result<Instance, StartError>> {
        Box::pin(async { Err(StartError::Backend("provisioner not available".to_owned())) })
    }

    fn stop(&self, _: Uuid) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn is_running(&self, _: Uuid) -> Pending<'_, Result<bool, String>> {
        Box::pin(async { Ok(false) })
    }

    fn instance(&self, _: Uuid) -> Pending<'_, Option<Instance>> {
        Box::pin(async { None })
    }

    fn instances(&self) -> Pending<'_, Vec<Instance>> {
        Box::pin(async { Vec::new() })
    }

    fn volumes(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn remove_volumes(&self, _: Uuid, _: bool) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn empty_config(&self, _: Uuid) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn logs(&self, _: Uuid, _: usize) -> Pending<'_, Vec<String>> {
        Box::pin(async { Vec::new() })
    }
}
