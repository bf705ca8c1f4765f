//! The HTML report in a real browser: what is shown, what the keys and filters do, narrow, dark, on paper.
//!
//! It is run where Chromium is (`chromium` on the PATH, or `LIFECYCLE_CHROMIUM`); elsewhere it says so past the capture of
//! the test runner, and `LIFECYCLE_REQUIRE_BROWSER=1` makes that red.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::harness::{Harness, switch, wait_for};

/// A browser that gives no answer for so long is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Chromium is, or `None`, which is said aloud.
fn chromium() -> Option<PathBuf> {
    let named = switch("LIFECYCLE_CHROMIUM").map(PathBuf::from);
    let path = switch("PATH").unwrap_or_default();
    let on_path = || {
        let places =
            std::env::split_paths(&path).flat_map(|dir| ["chromium", "google-chrome"].map(|n| dir.join(n)));
        places.into_iter().find(|file| file.is_file())
    };
    let found = named.or_else(on_path);
    if found.is_none() {
        assert!(switch("LIFECYCLE_REQUIRE_BROWSER").is_none(), "there is no chromium on the PATH");
        let _ = std::io::stderr()
            .write_all(b"BROWSER TESTS DID NOT RUN: no chromium on the PATH (apt-get install -y chromium)\n");
    }
    found
}

