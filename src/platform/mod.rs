//! Typed client of the workspace-server: which request says what (contract §1–§8).

pub(crate) mod ask;
pub(crate) mod control_plane;
pub(crate) mod filing;
pub(crate) mod limits;
pub(crate) mod policy;
#[cfg(test)]
mod policy_page;
pub(crate) mod reach;
pub mod record;
pub(crate) mod row;
pub(crate) mod source;
pub(crate) mod starts;
pub(crate) mod stream;
pub(crate) mod whose;

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::clock::{Instant, TimeScale};
use crate::domain::Secret;
use crate::http::{Client, Payload, Request, Response};
use crate::run::look::Pace;
use crate::scenario::model::PartKey;

/// A server that limits rates and does not say for how long is asked again after this.
const COME_BACK: Duration = Duration::from_secs(1);

/// A workspace-server and the credentials for it.
#[derive(Clone, Debug)]
pub struct Api {
    /// Sends.
    pub client: Client,
    /// Without a trailing slash.
    pub base_url: String,
    /// `ADMIN_TOKEN`.
    pub admin: Option<Secret>,
    /// `X-Molecule-Org-Id`, on SaaS (contract §1.5).
    pub org: Option<String>,
    /// The target's clock.
    pub scale: TimeScale,
    /// Its limit of rates, when it told one.
    pub limits: limits::Limits,
}

/// Whose bearer a request carries.
#[derive(Clone, Debug)]
pub enum Auth {
    /// The admin token.
    Admin,
    /// None.
    Anonymous,
    /// This one; the text says whose it is.
    Bearer(Secret, String),
}

impl Auth {
    /// For people.
    pub fn label(&self) -> String {
        match self {
            Auth::Admin => "admin".into(),
            Auth::Anonymous => "none".into(),
            Auth::Bearer(_, whose) => whose.clone(),
        }
    }
}

impl Api {
    /// A request to a path of the server.
    pub fn request(&self, method: &str, path: &str, auth: &Auth) -> Request {
        let mut headers = Vec::new();
        if let Some(org) = &self.org {
            headers.push(("X-Molecule-Org-Id".to_owned(), org.clone()));
        }
        let absolute = path.starts_with("http://") || path.starts_with("https://");
        Request {
            method: method.to_owned(),
            url: if absolute { path.to_owned() } else { format!("{}{path}", self.base_url) },
            headers,
            bearer: match auth {
                Auth::Admin => self.admin.clone(),
                Auth::Anonymous => None,
                Auth::Bearer(secret, _) => Some(secret.clone()),
            },
            identity: auth.label(),
            body: Payload::None,
        }
    }

    /// A request with a JSON body.
    pub fn json(&self, method: &str, path: &str, auth: &Auth, body: Value) -> Request {
        Request { body: Payload::Json(body), ..self.request(method, path, auth) }
    }

    /// `GET /workspaces/:id`. The admin bearer is sent too: some deployments guard it.
    pub fn read(&self, id: &str) -> Request {
        self.request("GET", &format!("/workspaces/{}", segment(id)), &Auth::Admin)
    }

    /// `GET /workspaces`: fields that the single read strips (contract §3.1).
    pub fn list(&self) -> Request {
        self.request("GET", "/workspaces", &Auth::Admin)
    }

    /// `POST /workspaces`.
    pub fn create(&self, body: Value) -> Request {
        self.json("POST", "/workspaces", &Auth::Admin, body)
    }

    /// `DELETE /workspaces/:id` with the name read back; never `confirm` unless asked.
    pub fn delete(&self, id: &str, name: &str, query: &[&str]) -> Request {
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let mut request =
            self.request("DELETE", &format!("/workspaces/{}{query}", segment(id)), &Auth::Admin);
        request.headers.push(("X-Confirm-Name".into(), name.to_owned()));
        request
    }

    /// `POST /workspaces/:id/<edge>`: restart, pause, resume, hibernate.
    pub fn edge(&self, id: &str, edge: &str, query: &[&str], body: Option<Value>, auth: &Auth) -> Request {
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let path = format!("/workspaces/{}/{edge}{query}", segment(id));
        match body {
            Some(body) => self.json("POST", &path, auth, body),
            None => self.request("POST", &path, auth),
        }
    }

    /// `POST /admin/workspaces/:id/tokens`.
    pub fn mint(&self, id: &str) -> Request {
        self.request("POST", &format!("/admin/workspaces/{}/tokens", segment(id)), &Auth::Admin)
    }

    /// `GET /workspaces/:id/activity`.
    pub fn activity(&self, id: &str, query: &str, auth: &Auth) -> Request {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        self.request("GET", &format!("/workspaces/{}/activity{query}", segment(id)), auth)
    }

    /// The reference platform's inspection route.
    pub fn environment(&self, id: &str) -> Request {
        self.request("GET", &format!("/__lifecycle/workspaces/{}/environment", segment(id)), &Auth::Admin)
    }

    /// Stops the instance of a workspace behind the platform's back, on a reference platform.
    pub fn stop_instance(&self, id: &str) -> Request {
        self.request("DELETE", &format!("/__lifecycle/workspaces/{}/instance", segment(id)), &Auth::Admin)
    }

    /// What an answer says about pace; a Retry-After is obeyed on the target's clock.
    pub fn pace(&self, response: &Response) -> Pace {
        let number = |name: &str| response.headers.get(name).and_then(|v| v.trim().parse().ok());
        Pace {
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
            retry_after: (response.status == 429).then(|| self.come_back(response)),
        }
    }

    /// When a server that limits rates wants to be asked again, in our time: what is left of a limit that was told to
    /// somebody else.
    pub fn come_back(&self, response: &Response) -> Duration {
        match self.limits.now() {
            Some((until, _)) if response.status == 429 => until.saturating_duration_since(Instant::now()),
            _ => self.asked_to_wait(response),
        }
    }

    fn asked_to_wait(&self, response: &Response) -> Duration {
        self.scale.shorten(response.retry_after().unwrap_or(COME_BACK))
    }

    /// An answer came: a limit of rates in it is one for everybody.
    pub fn note_limit(&self, request: &Request, response: &Response) {
        self.limits.note(request, response, self.asked_to_wait(response));
    }
}

/// A full or bare A2A request (contract §7.1).
pub(crate) fn message(id: &str, method: &str, text: &str, part: PartKey, bare: bool, extra: Value) -> Value {
    let mut params = json!({ "message": { "role": "user", "messageId": id } });
    let (field, said) = match part {
        PartKey::Kind => ("parts", json!([{ "kind": "text", "text": text }])),
        PartKey::Type => ("parts", json!([{ "type": "text", "text": text }])),
        PartKey::Content => ("content", json!(text)),
    };
    params["message"][field] = said;
    if let (Some(params), Value::Object(extra)) = (params.as_object_mut(), extra) {
        params.extend(extra);
    }
    if bare {
        json!({ "method": method, "params": params })
    } else {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }
}

/// A path segment that cannot leave its place.
pub(crate) fn segment(text: &str) -> String {
    const KEEP: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEEP).to_string()
}
