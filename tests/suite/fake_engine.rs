//! An engine of the tests' own on a socket: it has what a test puts there, and does as badly as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use lifecycle_harness::facade::docker::{Engine, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;

use super::platform::{beside, block};

/// The socket; it ends with the tests.
pub(crate) struct FakeEngine {
    /// As `DOCKER_HOST`.
    pub host: String,
    things: Arc<Mutex<Things>>,
    _folder: TempDir,
}

/// What it has, and how it behaves.
#[derive(Default)]
pub(crate) struct Things {
    pub containers: Vec<Thing>,
    pub volumes: Vec<Thing>,
    pub networks: Vec<Thing>,
    /// By their tags.
    pub images: Vec<(Vec<String>, Labels)>,
    /// Every request: `DELETE /volumes/x`.
    pub asked: Vec<String>,
    /// Containers are for ever being removed.
    pub stuck: bool,
    /// Nothing is answered.
    pub frozen: bool,
    /// A network takes so long to make.
    pub slow_network: Duration,
}

pub(crate) type Labels = BTreeMap<String, String>;

/// A container, a volume or a network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thing {
    pub name: String,
    pub labels: Labels,
    /// Of a container: the network it hangs on.
    pub network: String,
    /// Of a container: it was started.
    pub running: bool,
}

impl Thing {
    pub(crate) fn new<'a>(name: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Thing {
        let labels = labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Thing { name: name.to_owned(), labels, ..Thing::default() }
    }

    /// As the engine calls it, unlike its name.
    fn id(&self) -> String {
        format!("id-of-{}", self.name)
    }

    fn is(&self, called: &str) -> bool {
        self.name == called || self.id() == called
    }
}

impl FakeEngine {
    /// With this on it.
    pub(crate) fn with(things: Things) -> FakeEngine {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = block(async { UnixListener::bind(&path) }).unwrap();
        let things = Arc::new(Mutex::new(things));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&things));
        beside(async move { axum::serve(listener, app).await.unwrap() });
        FakeEngine { host: format!("unix://{}", path.display()), things, _folder: folder }
    }

    /// What is on it now.
    pub(crate) fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap()
    }

    /// Names of containers, volumes, networks and images, each with its kind.
    pub(crate) fn has(&self) -> Vec<String> {
        let things = self.things();
        let named = |kind: &str, all: &[Thing]| -> Vec<String> {
            all.iter().map(|thing| format!("{kind} {}", thing.name)).collect()
        };
        let mut all = named("container", &things.containers);
        all.extend(named("volume", &things.volumes));
        all.extend(named("network", &things.networks));
        all.extend(things.images.iter().flat_map(|(tags, _)| tags).map(|tag| format!("image {tag}")));
        all
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Engine {
        Settings { host: Some(self.host.clone()), ..Settings::default() }.connect().unwrap()
    }
}

type Shared = Arc<Mutex<Things>>;

async fn answer(State(things): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let url = reqwest::Url::parse(&format!("http://engine{}", head.uri)).unwrap();
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap().into_owned();
    let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let (frozen, slow) = {
        let mut things = things.lock().unwrap();
        things.asked.push(format!("{} {path}", head.method));
        (things.frozen, things.slow_network)
    };
    if frozen {
        std::future::pending::<()>().await;
    }
    let body = read(body).await;
    // Whatever it began it ends, also when nobody waits for the answer any more.
    let work = tokio::spawn(async move {
        if path == "/networks/create" {
            #[expect(clippy::disallowed_methods, reason = "an engine that takes its time")]
            tokio::time::sleep(slow).await;
        }
        things.lock().unwrap().answer(&head.method, &path, &asked, &body)
    });
    let (status, value) = work.await.unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    match value {
        Value::Null => status.into_response(),
        value => (status, axum::Json(value)).into_response(),
    }
}

/// A body of JSON; the archive of an image is read and forgotten.
async fn read(body: Body) -> Value {
    let mut stream = body.into_data_stream();
    let mut text = Vec::new();
    while let Some(Ok(piece)) = stream.next().await {
        if text.len() < 1 << 20 {
            text.extend_from_slice(&piece);
        }
    }
    serde_json::from_slice(&text).unwrap_or_default()
}

type Answer = (u16, Value);

fn none(what: &str) -> Answer {
    (404, json!({ "message": format!("No such {what}") }))
}

/// Takes a thing away.
fn take(all: &mut Vec<Thing>, called: &str) -> Answer {
    let before = all.len();
    all.retain(|thing| !thing.is(called));
    if all.len() < before { (204, Value::Null) } else { none(called) }
}

fn labels_of(body: &Value) -> Labels {
    serde_json::from_value(body["Labels"].clone()).unwrap_or_default()
}

