//! Typed client of a control plane: organisations and the instances behind them (scenarios §2.2, contract §10).

use serde_json::{Value, json};

use super::limits::Limits;
use super::{record, segment};
use crate::clock::{self, Instant};
use crate::domain::Secret;
use crate::http::{Client, Payload, Request, Response, TransportError};

/// A control plane and the credential for it.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// Sends.
    pub client: Client,
    /// Without a trailing slash.
    pub base_url: String,
    /// Its administrator's token.
    pub token: Option<Secret>,
    /// Its limit of rates, which all that ask it share.
    pub limits: Limits,
}

/// How an organisation is called, and where its tenant is.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrgRow(Value);

impl OrgRow {
    /// Of a row of the list, or of the answer to a create.
    pub(crate) fn new(row: Value) -> OrgRow {
        OrgRow(row)
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        record::text(&self.0, "id")
    }

    /// Its slug.
    pub(crate) fn slug(&self) -> &str {
        record::text(&self.0, "slug")
    }

    /// Its display name.
    pub(crate) fn name(&self) -> &str {
        record::text(&self.0, "name")
    }

    /// `instance_status`: `provisioning`, `running`, `failed`.
    pub(crate) fn instance_status(&self) -> &str {
        record::text(&self.0, "instance_status")
    }

    /// Whether nothing is left of it but the row.
    pub(crate) fn is_purged(&self) -> bool {
        record::text(&self.0, "status") == "purged"
    }

    /// What went wrong last.
    pub(crate) fn last_error(&self) -> &str {
        record::text(&self.0, "last_error")
    }

    /// When it was created.
    pub(crate) fn created_at(&self) -> Option<jiff::Timestamp> {
        record::text(&self.0, "created_at").parse().ok()
    }

    /// All of it, for evidence.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }
}

impl ControlPlane {
    fn request(&self, method: &str, path: &str) -> Request {
        Request {
            method: method.to_owned(),
            url: format!("{}{path}", self.base_url),
            headers: Vec::new(),
            bearer: self.token.clone(),
            identity: "control plane".to_owned(),
            body: Payload::None,
        }
    }

    fn json(&self, method: &str, path: &str, body: Value) -> Request {
        Request { body: Payload::Json(body), ..self.request(method, path) }
    }

