//! What a control plane answers instead of the truth.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asked::Asked;
use crate::reference::reply;

/// What is answered instead, and to whom.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Every method when it is empty.
    #[serde(default)]
    pub method: String,
    /// The path; the first `*` stands for anything.
    pub path: String,
    /// Only this organisation's, by id or slug; `*`: every tenant's.
    #[serde(default)]
    pub org: String,
    /// The status; none leaves the true one.
    #[serde(default)]
    pub status: Option<u16>,
    /// The body; JSON or a text as it is.
    #[serde(default)]
    pub body: Option<Value>,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Wait first, in real time.
    #[serde(default)]
    pub delay_ms: u64,
    /// The connection is reset.
    #[serde(default)]
    pub reset: bool,
    /// No answer ever.
    #[serde(default)]
    pub hang: bool,
    /// What was asked for is done all the same, and answered with this.
    #[serde(default)]
    pub after: bool,
    /// It holds so many times; always when nothing is said.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rule: METHOD PATH=STATUS[xTIMES], or =reset, =hang, =garbage, =html")]
pub struct RuleError(pub String);

impl std::str::FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Rule, RuleError> {
        let wrong = || RuleError(text.to_owned());
        let (asked, answer) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (method, path) = asked.trim().split_once(' ').unwrap_or(("", asked.trim()));
        if !path.starts_with('/') {
            return Err(wrong());
        }
        let (answer, times) = match answer.split_once('x') {
            Some((answer, times)) => (answer, Some(times.parse().map_err(|_| wrong())?)),
            None => (answer, None),
        };
        let mut rule =
            Rule { method: method.to_uppercase(), path: path.to_owned(), times, ..Rule::default() };
        match answer {
            "reset" => rule.reset = true,
            "hang" => rule.hang = true,
            "garbage" => (rule.status, rule.body) = (Some(201), Some(json!("\u{1}not json {"))),
            "html" => {
                (rule.status, rule.body) = (Some(502), Some(json!("<html><body>Bad Gateway</body></html>")));
                rule.headers.insert("content-type".into(), "text/html".into());
            }
            status => {
                let status: u16 = status.parse().map_err(|_| wrong())?;
                if !(200..=599).contains(&status) {
                    return Err(wrong());
                }
                rule.status = Some(status);
            }
        }
        Ok(rule)
    }
}

impl Rule {
    /// Whether it is about this request.
    pub fn is_about(&self, asked: &Asked, org: Option<&str>, slug: Option<&str>) -> bool {
        let path = match self.path.split_once('*') {
            Some((before, after)) => {
                asked.path.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
            }
            None => asked.path == self.path,
        };
        let whose = self.org.is_empty() || self.org == "*" || [org, slug].contains(&Some(self.org.as_str()));
        path && whose && (self.method.is_empty() || self.method.eq_ignore_ascii_case(asked.method.as_str()))
    }

    /// How long it waits first.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// The answer, when it is one.
    pub fn answer(&self) -> Option<Response> {
        let status = self.status?;
        let mut response = match &self.body {
            None => reply::empty(status),
            Some(Value::String(text)) => reply::raw(status, text.clone()),
            Some(json) => reply::json_body(status, json),
        };
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_on_one_line() {
        let rule = |text: &str| text.parse::<Rule>();
        let post = |status| Rule {
            method: "POST".into(),
            path: "/cp/workspaces/provision".into(),
            status: Some(status),
            ..Rule::default()
        };
        assert_eq!(rule("POST /cp/workspaces/provision=401"), Ok(post(401)));
        let three = rule("POST /cp/workspaces/provision=502x3");
        assert_eq!(three, Ok(Rule { times: Some(3), ..post(502) }));
        assert!(rule("/cp/admin/*=hang").is_ok_and(|r| r.hang && r.method.is_empty()));
        assert!(rule("GET /health=reset").is_ok_and(|r| r.reset));
        for wrong in ["", "GET health=200", "GET /health", "GET /health=99", "GET /h=200xmany", "GET /h=no"] {
            assert_eq!(rule(wrong), Err(RuleError(wrong.to_owned())), "{wrong}");
        }
    }
}