impl Things {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        asked: &BTreeMap<String, String>,
        body: &Value,
    ) -> Answer {
        let filters: BTreeMap<String, Vec<String>> =
            asked.get("filters").map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default();
        let labelled = |labels: &Labels| {
            filters.get("label").into_iter().flatten().all(|wanted| match wanted.split_once('=') {
                Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
                None => labels.contains_key(wanted),
            })
        };
        let any = |key: &str, fits: &dyn Fn(&str) -> bool| {
            filters.get(key).is_none_or(|wanted| wanted.iter().any(|wanted| fits(wanted)))
        };
        let parts: Vec<&str> = path.trim_matches('/').splitn(3, '/').collect();
        match (method.as_str(), parts.as_slice()) {
            (_, ["_ping"]) => (200, json!("OK")),
            (_, ["version"]) => (200, json!({ "Version": "20.10.24", "ApiVersion": "1.41" })),
            (_, ["info"]) => (200, json!({ "OSType": "linux", "Architecture": std::env::consts::ARCH })),
            ("GET", ["containers", "json"]) => {
                let meant = self.containers.iter().filter(|c| {
                    let hangs =
                        |wanted: &str| c.network == wanted || format!("id-of-{}", c.network) == wanted;
                    labelled(&c.labels)
                        && any("network", &hangs)
                        && any("name", &|_| c.name.starts_with("ws-"))
                });
                let shown = |c: &Thing| json!({ "Id": c.id(), "Names": [format!("/{}", c.name)], "State": "exited", "Labels": c.labels });
                (200, meant.map(shown).collect())
            }
            ("GET", ["containers", called, "json"]) => match self.containers.iter().find(|c| c.is(called)) {
                Some(c) => {
                    let status = if c.running { "running" } else { "exited" };
                    let state = json!({ "Status": if self.stuck { "removing" } else { status }, "Running": c.running });
                    let config = json!({ "Labels": c.labels });
                    let name = format!("/{}", c.name);
                    (
                        200,
                        json!({ "Id": c.id(), "Name": name, "State": state, "Config": config, "Mounts": [] }),
                    )
                }
                None => none("container"),
            },
            ("DELETE", ["containers", called]) if self.stuck => {
                match self.containers.iter().any(|c| c.is(called)) {
                    true => (409, json!({ "message": "removal of container is already in progress" })),
                    false => none("container"),
                }
            }
            ("DELETE", ["containers", called]) => take(&mut self.containers, called),
            ("POST", ["containers", "create"]) => {
                let network = body["HostConfig"]["NetworkMode"].as_str().unwrap_or_default().to_owned();
                let made = Thing { labels: labels_of(body), network, ..Thing::new(&asked["name"], []) };
                self.containers.push(made.clone());
                (201, json!({ "Id": made.id(), "Warnings": [] }))
            }
            ("POST" | "PUT", ["containers", called, action]) => {
                match self.containers.iter_mut().find(|c| c.is(called)) {
                    Some(container) => {
                        container.running |= *action == "start";
                        (if *action == "archive" { 200 } else { 204 }, Value::Null)
                    }
                    None => none("container"),
                }
            }
            ("POST", ["volumes", "create"]) => {
                let name = body["Name"].as_str().unwrap();
                self.volumes.retain(|v| v.name != name);
                self.volumes.push(Thing { labels: labels_of(body), ..Thing::new(name, []) });
                (201, volume(self.volumes.last().unwrap()))
            }
            ("GET", ["volumes"]) => {
                let meant =
                    |v: &&Thing| labelled(&v.labels) && any("name", &|wanted| v.name.contains(wanted));
                let volumes: Vec<Value> = self.volumes.iter().filter(meant).map(volume).collect();
                (200, json!({ "Volumes": volumes, "Warnings": [] }))
            }
            ("DELETE", ["volumes", called]) => take(&mut self.volumes, called),
            ("POST", ["networks", "create"]) => {
                let network =
                    Thing { labels: labels_of(body), ..Thing::new(body["Name"].as_str().unwrap(), []) };
                self.networks.push(network.clone());
                (201, json!({ "Id": network.id(), "Warning": "" }))
            }
            ("GET", ["networks", called]) => match self.networks.iter().find(|n| n.is(called)) {
                Some(n) => {
                    // Of containers it names only those that run.
                    let gateway = json!({ "Config": [{ "Gateway": "127.0.0.2" }] });
                    let named = json!({ "Name": n.name, "Id": n.id(), "Labels": n.labels });
                    (
                        200,
                        json!({ "IPAM": gateway, "Containers": {}, "Name": named["Name"], "Id": named["Id"], "Labels": named["Labels"] }),
                    )
                }
                None => none("network"),
            },
            ("DELETE", ["networks", called]) => take(&mut self.networks, called),
            ("POST", ["images", "create"]) => {
                let tag = asked["tag"].clone();
                let labels = Labels::from([("lifecycle.agent".to_owned(), tag.clone())]);
                self.images.push((vec![format!("{}:{tag}", asked["repo"])], labels));
                (200, json!({ "status": "made" }))
            }
            ("GET", ["images", "json"]) => {
                let meant = self.images.iter().filter(|(_, labels)| labelled(labels));
                let shown = |(tags, labels): &(Vec<String>, Labels)| {
                    json!({ "Id": format!("sha256:{}", tags.join("+")), "ParentId": "", "RepoTags": tags, "RepoDigests": [],
                        "Created": 0, "Size": 0, "SharedSize": 0, "Containers": 0, "Labels": labels })
                };
                (200, meant.map(shown).collect())
            }
            ("GET", ["images", rest @ ..]) => {
                let name = rest.join("/");
                let name = name.trim_end_matches("/json");
                match self.images.iter().any(|(tags, _)| tags.iter().any(|tag| tag == name)) {
                    true => (200, json!({ "Id": "sha256:x", "Os": "linux", "Config": {} })),
                    false => none("image"),
                }
            }
            ("DELETE", ["images", rest @ ..]) => {
                let name = rest.join("/");
                for (tags, _) in &mut self.images {
                    tags.retain(|tag| *tag != name);
                }
                (200, json!([{ "Untagged": name }]))
            }
            _ => none(path),
        }
    }
}

fn volume(volume: &Thing) -> Value {
    json!({ "Name": volume.name, "Labels": volume.labels, "Driver": "local", "Mountpoint": "/x", "Scope": "local", "Options": {} })
}
