//! The proxy of models that the platform pays for, asked once before an organisation is made (scenarios §1.3).

use std::time::Duration;

use serde_json::json;

use super::ask::describe;
use super::client::client;
use super::desk::Desk;
use super::phase::Phase;
use crate::clock::Instant;
use crate::event::PartState;
use crate::http::{self, Payload, Request};
use crate::targets::error::{Dependency, OpenError};

/// Where it is on a control plane.
pub(crate) const ROUTE: &str = "/api/v1/internal/llm/openai/v1/chat/completions";

/// Where it is asked, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmProxy {
    /// The whole address.
    pub url: String,
    /// The one question may not take longer.
    pub within: Duration,
}

impl LlmProxy {
    /// Any answer below 500 is up, a refusal too: the question carries no credential.
    ///
    /// # Errors
    /// It does not answer, answers 5xx, or the address is none. Both words at the beginning are read by machines.
    pub(super) async fn ask(&self, http: &http::Config, desk: &Desk) -> Result<(), OpenError> {
        let began = Instant::now();
        if let Err(why) = http::address(&self.url) {
            let text = format!("CONFIG-MISSING:staging-llm-proxy-url {} {why}", self.url);
            desk.phase(Phase::LlmProxy, PartState::Failed, text.clone(), began.elapsed());
            return Err(OpenError::dependency(Dependency::NotConfigured, text, &["E2E_LLM_PROXY_URL"]));
        }
        let request = Request {
            method: "POST".to_owned(),
            url: self.url.clone(),
            headers: Vec::new(),
            bearer: None,
            identity: "nobody".to_owned(),
            body: Payload::Json(json!({
                "model": "MiniMax-M2.7",
                "max_tokens": 1,
                "messages": [{ "role": "user", "content": "pong" }],
            })),
        };
        let sent = client(http, self.url.starts_with("https://"))?.send(&request, began + self.within).await;
        let why = match sent {
            Ok(answer) if answer.status < 500 => {
                let text = format!("{} answered {}: it is up", self.url, answer.status);
                desk.phase(Phase::LlmProxy, PartState::Ready, text, began.elapsed());
                return Ok(());
            }
            Ok(answer) => format!("answered {}", describe(&answer)),
            Err(error) => error.text,
        };
        let text = format!("DEP-DOWN:staging-llm {} {why}", self.url);
        desk.phase(Phase::LlmProxy, PartState::Failed, text.clone(), began.elapsed());
        let check = ["the proxy's log", "E2E_LLM_PROXY_URL, when it is somewhere else"];
        Err(OpenError::dependency(Dependency::Down, text, &check))
    }
}
