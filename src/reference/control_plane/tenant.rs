//! From an organisation's row to its server, and back to nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::Value;
use uuid::Uuid;

use super::instances;
use super::machine::{Machine, MachineState};
use super::org::{Org, Phase, Tenant};
use super::plane::Plane;
use crate::clock::Instant;
use crate::domain::Secret;
use crate::reference::clock::wall;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::outbound::Call;
use crate::reference::provision::Provisioner as _;
use crate::reference::provision::embedded::{Embedded, Setup};
use crate::reference::server;
use crate::reference::state::tokens::random_token;

/// How often embedded agents send a heartbeat, in contract time.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A server asks for its configuration for so long (contract §10).
const CONFIG: Duration = Duration::from_secs(10);

/// A row in `provisioning`; its server comes up after this returns.
pub(super) fn create(plane: &Arc<Plane>, slug: &str, name: &str, owner: &str) -> Value {
    let org = row(plane, crate::chance::uuid(), slug, name, owner, Phase::Provisioning);
    let (id, shown) = (org.id, org.shown());
    let machine = Machine::new(id, None);
    let machine_id = machine.id.clone();
    {
        let mut state = plane.state();
        state.orgs.insert(id, org);
        state.machines.insert(machine_id.clone(), machine);
        state.forget();
    }
    let own = Arc::clone(plane);
    plane.spawn(async move { boot(&own, id, &machine_id).await });
    shown
}

/// The row of a server that somebody configured by hand: it calls, and was never created.
pub(super) fn foreign(plane: &Plane, id: Uuid, name: &str) -> Org {
    Org { foreign: true, ..row(plane, id, name, name, "", Phase::Running) }
}

fn row(plane: &Plane, id: Uuid, slug: &str, name: &str, owner: &str, phase: Phase) -> Org {
    let seed = plane.options.seed ^ u64::from_le_bytes(id.as_bytes()[..8].try_into().unwrap_or_default());
    let machines = Embedded::new(Setup {
        clock: plane.clock.clone(),
        boot: plane.options.timing.boot,
        kind: Default::default(),
        heartbeat: HEARTBEAT,
        slower: Duration::ZERO,
        seed,
        outbound: plane.agents.clone(),
        advertise: plane.options.advertise.clone(),
        network: plane.options.network.clone(),
    });
    Org {
        id,
        slug: slug.to_owned(),
        name: name.to_owned(),
        owner: owner.to_owned(),
        phase,
        last_error: String::new(),
        created_at: wall(),
        admin_token: Secret::new(random_token()),
        tenant: None,
        machines: Arc::new(machines),
        foreign: false,
    }
}

async fn boot(plane: &Arc<Plane>, id: Uuid, machine: &str) {
    plane.clock.sleep(plane.options.timing.machine).await;
    let Some((slug, name, token)) = ({
        let state = plane.state();
        let org = state.orgs.get(&id).filter(|org| org.phase == Phase::Provisioning);
        org.map(|org| (org.slug.clone(), org.name.clone(), org.admin_token.clone()))
    }) else {
        return;
    };
    let mut env = plane.options.tenant_env.clone();
    for (name, value) in [
        ("MOLECULE_ORG_ID", id.to_string()),
        ("MOLECULE_ORG_SLUG", slug),
        ("MOLECULE_ORG_NAME", name),
        ("GIT_SHA", "reference".to_owned()),
        ("CP_PROVISION_URL", plane.base_url.clone()),
        ("MOLECULE_CP_URL", plane.base_url.clone()),
        ("CP_UPSTREAM_URL", plane.base_url.clone()),
    ] {
        // What was given wins, also when it is empty.
        env.entry(name.to_owned()).or_insert(value);
    }
    if let Some(secret) = &plane.options.shared_secret {
        env.entry("MOLECULE_CP_SHARED_SECRET".to_owned()).or_insert_with(|| secret.expose().to_owned());
    }
    let notes = configure(plane, id, &token, &mut env).await;
    let started = server::start(Options {
        admin_token: token,
        time_scale: plane.options.time_scale,
        edition: plane.options.plays.edition,
        behaviours: plane.options.plays.behaviours,
        inspect: true,
        provisioner: ProvisionerKind::ControlPlane { retries: plane.options.august },
        seed: plane.options.seed,
        faults: plane.options.faults.clone(),
        network: plane.options.network.clone(),
        server_env: env,
        provider: plane.options.provider.clone(),
        ..Options::default()
    })
    .await;
    let late = {
        let mut state = plane.state();
        let Some(org) = state.orgs.get_mut(&id) else { return };
        let late = match started {
            Ok(server) if org.phase == Phase::Provisioning => {
                for note in notes {
                    server.say(&note);
                }
                let api_at = Instant::now() + plane.clock.real(plane.options.timing.api);
                org.tenant = Some(Arc::new(Tenant { server, api_at }));
                org.phase = Phase::Running;
                None
            }
            Ok(server) => Some(server),
            Err(error) => {
                org.phase = Phase::Failed;
                org.last_error = format!("tenant server did not start: {error}");
                None
            }
        };
        if let Some(machine) = state.machines.get_mut(machine)
            && !machine.ended()
        {
            machine.turns(MachineState::Running, "its server runs");
        }
        late
    };
    if let Some(server) = late {
        server.stop().await;
    }
}

