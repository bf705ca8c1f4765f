//! Asking a server of which nothing is known yet.

use std::sync::Arc;

use crate::clock::Instant;
use crate::http::Response;
use crate::platform::ask::Asker;
use crate::platform::filing::Unrecorded;
use crate::platform::{Api, Auth, policy};

/// Nothing runs yet, and nothing is filed.
pub(super) fn asker(api: &Api, deadline: Instant) -> Asker<'_> {
    Asker::new(api, Arc::new(Unrecorded), deadline)
}

pub(super) async fn get(api: &Api, path: &str, auth: &Auth) -> Option<Response> {
    let asker = asker(api, Instant::now() + policy::PROBE.within);
    asker.ask(path, api.request("GET", path, auth), &policy::PROBE).await.answer()
}
