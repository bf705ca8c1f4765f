//! A server in SaaS mode calls a control plane, and one whose address is not set calls the production one
//! (#2863): such a server is never started.

use std::collections::BTreeMap;
use std::path::Path;

/// Set: the server is a tenant and asks a control plane for everything (contract §10).
const ORGANISATION: &str = "MOLECULE_ORG_ID";
/// `saas` means the same to its address rules (contract §7.1).
const MODE: &str = "MOLECULE_DEPLOY_MODE";

/// Each is read by another part of the server, with a default of its own.
pub(super) const ADDRESSES: [&str; 3] = ["CP_PROVISION_URL", "MOLECULE_CP_URL", "CP_UPSTREAM_URL"];

/// What the server calls when nobody says anything else.
const PRODUCTION: &str = "api.moleculesai.app";

/// Whether an environment puts a server in SaaS mode; values that are not known yet count as set.
pub(super) fn is_saas<'a>(mut env: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> bool {
    env.any(|(name, value)| match name {
        ORGANISATION => value.is_none_or(|v| !v.trim().is_empty()),
        MODE => value.is_none_or(|v| v.trim().eq_ignore_ascii_case("saas")),
        _ => false,
    })
}

/// Why a part with this environment must not be started.
pub(super) fn refusal(env: &BTreeMap<String, String>) -> Option<String> {
    if !is_saas(env.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())))) {
        return None;
    }
    let value = |name: &str| env.get(name).map(|v| v.trim()).unwrap_or_default();
    let missing: Vec<&str> = ADDRESSES.into_iter().filter(|name| value(name).is_empty()).collect();
    if !missing.is_empty() {
        return Some(unset(&missing));
    }
    let production = ADDRESSES.into_iter().find(|name| is_production(value(name)))?;
    Some(format!("it would be in SaaS mode, and {production} is the control plane of production (#2863)"))
}

/// The server reads a `.env` beside its checkout (contract §11.1): from the nearest folder above it that also
/// holds `workspace-server`. What is set already wins.
pub(super) fn beside_checkout(directory: &Path) -> BTreeMap<String, String> {
    let file = directory
        .ancestors()
        .filter(|folder| folder.join("workspace-server").is_dir())
        .find_map(|folder| std::fs::read_to_string(folder.join(".env")).ok());
    let mut pairs = BTreeMap::new();
    for line in file.unwrap_or_default().lines() {
        let line = line.trim().trim_start_matches("export ").trim_start();
        if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let value = value.trim().trim_matches(['"', '\'']);
            pairs.insert(name.trim().to_owned(), value.to_owned());
        }
    }
    pairs
}

/// The sentence about addresses that are not set.
pub(super) fn unset(missing: &[&str]) -> String {
    format!(
        "it would be in SaaS mode without {}: its calls would go to {PRODUCTION} (#2863)",
        missing.join(", ")
    )
}

/// Whether an address is the production control plane's.
pub(super) fn is_production(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    host.eq_ignore_ascii_case(PRODUCTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beside_the_checkout_is_read_as_the_server_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("workspace-server/cmd");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join(".env"), "MOLECULE_ORG_ID=not-this-one\n").unwrap();
        let text = "# MOLECULE_DEPLOY_MODE=saas\nexport MOLECULE_ORG_ID=\"org-1\"\nPORT = 1\n";
        std::fs::write(root.path().join(".env"), text).unwrap();
        let found = beside_checkout(&inner);
        let wanted = [("MOLECULE_ORG_ID", "org-1"), ("PORT", "1")];
        assert_eq!(found, wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn a_tenant_is_refused_unless_every_address_is_its_own() {
        let ours = "http://127.0.0.1:9090";
        let all = [("CP_PROVISION_URL", ours), ("MOLECULE_CP_URL", ours), ("CP_UPSTREAM_URL", ours)];
        let with = |more: &[(&str, &str)]| {
            let pairs = all.iter().chain(more);
            pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let refused = |more: &[(&str, &str)]| refusal(&with(more));
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&[("MOLECULE_ORG_ID", "org-1")]), None);
        assert_eq!(refused(&[("MOLECULE_ORG_ID", " "), ("CP_UPSTREAM_URL", "")]), None, "empty is unset");
        for (more, word) in [
            (vec![("MOLECULE_ORG_ID", "org-1"), ("CP_PROVISION_URL", "")], "CP_PROVISION_URL"),
            (vec![("MOLECULE_ORG_ID", "org-1"), ("MOLECULE_CP_URL", " ")], "MOLECULE_CP_URL"),
            (vec![("MOLECULE_DEPLOY_MODE", "SaaS"), ("CP_UPSTREAM_URL", "")], "CP_UPSTREAM_URL"),
            (
                vec![("MOLECULE_ORG_ID", "o"), ("MOLECULE_CP_URL", "https://api.moleculesai.app/x")],
                "production",
            ),
            (
                vec![("MOLECULE_ORG_ID", "o"), ("MOLECULE_CP_URL", "https://u@API.moleculesai.app.:443")],
                "production",
            ),
        ] {
            let why = refused(&more).unwrap_or_default();
            assert!(why.contains(word), "{more:?}: {why}");
        }
        assert_eq!(
            refused(&[("MOLECULE_ORG_ID", "o"), ("MOLECULE_CP_URL", "https://staging-api.moleculesai.app")]),
            None
        );
    }
}
