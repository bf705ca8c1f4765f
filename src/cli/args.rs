//! What can be typed.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::args_target::TargetArgs;
use super::candidates;
use super::format::FormatArgs;
use super::values::{at_least_one, duration, edition, no_format, pair, some_time};
use crate::behaviour::Edition;
use crate::runner::context::Destroy;
use crate::session::library::hash;
use crate::source::SourceFile;
use crate::targets::Kind;

/// End-to-end lifecycle harness for platforms that run AI agents in workspaces.
#[derive(Debug, Parser)]
#[command(name = "lifecycle", version = version(), about, arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// `0.1.0 (commit 1a2b3c4, catalogue 5d6e7f80)`.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let catalogue = hash(&SourceFile::new("providers.yaml", include_str!("../../providers.yaml")));
        // Set by whoever builds what is handed out.
        let commit = option_env!("LIFECYCLE_COMMIT").unwrap_or("unknown");
        let catalogue = catalogue.sha256.get(..8).unwrap_or_default();
        format!("{} (commit {commit}, catalogue {catalogue})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

/// For every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Only failures and the summary
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Steps and exchanges too
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Colours (NO_COLOR and CLICOLOR_FORCE are honoured)
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,
    /// Plain lines, annotations and a summary on the job page (also when CI is set)
    #[arg(long, global = true)]
    pub ci: bool,
    /// Where runs are kept [default: runs, env: LIFECYCLE_RUNS_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub runs_dir: Option<PathBuf>,
    /// The project file [default: the nearest lifecycle.yaml upwards; `none` for none]
    #[arg(long, global = true, value_name = "FILE")]
    pub project: Option<PathBuf>,
    /// Which of the project file's profiles [default: ci in CI]
    #[arg(long, global = true, value_name = "NAME")]
    pub preset: Option<String>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios: names, @tags, files or folders; nothing chosen means all that the target can do
    Run(RunArgs),
    /// Show the scenarios there are: tags, needs, expected failures
    List(ListArgs),
    /// Show what would run: model, provider, billing, secret names, worst-case duration
    Plan(PlanArgs),
    /// Check files without a network: scenarios, profiles, workflows, catalogues
    Check(CheckArgs),
    /// The model rules alone: resolve, explain, list, diff
    Model(super::model::ModelArgs),
    /// The catalogue of causes: list, show, lint, test
    Mechanisms(super::mechanisms::MechanismsArgs),
    /// Show where a run saw the server's contract differ; --accept writes it into the overlay
    Drift(super::drift::DriftArgs),
    /// What a server may do one way or the other: list, show, probe
    Behaviours(Box<super::behaviours::BehavioursArgs>),
    /// Say why a run was red: mechanism, evidence, fix shape; from its log alone
    Explain(ExplainArgs),
    /// Run one red of each mechanism again on the embedded platform, with the fault that makes it
    Reproduce(ReproduceArgs),
    /// Take every decision of a run again, with today's scenarios and mechanisms, and show what changed
    Replay(super::replay::ReplayArgs),
    /// Compare two runs: where they part first, in verdict, statuses, answers, environment, time
    Diff(super::diff::DiffArgs),
    /// Rates, durations and causes of the runs that are kept
    History(super::history::HistoryArgs),
    /// Promote, hold or demote scenarios by the runs that are kept, with the arithmetic
    Gate(super::history::GateArgs),
    /// Build reports from a run's log
    Report(ReportArgs),
    /// Make one file of a run, redacted, with its reports
    Export(ExportArgs),
    /// Show the runs there are: verdicts, causes, durations
    Runs(RunsArgs),
    /// What a cron's state file remembers: list, forget, known
    State(super::state::StateArgs),
    /// Write a project file, a first scenario and a workflow
    Init(InitArgs),
    /// Gather the diagnostic bundle of a live workspace; no scenario needed
    Diagnose(DiagnoseArgs),
    /// Remove what earlier runs left
    Sweep(SweepArgs),
    /// Run a part of the reference platform as a server of its own
    Serve(super::args_serve::ServeArgs),
    /// Ask an address from here, once: what evidence runs inside containers
    #[command(hide = true)]
    Probe(ProbeArgs),
    /// Is this machine able to run scenarios?
    Doctor(DoctorArgs),
    /// Print the JSON Schema of scenario files, fragments or profiles, of the JSON report or of the event log
    Schema {
        /// Which files
        #[arg(value_enum, default_value = "scenario")]
        of: SchemaOf,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print a man page, or write all of them
    Man(ManArgs),
    /// Print the help of a command, or what an error code means and what to do
    Help {
        /// A command, a code such as `scenario::auth`, or `codes` for all codes
        #[arg(value_name = "COMMAND|CODE")]
        topic: Vec<String>,
    },
}

impl Command {
    /// Nothing of a project decides what it does.
    pub(super) fn needs_no_project(&self) -> bool {
        matches!(
            self,
            Command::Check(CheckArgs { .. })
                | Command::Model(_)
                | Command::Mechanisms(_)
                | Command::Serve(_)
                | Command::Probe(_)
                | Command::Schema { .. }
                | Command::Completions { .. }
                | Command::Man(_)
                | Command::Help { .. }
                | Command::Init(_)
        )
    }
}

/// Files that have a schema.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SchemaOf {
    #[default]
    Scenario,
    Fragment,
    Profile,
    /// The file of `--json`
    Report,
    /// One line of `events.jsonl`
    Events,
}

