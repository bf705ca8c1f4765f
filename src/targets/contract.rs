//! What a server does: its own declaration where it is a reference platform, then read-only probes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use super::ask::get;
use crate::behaviour::contract::{Told, probed};
use crate::behaviour::probe::{As, NOBODY, Probe};
use crate::behaviour::{Behaviour, Behaviours};
use crate::clock::Instant;
use crate::http::Response;
use crate::platform::ask::Asker;
use crate::platform::filing::Unrecorded;
use crate::platform::row::Row;
use crate::platform::{Api, Auth, policy, record};

/// What was seen of each behaviour, and who told it; a probe wins over what the server says of itself.
pub(crate) type Seen = BTreeMap<Behaviour, (bool, Told)>;

/// Asks a server.
pub(crate) async fn seen(api: &Api, about: Option<&Value>, played: Option<Behaviours>) -> Seen {
    let mut seen: Seen = played
        .into_iter()
        .flat_map(|set| Behaviour::ALL.iter().map(move |b| (*b, (set.has(*b), Told::Server))))
        .collect();
    let said = about.and_then(|about| about.get("behaviours")).and_then(Value::as_object);
    for (name, on) in said.into_iter().flatten() {
        if let (Some(behaviour), Some(on)) = (Behaviour::named(name), on.as_bool()) {
            seen.insert(behaviour, (on, Told::Server));
        }
    }
    let list = get(api, "/workspaces", &Auth::Admin).await;
    let any = list.as_ref().and_then(some_workspace);
    let answers = join_all(probed().map(|(behaviour, probe)| {
        let any = any.clone();
        async move { (behaviour, tells(api, probe, any.as_deref()).await) }
    }));
    for (behaviour, told) in answers.await {
        if let Some(on) = told {
            seen.insert(behaviour, (on, Told::Probe));
        }
    }
    seen
}

fn some_workspace(list: &Response) -> Option<String> {
    let rows = record::list(list.json.as_ref()).filter(|_| list.status == 200)?;
    rows.iter().map(|row| row.id()).find(|id| !id.is_empty()).map(str::to_owned)
}

async fn tells(api: &Api, probe: &Probe, any: Option<&str>) -> Option<bool> {
    let path = probe.path(any)?;
    let auth = if probe.who == As::Admin { Auth::Admin } else { Auth::Anonymous };
    let mut request = api.request("GET", &path, &auth);
    if probe.who == As::Named {
        request.headers.push(("X-Workspace-ID".to_owned(), NOBODY.to_owned()));
    }
    let asker = Asker::new(api, Arc::new(Unrecorded), Instant::now() + policy::PROBE.within);
    let answer = asker.ask("contract", request, &policy::PROBE).await.answer()?;
    probe.tells(answer.status, answer.json.as_ref())
}
