//! What a server offers: a table of read-only probes, then what a profile declares.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::ask::{asker, get};
use super::error::OpenError;
use super::{Answers, Settings, Target, TargetFacts, build, contract, offered};
use crate::behaviour::Contract;
use crate::clock::{Instant, TimeScale};
use crate::docker::names;
use crate::domain::Status;
use crate::event::TargetIdentity;
use crate::http::{Client, Response, Transport, TransportError, is_loopback};
use crate::models::allowlist;
use crate::platform::ask::Outcome;
use crate::platform::limits::Limits;
use crate::platform::row::Row;
use crate::platform::{Api, Auth, policy, record};
use crate::scenario::model::Capability;

/// Probes a server that runs.
///
/// # Errors
/// It does not answer, is no workspace-server, or refuses the token.
pub(crate) async fn live(settings: &Settings, stop: CancellationToken) -> Result<Target, OpenError> {
    let base_url = settings.base_url.clone().unwrap_or_default();
    let base_url = base_url.trim_end_matches('/').to_owned();
    let config = crate::http::Config { tls: base_url.starts_with("https://"), ..settings.http.clone() };
    let client = Client::new(&config)
        .map_err(|why| OpenError::new(why.to_string(), &["--ca-cert, --insecure and the proxy variables"]))?;
    let mut api = Api {
        client,
        base_url: base_url.clone(),
        admin: settings.admin_token.clone(),
        org: settings.org.clone(),
        scale: TimeScale::default(),
        limits: Limits::default(),
    };
    let health = first_answer(&api, settings.patience).await?;
    let says_ok = health.json.as_ref().is_some_and(|b| record::text(b, "status") == "ok");
    if health.status != 200 || !says_ok {
        return Err(not_a_server(&base_url, &health));
    }
    let scale = health.headers.get("x-lifecycle-time-scale").and_then(|v| v.parse().ok()).unwrap_or(1.0);
    api.scale = TimeScale::new(scale);
    admin_works(&api, settings.patience).await?;
    let json = |answer: Option<Response>| answer.filter(|a| a.status == 200).and_then(|a| a.json);
    let buildinfo = json(get(&api, "/buildinfo", &Auth::Anonymous).await);
    if let Some(wanted) = &settings.contract.build {
        build::expected(buildinfo.as_ref(), wanted)?;
    }
    let about = get(&api, "/__lifecycle", &Auth::Admin).await;
    let about = about.filter(|a| a.status == 200).and_then(|a| a.json);
    let mut facts =
        TargetFacts { behind: settings.behind.clone().map(std::sync::Arc::new), ..TargetFacts::default() };
    let mut have = |capability: Capability, there: bool, why_not: &str| {
        if there {
            facts.capabilities.insert(capability);
        } else {
            facts.lacks.insert(capability.as_str().to_owned(), why_not.to_owned());
        }
    };
    let (offered, drift) = offered::read(&api, &settings.catalogue).await;
    have(Capability::Managed, true, "");
    have(Capability::External, true, "");
    have(Capability::Events, has_socket(&api).await, "GET /ws does not open");
    let inspect = "the server shows no environments (it is not a reference platform with --inspect)";
    have(Capability::Inspect, about.is_some(), inspect);
    have(
        Capability::Env,
        about.is_some(),
        "no container engine is reachable and the server shows no environments",
    );
    have(Capability::Faults, false, "faults are switched on where the platform is started");
    have(Capability::Containers, false, "no container engine is connected");
    have(Capability::Limits, false, "no container engine is connected");
    have(Capability::Org, settings.behind.is_some(), "the target has no control plane");
    have(
        Capability::Instances,
        about.is_some() || settings.behind.is_some(),
        "neither a container engine nor a control plane shows instances",
    );
    let provider = settings.provider.clone().or_else(|| {
        let url = about.as_ref().map(|a| record::text(a, "provider").to_owned()).unwrap_or_default();
        (!url.is_empty()).then_some(url)
    });
    let answers = settings.answers.unwrap_or(if provider.is_some() { Answers::Known } else { Answers::None });
    have(
        Capability::Answers,
        answers != Answers::None,
        "nobody says what its agents answer: --answers known|stub",
    );
    let host = base_url.split("://").nth(1).unwrap_or_default();
    let host = if host.starts_with('[') { host.split(']').next() } else { host.split(['/', ':']).next() };
    let near = is_loopback(host.unwrap_or_default());
    have(Capability::Stubs, near, "the server runs elsewhere and cannot reach agents on this machine");
    for (capability, there) in &settings.declared {
        if *there {
            facts.capabilities.insert(*capability);
            facts.lacks.remove(capability.as_str());
        } else {
            facts.capabilities.remove(capability);
            facts.lacks.insert(capability.as_str().into(), "the profile says so".into());
        }
    }
    let commit = buildinfo.as_ref().map(|build| record::text(build, "git_sha").to_owned());
    let seen = contract::seen(&api, about.as_ref(), settings.played).await;
    let asked = &settings.contract;
    facts.contract = Contract::of(asked.edition, commit.as_deref(), seen, &asked.accepted, &asked.declared);
    facts.answers = answers;
    facts.provider = provider;
    let identity = json(get(&api, "/org/identity", &Auth::Anonymous).await);
    facts.platform_pays = identity.as_ref().and_then(|org| org.get("platform_managed_available")?.as_bool());
    facts.rate_limit = health.headers.get("x-ratelimit-limit").and_then(|v| v.trim().parse().ok());
    facts.offered = offered;
    facts.drift = drift;
    let identity = TargetIdentity {
        kind: super::Kind::Live.as_str().into(),
        base_url,
        buildinfo,
        org: identity,
        time_scale: api.scale.factor(),
        capabilities: facts.capabilities.iter().map(ToString::to_string).collect(),
        lacks: facts.lacks.clone(),
        contract: facts.contract.line(),
        answers: Some(answers),
        insecure: settings.http.insecure,
    };
    Ok(Target { api, facts, identity, stop, parts: None, containers: None })
}

