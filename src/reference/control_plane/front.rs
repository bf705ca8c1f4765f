//! Where a request goes: a tenant by Host or header, else the control plane itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::asked::Asked;
use super::org::Phase;
use super::plane::Plane;
use super::rule::Rule;
use super::state::Seen;
use super::{admin, server_calls, stub};
use crate::clock::Instant;
use crate::domain::Secret;
use crate::reference::clock::wall;
use crate::reference::reply;
use crate::wire::Peer;

/// Larger bodies are refused: template assets are 16 MiB at most (contract §10).
const MAX_BODY: usize = 32 << 20;

/// The whole application.
pub(super) fn app(plane: Arc<Plane>) -> Router {
    Router::new().fallback(serve).with_state(plane)
}

async fn serve(
    State(plane): State<Arc<Plane>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Response {
    let path = request.uri().path();
    let own = path.starts_with("/cp/") || path.starts_with("/__stub") || path == "/healthz";
    if !own && let Some(name) = tenant_of(request.headers()) {
        return at_tenant(&plane, &name, &peer, request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return reply::error(413, "request body too large");
    };
    let asked = Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        json: serde_json::from_slice(&body).ok(),
    };
    let (response, by) = disturbed(&plane, &asked, &peer).await;
    if !asked.path.starts_with("/__stub") {
        let sent = response.extensions().get::<Unsent>().is_none();
        remember(&plane, &asked, sent.then(|| response.status().as_u16()), by);
    }
    scaled(&plane, &asked, response)
}

/// The organisation that a request names: by the first label of its Host, else by its headers.
fn tenant_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    let host = text("host").map(|host| host.rsplit_once(':').map_or(host, |(host, _)| host));
    let label = host
        .filter(|host| host.parse::<std::net::Ipv4Addr>().is_err() && !host.starts_with('['))
        .and_then(|host| host.split_once('.'))
        .map(|(label, _)| label.to_owned());
    label.or_else(|| {
        let header = ["x-molecule-org-slug", "x-molecule-org-id"].into_iter().find_map(text);
        header.map(str::to_owned)
    })
}

async fn at_tenant(plane: &Arc<Plane>, name: &str, peer: &Peer, request: Request<Body>) -> Response {
    let (found, phase, disturbance) = {
        let mut state = plane.state();
        let org = state.by_name(name);
        let phase = org.map(|org| org.phase);
        let ids = org.map(|org| (org.id.to_string(), org.slug.clone()));
        let found = org.and_then(|org| org.tenant.clone());
        let (id, slug) = ids.unzip();
        let asked = Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            json: None,
        };
        // A tenant is disturbed only by rules that name it: `*` alone is the control plane's.
        let rule = take(&mut state.rules, |rule| {
            !rule.org.is_empty() && rule.is_about(&asked, id.as_deref(), slug.as_deref())
        });
        (found, phase, rule)
    };
    if let Some(rule) = disturbance
        && let Some(answer) = disturb(plane, &rule, peer).await
    {
        return answer;
    }
    match (found, phase) {
        (None, None) => reply::empty(404),
        // What an edge answers while nothing is behind it.
        (None, Some(Phase::Provisioning | Phase::Failed)) => reply::error(502, "no healthy upstream"),
        (None, Some(_)) => reply::empty(404),
        (Some(tenant), _) if request.uri().path() != "/health" && Instant::now() < tenant.api_at => {
            reply::error(503, "server is starting")
        }
        (Some(tenant), _) => tenant.server.answer(peer, request).await,
    }
}

/// The first rule that is about this, counted down.
fn take(rules: &mut Vec<Rule>, about: impl Fn(&Rule) -> bool) -> Option<Rule> {
    let at = rules.iter().position(about)?;
    let rule = rules[at].clone();
    if let Some(times) = &mut rules[at].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            rules.remove(at);
        }
    }
    Some(rule)
}

/// Marks an answer that never leaves: its connection is reset.
#[derive(Clone, Copy)]
struct Unsent;

/// What a rule does in place of the truth.
async fn disturb(plane: &Plane, rule: &Rule, peer: &Peer) -> Option<Response> {
    if !rule.delay().is_zero() {
        crate::clock::sleep(rule.delay()).await;
    }
    if rule.hang {
        plane.stopping.cancelled().await;
        return Some(reply::empty(503));
    }
    if rule.reset {
        peer.reset();
        let mut unsent = reply::empty(200);
        unsent.extensions_mut().insert(Unsent);
        return Some(unsent);
    }
    rule.answer()
}

