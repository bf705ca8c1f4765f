//! Where the engine is: `DOCKER_HOST`, contexts and TLS, as docker's own client finds it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, Docker};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Engine, EngineError, ErrorKind};

/// Where an engine is when nothing says otherwise.
pub(crate) const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// The import of an image may not keep silent longer, in seconds; everything else has a bound of its own.
const TIMEOUT: u64 = 180;

/// What docker's client reads from its environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_CONFIG`, or `~/.docker`.
    pub config_dir: Option<PathBuf>,
    /// `DOCKER_TLS_VERIFY` is set.
    pub tls_verify: bool,
    /// `DOCKER_CERT_PATH`.
    pub cert_path: Option<PathBuf>,
}

/// An address, and the folder of its certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///…`, `tcp://…`, `https://…`.
    pub host: String,
    /// Holds `ca.pem`, `cert.pem`, `key.pem`.
    pub certificates: Option<PathBuf>,
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints", default)]
    endpoints: std::collections::BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
struct MetaEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

impl Settings {
    /// The address that these settings mean; `DOCKER_HOST` wins over any context.
    ///
    /// # Errors
    /// A context that is not there, or that cannot be used.
    pub fn endpoint(&self) -> Result<Endpoint, EngineError> {
        let bad = |what: String| EngineError::new(ErrorKind::BadSettings, what);
        let named = match (&self.host, &self.context) {
            (Some(_), _) => None,
            (None, Some(context)) => Some(context.clone()),
            (None, None) => self.current_context(),
        };
        let Some(name) = named.filter(|name| !name.is_empty() && name != "default") else {
            let host = self.host.clone().unwrap_or_else(|| DEFAULT_HOST.to_owned());
            let certificates = self.cert_path.clone().or_else(|| self.config_dir.clone());
            return Ok(Endpoint { host, certificates: certificates.filter(|_| self.tls_verify) });
        };
        let folder = self.config_dir.clone().unwrap_or_default().join("contexts");
        let id: String = Sha256::digest(name.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        let path = folder.join("meta").join(&id).join("meta.json");
        let text = std::fs::read_to_string(&path).map_err(|e| {
            bad(format!("the docker context `{name}` cannot be read: {}: {e}", path.display()))
                .check("docker context ls shows those there are")
        })?;
        let meta: Meta = serde_json::from_str(&text)
            .map_err(|e| bad(format!("{} is not a context: {e}", path.display())))?;
        let endpoint = meta.endpoints.get("docker").filter(|e| !e.host.is_empty());
        let endpoint = endpoint.ok_or_else(|| bad(format!("the docker context `{name}` names no host")))?;
        if endpoint.skip_tls_verify {
            return Err(bad(format!("the docker context `{name}` skips the check of certificates"))
                .check("give it the engine's CA: docker context update"));
        }
        let tls = folder.join("tls").join(&id).join("docker");
        Ok(Endpoint { host: endpoint.host.clone(), certificates: tls.is_dir().then_some(tls) })
    }

    fn current_context(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.config_dir.as_ref()?.join("config.json")).ok()?;
        let config: ConfigFile = serde_json::from_str(&text).ok()?;
        Some(config.current_context)
    }

    /// Connects; that the engine answers is for [`Engine::ping`] to say.
    ///
    /// # Errors
    /// Settings that mean nothing.
    pub fn connect(&self) -> Result<Engine, EngineError> {
        let endpoint = self.endpoint()?;
        let host = endpoint.host.clone();
        let made = match host.split_once("://").map(|(scheme, _)| scheme) {
            Some("unix" | "npipe") => Docker::connect_with_local(&host, TIMEOUT, API_DEFAULT_VERSION),
            Some("tcp" | "http" | "https") => match &endpoint.certificates {
                Some(folder) => tls(&host, folder),
                None if host.starts_with("https://") => {
                    return Err(EngineError::new(
                        ErrorKind::BadSettings,
                        format!("{host} wants certificates"),
                    )
                    .check("DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH with ca.pem, cert.pem and key.pem"));
                }
                None => Docker::connect_with_http(&host, TIMEOUT, API_DEFAULT_VERSION),
            },
            _ => {
                return Err(EngineError::new(
                    ErrorKind::BadSettings,
                    format!("`{host}` is not an address of an engine that can be used here"),
                )
                .check("unix:///path or tcp://host:port; for ssh, forward its socket: ssh -L /tmp/docker.sock:/var/run/docker.sock"));
            }
        };
        let docker = made.map_err(|e| super::error::of(&host, "connect to the engine", &e))?;
        Ok(Engine {
            docker,
            endpoint: host,
            errands: Arc::default(),
            told: Arc::default(),
            gone: CancellationToken::new(),
        })
    }
}

fn tls(host: &str, folder: &Path) -> Result<Docker, bollard::errors::Error> {
    let file = |name: &str| folder.join(name);
    Docker::connect_with_ssl(
        host,
        &file("key.pem"),
        &file("cert.pem"),
        &file("ca.pem"),
        TIMEOUT,
        API_DEFAULT_VERSION,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_as_dockers_own_client_finds_it() {
        let home = tempfile::tempdir().unwrap();
        let id: String = Sha256::digest(b"remote").iter().map(|b| format!("{b:02x}")).collect();
        let meta = home.path().join("contexts/meta").join(&id);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"remote","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://h:2376","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        std::fs::create_dir_all(home.path().join("contexts/tls").join(&id).join("docker")).unwrap();
        std::fs::write(home.path().join("config.json"), r#"{"currentContext":"remote"}"#).unwrap();
        let dir = Some(home.path().to_owned());
        let certs = Some(home.path().join("contexts/tls").join(&id).join("docker"));
        let given = |host: Option<&str>, context: Option<&str>, tls_verify| Settings {
            host: host.map(Into::into),
            context: context.map(Into::into),
            config_dir: dir.clone(),
            tls_verify,
            cert_path: None,
        };
        let table: [(Settings, &str, Option<PathBuf>); 6] = [
            (Settings::default(), DEFAULT_HOST, None),
            (given(None, None, false), "tcp://h:2376", certs.clone()),
            (given(None, Some("remote"), false), "tcp://h:2376", certs),
            (given(None, Some("default"), false), DEFAULT_HOST, None),
            (given(Some("unix:///x"), Some("remote"), false), "unix:///x", None),
            (given(Some("tcp://x:1"), None, true), "tcp://x:1", dir.clone()),
        ];
        for (settings, host, certificates) in table {
            let found = settings.endpoint().unwrap();
            assert_eq!((found.host.as_str(), found.certificates), (host, certificates));
        }
        assert!(given(None, Some("nowhere"), false).endpoint().unwrap_err().what.contains("nowhere"));
        for host in ["ssh://me@h", "nonsense", "https://h:2376"] {
            let error = given(Some(host), None, false).connect().unwrap_err();
            assert_eq!(error.kind, ErrorKind::BadSettings, "{host}");
        }
    }
}