/// Why an engine is not this server's: of its managed workspaces that are online, none has a container there. A server
/// without such workspaces says nothing.
pub(super) async fn strangers(api: &Api, engine: &crate::docker::Engine) -> Option<String> {
    let list = get(api, "/workspaces", &Auth::Admin).await.filter(|list| list.status == 200)?;
    let rows = record::list(list.json.as_ref())?;
    let online = |row: &&Value| {
        let runtime = row.runtime();
        row.status() == Some(Status::Online) && !allowlist::external_like(runtime)
    };
    let ids: Vec<&str> = rows.iter().filter(online).map(|row| row.id()).collect();
    let there = engine.workspaces().await.ok()?;
    let held = |id: &&str| there.iter().any(|c| names::is_of(&c.name, id));
    (!ids.is_empty() && !ids.iter().any(held)).then(|| {
        format!(
            "none of the server's {} online workspaces has a container on this engine: it is another server's \
             (DOCKER_HOST, contexts)",
            ids.len()
        )
    })
}

/// The first answer of a server, which may just be starting: so long a proxy in front of it answers in its place.
async fn first_answer(api: &Api, patience: Duration) -> Result<Response, OpenError> {
    let policy = policy::first_answer(patience);
    let asker = asker(api, Instant::now() + patience + policy.attempt);
    let request = api.request("GET", "/health", &Auth::Anonymous);
    let answer = match asker.ask("health", request, &policy).await {
        Outcome::Silent(error) => return Err(no_answer(api, &error)),
        outcome => outcome.result().map_err(|error| no_answer(api, &error))?,
    };
    if answer.status != 429 && answer.status < 500 {
        return Ok(answer);
    }
    let said = format!("{}: {}", answer.status, answer.excerpt());
    Err(OpenError::new(
        format!("{}: /health is answered with {said}", api.base_url),
        &[
            "is the server just starting? --patience waits longer",
            "the server's log, or a proxy's in between",
        ],
    ))
}

