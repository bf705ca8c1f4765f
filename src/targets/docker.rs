//! The reference platform here, every workspace a real container.
//!
//! The platform listens on loopback for us and on the bridge's gateway for its containers, nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::OpenError;
use super::docker_provisioner::{Containers, Setup};
use super::embedded::proxy_env;
use crate::behaviour::Played;
use crate::docker::agent_image::Recipe;
use crate::docker::owned::Ending;
use crate::docker::{self, About, Engine, EngineError, lock, names};
use crate::domain::Secret;
use crate::reference::faults::Faults;
use crate::reference::options::{Options, ProvisionerKind};
use crate::reference::{provider, server};

/// How the platform with containers is run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which engine.
    pub engine: docker::Settings,
    /// The run that owns what is made.
    pub run: String,
    /// Another image than our own.
    pub agent_image: Option<String>,
    /// Tiers 3 and 4 may be made.
    pub allow_privileged: bool,
    /// How many times faster than real time its clock runs.
    pub time_scale: f64,
    /// Keep or mend what a real server does and should not.
    pub plays: Played,
    /// What goes wrong.
    pub faults: Faults,
    /// Decides jitter.
    pub seed: u64,
    /// Generated when absent.
    pub admin_token: Option<Secret>,
    /// The platform's port; 0 takes a free one.
    pub port: u16,
}

/// Containers take real time: fast enough that minutes of silence are seconds, slow enough that
/// starting a container is not an age.
pub(crate) const TIME_SCALE: f64 = 10.0;
/// Ports that are tried before giving up.
const PORTS: u32 = 20;

/// Platform, provider and engine.
pub(crate) struct Started {
    /// The platform.
    pub platform: server::Running,
    /// Answers for every vendor, on the gateway.
    pub provider: provider::Running,
    /// Generated for this run.
    pub admin_token: Secret,
    /// Where the containers are.
    pub engine: Engine,
    /// Starts and stops them.
    containers: Containers,
    /// Who owns them.
    run: String,
}

impl Started {
    /// Stops all of it and removes what it made; gives what is left and why.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.platform.stop().await;
        self.provider.stop().await;
        self.containers.settled().await;
        self.engine.remove_run(&self.run, Ending::Orderly).await.unwrap_or_else(|e| vec![e.what])
    }
}

impl From<EngineError> for OpenError {
    fn from(error: EngineError) -> Self {
        OpenError { what: error.what, check: error.check, busy: false, refused: false, dependency: None }
    }
}

/// Connects and looks whether the engine will do.
///
/// # Errors
/// It is missing, not running, not for us, or too old.
pub(crate) async fn engine(settings: &docker::Settings) -> Result<Engine, OpenError> {
    let engine = settings.connect()?;
    engine.ping().await?;
    match engine.about().await?.trouble() {
        Some(trouble) => Err(OpenError::new(trouble, &["lifecycle doctor"])),
        None => Ok(engine),
    }
}

/// Starts all of it.
///
/// # Errors
/// The engine, the image, the network or a port; nothing half-made stays.
pub(crate) async fn start(settings: &Settings) -> Result<Started, OpenError> {
    let engine = engine(&settings.engine).await?;
    let image = image(&engine, settings.agent_image.as_deref()).await?;
    match listen(settings, &engine, &image).await {
        Ok(started) => Ok(started),
        Err(error) => {
            // What could not be removed either is still labelled: a sweep finds it.
            let _ = engine.remove_run(&settings.run, Ending::Orderly).await;
            Err(error)
        }
    }
}

/// Removes what a start made that was dropped half-way; gives what is left.
pub(crate) async fn abandon(settings: &Settings) -> Vec<String> {
    // Without an engine there is nothing on it.
    let Ok(engine) = settings.engine.connect() else { return Vec::new() };
    // What was under way may come true a little later.
    engine.remove_run(&settings.run, Ending::Killed).await.unwrap_or_else(|e| vec![e.what])
}

/// The image that was named, or our own, made if it is not there.
///
/// # Errors
/// It is not there, or cannot run here.
pub(crate) async fn image(engine: &Engine, named: Option<&str>) -> Result<String, OpenError> {
    let own = |architecture: &str| {
        let here = std::env::consts::ARCH;
        cfg!(target_os = "linux") && (architecture.is_empty() || architecture == here)
    };
    let about = engine.about().await?;
    if let Some(named) = named {
        if !engine.has_image(named).await? {
            return Err(OpenError::new(
                format!("the image {named} is not on this engine, and nothing is pulled"),
                &[
                    "docker pull or docker build it first",
                    "without --agent-image, the image is made from this program",
                ],
            ));
        }
        let platform = engine.image_platform(named).await?;
        if !runs_on(&platform, &about) {
            return Err(OpenError::new(
                format!(
                    "the image {named} is for {platform}, and this engine runs {}/{}",
                    about.os, about.architecture
                ),
                &[
                    "build it for the engine's architecture",
                    "without --agent-image, the image is made from this program",
                ],
            ));
        }
        return Ok(named.to_owned());
    }
    if !own(&about.architecture) {
        return Err(OpenError::new(
            format!(
                "this program ({} {}) cannot run in containers of this engine ({} {})",
                std::env::consts::OS,
                std::env::consts::ARCH,
                about.os,
                about.architecture
            ),
            &["--agent-image IMAGE names an image of the reference agent for that engine"],
        ));
    }
    let recipe = tokio::task::spawn_blocking(Recipe::of_this_program).await;
    let recipe = recipe.map_err(|e| OpenError::new(e.to_string(), &[]))??;
    let tag = recipe.tag.clone();
    if !engine.has_image(&tag).await? {
        // Two at once would leave one of the images without a name.
        let _one_at_a_time = lock::machine().await;
        engine.make_agent_image(recipe).await?;
    }
    Ok(tag)
}

