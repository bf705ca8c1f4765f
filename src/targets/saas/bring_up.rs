//! From a name to an organisation whose routes answer, phase by phase.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::ask::{BACKOFF, Take, Undecided, describe, until};
use super::client::client;
use super::desk::Desk;
use super::org::{Made, Org};
use super::phase::Phase;
use super::settings::{Settings, Waits};
use super::slug;
use crate::clock::{self, Instant};
use crate::domain::{Secret, time};
use crate::event::PartState;
use crate::http::{Client, Request, Response, Transport};
use crate::platform::control_plane::{ControlPlane, OrgRow, orgs};
use crate::platform::limits::Limits;
use crate::platform::{Api, Auth, record};
use crate::targets::OpenError;

/// One look may not take longer.
const EACH: Duration = Duration::from_secs(10);

/// Makes organisations at one control plane.
pub(crate) struct Maker<'a> {
    /// The client.
    pub api: &'a ControlPlane,
    /// Where tenants are: `{slug}` stands for the organisation's.
    pub pattern: &'a str,
}

impl Maker<'_> {
    /// Whether the control plane answers, takes the token and has room.
    ///
    /// # Errors
    /// The preflight that failed.
    pub(crate) async fn preflight(&self, settings: &Settings, desk: &Desk) -> Result<(), OpenError> {
        let began = Instant::now();
        let limit = settings.waits.control_plane;
        let until_then = began + limit;
        let healthy = |answer: &Response| match answer.status {
            200 => Take::Done(()),
            _ => Take::Again(format!("GET /health answered {}", describe(answer))),
        };
        let health = until(self.api, &self.api.health(), until_then, healthy).await;
        if let Err(why) = health {
            return Err(self.failed(desk, Phase::ControlPlane, &why, limit, began));
        }
        let listed = |answer: &Response| match (answer.status, orgs(answer.json.as_ref())) {
            (200, Some(rows)) => Take::Done(rows),
            (200, None) => Take::Never("the list of organisations is not a list".to_owned()),
            (401 | 403, _) => Take::Never(format!("it refuses the token: {}", describe(answer))),
            _ => Take::Never(format!("GET /cp/admin/orgs answered {}", describe(answer))),
        };
        let rows = match until(self.api, &self.api.list_orgs(), until_then, listed).await {
            Ok(rows) => rows,
            Err(why) => return Err(self.failed(desk, Phase::ControlPlane, &why, limit, began)),
        };
        let took = began.elapsed();
        desk.phase(Phase::ControlPlane, PartState::Ready, self.api.base_url.clone(), took);
        if settings.alone
            && let Some(other) = somebodys(&rows, &settings.prefix)
        {
            return Err(OpenError::busy(format!(
                "another run works here: the organisation {} says `{}`",
                other.slug(),
                other.name()
            )));
        }
        self.quota(desk).await
    }

    /// A control plane that does not say has no quota.
    async fn quota(&self, desk: &Desk) -> Result<(), OpenError> {
        let began = Instant::now();
        let answer = self.api.send(&self.api.quota(), began + EACH).await.ok();
        let said = answer.filter(|a| a.status == 200).and_then(|a| a.json);
        let number = |name: &str| said.as_ref().and_then(|b| b["orgs"][name].as_u64());
        let (Some(used), Some(limit)) = (number("used"), number("limit")) else { return Ok(()) };
        let text = format!("{used} of {limit} organisations");
        if used >= limit {
            desk.phase(Phase::Quota, PartState::Failed, text.clone(), began.elapsed());
            return Err(OpenError::new(
                format!("the control plane has no room for an organisation: {text}"),
                &["lifecycle sweep --cp-url … --older-than 2h removes what earlier runs left"],
            ));
        }
        desk.phase(Phase::Quota, PartState::Ready, text, began.elapsed());
        Ok(())
    }

    fn failed(
        &self,
        desk: &Desk,
        phase: Phase,
        why: &Undecided,
        limit: Duration,
        began: Instant,
    ) -> OpenError {
        let took = began.elapsed();
        let text = format!("{} (after {}, limit {})", why.last, time::show(took), time::show(limit));
        desk.phase(phase, PartState::Failed, text.clone(), took);
        let check: &[&str] = match (phase, why.kind) {
            (_, Some(Transport::Dns)) => &["the name in --cp-url (or MOLECULE_CP_URL)", "this machine's DNS"],
            (_, Some(Transport::Tls)) => &["--ca-cert FILE trusts a CA of your own"],
            (Phase::ControlPlane, None) => {
                &["--cp-token (or MOLECULE_ADMIN_TOKEN) must be the control plane's", "--cp-url"]
            }
            (Phase::ControlPlane, _) => &["does the control plane run? --cp-url (or MOLECULE_CP_URL)"],
            (Phase::Create, _) => &["the control plane's log", "a prefix of one's own: --org-prefix"],
            (Phase::Instance, _) => &["`last_error` of the row, and the control plane's log"],
            _ => &["the control plane's log", "the console of the tenant's machine"],
        };
        OpenError::new(format!("{} of {}: {text}", phase.as_str(), self.api.base_url), check)
    }

    /// Makes an organisation and waits until its routes answer. What was made is in the desk, also when this fails.
    ///
    /// # Errors
    /// The phase that failed.
    pub(crate) async fn make(
        &self,
        settings: &Settings,
        http: &crate::http::Config,
        desk: &Desk,
    ) -> Result<Org, OpenError> {
        let (made, row) = self.create(settings, desk).await?;
        self.wait(&made, &row, settings.waits, http, desk).await
    }

    async fn create(&self, settings: &Settings, desk: &Desk) -> Result<(Made, OrgRow), OpenError> {
        let began = Instant::now();
        let limit = settings.waits.create;
        let tail = format!("{:08x}", crate::chance::random::<u32>());
        let now = crate::clock::wall();
        let date = now.strftime("%Y%m%d").to_string();
        let slug = slug::make(&settings.prefix, &date, &settings.run_name, &tail)
            .map_err(|e| OpenError::new(e.to_string(), &["--org-prefix"]))?;
        let until_then = now + jiff::SignedDuration::try_from(settings.lease).unwrap_or_default();
        let name = slug::name_with_lease(&slug, until_then);
        let made = desk.intend(&slug);
        let request = self.api.create_org(&slug, &name);
        let taken = |answer: &Response| match answer.status {
            200..=202 => match answer.json.clone().map(OrgRow::new) {
                Some(row) if !row.id().is_empty() => Take::Done(row),
                _ => Take::Never(format!("the answer has no id: {}", describe(answer))),
            },
            _ => Take::Never(refusal(answer, &slug)),
        };
        let row = match until(self.api, &request, began + limit, taken).await {
            Ok(row) => row,
            Err(why) => match self.find(&slug, began + limit).await {
                // Its answer was lost, and it is there.
                Ok(Some(row)) if why.unclear && !is_of_another(&row, &name) => row,
                found => {
                    // What may come true yet stays in the ledger: the purge looks for its name.
                    match &found {
                        Ok(Some(row)) if is_of_another(row, &name) => {
                            desk.release(&made.resource, "never made: the name is somebody else's");
                        }
                        Ok(None) if !why.unclear => desk.release(&made.resource, "never made"),
                        _ => {}
                    }
                    return Err(self.failed(desk, Phase::Create, &why, limit, began));
                }
            },
        };
        desk.own(&made.resource, row.id(), &slug);
        desk.phase(Phase::Create, PartState::Ready, slug, began.elapsed());
        Ok((made, row))
    }

    /// The row that bears this slug and is not purged; an error where the list cannot be read: then nobody knows.
    async fn find(&self, slug: &str, deadline: Instant) -> Result<Option<OrgRow>, Undecided> {
        let deadline = deadline.max(Instant::now() + EACH);
        let listed = |answer: &Response| match orgs(answer.json.as_ref()).filter(|_| answer.status == 200) {
            Some(rows) => Take::Done(rows),
            None => Take::Never(describe(answer)),
        };
        let rows = until(self.api, &self.api.list_orgs(), deadline, listed).await?;
        Ok(rows.into_iter().find(|row| row.slug() == slug && !row.is_purged()))
    }

    async fn wait(
        &self,
        made: &Made,
        row: &OrgRow,
        waits: Waits,
        http: &crate::http::Config,
        desk: &Desk,
    ) -> Result<Org, OpenError> {
        let slug = made.slug.as_str();
        let began = Instant::now();
        let on_another_page = AtomicBool::new(false);
        let of_ours = |answer: &Response| {
            let rows = orgs(answer.json.as_ref()).filter(|_| answer.status == 200);
            let Some(rows) = rows else { return Take::Again(describe(answer)) };
            let is_page = record::is_page(answer, rows.len());
            match rows.into_iter().find(|row| row.slug() == slug) {
                Some(row) => stands(row),
                None if is_page => {
                    on_another_page.store(true, Ordering::Relaxed);
                    Take::Never("the list is one page of many and does not show it".to_owned())
                }
                None => Take::Again("the list does not have it".to_owned()),
            }
        };
        let by_itself = |answer: &Response| match &answer.json {
            Some(row) if answer.status == 200 => stands(OrgRow::new(row.clone())),
            _ => Take::Again(format!(
                "the list is one page of many and does not show it, and its own row answered {}",
                describe(answer)
            )),
        };
        let deadline = began + waits.instance;
        let mut running = until(self.api, &self.api.list_orgs(), deadline, of_ours).await;
        if on_another_page.load(Ordering::Relaxed) {
            running = until(self.api, &self.api.org(slug), deadline, by_itself).await;
        }
        if let Err(why) = running {
            return Err(self.failed(desk, Phase::Instance, &why, waits.instance, began));
        }
        desk.phase(Phase::Instance, PartState::Ready, "running".to_owned(), began.elapsed());

        let began = Instant::now();
        let told = |answer: &Response| {
            let body = answer.json.as_ref();
            let token = body.map(|b| record::text(b, "admin_token")).filter(|t| !t.is_empty());
            let token = token.or_else(|| body.map(|b| record::text(b, "token")).filter(|t| !t.is_empty()));
            match (answer.status, token) {
                (200, Some(token)) => Take::Done(Secret::new(token)),
                (401 | 403, _) => Take::Never(format!("it refuses the token: {}", describe(answer))),
                (200, None) => Take::Never("the answer has no admin_token".to_owned()),
                _ => Take::Again(describe(answer)),
            }
        };
        let deadline = began + waits.token;
        let token = until(self.api, &self.api.admin_token(slug), deadline, told).await;
        let admin_token = match token {
            Ok(token) => token,
            Err(why) => return Err(self.failed(desk, Phase::Token, &why, waits.token, began)),
        };
        desk.secret("ADMIN_TOKEN", admin_token.expose());
        let length = format!("{} characters", admin_token.expose().len());
        desk.phase(Phase::Token, PartState::Ready, length, began.elapsed());

        let base_url = self.pattern.replace("{slug}", slug);
        let org = Org { slug: slug.to_owned(), id: row.id().to_owned(), base_url, admin_token };
        let client = client(http, org.base_url.starts_with("https://"))?;
        self.reach(&org, client, waits, desk).await?;
        Ok(org)
    }

    /// Name, certificate, `/health` and routes of a tenant: each has its own deadline from when the last was reached.
    async fn reach(&self, org: &Org, client: Client, waits: Waits, desk: &Desk) -> Result<(), OpenError> {
        let tls = org.base_url.starts_with("https://");
        let api = Api {
            client,
            base_url: org.base_url.clone(),
            admin: Some(org.admin_token.clone()),
            org: Some(org.id.clone()),
            scale: clock::TimeScale::default(),
            limits: Limits::default(),
        };
        let health = api.request("GET", "/health", &Auth::Anonymous);
        let list = api.list();
        let limit = |phase: Phase| match phase {
            Phase::Dns => waits.dns,
            Phase::Tls => waits.tls,
            Phase::Health => waits.health,
            _ => waits.api,
        };
        let (mut phase, mut began) = (Phase::Dns, Instant::now());
        let mut backoff = BACKOFF;
        loop {
            let (request, until_then): (&Request, _) = match phase {
                Phase::Api => (&list, Instant::now() + EACH),
                _ => (&health, Instant::now() + EACH),
            };
            let (at, last, kind) = match api.client.send(request, until_then).await {
                Ok(answer) => match judged(&answer, phase) {
                    None if phase == Phase::Api => (Phase::Purge, String::new(), None),
                    None => (Phase::Api, String::new(), None),
                    Some(why) => (phase.max(Phase::Health), why, None),
                },
                Err(error) => match error.kind {
                    Transport::Dns => (Phase::Dns, error.text, Some(error.kind)),
                    _ if error.never_sent() => (Phase::Tls, error.text, Some(error.kind)),
                    _ => (Phase::Health, error.text, Some(error.kind)),
                },
            };
            // What was reached once stays reached: a moment of trouble begins no phase again.
            while phase < at {
                let skipped = phase == Phase::Tls && !tls;
                let text = if skipped { "no TLS: http".to_owned() } else { org.base_url.clone() };
                desk.phase(phase, PartState::Ready, text, began.elapsed());
                (phase, began, backoff) = (next(phase), Instant::now(), BACKOFF);
                if phase == Phase::Purge {
                    return Ok(());
                }
            }
            if last.is_empty() {
                continue;
            }
            if began.elapsed() + backoff.next() >= limit(phase) {
                let why = Undecided { last, kind, unclear: false };
                return Err(self.failed(desk, phase, &why, limit(phase), began));
            }
            backoff.pause().await;
        }
    }
}