async fn disturbed(plane: &Arc<Plane>, asked: &Asked, peer: &Peer) -> (Response, String) {
    count(plane, asked);
    // Whoever sets rules can always take them back; the rest of its own routes is disturbed only by name.
    let own = asked.path.starts_with("/__stub");
    if asked.path == "/__stub/routes" {
        return (route(plane, asked).await, "route".to_owned());
    }
    let rule = {
        let mut state = plane.state();
        let named = org_of(asked);
        let org = named.as_deref().and_then(|name| state.by_name(name));
        let ids = org.map(|org| (org.id.to_string(), org.slug.clone()));
        let (id, slug) = ids.unzip();
        let named = |rule: &Rule| if own { rule.path.starts_with("/__stub/") } else { rule.org != "*" };
        take(&mut state.rules, |rule| named(rule) && rule.is_about(asked, id.as_deref(), slug.as_deref()))
    };
    let Some(rule) = rule else { return (route(plane, asked).await, "route".to_owned()) };
    let told = format!("rule {} {}", rule.method, rule.path);
    if rule.after {
        let _ = route(plane, asked).await;
    }
    match disturb(plane, &rule, peer).await {
        Some(answer) => (answer, told),
        None => (route(plane, asked).await, told),
    }
}

fn count(plane: &Plane, asked: &Asked) {
    let counter = match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/cp/workspaces/provision") => "provision_calls",
        ("GET", "/cp/tenants/config") => "tenants_config_calls",
        ("POST", "/cp/admin/tenants/redeploy-fleet") => "redeploy_fleet_calls",
        ("DELETE", path) if path.starts_with("/cp/workspaces/") => "stop_calls",
        ("GET", path) if path.starts_with("/cp/workspaces/") => "status_calls",
        _ => return,
    };
    plane.state().count(counter);
}

/// The organisation that a call speaks of.
fn org_of(asked: &Asked) -> Option<String> {
    let body = asked.json.as_ref().and_then(|b| b["org_id"].as_str()).map(str::to_owned);
    body.or_else(|| asked.header("x-molecule-org-id").map(str::to_owned))
}

/// Writes a request down: which credentials it had, never what they are; names of variables, never values.
fn remember(plane: &Plane, asked: &Asked, status: Option<u16>, answered_by: String) {
    let segments: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
    let body_text = |name: &str| asked.json.as_ref().and_then(|b| b[name].as_str()).map(str::to_owned);
    let workspace = body_text("workspace_id").or_else(|| match segments[..] {
        ["cp", "workspaces", id, ..] if id != "provision" => Some(id.to_owned()),
        ["cp", "admin", "workspaces", id, ..] => Some(id.to_owned()),
        _ => None,
    });
    let mut headers = BTreeMap::new();
    for name in ["authorization", "x-molecule-admin-token", "cookie"] {
        let said = match asked.header(name) {
            None => "absent".to_owned(),
            Some(value) if value.starts_with("Bearer ") => "Bearer, redacted".to_owned(),
            Some(_) => "redacted".to_owned(),
        };
        headers.insert(name.to_owned(), said);
    }
    for name in ["x-molecule-org-id", "content-type", "user-agent", "host"] {
        if let Some(value) = asked.header(name) {
            headers.insert(name.to_owned(), value.chars().take(200).collect());
        }
    }
    let body = asked.json.as_ref().map(outline).unwrap_or_default();
    let mut state = plane.state();
    let org = org_of(asked).map(|name| state.by_name(&name).map_or(name, |org| org.id.to_string()));
    state.remember(Seen {
        at: wall(),
        method: asked.method.to_string(),
        path: asked.path.clone(),
        workspace,
        org,
        instance: asked.query("instance_id"),
        headers,
        body,
        status,
        answered_by,
    });
}

/// A body without what may be secret: names everywhere, values only of what identifies.
fn outline(body: &Value) -> Value {
    const SHOWN: [&str; 10] = [
        "org_id",
        "workspace_id",
        "runtime",
        "tier",
        "platform_url",
        "slug",
        "name",
        "confirm",
        "idempotency_key",
        "template",
    ];
    let Some(map) = body.as_object() else { return Value::Null };
    let one = |(name, value): (&String, &Value)| {
        let value = match value {
            value if SHOWN.contains(&name.as_str()) => value.clone(),
            Value::Object(inner) => json!(inner.keys().collect::<Vec<_>>()),
            _ => json!("set"),
        };
        (name.clone(), value)
    };
    Value::Object(map.iter().map(one).collect())
}

