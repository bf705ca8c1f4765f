//! Who may call: tenant guard, AdminAuth, WorkspaceAuth (contract §1.3–§1.5).

use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

use crate::reference::platform::Platform;
use crate::reference::reply;

/// How a route is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nobody is asked.
    Open,
    /// The server's admin token or an organisation's.
    Admin,
    /// Those, or a token of the workspace in the path.
    Workspace,
    /// The handler asks.
    Own,
}

/// Who calls, as the guard found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Anonymous,
    Admin,
    Org,
    Workspace(Uuid),
}

/// Whether this is the server's admin token.
pub(crate) fn is_admin(platform: &Platform, token: &str) -> bool {
    let own = platform.admin_token.expose().as_bytes();
    let given = token.as_bytes();
    !own.is_empty()
        && own.len() == given.len()
        && own.iter().zip(given).fold(0_u8, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// Whether this is a live organisation token.
pub(crate) fn is_org(platform: &Platform, token: &str) -> bool {
    platform.state().org_tokens.iter().any(|t| t.is(token))
}

/// Who may go on; else the refusal.
pub(crate) fn check(
    platform: &Platform,
    guard: Guard,
    headers: &HeaderMap,
    id: Option<&str>,
) -> Result<Caller, Response> {
    let token = bearer(headers);
    match guard {
        Guard::Open | Guard::Own => Ok(Caller::Anonymous),
        Guard::Admin => {
            let Some(token) = token else { return Err(reply::error(401, "admin auth required")) };
            if is_org(platform, token) {
                return Ok(Caller::Org);
            }
            if is_admin(platform, token) {
                return Ok(Caller::Admin);
            }
            let deprecated =
                platform.admin_token.is_empty() && platform.state().tokens.owner(token).is_some();
            if deprecated {
                Ok(Caller::Anonymous)
            } else {
                Err(reply::error(401, "invalid admin auth token"))
            }
        }
        Guard::Workspace => {
            let Some(token) = token else { return Err(reply::error(401, "missing workspace auth token")) };
            if is_admin(platform, token) {
                return Ok(Caller::Admin);
            }
            if is_org(platform, token) {
                return Ok(Caller::Org);
            }
            let owner = platform.state().tokens.owner(token);
            match owner {
                Some(owner) if id.and_then(|i| Uuid::try_parse(i).ok()) == Some(owner) => {
                    Ok(Caller::Workspace(owner))
                }
                _ => Err(reply::error(401, "invalid workspace auth token")),
            }
        }
    }
}

/// On a server of one organisation, who does not name it (contract §1.5).
pub(crate) fn tenant(platform: &Platform, parts: &Parts) -> Option<Response> {
    let org = platform.server_var("MOLECULE_ORG_ID")?;
    let path = parts.uri.path();
    let exempt = ["/health", "/buildinfo", "/metrics", "/registry/register", "/registry/heartbeat"];
    if exempt.contains(&path) || path.starts_with("/cp/") || path.starts_with("/__lifecycle") {
        return None;
    }
    match parts.headers.get("x-molecule-org-id").map(|v| v.as_bytes()).filter(|v| !v.is_empty()) {
        Some(given) if given == org.as_bytes() => None,
        Some(_) => Some(reply::empty(404)),
        None => Some(reply::json_body(
            400,
            &json!({
                "error": "missing tenant routing header",
                "code": "TENANT_ORG_HEADER_REQUIRED",
                "required_header": "X-Molecule-Org-Id",
                "detail": "every request names the organisation it is for",
            }),
        )),
    }
}

/// Exactly `Bearer `, in this case (contract §1.2); blanks around the token are not part of it.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?.trim();
    Some(token).filter(|t| !t.is_empty())
}
