//! All routes: method, path, who may call, what runs.

use std::future::Future;
use std::pin::Pin;

use axum::http::Method;
use axum::response::Response;
use percent_encoding::percent_decode_str;

use super::guard::Guard;
use super::request::Call;
use super::{
    a2a, activity, admin, approvals, budget, create, delegation, delete, edit, external, inspect, kept,
    lifecycle, messages, model, open, peers, read, registry, secrets, streams, tokens,
};
use crate::behaviour::{Behaviour, Behaviours};

/// What runs.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// At once, on the state alone.
    Now(fn(&Call) -> Response),
    /// With waiting.
    Later(fn(Call) -> Pin<Box<dyn Future<Output = Response> + Send>>),
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub guard: Guard,
    pub run: Handler,
    /// The behaviour that brings the route; none: every server has it.
    pub with_behaviour: Option<Behaviour>,
}

impl Route {
    /// Whether a server that behaves so has this route.
    pub(crate) fn served(&self, behaviours: Behaviours) -> bool {
        self.with_behaviour.is_none_or(|behaviour| behaviours.has(behaviour))
    }

    const fn with(self, behaviour: Behaviour) -> Route {
        Route { with_behaviour: Some(behaviour), ..self }
    }
}

/// A row and the values of its path.
pub(crate) struct Found {
    pub route: &'static Route,
    pub params: Vec<String>,
}

const fn now(method: &'static str, path: &'static str, guard: Guard, run: fn(&Call) -> Response) -> Route {
    Route { method, path, guard, run: Handler::Now(run), with_behaviour: None }
}

macro_rules! later {
    ($method:literal, $path:literal, $guard:expr, $run:path) => {
        Route {
            method: $method,
            path: $path,
            guard: $guard,
            run: Handler::Later(|call| Box::pin($run(call))),
            with_behaviour: None,
        }
    };
}

use Guard::{Admin, Open, Own, Workspace};

