//! `lifecycle init`: a project file, a first scenario, a workflow.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::args::InitArgs;
use super::failure::CliError;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::session::files::tidy;
use crate::session::project::FILE;

const PROJECT: &str =
    "# What `lifecycle` always wants here. Flags win; `lifecycle plan` shows where each value comes from.
scenarios: e2e
runs: runs
keep-runs: 50
# known: e2e/known.yaml          # reds that somebody works on: {red, issue, until}
# inputs: { runtime: claude-code }
profiles:
  ci: { jobs: 16 }               # taken where CI is set
  cron: { state: runs/state.json, keep-runs: 200 }   # --preset cron
";

const SCENARIO: &str = "# yaml-language-server: $schema=./scenario.schema.json
scenario: first-provision
summary: A workspace comes online, survives a restart and is gone after delete.
tags: [first, smoke]
steps:
  - create:  { as: ws, runtime: claude-code, model: auto, credentials: auto }
  - await:   { workspace: ws, status: online, within: 90s }
  - restart: { workspace: ws }
  - await:   { workspace: ws, status: online, new_instance: true, within: 240s }
  - delete:  { workspace: ws }
";

const WORKFLOW: &str = "name: lifecycle
on: [push]
jobs:
  lifecycle:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    # Without an address the built-in reference platform is tried, and no server of yours. With one:
    # env:
    #   BASE: ${{ vars.PLATFORM_URL }}
    #   ADMIN_TOKEN: ${{ secrets.PLATFORM_ADMIN_TOKEN }}
    steps:
      - uses: actions/checkout@v4
      # `lifecycle` has to be on the PATH: from the runner's image, an artifact or a release.
      - run: lifecycle check .
      - run: lifecycle run --ci --junit reports/junit.xml --html reports/report.html
      - name: Remove what a cancelled run left
        if: always()
        run: lifecycle sweep
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: lifecycle
          path: |
            runs
            reports
";

/// What is no file of a repository.
const IGNORED: [&str; 2] = ["runs/", "reports/"];

/// Writes what is not there yet; changes nothing that is.
pub(crate) fn run(args: &InitArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let schema = serde_json::to_string_pretty(&crate::scenario::schema()).unwrap_or_default() + "\n";
    let workflow = args.workflow.as_deref().unwrap_or_else(|| forge(&args.folder));
    let files = [
        (FILE, PROJECT),
        ("e2e/first-provision.yaml", SCENARIO),
        ("e2e/scenario.schema.json", schema.as_str()),
        (workflow, WORKFLOW),
    ];
    if args.folder.exists() && !args.folder.is_dir() {
        let text = format!("{} is a file, not a folder", args.folder.display());
        return Err(CliError::new(ExitCode::BadInput, text).next("`lifecycle init FOLDER`"));
    }
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for (name, text) in files {
        let path = tidy(&args.folder.join(name));
        let shown = path.display().to_string();
        if path.exists() {
            kept.push(shown);
            continue;
        }
        let cannot =
            |e: std::io::Error| CliError::new(ExitCode::Environment, format!("cannot write {shown}: {e}"));
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        if let Err(error) = fs::write(&path, text) {
            // The next `init` would take half a file for the user's own.
            let _ = fs::remove_file(&path);
            return Err(cannot(error));
        }
        written.push(shown);
    }
    let ignore = tidy(&args.folder.join(".gitignore"));
    let shown = ignore.display().to_string();
    match ignored(&ignore) {
        Ok(true) => written.push(shown),
        Ok(false) => kept.push(shown),
        Err(e) => {
            return Err(CliError::new(ExitCode::Environment, format!("cannot write {shown}: {e}")));
        }
    }
    if args.format.is_json() {
        format::print(shell, &serde_json::json!({ "written": written, "kept": kept }))?;
        return Ok(ExitCode::Passed);
    }
    for name in &written {
        shell.printer.data(&format!("written  {name}"))?;
    }
    for name in &kept {
        shell.printer.data(&format!("kept     {name}"))?;
    }
    shell.printer.note("next: lifecycle check . && lifecycle run")?;
    Ok(ExitCode::Passed)
}

/// Adds to a `.gitignore` what it lacks; says whether it lacked anything.
fn ignored(file: &Path) -> std::io::Result<bool> {
    let text = match fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let has = |name: &str| text.lines().any(|line| line.trim().trim_matches('/') == name.trim_matches('/'));
    let missing: Vec<&str> = IGNORED.into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    // Appended in one piece: what is there stays as it is, its mode and a link too.
    let mut list = fs::OpenOptions::new().append(true).create(true).open(file)?;
    list.write_all(format!("{gap}{}\n", missing.join("\n")).as_bytes())?;
    Ok(true)
}

/// Where the forge of this folder looks for workflows.
fn forge(folder: &Path) -> &'static str {
    if folder.join(".github").is_dir() && !folder.join(".gitea").is_dir() {
        ".github/workflows/lifecycle.yml"
    } else {
        ".gitea/workflows/lifecycle.yml"
    }
}
