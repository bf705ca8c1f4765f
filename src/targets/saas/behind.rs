//! The control plane behind a target.

use super::desk::Desk;
use super::org::Org;
use super::settings::Settings;
use crate::platform::control_plane::ControlPlane;

/// What scenarios and evidence know of the control plane behind a target.
#[derive(Clone, Debug)]
pub struct Behind {
    /// The client.
    pub api: ControlPlane,
    /// The organisation whose tenant the target is.
    pub org: Org,
    /// How an organisation is made, for scenarios that make their own.
    pub settings: Settings,
    /// Where tenants are.
    pub pattern: String,
    /// How tenants are reached.
    pub http: crate::http::Config,
    /// Where organisations are written down.
    pub desk: Desk,
}
