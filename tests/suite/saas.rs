//! Runs against a control plane: embedded, and in a process of its own.

mod actions;
mod endings;
mod lanes;
mod organisations;
mod provision_call;
mod troubles;

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::harness::{Harness, Output, Process, pause};

const TOKEN: &str = "cp-token-of-the-tests";

/// A control plane in a process of its own.
struct Plane {
    _process: Process,
    base: String,
}

impl Plane {
    fn start(more: &[&str]) -> Plane {
        Plane::at_pace("40", more)
    }

    /// Its clock is so much faster than real time.
    fn at_pace(scale: &str, more: &[&str]) -> Plane {
        let args = [
            "serve",
            "control-plane",
            "--listen",
            "127.0.0.1:0",
            "--time-scale",
            scale,
            "--admin-token",
            TOKEN,
        ];
        let process = Harness::new().args(args).args(more.iter().copied()).spawn();
        loop {
            let said = process.stdout();
            if let Some(base) = said.lines().next() {
                return Plane { base: base.to_owned(), _process: process };
            }
            pause();
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = lifecycle_harness::facade::tls::client().no_proxy().build().unwrap();
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = client.request(method, format!("{}{path}", self.base)).bearer_auth(TOKEN);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.json().await.unwrap_or(Value::Null))
        })
    }

    fn rule(&self, rule: Value) {
        assert_eq!(self.ask("POST", "/__stub/routes", Some(rule)).0, 201);
    }

    /// Slugs of organisations that are not purged.
    fn living(&self) -> Vec<String> {
        let (_, body) = self.ask("GET", "/cp/admin/orgs", None);
        let rows = body["orgs"].as_array().cloned().unwrap_or_default();
        let living = rows.into_iter().filter(|row| row["status"] != "purged");
        living.filter_map(|row| row["slug"].as_str().map(str::to_owned)).collect()
    }

    fn run(&self) -> Harness {
        self.run_in(&Arc::new(tempfile::tempdir().unwrap()))
    }

    fn run_in(&self, dir: &Arc<TempDir>) -> Harness {
        let args = ["run", "--target", "saas", "--cp-url", &self.base, "--cp-token", TOKEN];
        Harness::within(dir).args(args)
    }
}

/// The log of its run.
fn text_of(done: &Output) -> String {
    std::fs::read_to_string(done.run_folder().join("events.jsonl")).unwrap()
}