/// What a server asks for at its start; what goes wrong is said in its log and changes nothing (contract §10).
async fn configure(
    plane: &Plane,
    id: Uuid,
    token: &Secret,
    env: &mut std::collections::BTreeMap<String, String>,
) -> Vec<String> {
    let Some(base) = env.get("MOLECULE_CP_URL").filter(|url| !url.is_empty()) else {
        return vec!["CP env refresh: cp returned 401".to_owned()];
    };
    let mut call = Call::post_json(format!("{base}/cp/tenants/config"), "").within(CONFIG);
    call.method = Method::GET;
    let call = call
        .header("authorization", format!("Bearer {}", token.expose()))
        .header("x-molecule-org-id", id.to_string());
    let answer = match plane.outbound.send(call).await {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => return vec![format!("CP env refresh: cp returned {}", answer.status)],
        Err(error) => return vec![format!("CP env refresh: {error}")],
    };
    match serde_json::from_slice::<std::collections::BTreeMap<String, String>>(&answer.body) {
        Ok(flat) => {
            env.extend(flat);
            vec!["CP env refresh: done".to_owned()]
        }
        Err(error) => vec![format!("CP env refresh: decode: {error}")],
    }
}

/// Begins the end of an organisation; the rest happens after this returns.
pub(super) fn begin_purge(plane: &Arc<Plane>, id: Uuid) {
    if let Some(org) = plane.state().orgs.get_mut(&id) {
        org.phase = Phase::Purging;
    }
    let own = Arc::clone(plane);
    plane.spawn(async move {
        own.clock.sleep(own.options.timing.purge).await;
        remove(&own, id).await;
    });
}

/// Ends the server of an organisation and all its machines.
pub(super) async fn remove(plane: &Arc<Plane>, id: Uuid) {
    let (tenant, running, machines) = {
        let mut state = plane.state();
        let running: Vec<String> =
            state.machines.values().filter(|m| m.org == id && !m.ended()).map(|m| m.id.clone()).collect();
        let Some(org) = state.orgs.get_mut(&id) else { return };
        (org.tenant.take(), running, Arc::clone(&org.machines))
    };
    // The server first: while it lives it brings back what is ended behind its back.
    if let Some(tenant) = tenant.and_then(Arc::into_inner) {
        tenant.server.stop().await;
    }
    for machine in &running {
        instances::terminate(plane, machine, "the organisation is purged").await;
    }
    for instance in machines.instances().await {
        let _ = machines.stop(instance.workspace_id).await;
    }
    if let Some(org) = plane.state().orgs.get_mut(&id) {
        org.phase = Phase::Purged;
    }
}