    /// Sends once the limit that somebody was told is over.
    ///
    /// # Errors
    /// No whole answer came until then.
    pub(crate) async fn send(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<Response, TransportError> {
        while let Some((free, told)) = self.limits.now() {
            if free >= deadline {
                return Ok(told);
            }
            clock::sleep_until(free).await;
        }
        let answer = self.client.send(request, deadline).await?;
        if let Some(come_back) = answer.retry_after() {
            self.limits.note(request, &answer, come_back);
        }
        Ok(answer)
    }

    /// `GET /health`; no token goes along.
    pub fn health(&self) -> Request {
        Request { bearer: None, ..self.request("GET", "/health") }
    }

    /// `POST /cp/admin/orgs`.
    pub fn create_org(&self, slug: &str, name: &str) -> Request {
        let body = json!({ "slug": slug, "name": name, "owner_user_id": format!("e2e-runner:{slug}") });
        self.json("POST", "/cp/admin/orgs", body)
    }

    /// `GET /cp/admin/orgs`.
    pub fn list_orgs(&self) -> Request {
        self.request("GET", "/cp/admin/orgs")
    }

    /// `GET /cp/admin/orgs/:slug`.
    pub fn org(&self, slug: &str) -> Request {
        self.request("GET", &format!("/cp/admin/orgs/{}", segment(slug)))
    }

    /// `GET /cp/admin/orgs/:slug/admin-token`.
    pub fn admin_token(&self, slug: &str) -> Request {
        self.request("GET", &format!("/cp/admin/orgs/{}/admin-token", segment(slug)))
    }

    /// `DELETE /cp/admin/tenants/:slug`, confirmed by its slug.
    pub fn delete_tenant(&self, slug: &str) -> Request {
        self.json("DELETE", &format!("/cp/admin/tenants/{}", segment(slug)), json!({ "confirm": slug }))
    }

    /// Instances of an organisation, ended ones too.
    pub fn instances(&self, slug: &str) -> Request {
        self.request("GET", &format!("/cp/admin/orgs/{}/instances", segment(slug)))
    }

    /// Ends an instance behind the platform's back.
    pub fn terminate(&self, instance: &str) -> Request {
        self.request("POST", &format!("/cp/admin/instances/{}/terminate", segment(instance)))
    }

    /// What a workspace's machine printed.
    pub fn console(&self, workspace: &str) -> Request {
        self.request("GET", &format!("/cp/admin/workspaces/{}/console", segment(workspace)))
    }

    /// How many organisations there may be.
    pub fn quota(&self) -> Request {
        self.request("GET", "/cp/admin/quota")
    }

    /// Counters of a stub.
    pub fn counters(&self) -> Request {
        self.request("GET", "/__stub/state")
    }

    /// The record of requests about a workspace.
    pub fn record_of(&self, workspace: &str) -> Request {
        self.request("GET", &format!("/__stub/requests?workspace={}", segment(workspace)))
    }
}

/// The rows of a list of organisations: a list, or one under `orgs`.
pub(crate) fn orgs(body: Option<&Value>) -> Option<Vec<OrgRow>> {
    let body = body?;
    let rows = body.as_array().or_else(|| body.get("orgs")?.as_array())?;
    Some(rows.iter().cloned().map(OrgRow).collect())
}

/// The running instance of a workspace among an organisation's instances, newest first.
pub(crate) fn running_instance(body: &Value, workspace: &str) -> Option<String> {
    let all = body.as_array().or_else(|| body.get("instances")?.as_array())?;
    let of =
        |i: &&Value| record::text(i, "workspace_id") == workspace && record::text(i, "state") == "running";
    all.iter().rev().find(of).map(|i| record::text(i, "instance_id").to_owned()).filter(|i| !i.is_empty())
}

/// Where the tenants of a control plane are: `{slug}` stands for the organisation's.
pub(crate) fn tenant_pattern(base_url: &str, domain: Option<&str>) -> String {
    let (scheme, rest) = base_url.split_once("://").unwrap_or(("https", base_url));
    if let Some(domain) = domain {
        let domain = if domain.contains("{slug}") { domain.to_owned() } else { format!("{{slug}}.{domain}") };
        return if domain.contains("://") { domain } else { format!("https://{domain}") };
    }
    let authority = rest.split('/').next().unwrap_or(rest);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, format!(":{port}")),
        _ => (authority, String::new()),
    };
    if crate::http::is_loopback(host) {
        return format!("{scheme}://{{slug}}.localhost{port}");
    }
    let domain = match host.split_once('.') {
        Some(("api", rest)) => rest.to_owned(),
        Some((first, rest)) if first.ends_with("-api") => {
            format!("{}.{rest}", first.trim_end_matches("-api"))
        }
        _ => host.to_owned(),
    };
    format!("{scheme}://{{slug}}.{domain}{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_tenants_are() {
        for (url, domain, pattern) in [
            ("https://api.example.com", None, "https://{slug}.example.com"),
            ("https://staging-api.example.com", None, "https://{slug}.staging.example.com"),
            ("https://cp.example.com/x", None, "https://{slug}.cp.example.com"),
            ("http://127.0.0.1:9090", None, "http://{slug}.localhost:9090"),
            ("http://localhost:9090", None, "http://{slug}.localhost:9090"),
            ("https://api.example.com", Some("t.example"), "https://{slug}.t.example"),
            ("https://api.example.com", Some("http://{slug}-x.t:81"), "http://{slug}-x.t:81"),
        ] {
            assert_eq!(tenant_pattern(url, domain), pattern, "{url} {domain:?}");
        }
    }

    #[test]
    fn rows_of_either_shape() {
        let row = json!({ "id": "1", "slug": "s", "status": "purged" });
        for body in [json!([row]), json!({ "orgs": [row] })] {
            let rows = orgs(Some(&body)).unwrap();
            assert_eq!((rows[0].slug(), rows[0].is_purged()), ("s", true));
        }
        assert!(orgs(Some(&json!({ "rows": [] }))).is_none());
        assert!(orgs(None).is_none());
    }
}
