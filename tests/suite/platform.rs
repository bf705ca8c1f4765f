//! `lifecycle serve platform` in a process of its own, and the tests' own look at it.

use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{BIN, pause, word};

/// The admin token of the tests' platforms.
pub(crate) const TOKEN: &str = "suite-admin-token-0123456789";

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// Runs a future of the tests to its end.
pub(crate) fn block<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

/// Runs a server of the tests' own beside them.
pub(crate) fn beside(work: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.spawn(work);
}

/// A reference platform in another process; killed when it is dropped.
pub(crate) struct Platform {
    child: Child,
    pub base: String,
    http: reqwest::Client,
}

impl Platform {
    /// On a free port.
    #[track_caller]
    pub(crate) fn start<'a>(args: impl IntoIterator<Item = &'a str>) -> Platform {
        let mut child = Command::new(BIN)
            .args(["serve", "platform", "--listen", "127.0.0.1:0", "--inspect", "--admin-token", TOKEN])
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut base = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut base).unwrap();
        let http = lifecycle_harness::facade::tls::client().no_proxy().build().unwrap();
        Platform { child, base: base.trim().to_owned(), http }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request as its admin.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        block(async {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = self
                .http
                .request(method, format!("{}{path}", self.base))
                .timeout(Duration::from_secs(30))
                .bearer_auth(TOKEN);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
        })
    }

    /// All rows of its list.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let (status, list) = self.ask("GET", "/workspaces", None);
        assert_eq!(status, 200, "{list}");
        list.as_array().unwrap().clone()
    }

    /// The names of all workspaces, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.rows().iter().map(|row| word(&row["name"])).collect();
        names.sort();
        names
    }

    /// Instances that run.
    pub(crate) fn instances(&self) -> usize {
        let (_, list) = self.ask("GET", "/__lifecycle/instances", None);
        list["instances"].as_array().map(Vec::len).unwrap_or_default()
    }

    /// Makes an external poll workspace of somebody else.
    pub(crate) fn stranger(&self, name: &str, parent: Option<&str>) -> String {
        let mut body =
            json!({ "name": name, "external": true, "runtime": "external", "delivery_mode": "poll" });
        if let Some(parent) = parent {
            body["parent_id"] = json!(parent);
        }
        let (status, made) = self.ask("POST", "/workspaces", Some(body));
        assert_eq!(status, 201, "{made}");
        word(&made["id"])
    }

    /// Waits until it holds nothing.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while !(self.rows().is_empty() && self.instances() == 0) {
            assert!(
                Instant::now() < until,
                "{} instances and {:?} are left: {:#?}",
                self.instances(),
                self.names(),
                self.ask("GET", "/__lifecycle/instances", None).1["instances"]
            );
            pause();
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