/// Which files and catalogue are used.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files")]
pub(crate) struct LibraryArgs {
    /// Use the scenarios of this folder instead of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Use this catalogue instead of the shipped one (the platform's own file works) [env: PROVIDERS_YAML_PATH]
    #[arg(long, value_name = "FILE")]
    pub providers: Option<PathBuf>,
    /// The server's manifest.json, for its runtime allowlist [env: WORKSPACE_MANIFEST_PATH]
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// `run`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunArgs {
    /// Bring a server up as a profile says, and down again
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["target", "base_url"], add = ArgValueCompleter::new(candidates::profiles))]
    pub profile: Option<String>,
    /// Names, @tags, files or folders
    #[arg(value_name = "PATH|NAME|@TAG", add = ArgValueCompleter::new(candidates::selection))]
    pub selection: Vec<String>,
    /// Run again as an earlier run was run; other options win
    #[arg(long, value_name = "RUN", add = ArgValueCompleter::new(candidates::runs))]
    pub like: Option<String>,
    /// As --like, and of its scenarios only those that did not pass
    #[arg(long, value_name = "RUN", conflicts_with = "like", add = ArgValueCompleter::new(candidates::runs))]
    pub rerun_failed: Option<String>,
    /// Set an input
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE", value_parser = pair)]
    pub inputs: Vec<(String, String)>,
    /// Scenarios at once [default: 128]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub jobs: Option<u32>,
    /// Skips, missed milestones and answers that nobody could judge are red [env: E2E_REQUIRE_LIVE]
    #[arg(long)]
    pub require_live: bool,
    /// A run of which nothing ran is green, too (else exit 5)
    #[arg(long)]
    pub allow_none: bool,
    /// End the run after the first red
    #[arg(long, conflicts_with = "max_fail")]
    pub fail_fast: bool,
    /// End the run after N reds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_fail: Option<u32>,
    /// Run a red again, up to N times; what passes then is flaky (6)
    #[arg(long, value_name = "N", conflicts_with = "repeat", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub retries: Option<u32>,
    /// End the run after this, clean-up excepted
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    pub global_timeout: Option<std::time::Duration>,
    /// Remove what was made: always, on-pass or never
    #[arg(long, value_enum, default_value = "always", value_name = "WHEN", hide_possible_values = true)]
    pub destroy: Destroy,
    /// Warnings are errors: nothing is sent
    #[arg(long)]
    pub deny_warnings: bool,
    /// Run each scenario N times [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: Option<u32>,
    /// The server is ours alone: global secrets may be touched
    #[arg(long)]
    pub exclusive: bool,
    /// Scenarios may run commands on this machine: `exec`
    #[arg(long)]
    pub allow_exec: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// List of known reds {red, issue, until}: exit 7 if nothing else failed
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
    /// For a cron, remembers reds: exit 7 if only those of earlier runs failed
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Run this by `sh` when a red is new, the JSON report on its stdin
    #[arg(long, value_name = "CMD")]
    pub on_new: Option<String>,
    /// Keep only the newest N runs
    #[arg(long, value_name = "N")]
    pub keep_runs: Option<usize>,
    #[command(flatten)]
    pub library: LibraryArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub reports: ReportFiles,
    /// What other commands have; a run has files
    #[arg(long, hide = true, value_parser = no_format)]
    format: Option<String>,
}

