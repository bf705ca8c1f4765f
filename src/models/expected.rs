//! What the harness expects in a container's environment, found by running the platform's own
//! assembly over marked values, so that no rule is written twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviours;
use crate::models::billing::{Billing, BillingMode};
use crate::models::catalogue::Catalogue;
use crate::models::keys::GUARDED;
use crate::models::projection::{Abort, Assembly, BASE_URL_DEFAULTS, assemble};
use crate::models::server_env::ServerEnv;

/// Variables that the projection can write, beside the guarded keys.
const WRITTEN: [&str; 9] = [
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "HERMES_DEFAULT_MODEL",
    "MODEL",
    "MOLECULE_LLM_ANTHROPIC_BASE_URL",
    "MOLECULE_LLM_BASE_URL",
    "MOLECULE_LLM_USAGE_TOKEN",
    "MOLECULE_LLM_USAGE_URL",
    "MOLECULE_MODEL",
];

/// What the platform writes down of a decision about models: no rule says that it must, and none that it may change by
/// itself.
pub(crate) const BOOKS: [&str; 4] = [
    "LLM_PROVIDER",
    "MOLECULE_LLM_BILLING_MODE",
    "MOLECULE_LLM_BILLING_MODE_RESOLVED",
    "MOLECULE_RESOLVED_PROVIDER",
];

/// Which workspace an instance is, and whose: every instance of a workspace has the same.
pub(crate) const WHOSE: [&str; 4] = ["MOLECULE_URL", "PLATFORM_URL", "WORKSPACE_CONFIG_PATH", "WORKSPACE_ID"];

const SECRET: &str = "\u{1}secret ";
const SERVER: &str = "\u{1}server ";

/// What is known about a workspace when its environment is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expecting<'a> {
    /// The workspace, when the id is known: it is in a header of the platform's path.
    pub workspace_id: Option<&'a str>,
    /// Its runtime.
    pub runtime: &'a str,
    /// Its model.
    pub model: &'a str,
    /// Names of the tenant's secrets (with a value).
    pub global_names: &'a BTreeSet<String>,
    /// Names of the workspace's own secrets (with a value).
    pub workspace_names: &'a BTreeSet<String>,
    /// The row's billing override.
    pub billing_override: Option<BillingMode>,
    /// What the server does one way or the other.
    pub behaviours: Behaviours,
    /// The server's environment; `None`: not known, a working proxy is assumed.
    pub server: Option<&'a ServerEnv>,
}

/// What a variable must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expect {
    /// Not in the environment.
    Absent,
    /// Exactly this text; never a secret.
    Literal(String),
    /// The same value as the secret of that name.
    SecretValue(String),
    /// There, with a value that only the server knows.
    Present,
}

/// One variable, what it must be and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ExpectedVar {
    /// The variable.
    pub name: String,
    /// What it must be.
    pub expect: Expect,
    /// For example `contract §8.5: copy`.
    pub rule: &'static str,
}

/// The model related part of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Projection {
    /// Sorted by name.
    pub rows: Vec<ExpectedVar>,
    /// Who pays; `None` when the provision stops.
    pub billing: Option<Billing>,
    /// Why the provision stops; then there are no rows.
    pub abort: Option<Abort>,
}

/// What `satisfies: provider` asserts about a container's environment.
pub(crate) fn expected(catalogue: &Catalogue, facts: &Expecting<'_>) -> Projection {
    let marked = |names: &BTreeSet<String>| -> BTreeMap<String, String> {
        names.iter().map(|name| (name.clone(), format!("{SECRET}{name}"))).collect()
    };
    let mut own = marked(facts.workspace_names);
    own.insert("MODEL".to_owned(), facts.model.to_owned());
    let server = marked_server(facts.server);
    let assembled = assemble(
        catalogue,
        &Assembly {
            workspace_id: facts.workspace_id.unwrap_or(SERVER),
            name: "",
            runtime: facts.runtime,
            role: None,
            parent_id: None,
            payload_model: Some(facts.model),
            billing_override: facts.billing_override,
            global_secrets: &marked(facts.global_names),
            workspace_secrets: &own,
            server: &server,
            behaviours: facts.behaviours,
            concierge: None,
            required_env: &[],
            seeded_runtime: None,
        },
    );
    let assembled = match assembled {
        Ok(assembled) => assembled,
        Err(abort) => return Projection { rows: Vec::new(), billing: None, abort: Some(abort) },
    };
    // What else a tenant keeps there is no part of the projection.
    let own = facts.workspace_names.iter().map(String::as_str);
    let names: BTreeSet<&str> = GUARDED.into_iter().chain(WRITTEN).chain(own.clone()).collect();
    let rows = names
        .into_iter()
        // A server may set these beside a key; no client of ours goes by them, unless the platform pays.
        .filter(|name| {
            assembled.billing.mode == BillingMode::PlatformManaged
                || own.clone().any(|o| o == *name)
                || !BASE_URL_DEFAULTS.iter().any(|(_, variable, _)| variable == name)
        })
        .filter(|name| facts.server.is_some() || *name != "MOLECULE_LLM_USAGE_URL")
        .map(|name| {
            let noted = assembled.notes.iter().rev().find(|note| note.name == name).map(|note| note.rule);
            match assembled.env.get(name) {
                Some(value) => ExpectedVar {
                    name: name.to_owned(),
                    expect: unmark(value),
                    rule: noted.unwrap_or("contract §8.4: 1, secrets pass through"),
                },
                None => ExpectedVar {
                    name: name.to_owned(),
                    expect: Expect::Absent,
                    rule: noted.unwrap_or("contract §8.5: nothing sets it"),
                },
            }
        })
        .collect();
    Projection { rows, billing: Some(assembled.billing), abort: None }
}

/// URLs stay readable; the token never leaves as a literal.
fn marked_server(known: Option<&ServerEnv>) -> ServerEnv {
    let token = format!("{SERVER}token");
    let vars = match known {
        None => ["MOLECULE_LLM_BASE_URL", "MOLECULE_LLM_ANTHROPIC_BASE_URL"]
            .into_iter()
            .map(|name| (name.to_owned(), format!("{SERVER}{name}")))
            .chain([("MOLECULE_LLM_USAGE_TOKEN".to_owned(), token)])
            .collect(),
        Some(server) => {
            let urls = [
                ("MOLECULE_LLM_BASE_URL", server.base()),
                ("MOLECULE_LLM_ANTHROPIC_BASE_URL", server.anthropic_base()),
                ("MOLECULE_LLM_USAGE_URL", server.usage_url()),
            ];
            urls.into_iter()
                .filter_map(|(name, url)| Some((name.to_owned(), url?.to_owned())))
                .chain(server.token().map(|_| ("MOLECULE_LLM_USAGE_TOKEN".to_owned(), token)))
                .collect()
        }
    };
    ServerEnv::new(vars)
}

fn unmark(value: &str) -> Expect {
    match value.strip_prefix(SECRET) {
        Some(name) => Expect::SecretValue(name.to_owned()),
        None if value.contains('\u{1}') => Expect::Present,
        None => Expect::Literal(value.to_owned()),
    }
}
