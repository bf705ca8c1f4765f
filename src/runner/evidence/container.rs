//! Evidence from the engine: the exact container, its neighbours labelled as such.

use serde_json::{Value, json};

use super::asked::Found;
use super::server_log::edge_time;
use crate::clock::Instant;
use crate::docker::probe::{LATE, OUTSIDE, Probed};
use crate::docker::{Container, Engine, EngineError, ErrorKind, names};
use crate::domain::words::count;
use crate::runner::container;
use crate::runner::context::ScenarioContext;
use crate::runner::workspace::Workspace;

/// Lines of a container's log that are kept.
const LOG: usize = 60;
/// Of those, so many are shown.
const SHOWN: usize = 8;
/// How far back the engine's events are asked for, in seconds.
pub(in crate::runner) const WINDOW: i64 = 1_800;
const MIB: i64 = 1 << 20;

/// State, log, events, volumes and network of a workspace's container.
pub(super) async fn gather(
    context: &ScenarioContext,
    engine: &Engine,
    workspace: &Workspace,
    listens: bool,
    deadline: Instant,
) -> Result<Found, EngineError> {
    let name = names::container(&workspace.id);
    let redactor = context.run.log.redactor();
    let (found, events, volumes, others, network) = tokio::join!(
        container::of_workspace(context, engine, &workspace.id, deadline),
        engine.events(&name, WINDOW),
        engine.volumes_of_workspace(&workspace.id),
        engine.workspaces(),
        engine.network(names::NETWORK),
    );
    let (found, foreign) = match found {
        Ok(found) => (found, None),
        Err(error) if error.kind == ErrorKind::Foreign => (None, Some(error.what)),
        Err(error) => return Err(error),
    };
    let mut lines = Vec::new();
    let mut log = Vec::new();
    let mut from_inside = None;
    let mut heard = None;
    match &found {
        Some(container) => {
            lines.extend(state(container));
            let (printed, asked, listening) = tokio::join!(
                engine.logs(&name, LOG, redactor),
                ask_from_inside(context, engine, container, deadline),
                ask_the_agent(context, engine, container, listens, deadline)
            );
            heard = listening;
            match printed {
                Ok(all) => log = all,
                Err(error) => lines.push(format!("log: {}", error.what)),
            }
            from_inside = asked;
        }
        None => lines.push(foreign.unwrap_or_else(|| format!("there is no container {name}"))),
    }
    let events = events.unwrap_or_default();
    let shown = events.iter().filter(|(_, what)| !what.starts_with("exec_"));
    let told: Vec<&str> = shown.map(|(_, what)| what.as_str()).collect();
    if !told.is_empty() {
        let from = told.len().saturating_sub(12);
        lines.push(format!("engine's events: {}", told[from..].join(", ")));
    }
    let volumes: Vec<String> = volumes?.into_iter().map(|v| v.name).collect();
    lines.push(match volumes.as_slice() {
        [] => "it has no volume".to_owned(),
        some => format!("volumes: {}", some.join(", ")),
    });
    let on_network = match (&network, &found) {
        (Ok(Some(network)), Some(container)) if !container.host_network => {
            Some(container.networks.contains_key(&network.name))
        }
        _ => None,
    };
    if on_network == Some(false) {
        lines.push(format!("it does not hang on {}", names::NETWORK));
    }
    if matches!(network, Ok(None)) {
        lines.push(format!("the network {} is not there", names::NETWORK));
    }
    if let Some(asked) = &from_inside {
        lines.push(match asked {
            Ok(probed) => format!("asked from {}: {}", probed.from, probed.said),
            Err(error) => format!("asking from inside: {}", error.what),
        });
    }
    let from_inside = from_inside.and_then(Result::ok);
    if let Some(heard) = heard {
        lines.push(format!("asked on port {PORT} from its own network, the agent answers {heard}"));
    }
    let others: Vec<_> = others.unwrap_or_default().into_iter().filter(|c| c.name != name).collect();
    lines.push(format!("{} of other workspaces", count(others.len(), "container")));
    lines.extend(log.iter().skip(log.len().saturating_sub(SHOWN)).map(|line| format!("log: {line}")));
    let neighbours: Vec<Value> =
        others.iter().take(100).map(|c| json!({ "name": c.name, "state": c.state })).collect();
    let edge = workspace.baseline.edge_at.or(workspace.edge_at);
    let edge = edge.and_then(|edge| edge_time(edge.elapsed())).map(|at| at.as_second());
    let data = json!({
        "container": found.as_ref().map(facts),
        "log": log,
        "events": events.iter().map(|(at, what)| json!({ "at": at, "what": what, "since_edge": edge.map(|edge| *at >= edge) })).collect::<Vec<_>>(),
        "volumes": volumes,
        "on_network": on_network,
        "listens": heard,
        "platform_from_inside": from_inside
            .filter(|p| p.from != OUTSIDE)
            .map(|p| json!({ "answered": p.answered, "said": p.said, "from": p.from })),
        "not_the_target": neighbours,
    });
    Ok(Found { lines, data })
}

