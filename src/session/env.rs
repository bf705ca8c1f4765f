//! The only reader of the environment: names that CI already sets, as aliases of flags and inputs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::Secret;
use crate::http::Proxies;

/// The environment of the process; an empty variable is unset.
#[derive(Clone, Debug, Default)]
pub struct Env {
    vars: BTreeMap<String, String>,
}

impl Env {
    /// Reads it, once. Variables that are no text are left out.
    #[expect(clippy::disallowed_methods, reason = "the one reader")]
    pub fn read() -> Env {
        let vars =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Env::of(vars.collect())
    }

    /// These variables and no others.
    pub fn of(vars: BTreeMap<String, String>) -> Env {
        Env { vars: vars.into_iter().filter(|(_, v)| !v.trim().is_empty()).collect() }
    }

    /// A set variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// The first that is set.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Set to anything but `0`, `false`, `no` or `off`: what nobody understands is no wish to be lax.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|v| !matches!(v.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off"))
    }

    /// All that are set.
    pub fn vars(&self) -> &BTreeMap<String, String> {
        &self.vars
    }

    /// Where a live server answers.
    pub fn base_url(&self) -> Option<&str> {
        self.first(&["LIFECYCLE_BASE_URL", "BASE", "MOLECULE_BASE_URL"])
    }

    /// The server's admin token (scenarios §1.1: the MOLECULE name wins).
    pub fn admin_token(&self) -> Option<Secret> {
        self.first(&["MOLECULE_ADMIN_TOKEN", "ADMIN_TOKEN"]).map(Secret::new)
    }

    /// The organisation's id.
    pub fn org(&self) -> Option<&str> {
        self.get("MOLECULE_ORG_ID")
    }

    /// The build that the server must be.
    pub fn expected_build(&self) -> Option<&str> {
        self.get("LIFECYCLE_EXPECT_BUILD")
    }

    /// Where temporary folders are made.
    pub fn temp(&self) -> PathBuf {
        self.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    /// Proxies, in either spelling.
    pub fn proxies(&self) -> Proxies {
        let either = |upper: &str, lower: &str| self.first(&[lower, upper]).map(str::to_owned);
        // HTTP_PROXY in capitals can be set by a request in CGI: only the small one is safe there.
        let cgi = self.get("REQUEST_METHOD").is_some();
        Proxies {
            http: if cgi {
                self.get("http_proxy").map(str::to_owned)
            } else {
                either("HTTP_PROXY", "http_proxy")
            },
            https: either("HTTPS_PROXY", "https_proxy"),
            none: either("NO_PROXY", "no_proxy"),
        }
    }

    /// CI facts: `system`, `run`, `job`, `commit`, `url`.
    pub fn ci(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                facts.insert(name.to_owned(), value);
            }
        };
        let text = |name: &str| self.get(name).map(str::to_owned);
        if self.flag("GITHUB_ACTIONS") || self.flag("GITEA_ACTIONS") || self.flag("FORGEJO_ACTIONS") {
            let system = if self.flag("GITEA_ACTIONS") {
                "gitea"
            } else if self.flag("FORGEJO_ACTIONS") {
                "forgejo"
            } else {
                "github"
            };
            put("system", Some(system.to_owned()));
            let attempt = self.get("GITHUB_RUN_ATTEMPT").map(|a| format!("-{a}")).unwrap_or_default();
            put("run", self.get("GITHUB_RUN_ID").map(|run| format!("{run}{attempt}")));
            put("job", text("GITHUB_JOB"));
            put("commit", text("GITHUB_SHA"));
            if let (Some(server), Some(repo), Some(run)) =
                (self.get("GITHUB_SERVER_URL"), self.get("GITHUB_REPOSITORY"), self.get("GITHUB_RUN_ID"))
            {
                put("url", Some(format!("{server}/{repo}/actions/runs/{run}")));
            }
        } else if self.flag("GITLAB_CI") {
            put("system", Some("gitlab".into()));
            put("run", text("CI_PIPELINE_ID"));
            put("job", text("CI_JOB_NAME"));
            put("commit", text("CI_COMMIT_SHA"));
            put("url", text("CI_JOB_URL"));
        } else if self.flag("CI") {
            put("system", Some("ci".into()));
        }
        facts
    }

    /// The folder from which a forge resolves the paths of annotations.
    pub fn workspace(&self) -> crate::report::Workspace {
        let root = self.get("GITHUB_WORKSPACE").map(PathBuf::from);
        // A folder that is gone is nobody's workspace.
        let current = std::env::current_dir().ok();
        crate::report::Workspace { root_and_current: root.zip(current) }
    }

    /// How docker's own client would find the engine.
    pub fn docker(&self) -> crate::docker::Settings {
        let path = |name: &str| self.get(name).map(PathBuf::from);
        crate::docker::Settings {
            host: self.get("DOCKER_HOST").map(str::to_owned),
            context: self.get("DOCKER_CONTEXT").map(str::to_owned),
            config_dir: path("DOCKER_CONFIG").or_else(|| path("HOME").map(|home| home.join(".docker"))),
            tls_verify: self.get("DOCKER_TLS_VERIFY").is_some(),
            cert_path: path("DOCKER_CERT_PATH"),
        }
    }

    /// Every value of the environment that must never be written anywhere.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars
            .iter()
            .filter(|(name, _)| crate::redact::is_credential_field(name))
            .map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// The folder in which the command was typed.
///
/// # Errors
/// The system does not say.
pub(crate) fn current_folder() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// Where this program is.
///
/// # Errors
/// The system does not say.
pub(crate) fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env { vars: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() }
    }

    #[test]
    fn old_names_keep_working() {
        let env = env(&[("BASE", "http://b"), ("ADMIN_TOKEN", "a"), ("MOLECULE_ADMIN_TOKEN", "m")]);
        assert_eq!(env.base_url(), Some("http://b"));
        assert_eq!(env.admin_token().map(|t| t.expose().to_owned()).as_deref(), Some("m"));
    }

    #[test]
    fn ci_is_named_by_its_own_variables() {
        let gitea = env(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITEA_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "355924"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_SERVER_URL", "https://git"),
            ("GITHUB_REPOSITORY", "o/r"),
        ]);
        let facts = gitea.ci();
        assert_eq!(facts.get("system").map(String::as_str), Some("gitea"));
        assert_eq!(facts.get("run").map(String::as_str), Some("355924-2"));
        assert_eq!(facts.get("url").map(String::as_str), Some("https://git/o/r/actions/runs/355924"));
        assert!(env(&[]).ci().is_empty());
    }
}
