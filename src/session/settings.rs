//! What a run is asked for: built from typed options, by a test, or read back from an earlier run's log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::behaviour::{Behaviour, Edition};
use crate::domain::Secret;
use crate::event::RunStarted;
use crate::report::FileKind;
use crate::runner::context::Destroy;
use crate::targets::saas::Spread;
use crate::targets::{Answers, Kind, LogSource};

/// Scenarios at once, when nobody says; waiting is not work.
pub(crate) const JOBS: u32 = 128;
/// A live server answers for the first time within this, when nobody says.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Everything that decides what runs and how. It is recorded in the run's first event and read back by `--like`; what
/// is secret, or has a place of its own in that event, is not part of the record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSettings {
    /// Names, tags, files or folders; nothing means all.
    #[serde(skip)]
    pub selection: Vec<String>,
    /// Which files are read.
    #[serde(flatten)]
    pub library: LibrarySettings,
    /// Name or file of a profile.
    #[serde(skip)]
    pub profile: Option<String>,
    /// What it runs against.
    #[serde(flatten)]
    pub target: TargetSettings,
    /// `--input`.
    #[serde(skip)]
    pub inputs: BTreeMap<String, String>,
    /// Inputs that a project always wants: weaker than everything but a scenario's own default.
    #[serde(skip)]
    pub defaults: BTreeMap<String, String>,
    /// The earlier run that is run again.
    #[serde(flatten)]
    pub again: Option<Again>,
    /// Scenarios at once; `JOBS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u32>,
    /// Of everything random that scenarios and a platform of ours see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How many times each scenario runs; 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// Skips and milestones that were not reached are red.
    #[serde(skip_serializing_if = "is_default")]
    pub require_live: bool,
    /// A run of which nothing ran is green.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_none: bool,
    /// After so many reds the run ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fail: Option<u32>,
    /// How often a red runs again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The run ends after this.
    #[serde(skip)]
    pub global_timeout: Option<Duration>,
    /// When clean-up removes what scenarios made.
    #[serde(skip_serializing_if = "is_default")]
    pub destroy: Destroy,
    /// Warnings are errors.
    #[serde(skip_serializing_if = "is_default")]
    pub deny_warnings: bool,
    /// The server is ours alone.
    #[serde(skip_serializing_if = "is_default")]
    pub exclusive: bool,
    /// Scenarios may run commands on this machine. Recorded, and never taken from a record: a log may be anybody's.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_exec: bool,
    /// List of known reds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<PathBuf>,
    /// State file of a cron.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// What `sh` runs when a red is new.
    #[serde(skip)]
    pub on_new: Option<String>,
    /// How many runs are kept.
    #[serde(skip)]
    pub keep_runs: Option<usize>,
    /// Files that get reports.
    #[serde(skip)]
    pub reports: Vec<(FileKind, PathBuf)>,
}

/// An earlier run, and what of it is run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// All of it.
    Like(String),
    /// What did not pass.
    RerunFailed(String),
}

/// Which files and catalogue are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LibrarySettings {
    /// A folder instead of the shipped scenarios.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenarios: Option<PathBuf>,
    /// A catalogue instead of the shipped one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<PathBuf>,
    /// The server's own list of runtimes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<PathBuf>,
    /// Whose catalogue and runtimes are taken where none is named; the target's is recorded with the target.
    #[serde(skip)]
    pub edition: Option<Edition>,
}

/// What it runs against, as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetSettings {
    /// Which kind; decided by the environment and the address when nobody says.
    #[serde(rename = "target", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Of a live server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Its admin token.
    #[serde(skip)]
    pub admin_token: Option<Secret>,
    /// Organisation id of a tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// A CA that is trusted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
    /// TLS certificates are not verified.
    #[serde(skip_serializing_if = "is_default")]
    pub insecure: bool,
    /// A live server's containers are on the engine of this machine.
    #[serde(skip_serializing_if = "is_default")]
    pub docker: bool,
    /// Where the log of a live server is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_log: Option<LogSource>,
    /// Image of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_image: Option<String>,
    /// Privileged tiers may be made.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_privileged: bool,
    /// A provider of ours that instances can reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_url: Option<String>,
    /// What its agents answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// A live server answers for the first time within this; `PATIENCE`.
    #[serde(skip)]
    pub patience: Option<Duration>,
    /// How much faster a platform of ours runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_scale: Option<f64>,
    /// The edition that a platform of ours plays, or that another server is expected to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edition: Option<Edition>,
    /// The build that the server must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_build: Option<String>,
    /// Behaviours that differ from it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub behaviours: BTreeMap<Behaviour, bool>,
    /// The overlay of accepted drift, where it is not the usual file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<PathBuf>,
    /// What goes wrong on a platform of ours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// A control plane; one of ours when nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cp_url: Option<String>,
    /// Its administrator's token.
    #[serde(skip)]
    pub cp_token: Option<Secret>,
    /// What names of organisations begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_prefix: Option<String>,
    /// Over how many organisations scenarios are spread.
    #[serde(rename = "org", skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// The organisation stays.
    #[serde(skip)]
    pub keep_org: bool,
    /// Where tenants are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_domain: Option<String>,
    /// Deadlines of the phases of an organisation.
    #[serde(skip)]
    pub org_within: Vec<(String, Duration)>,
    /// What a control plane of ours answers instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cp_routes: Vec<String>,
    /// Variables of the tenants of a control plane of ours.
    #[serde(skip)]
    pub tenant_env: Vec<(String, String)>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl RunSettings {
    /// How many times each instance runs.
    pub fn rounds(&self) -> usize {
        self.repeat.unwrap_or(1) as usize
    }

    /// As the run's first event holds it.
    pub fn record(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(record)) => record,
            // A path that is no text is all that serde may refuse.
            _ => Map::new(),
        }
    }

    /// As an earlier run was asked for. What this version cannot read of it is as if nobody had asked for it.
    pub fn recorded(identity: &RunStarted) -> RunSettings {
        let mut record =
            if identity.settings.is_empty() { of_words(identity) } else { identity.settings.clone() };
        loop {
            if let Ok(settings) = serde_json::from_value(Value::Object(record.clone())) {
                return settings;
            }
            let alone = |name: &String| Map::from_iter([(name.clone(), record[name].clone())]);
            let unreadable =
                |name: &&String| serde_json::from_value::<RunSettings>(Value::Object(alone(name))).is_err();
            match record.keys().find(unreadable).cloned() {
                Some(name) => record.remove(&name),
                None => return RunSettings::default(),
            };
        }
    }
}