/// What the row of an organisation says of its machine.
fn stands(row: OrgRow) -> Take<OrgRow> {
    let status = row.instance_status();
    match status {
        "running" => Take::Done(row),
        _ if status == "failed" || row.is_purged() => {
            Take::Never(format!("instance_status {status}, last_error `{}`", row.last_error()))
        }
        _ => Take::Again(format!("instance_status {status}")),
    }
}

fn next(phase: Phase) -> Phase {
    match phase {
        Phase::Dns => Phase::Tls,
        Phase::Tls => Phase::Health,
        Phase::Health => Phase::Api,
        _ => Phase::Purge,
    }
}

/// Why an answer of the tenant is not the one that is waited for.
fn judged(answer: &Response, phase: Phase) -> Option<String> {
    let ok = match phase {
        Phase::Api => answer.json.as_ref().is_some_and(Value::is_array),
        _ => answer.json.as_ref().is_some_and(|b| record::text(b, "status") == "ok"),
    };
    (answer.status != 200 || !ok).then(|| describe(answer))
}

/// Whether somebody else's organisation has the slug: the display name says whose it is, where rows show one.
fn is_of_another(row: &OrgRow, name: &str) -> bool {
    !row.name().is_empty() && row.name() != name
}

/// What a refused create means.
fn refusal(answer: &Response, slug: &str) -> String {
    let said = describe(answer);
    match answer.status {
        409 => format!("the name {slug} is taken: {said}"),
        400 | 422 => format!("the control plane does not take {slug} ({} characters): {said}", slug.len()),
        401 => format!("it refuses the token: {said}"),
        402 | 403 => format!("it allows no more: {said}"),
        _ => said,
    }
}

/// An organisation of this prefix on which somebody works.
fn somebodys<'a>(rows: &'a [OrgRow], prefix: &str) -> Option<&'a OrgRow> {
    let now = crate::clock::wall();
    rows.iter().find(|row| {
        let live = slug::lease(row.name()).is_some_and(|until| until > now);
        live && !row.is_purged() && slug::is_ours(row.slug(), prefix)
    })
}