/// The table.
pub(crate) static ROUTES: &[Route] = &[
    now("GET", "/health", Open, open::health),
    now("GET", "/buildinfo", Open, open::buildinfo),
    now("GET", "/org/identity", Open, open::identity),
    now("GET", "/uploads/limits", Open, open::upload_limits),
    now("GET", "/compute/metadata", Open, open::compute_metadata),
    now("GET", "/metrics", Open, open::metrics),
    now("GET", "/canvas/viewport", Open, open::viewport),
    later!("GET", "/ws", Own, streams::socket),
    now("GET", "/events", Admin, streams::all_events),
    now("GET", "/events/:id", Admin, streams::events),
    now("GET", "/workspaces", Admin, read::list),
    later!("POST", "/workspaces", Admin, create::create),
    now("GET", "/workspaces/:id", Open, read::one),
    now("GET", "/workspaces/:id/state", Workspace, read::state),
    now("PATCH", "/workspaces/:id", Workspace, edit::patch),
    now("PATCH", "/workspaces/:id/abilities", Admin, edit::abilities),
    now("GET", "/workspaces/:id/budget", Workspace, budget::read),
    now("PATCH", "/workspaces/:id/budget", Admin, budget::write),
    now("GET", "/workspaces/:id/console", Admin, admin::console),
    later!("DELETE", "/workspaces/:id", Admin, delete::delete),
    later!("POST", "/workspaces/:id/restart", Workspace, lifecycle::restart),
    later!("POST", "/workspaces/:id/pause", Workspace, lifecycle::pause),
    later!("POST", "/workspaces/:id/resume", Workspace, lifecycle::resume),
    later!("POST", "/workspaces/:id/hibernate", Workspace, lifecycle::hibernate),
    now("POST", "/workspaces/:id/switch-provider", Workspace, lifecycle::switch_provider),
    now("GET", "/workspaces/:id/events/stream", Workspace, streams::sse),
    later!("POST", "/workspaces/:id/a2a", Own, a2a::send),
    now("GET", "/workspaces/:id/a2a/queue/:queue", Own, a2a::queue_status),
    now("GET", "/workspaces/:id/activity", Workspace, activity::list),
    now("POST", "/workspaces/:id/activity", Workspace, activity::log),
    now("POST", "/workspaces/:id/activity/ack", Workspace, activity::acknowledge)
        .with(Behaviour::ActivityHasSeq),
    now("GET", "/workspaces/:id/session-search", Workspace, activity::search),
    now("POST", "/workspaces/:id/approvals/:approval/decide", Workspace, approvals::decide),
    now("POST", "/workspaces/:id/notify", Workspace, messages::notify),
    now("POST", "/workspaces/:id/broadcast", Workspace, messages::broadcast),
    now("POST", "/workspaces/:id/delegate", Workspace, delegation::delegate),
    now("GET", "/workspaces/:id/delegations", Workspace, delegation::list),
    now("GET", "/admin/delegations", Admin, delegation::all),
    now("GET", "/workspaces/:id/compute-options", Workspace, open::compute_options),
    now("GET", "/workspaces/:id/chat-history", Workspace, messages::history),
    now("POST", "/workspaces/:id/chat/uploads", Workspace, kept::upload),
    now("GET", "/workspaces/:id/chat/download", Workspace, kept::download),
    now("POST", "/workspaces/:id/memories", Workspace, kept::remember),
    now("GET", "/workspaces/:id/memories", Workspace, kept::memories),
    now("POST", "/workspaces/:id/memory", Workspace, kept::write_value),
    now("GET", "/workspaces/:id/memory/:key", Workspace, kept::read_value),
    now("DELETE", "/workspaces/:id/memory/:key", Workspace, kept::drop_value),
    now("PUT", "/workspaces/:id/files/:path", Workspace, kept::write_file),
    now("GET", "/workspaces/:id/files/:path", Workspace, kept::read_file),
    now("GET", "/workspaces/:id/terminal/diagnose", Workspace, kept::diagnose),
    now("GET", "/workspaces/:id/secrets", Workspace, secrets::list),
    now("GET", "/workspaces/:id/secrets/values", Workspace, secrets::values),
    now("POST", "/workspaces/:id/secrets", Workspace, secrets::write),
    now("PUT", "/workspaces/:id/secrets", Workspace, secrets::write),
    now("DELETE", "/workspaces/:id/secrets/:key", Workspace, secrets::delete),
    now("GET", "/workspaces/:id/model", Workspace, model::read),
    now("PUT", "/workspaces/:id/model", Workspace, model::write),
    now("GET", "/workspaces/:id/provider", Workspace, model::retired),
    now("PUT", "/workspaces/:id/provider", Workspace, model::retired),
    now("GET", "/settings/secrets", Admin, secrets::list_global),
    now("POST", "/settings/secrets", Admin, secrets::write_global),
    now("PUT", "/settings/secrets", Admin, secrets::write_global),
    now("DELETE", "/settings/secrets/:key", Admin, secrets::delete_global),
    now("GET", "/admin/secrets", Admin, secrets::list_global),
    now("POST", "/admin/secrets", Admin, secrets::write_global),
    now("DELETE", "/admin/secrets/:key", Admin, secrets::delete_global),
    now("GET", "/admin/workspaces/:id/llm-billing-mode", Admin, model::billing).with(Behaviour::BillingRoute),
    now("PUT", "/admin/workspaces/:id/llm-billing-mode", Admin, model::set_billing)
        .with(Behaviour::BillingRoute),
    now("GET", "/admin/llm/offered-models", Admin, model::offered),
    now("POST", "/admin/workspaces/:id/tokens", Admin, tokens::mint_admin),
    now("POST", "/workspaces/:id/tokens", Workspace, tokens::mint),
    now("GET", "/workspaces/:id/tokens", Workspace, tokens::list),
    now("DELETE", "/workspaces/:id/tokens/:token", Workspace, tokens::revoke),
    now("POST", "/admin/workspaces/:id/revoke-auth-tokens", Admin, tokens::revoke_all),
    now("POST", "/org/tokens", Admin, tokens::mint_org),
    now("GET", "/org/tokens", Admin, tokens::list_org),
    now("DELETE", "/org/tokens/:token", Admin, tokens::revoke_org),
    now("GET", "/admin/liveness", Admin, admin::liveness),
    now("POST", "/admin/workspaces/:id/bootstrap-failed", Admin, admin::bootstrap_failed),
    now("POST", "/admin/workspaces/:id/set-compute-instance", Admin, admin::set_compute_instance),
    later!("POST", "/admin/org/platform-agent", Admin, admin::platform_agent),
    later!("POST", "/admin/workspace-images/refresh", Admin, admin::refresh_images),
    now("POST", "/admin/a2a-queue/drop-stale", Admin, admin::drop_stale),
    now("POST", "/workspaces/:id/external/rotate", Workspace, external::rotate),
    now("GET", "/workspaces/:id/external/connection", Workspace, external::connection),
    later!("POST", "/registry/register", Own, registry::register),
    now("POST", "/registry/heartbeat", Own, registry::heartbeat),
    now("POST", "/registry/update-card", Own, registry::update_card),
    now("GET", "/registry/discover/:id", Own, peers::discover),
    now("GET", "/registry/:id/peers", Own, peers::peers),
    now("POST", "/registry/check-access", Open, peers::check_access),
    now("GET", "/__lifecycle", Admin, inspect::about),
    now("GET", "/__lifecycle/faults", Admin, inspect::faults),
    now("GET", "/__lifecycle/log", Admin, inspect::log),
    later!("GET", "/__lifecycle/instances", Admin, inspect::instances),
    later!("GET", "/__lifecycle/workspaces/:id/environment", Admin, inspect::environment),
    later!("GET", "/__lifecycle/workspaces/:id/logs", Admin, inspect::instance_logs),
    later!("DELETE", "/__lifecycle/workspaces/:id/instance", Admin, inspect::terminate),
    later!("DELETE", "/__lifecycle/workspaces/:id/volumes", Admin, inspect::remove_volumes),
    now("PUT", "/__lifecycle/workspaces/:id/idle-minutes", Admin, inspect::idle_minutes),
];