fn scaled(plane: &Plane, asked: &Asked, mut response: Response) -> Response {
    let scale = plane.clock.scale();
    if asked.path == "/health"
        && scale.to_bits() != 1.0_f64.to_bits()
        && let Ok(value) = HeaderValue::from_str(&scale.to_string())
    {
        response.headers_mut().insert("x-lifecycle-time-scale", value);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn route(plane: &Arc<Plane>, asked: &Asked) -> Response {
    let segments: Vec<String> = asked
        .path
        .trim_matches('/')
        .split('/')
        .map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = asked.method.as_str();
    let changes_stub = segments.first() == Some(&"__stub") && method != "GET";
    if (segments.starts_with(&["cp", "admin"]) && !is_console(&segments) || changes_stub)
        && let Some(refusal) = not_admin(&plane.options.admin_token, asked)
    {
        return refusal;
    }
    if segments.starts_with(&["cp", "workspaces"])
        && let Some(refusal) = server_calls::refused(plane, asked)
    {
        return refusal;
    }
    match (method, &segments[..]) {
        ("GET", ["health" | "healthz"]) => reply::ok(&json!({ "status": "ok" })),
        ("POST", ["cp", "admin", "orgs"]) => admin::create_org(plane, asked),
        ("GET", ["cp", "admin", "orgs"]) => admin::list_orgs(plane),
        ("GET", ["cp", "admin", "orgs", slug]) => admin::read_org(plane, slug),
        ("GET", ["cp", "admin", "orgs", slug, "admin-token"]) => admin::admin_token(plane, slug),
        ("GET", ["cp", "admin", "orgs", slug, "instances"]) => admin::machines_of(plane, slug),
        ("DELETE", ["cp", "admin", "tenants", slug]) => admin::delete_tenant(plane, slug, asked),
        ("POST", ["cp", "admin", "tenants", "redeploy-fleet"]) => reply::ok(&json!({ "results": [] })),
        ("GET", ["cp", "admin", "instances", id]) => admin::machine(plane, id),
        ("POST", ["cp", "admin", "instances", id, "terminate"]) => admin::terminate(plane, id).await,
        ("GET", ["cp", "admin", "workspaces", id, "console"]) => admin::console(plane, id).await,
        ("GET", ["cp", "admin", "quota"]) => admin::quota(plane),
        ("POST", ["cp", "workspaces", "provision"]) => server_calls::provision(plane, asked),
        ("DELETE", ["cp", "workspaces", _]) => server_calls::stop(plane, asked).await,
        ("GET", ["cp", "workspaces", _, "status"]) => server_calls::status(plane, asked),
        ("GET", ["cp", "tenants", "config"]) => server_calls::config(plane, asked),
        ("GET", ["cp", "registry", "workspaces", id]) => server_calls::registered(plane, id),
        ("GET", ["cp", "auth", "me"]) => server_calls::me(),
        ("GET", ["cp", "auth", "tenant-member"]) => server_calls::member(plane, asked),
        (_, ["cp", "admin", "orgs"] | ["cp", "workspaces", "provision"] | ["cp", "tenants", "config"]) => {
            reply::error(405, "method not allowed")
        }
        ("GET", ["__stub", "state"]) => stub::counters(plane),
        ("GET", ["__stub", "requests"]) => stub::requests(plane, asked),
        ("GET", ["__stub", "routes"]) => stub::rules(plane),
        ("POST", ["__stub", "routes"]) => stub::add_rule(plane, asked),
        ("DELETE", ["__stub", "routes"]) => stub::clear_rules(plane),
        ("POST", ["api", "v1", "internal", "llm", ..]) => reply::error(401, "missing usage token"),
        (_, ["cp", ..]) => reply::error(501, format!("not implemented: {method} {}", asked.path)),
        _ => reply::no_route(),
    }
}

/// Servers read consoles with the shared secret (contract §10).
fn is_console(segments: &[&str]) -> bool {
    matches!(segments, ["cp", "admin", "workspaces", _, "console"])
}

fn not_admin(token: &Secret, asked: &Asked) -> Option<Response> {
    match asked.bearer() {
        _ if token.is_empty() => None,
        Some(given) if given == token.expose() => None,
        Some(_) => Some(reply::error(401, "invalid admin token")),
        None => Some(reply::error(401, "admin auth required")),
    }
}