/// A page of a browser, driven by its DevTools protocol.
struct Page {
    child: Child,
    runtime: tokio::runtime::Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    last: u64,
    /// What the page logged or threw.
    complaints: Vec<Value>,
    _profile: TempDir,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    fn open(chromium: &Path, file: &Path) -> Page {
        let profile = TempDir::new().unwrap();
        let child = Command::new(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = profile.path().join("DevToolsActivePort");
        let address = wait_for("the browser listens", || {
            let text = std::fs::read_to_string(&port).ok()?;
            let (port, path) = text.trim().split_once('\n')?;
            Some(format!("ws://127.0.0.1:{port}{path}"))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let socket = runtime.block_on(connect_async(address)).unwrap().0;
        let mut page = Page {
            child,
            runtime,
            socket,
            session: None,
            last: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = page.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        page.session = page.ask("Target.attachToTarget", attach)["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.ask(domain, json!({}));
        }
        page.screen(1280, &[]);
        page.ask("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        wait_for("the page is there", || {
            (page.js("document.readyState") == "complete" && page.js("location.protocol") == "file:")
                .then_some(())
        });
        page
    }

    /// The answer to a command.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let (last, socket, complaints) = (self.last, &mut self.socket, &mut self.complaints);
        self.runtime.block_on(async {
            socket.send(Message::text(message.to_string())).await.unwrap();
            loop {
                let heard = tokio::time::timeout(PATIENCE, socket.next()).await.expect("the browser answers");
                let Message::Text(text) = heard.expect("the browser lives").unwrap() else { continue };
                let mut answer: Value = serde_json::from_str(&text).unwrap();
                if answer["id"] == last {
                    assert!(answer["error"].is_null(), "{method}: {answer}");
                    return answer["result"].take();
                }
                if ["Log.entryAdded", "Runtime.exceptionThrown"]
                    .contains(&answer["method"].as_str().unwrap_or(""))
                {
                    complaints.push(answer);
                }
            }
        })
    }

    /// What an expression is worth in the page.
    fn js(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// A screen of this width, with media features such as `("prefers-color-scheme", "dark")`.
    fn screen(&mut self, width: u32, features: &[(&str, &str)]) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.ask("Emulation.setEmulatedMedia", json!({ "media": "", "features": features }));
    }

    fn key(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { key } else { "" };
            self.ask("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "text": text }));
        }
    }

    /// Rows that are shown.
    fn rows(&mut self) -> u64 {
        self.js("document.querySelectorAll('main>details:not([hidden])').length").as_u64().unwrap()
    }
}

const RED: &str = "scenario: red
summary: A new workspace has its provider's key.
tags: [keys]
steps:
  - create: { as: ws, runtime: claude-code, model: MiniMax-M2.7, credentials: auto }
  - await:  { workspace: ws, status: online, within: 60s }
  - expect: { env_of: ws, satisfies: provider }
";

const GREEN: &str = "scenario: green
summary: The server is healthy.
matrix: { n: [\"2\", \"10\", \"1\"] }
steps:
  - http: { path: /health, expect: { status: 200 } }
";

#[test]
fn the_report_can_be_looked_at_searched_and_printed() {
    let Some(chromium) = chromium() else { return };
    let run = Harness::new().args(["run", "--html", "r.html", "--fault", "no-projection"]);
    let run = run.scenario(RED).scenario(GREEN).run().exit(1);
    let mut page = Page::open(&chromium, &run.dir.path().join("r.html"));
    assert_eq!(page.js("document.querySelector('h1').textContent"), "3 passed, 1 failed");
    let causes = page.js("document.querySelectorAll('article.cause').length");
    assert_eq!(causes, 1, "one cause, one card");
    // Narrow, wide, dark: nothing sticks out, and text is told from its ground.
    for (width, scheme) in [(1280, "light"), (390, "light"), (390, "dark"), (1280, "dark")] {
        page.screen(width, &[("prefers-color-scheme", scheme)]);
        page.js("document.querySelectorAll('details').forEach(d => d.open = true)");
        let wide = page.js("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{width} {scheme}: the page is {wide} wide");
        let dark = page.js("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)";
        assert_eq!(dark, scheme == "dark");
        page.js("document.querySelectorAll('main>details').forEach(d => d.open = false)");
    }
    page.screen(1280, &[]);
    // Filter, search, order.
    assert_eq!(page.rows(), 4);
    page.js("document.querySelector('[data-filter=failed]').click()");
    assert_eq!(page.rows(), 1);
    page.js("document.querySelector('[data-filter=\"\"]').click()");
    page.key("/");
    assert_eq!(page.js("document.activeElement.id"), "search");
    for (words, rows) in [("projection", 1), ("green", 3), ("no such thing", 0), ("", 4)] {
        page.js(&format!(
            "search = document.getElementById('search'); search.value = '{words}'; search.dispatchEvent(new Event('input'))"
        ));
        assert_eq!(page.rows(), rows, "{words}");
        assert_eq!(page.js("document.querySelector('.empty').hidden"), rows > 0);
    }
    page.js("sort = document.getElementById('sort'); sort.value = 'name'; sort.dispatchEvent(new Event('change'))");
    let names = "[...document.querySelectorAll('main>details')].map(d => d.dataset.name).join(' ')";
    assert_eq!(page.js(names), "green[n=1] green[n=2] green[n=10] red");
    // A link to a scenario that the search hides shows it, open.
    page.js("search.value = 'green'; search.dispatchEvent(new Event('input'))");
    page.js("document.querySelector('article.cause p.dim a').click()");
    wait_for("the red is shown", || {
        (page.js("document.querySelector('main>details.failed').open") == true && page.rows() == 4)
            .then_some(())
    });
    // On paper: no tools, and the red with its evidence.
    page.ask("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    assert_eq!(page.js("getComputedStyle(document.querySelector('.tools')).display"), "none");
    assert_eq!(page.complaints, Vec::<Value>::new(), "the page complains");
}

#[test]
fn a_thousand_scenarios_are_one_small_page() {
    let Some(chromium) = chromium() else { return };
    let instances = |n: u32| (1..=n).map(|i| format!("\"{i}\"")).collect::<Vec<_>>().join(", ");
    let green = GREEN.replace("\"2\", \"10\", \"1\"", &instances(984));
    let red = RED.replace("steps:", &format!("matrix: {{ n: [{}] }}\nsteps:", instances(16)));
    let run = Harness::new().args(["run", "-q", "--html", "r.html", "--fault", "no-projection"]);
    let run = run.scenario(&red).scenario(&green).run().exit(1);
    let file = run.dir.path().join("r.html");
    let size = file.metadata().unwrap().len();
    assert!(size <= 3 << 20, "{size} bytes");
    let mut page = Page::open(&chromium, &file);
    assert_eq!(page.rows(), 1_000);
    let painted = page.js("performance.getEntriesByName('first-contentful-paint').length");
    assert_eq!(painted, 1, "it is painted before it is asked for anything");
    let elements = page.js("document.getElementsByTagName('*').length").as_u64().unwrap();
    assert!(elements < 40_000, "{elements} elements");
    assert_eq!(page.complaints, Vec::<Value>::new(), "the page complains");
}