/// Logs of the first versions hold every flag as a word.
fn of_words(identity: &RunStarted) -> Map<String, Value> {
    let value = |(name, word): (&String, &String)| {
        let value = match name.as_str() {
            "faults" => word.split(',').map(str::to_owned).collect(),
            "jobs" | "seed" | "repeat" | "time_scale" | "require_live" | "exclusive" | "docker" => {
                serde_json::from_str(word).unwrap_or(Value::Null)
            }
            _ => Value::String(word.clone()),
        };
        (name.clone(), value)
    };
    identity.flags.iter().map(value).filter(|(_, value)| !value.is_null()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(flags: &[(&str, &str)], settings: Map<String, Value>) -> RunStarted {
        let flags = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        RunStarted { flags, settings, ..RunStarted::default() }
    }

    #[test]
    fn what_is_recorded_is_read_back() {
        let mut settings = RunSettings::default();
        assert_eq!(Value::Object(settings.record()), serde_json::json!({}));
        settings.target = TargetSettings {
            kind: Some(Kind::Docker),
            answers: Some(Answers::Stub),
            time_scale: Some(2.5),
            edition: Some(Edition::MidAugust),
            behaviours: BTreeMap::from([(Behaviour::HibernateWakes, false)]),
            faults: vec!["a".into(), "b=2".into()],
            docker: true,
            ..TargetSettings::default()
        };
        settings.library.providers = Some("p.yaml".into());
        settings.again = Some(Again::RerunFailed("last".into()));
        (settings.jobs, settings.seed, settings.repeat) = (Some(3), Some(u64::MAX), Some(2));
        (settings.destroy, settings.exclusive) = (Destroy::OnPass, true);
        let record = settings.record();
        assert_eq!(record["target"], "docker");
        assert_eq!(record["rerun_failed"], "last");
        assert_eq!(record["destroy"], "on-pass");
        assert_eq!(RunSettings::recorded(&identity(&[], record)), settings);
    }

    #[test]
    fn secrets_and_what_has_a_place_of_its_own_are_not_recorded() {
        let settings = RunSettings {
            selection: vec!["x".into()],
            profile: Some("p".into()),
            inputs: BTreeMap::from([("key".into(), "hunter22hunter22".into())]),
            target: TargetSettings {
                admin_token: Some(Secret::new("hunter22hunter22")),
                ..TargetSettings::default()
            },
            ..RunSettings::default()
        };
        assert!(settings.record().is_empty(), "{:?}", settings.record());
    }

    #[test]
    fn flags_of_the_first_logs_are_the_same_settings() {
        let old = identity(
            &[
                ("jobs", "128"),
                ("seed", "7"),
                ("target", "embedded"),
                ("faults", "token-lost,slow-boot=3"),
                ("time_scale", "12.5"),
                ("docker", "true"),
                ("agent_image", "123"),
                ("destroy", "on-pass"),
                ("like", "last"),
            ],
            Map::new(),
        );
        let read = RunSettings::recorded(&old);
        assert_eq!((read.jobs, read.seed, read.target.kind), (Some(128), Some(7), Some(Kind::Embedded)));
        assert_eq!(read.target.faults, ["token-lost", "slow-boot=3"]);
        assert_eq!((read.target.time_scale, read.target.docker), (Some(12.5), true));
        assert_eq!(read.target.agent_image.as_deref(), Some("123"));
        assert_eq!((read.destroy, read.again), (Destroy::OnPass, Some(Again::Like("last".into()))));
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_nothing_else() {
        let mut record = RunSettings { seed: Some(7), ..RunSettings::default() }.record();
        record.insert("target".into(), "a-kind-of-tomorrow".into());
        record.insert("destroy".into(), 5.into());
        record.insert("option_of_tomorrow".into(), true.into());
        assert_eq!(RunSettings::recorded(&identity(&[], record)).seed, Some(7));
    }
}