/// Whether an engine can run an image: images are named as Go names architectures, engines as kernels do.
fn runs_on(image: &str, engine: &About) -> bool {
    let kernel = |architecture: &str| {
        match architecture {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            "386" => "i686",
            other => other,
        }
        .to_owned()
    };
    let Some((os, architecture)) = image.split_once('/') else { return true };
    // What does not say what it is for is not refused for that.
    (os.is_empty() || os == engine.os)
        && (architecture.is_empty()
            || engine.architecture.is_empty()
            || kernel(architecture) == kernel(&engine.architecture))
}

async fn listen(settings: &Settings, engine: &Engine, image: &str) -> Result<Started, OpenError> {
    let network = engine.share_network(&settings.run).await?;
    let gateway = network.gateway.ok_or_else(|| {
        OpenError::new(
            format!("the network {} has no IPv4 gateway", names::NETWORK),
            &["docker network inspect"],
        )
    })?;
    let fail = |what: &str, e: &io::Error| {
        OpenError::new(
            format!("cannot start the reference {what} on {gateway}, the gateway of {}: {e}", names::NETWORK),
            &[
                "is the engine on this machine? a remote, rootless or desktop engine has its bridge elsewhere",
                "docker network inspect molecule-core-net",
            ],
        )
    };
    let provider = provider::start(provider::Options {
        listen: SocketAddr::new(gateway, 0),
        accept_any_key: true,
        ..provider::Options::default()
    })
    .await
    .map_err(|e| fail("provider", &e))?;
    let admin_token = settings
        .admin_token
        .clone()
        .unwrap_or_else(|| Secret::new(format!("lc-admin-{:032x}", crate::chance::random::<u128>())));
    let containers = Containers::new(Setup {
        engine: engine.clone(),
        run: settings.run.clone(),
        image: image.to_owned(),
        command: command(settings),
        allow_privileged: settings.allow_privileged,
    });
    let mut tried = 0;
    loop {
        tried += 1;
        let port = match settings.port {
            0 => free_port(gateway).map_err(|e| fail("platform", &e))?,
            given => given,
        };
        let options = Options {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::new(gateway, port)],
            admin_token: admin_token.clone(),
            time_scale: settings.time_scale,
            edition: settings.plays.edition,
            behaviours: settings.plays.behaviours,
            faults: settings.faults.clone(),
            seed: settings.seed,
            llm_proxy: true,
            patience: Duration::from_secs(60),
            provisioner: ProvisionerKind::Custom(Arc::new(containers.clone())),
            platform_url: Some(format!("http://{}", SocketAddr::new(gateway, port))),
            server_env: proxy_env(&provider.base_url()),
            provider: Some(provider.base_url()),
            ..Options::default()
        };
        match server::start(options).await {
            Ok(platform) => {
                let (engine, run) = (engine.clone(), settings.run.clone());
                return Ok(Started { platform, provider, admin_token, engine, containers, run });
            }
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && settings.port == 0 && tried < PORTS => {}
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
                return Err(OpenError::new(
                    format!(
                        "cannot start the reference platform on port {port} of 127.0.0.1 and {gateway}: {e}"
                    ),
                    &["what listens there? `ss -ltnp` tells", "--listen 127.0.0.1:0 takes a free port"],
                ));
            }
            Err(e) => return Err(fail("platform", &e)),
        }
    }
}

/// The agent's arguments: it lives by the platform's clock.
fn command(settings: &Settings) -> Vec<String> {
    if settings.agent_image.is_some() {
        return Vec::new();
    }
    let scale = settings.time_scale.to_string();
    ["serve", "agent", "--time-scale", &scale].map(str::to_owned).into()
}

/// A port that is free right now.
fn free_port(ip: IpAddr) -> io::Result<u16> {
    Ok(TcpListener::bind((ip, 0))?.local_addr()?.port())
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_runs_where_its_architecture_is() {
        let engine = |architecture: &str| About {
            os: "linux".into(),
            architecture: architecture.into(),
            ..About::default()
        };
        for (image, on, runs) in [
            ("linux/amd64", "x86_64", true),
            ("linux/arm64", "aarch64", true),
            ("linux/arm64", "x86_64", false),
            ("windows/amd64", "x86_64", false),
            ("linux/", "x86_64", true),
            ("/", "aarch64", true),
            ("linux/riscv64", "riscv64", true),
        ] {
            assert_eq!(runs_on(image, &engine(on)), runs, "{image} on {on}");
        }
    }
}