/// Whether the platform answers at the address that the instance was given; `None`: it was given none.
async fn ask_from_inside(
    context: &ScenarioContext,
    engine: &Engine,
    container: &Container,
    deadline: Instant,
) -> Option<Result<Probed, EngineError>> {
    let base = container.env.get("PLATFORM_URL").filter(|url| !url.is_empty())?;
    let url = format!("{}/health", base.trim_end_matches('/'));
    let asked = engine.probe(container, &url, &context.run.run);
    Some(
        crate::clock::timeout_at(deadline, asked)
            .await
            .unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Other, LATE))),
    )
}

/// Where an agent listens (contract §9.3).
const PORT: u16 = 8000;

/// Where the agent of a running container answers: `everywhere`, on its `loopback` only, or `nowhere`.
async fn ask_the_agent(
    context: &ScenarioContext,
    engine: &Engine,
    container: &Container,
    wanted: bool,
    deadline: Instant,
) -> Option<&'static str> {
    let network =
        container.networks.get(names::NETWORK).filter(|_| wanted && container.status == "running")?;
    let address = network.split('/').next().filter(|address| !address.is_empty())?;
    let ask = async |host: &str| {
        let url = format!("http://{host}:{PORT}/");
        let asked = engine.probe(container, &url, &context.run.run);
        let asked = crate::clock::timeout_at(deadline, asked).await.ok()?.ok()?;
        (asked.from != OUTSIDE).then_some(asked.answered)
    };
    if ask(address).await? {
        return Some("everywhere");
    }
    Some(if ask("127.0.0.1").await? { "loopback" } else { "nowhere" })
}

/// For people; also of containers that ended.
fn state(container: &Container) -> Vec<String> {
    let mut lines = vec![format!("{} {} ({})", container.name, container.status, container.instance())];
    if !container.running && container.status != "created" {
        let memory = if container.oom_killed { ", out of memory" } else { "" };
        lines.push(format!("exit code {}{memory}, ended {}", container.exit_code, container.finished_at));
    }
    if container.restarts > 0 {
        lines.push(format!("the engine started it again {} times", container.restarts));
    }
    if !container.error.is_empty() {
        lines.push(format!("error: {}", container.error));
    }
    lines
}

/// Everything but its environment, which has rules of its own. `expect: {container_of: …}` tests it as well.
pub(in crate::runner) fn facts(container: &Container) -> Value {
    json!({
        "id": container.id,
        "name": container.name,
        "image": container.image,
        "status": container.status,
        "running": container.running,
        "paused": container.paused,
        "exit_code": container.exit_code,
        "oom_killed": container.oom_killed,
        "restarts": container.restarts,
        "restart_policy": container.restart_policy,
        "started_at": container.started_at,
        "finished_at": container.finished_at,
        "error": container.error,
        "labels": container.labels,
        "networks": container.networks,
        "mounts": container.mounts,
        "memory_mib": mebibytes(container.memory),
        "cpus": container.nano_cpus as f64 / 1e9,
        "privileged": container.privileged,
        "read_only": container.read_only,
        "published": container.published,
    })
}

/// Whole ones as a whole number, so that a file may say 512.
fn mebibytes(bytes: i64) -> Value {
    if bytes % MIB == 0 { json!(bytes / MIB) } else { json!(bytes as f64 / MIB as f64) }
}
