//! Read-only requests that tell whether a behaviour is on: the question and how its answer is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// An id that no workspace has.
pub(crate) const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
/// What stands for some workspace of the server.
const ANY: &str = "<any>";

/// As whom it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum As {
    /// The admin token.
    Admin,
    /// No token.
    Nobody,
    /// No token, and `X-Workspace-ID` names a workspace that does not exist.
    Named,
}

/// One GET.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// The path, with `<nobody>` and `<any>`.
    pub get: String,
    /// As whom.
    #[serde(rename = "as")]
    pub who: As,
    /// The answer where the behaviour is on.
    pub on: Sign,
    /// The answer where it is off.
    pub off: Sign,
}

/// What an answer must be; all that is given must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sign {
    /// One of these.
    pub status: Vec<u16>,
    /// The body is JSON.
    pub json: Option<bool>,
    /// The object has this key.
    pub has: Option<String>,
    /// The object lacks this key.
    pub lacks: Option<String>,
    /// A row of the list has these values.
    pub row_with: BTreeMap<String, String>,
    /// No row of the list has these values.
    pub no_row_with: BTreeMap<String, String>,
}

impl Probe {
    /// The path to ask, where some workspace is this; `None` when it needs one and there is none.
    pub(crate) fn path(&self, any: Option<&str>) -> Option<String> {
        let path = self.get.replace("<nobody>", NOBODY);
        match any {
            Some(id) => Some(path.replace(ANY, id)),
            None => (!path.contains(ANY)).then_some(path),
        }
    }

    /// Whether the behaviour is on, by the answer; `None`: it does not tell.
    pub(crate) fn tells(&self, status: u16, body: Option<&Value>) -> Option<bool> {
        match (self.on.fits(status, body), self.off.fits(status, body)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }
}

impl Sign {
    fn fits(&self, status: u16, body: Option<&Value>) -> bool {
        let looks_into_it = self.has.is_some()
            || self.lacks.is_some()
            || !self.row_with.is_empty()
            || !self.no_row_with.is_empty();
        if !self.status.is_empty() {
            if !self.status.contains(&status) {
                return false;
            }
        } else if (looks_into_it && status != 200) || matches!(status, 401 | 403 | 429) || status >= 500 {
            // A refusal or a server in trouble tells nothing, unless that is what is looked for.
            return false;
        }
        let object = body.and_then(Value::as_object);
        let rows = body.and_then(Value::as_array);
        let with = |wanted: &BTreeMap<String, String>| {
            rows.is_some_and(|rows| {
                rows.iter().any(|row| {
                    wanted.iter().all(|(key, value)| row.get(key).and_then(Value::as_str) == Some(value))
                })
            })
        };
        self.json.is_none_or(|json| json == body.is_some())
            && self.has.as_ref().is_none_or(|key| object.is_some_and(|o| o.contains_key(key)))
            && self.lacks.as_ref().is_none_or(|key| object.is_some_and(|o| !o.contains_key(key)))
            && (self.row_with.is_empty() || with(&self.row_with))
            && (self.no_row_with.is_empty() || (rows.is_some() && !with(&self.no_row_with)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Behaviour, row};

    #[test]
    fn answers_tell_or_do_not() {
        let table = [
            (Behaviour::BillingRoute, 200, Some(json!({})), Some(true)),
            (Behaviour::BillingRoute, 404, Some(json!({ "error": "workspace not found" })), Some(true)),
            (Behaviour::BillingRoute, 404, None, Some(false)),
            (Behaviour::BillingRoute, 503, Some(json!({})), None),
            (Behaviour::BillingRoute, 401, Some(json!({})), None),
            (Behaviour::WsNeedsBearer, 401, Some(json!({})), Some(true)),
            (Behaviour::WsNeedsBearer, 400, None, Some(false)),
            (Behaviour::WsNeedsBearer, 502, None, None),
            (Behaviour::AnonymousA2a, 404, Some(json!({})), Some(true)),
            (Behaviour::AnonymousA2a, 401, Some(json!({})), Some(false)),
            (Behaviour::SeededPlatformAgent, 200, Some(json!([{ "kind": "platform" }])), Some(true)),
            (Behaviour::SeededPlatformAgent, 200, Some(json!([])), Some(false)),
            (Behaviour::SeededPlatformAgent, 500, Some(json!({})), None),
            (Behaviour::SingleReadTellsHealth, 200, Some(json!({ "last_heartbeat_at": null })), Some(true)),
            (Behaviour::SingleReadTellsHealth, 200, Some(json!({ "id": "x" })), Some(false)),
            (Behaviour::SingleReadTellsHealth, 410, Some(json!({ "id": "x" })), None),
        ];
        for (behaviour, status, body, told) in table {
            let probe = row(behaviour).and_then(|row| row.probe.as_ref()).unwrap();
            assert_eq!(probe.tells(status, body.as_ref()), told, "{behaviour} {status} {body:?}");
        }
    }

    #[test]
    fn a_probe_of_some_workspace_needs_one() {
        let probe = row(Behaviour::SingleReadTellsHealth).and_then(|row| row.probe.as_ref()).unwrap();
        assert_eq!(probe.path(None), None);
        assert_eq!(probe.path(Some("x")).as_deref(), Some("/workspaces/x"));
    }
}