/// The row of a request. HEAD is a method of its own here, so it finds nothing.
pub(crate) fn find(method: &Method, path: &str) -> Option<Found> {
    let segments: Vec<&str> = path.split('/').collect();
    ROUTES
        .iter()
        .filter(|route| route.method == method.as_str())
        .find_map(|route| Some(Found { route, params: matches(route.path, &segments)? }))
}

fn matches(pattern: &str, segments: &[&str]) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut wanted = pattern.split('/');
    for segment in segments {
        let want = wanted.next()?;
        if want.starts_with(':') {
            if segment.is_empty() {
                return None;
            }
            let value = percent_decode_str(segment).decode_utf8_lossy().into_owned();
            // A slash that was written as `%2F` is one, and then the path is another.
            if value.contains('/') {
                return None;
            }
            params.push(value);
        } else if want != *segment {
            return None;
        }
    }
    wanted.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_row() {
        for (method, path, found) in [
            ("GET", "/health", Some(("/health", vec![]))),
            ("HEAD", "/health", None),
            ("GET", "/workspaces/a%20b", Some(("/workspaces/:id", vec!["a b"]))),
            ("GET", "/workspaces/", None),
            ("GET", "/workspaces/a%2Fb", None),
            ("GET", "/workspaces/a/secrets/values", Some(("/workspaces/:id/secrets/values", vec!["a"]))),
            ("DELETE", "/workspaces/a/secrets/K", Some(("/workspaces/:id/secrets/:key", vec!["a", "K"]))),
            ("POST", "/health", None),
            ("GET", "/registry/discover/x", Some(("/registry/discover/:id", vec!["x"]))),
        ] {
            let got = find(&Method::from_bytes(method.as_bytes()).unwrap(), path);
            let got = got.map(|f| (f.route.path, f.params));
            let want = found.map(|(p, v)| (p, v.into_iter().map(str::to_owned).collect::<Vec<_>>()));
            assert_eq!(got, want, "{method} {path}");
        }
    }

    #[test]
    fn no_row_is_there_twice_and_inspection_needs_the_admin() {
        for (at, route) in ROUTES.iter().enumerate() {
            assert!(
                ROUTES[..at].iter().all(|r| (r.method, r.path) != (route.method, route.path)),
                "{} {}",
                route.method,
                route.path
            );
            assert!(!route.path.starts_with("/__lifecycle") || route.guard == Guard::Admin);
        }
    }
}