fn no_answer(api: &Api, error: &TransportError) -> OpenError {
    let host = api.base_url.split("://").nth(1).unwrap_or(&api.base_url);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    let check: &[&str] = match error.kind {
        Transport::Dns => &["the name in --base-url (or BASE)", "the machine's DNS"],
        Transport::Tls => &[
            "does the server speak TLS there, and is its certificate valid for this name?",
            "--ca-cert FILE trusts a CA of your own; --insecure verifies nothing and says so",
        ],
        Transport::TimedOut => &[
            "something accepts connections there and never answers: is it the right port?",
            "a firewall, or a server that hangs",
        ],
        Transport::BadAnswer => {
            &["what answers there does not speak HTTP: is it the right port, http or https?"]
        }
        Transport::TooLarge => &["what answers there is no workspace-server: is it the right address?"],
        Transport::Reset | Transport::CutOff => {
            &["something is there and breaks the connection: the server's log, or a proxy in between"]
        }
        _ if is_loopback(host) => &["is the server running? `--base-url` (or BASE) must be its address"],
        _ => &["is the server running and reachable from here?", "HTTPS_PROXY, HTTP_PROXY, NO_PROXY"],
    };
    OpenError::new(format!("{} does not answer GET /health: {}", api.base_url, error.root()), check)
}

fn not_a_server(base_url: &str, health: &Response) -> OpenError {
    let kind = health.headers.get("content-type").map(String::as_str).unwrap_or("no content type");
    let body = health.excerpt();
    if (300..400).contains(&health.status) {
        return redirects(base_url, health);
    }
    OpenError::new(
        format!(
            "{base_url} is not a workspace-server: GET /health answered {} ({kind}): {body}",
            health.status
        ),
        &[
            "--base-url must be the server itself, not its canvas or a proxy's page",
            "a workspace-server answers {\"status\":\"ok\"}",
        ],
    )
}

fn redirects(from: &str, answer: &Response) -> OpenError {
    let to = answer.headers.get("location").map(String::as_str).unwrap_or("somewhere else");
    OpenError::new(
        format!(
            "{from} redirects to {to} ({}): redirects are not followed, because a token would go along",
            answer.status
        ),
        &["give that address as --base-url, if it is the workspace-server"],
    )
}

/// The admin token must be accepted before anything is created.
async fn admin_works(api: &Api, patience: Duration) -> Result<(), OpenError> {
    // An edge may serve /health before it routes anything else.
    let policy = policy::first_answer(patience);
    let asker = asker(api, Instant::now() + patience + policy.attempt);
    let answer = asker.ask("list", api.list(), &policy).await.result();
    let answer =
        answer.map_err(|e| OpenError::new(format!("GET /workspaces: {}", e.text), &["the server's log"]))?;
    let error = record::error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt());
    match answer.status {
        200 if answer.json.as_ref().is_some_and(Value::is_array) => Ok(()),
        200 => Err(OpenError::new(
            format!("GET /workspaces answered 200, but no list: {}", answer.excerpt()),
            &["is a proxy's page in between?"],
        )),
        401 | 403 if api.admin.is_none() => Err(OpenError::refused(
            format!("the server wants an admin token ({}: {error})", answer.status),
            &["--admin-token, or the variables MOLECULE_ADMIN_TOKEN or ADMIN_TOKEN"],
        )),
        401 | 403 => Err(OpenError::refused(
            format!("the server refuses the admin token ({}: {error})", answer.status),
            &["--admin-token (or MOLECULE_ADMIN_TOKEN, ADMIN_TOKEN) must be the server's own ADMIN_TOKEN"],
        )),
        400 if error.contains("TENANT_ORG_HEADER_REQUIRED") => Err(OpenError::new(
            format!("the server belongs to an organisation and wants its id ({error})"),
            &["--org-id (or MOLECULE_ORG_ID)"],
        )),
        404 => Err(OpenError::new(
            "GET /workspaces answered 404: no workspace-server, or another organisation's",
            &["--base-url", "--org-id (or MOLECULE_ORG_ID): a wrong one is answered 404 with an empty body"],
        )),
        300..400 => Err(redirects(&format!("{}/workspaces", api.base_url), &answer)),
        status @ 500.. => Err(OpenError::new(
            format!("/health answers, and the API does not: GET /workspaces answered {status}: {error}"),
            &["is the server just starting? --patience waits longer", "the server's log"],
        )),
        status => {
            Err(OpenError::new(format!("GET /workspaces answered {status}: {error}"), &["the server's log"]))
        }
    }
}

async fn has_socket(api: &Api) -> bool {
    crate::platform::stream::opens(api).await
}