/// Files that a report can be written to.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Reports")]
pub(crate) struct ReportFiles {
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write one HTML file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write metrics in Prometheus' text format, put in place whole
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

/// `list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Names, @tags, files or folders
    #[arg(value_name = "PATH|NAME|@TAG", add = ArgValueCompleter::new(candidates::selection))]
    pub selection: Vec<String>,
    #[command(flatten)]
    pub library: LibraryArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `plan`.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// Show what a profile would start: its name or file
    #[arg(long, value_name = "NAME|FILE", add = ArgValueCompleter::new(candidates::profiles))]
    pub profile: Option<String>,
    /// Names, @tags, files or folders
    #[arg(value_name = "PATH|NAME|@TAG", add = ArgValueCompleter::new(candidates::selection))]
    pub selection: Vec<String>,
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Set an input
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE", value_parser = pair)]
    pub inputs: Vec<(String, String)>,
    /// With what this kind of target adds: `saas` makes an organisation and purges it
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "profile")]
    pub target: Option<Kind>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Files or folders: scenarios and workflow files; nothing means the shipped scenarios, the environment, and the
    /// workflows of this repository
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub library: LibraryArgs,
    /// The edition whose catalogue, runtimes and rules hold where no file is named
    #[arg(long, value_name = "EDITION", value_parser = edition)]
    pub edition: Option<Edition>,
    /// Warnings are errors
    #[arg(long)]
    pub deny_warnings: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// A run's folder, its id or a part of it, `last`, a zip or .jsonl.gz, or `-`
    #[arg(default_value = "last", add = ArgValueCompleter::new(candidates::runs))]
    pub run: String,
    /// Only this scenario, or this instance of one
    pub scenario: Option<String>,
    /// Everything that was gathered, not only two screens of it
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// A run's folder, its id or a part of it, `last`, a zip or .jsonl.gz, or `-`
    #[arg(default_value = "last", add = ArgValueCompleter::new(candidates::runs))]
    pub run: String,
    /// The file to write [default: RUN.zip]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `runs`.
#[derive(Args, Debug)]
pub(crate) struct RunsArgs {
    /// The newest N
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = at_least_one)]
    pub limit: usize,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where
    #[arg(default_value = ".", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The workflow's file [default: by the forge that the folder knows]
    #[arg(long, value_name = "FILE")]
    pub workflow: Option<String>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `man`.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Of this command, for example `run` or `mechanisms show` [default: the program's own]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub all: Option<PathBuf>,
}

/// `reproduce`.
#[derive(Args, Debug)]
pub(crate) struct ReproduceArgs {
    /// A run's folder, its id or a part of it, `last`, a zip or .jsonl.gz, or `-`
    #[arg(default_value = "last", add = ArgValueCompleter::new(candidates::runs))]
    pub run: String,
    /// Only this scenario, or this instance of one
    pub scenario: Option<String>,
    /// Every red, not one for each mechanism
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `report`.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// A run's folder, its id or a part of it, `last`, a zip or .jsonl.gz, or `-`
    #[arg(default_value = "last", add = ArgValueCompleter::new(candidates::runs))]
    pub run: String,
    #[command(flatten)]
    pub files: ReportFiles,
    /// Write all of them into this folder
    #[arg(long, value_name = "DIR")]
    pub all: Option<PathBuf>,
}

/// `diagnose`.
#[derive(Args, Debug)]
pub(crate) struct DiagnoseArgs {
    /// The workspace's id
    pub workspace: String,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `sweep`.
#[derive(Args, Debug)]
pub(crate) struct SweepArgs {
    /// Only what is older than this
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub older_than: Option<std::time::Duration>,
    /// Also what dead runs left on the engine of containers, by their label
    #[arg(long)]
    pub docker: bool,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Take what is on a server that does not answer any more for gone: its ledger is closed
    #[arg(long, conflicts_with = "dry_run")]
    pub forget: bool,
    #[command(flatten)]
    pub format: FormatArgs,
    /// The admin token of the servers [env: MOLECULE_ADMIN_TOKEN, ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub admin_token: Option<String>,
    /// Trust this CA too (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Do not verify TLS certificates
    #[arg(long)]
    pub insecure: bool,
    /// Also organisations of this control plane that no ledger here knows, by their names and --older-than
    #[arg(long, value_name = "URL", requires = "older_than")]
    pub cp_url: Option<String>,
    /// The control plane's administrator's token [env: CP_ADMIN_API_TOKEN, MOLECULE_ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub cp_token: Option<String>,
    /// What names of organisations begin with [default: e2e-]
    #[arg(long, value_name = "PREFIX")]
    pub org_prefix: Option<String>,
}

/// `probe`.
#[derive(Args, Debug)]
pub(crate) struct ProbeArgs {
    /// What to ask
    #[arg(value_name = "URL")]
    pub url: String,
}
