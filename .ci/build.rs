//! The embedded folders: a file that is new in one of them builds the crate again. And the commit, for `--version` of
//! what is handed out.

#![expect(clippy::disallowed_methods, reason = "what cargo tells a build script is in its environment")]

use std::process::Command;

fn main() {
    for folder in [".ci/build.rs", "scenarios", "src/mechanism/catalogue"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    println!("cargo:rerun-if-env-changed=LIFECYCLE_COMMIT");
    // A debug build would be made again after every commit, for a line that nobody reads.
    let handed_out = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if std::env::var_os("LIFECYCLE_COMMIT").is_none()
        && handed_out
        && let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"])
    {
        let edited =
            git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
        println!("cargo:rustc-env=LIFECYCLE_COMMIT={commit}{}", if edited { "+edits" } else { "" });
        if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
            println!("cargo:rerun-if-changed={log}");
        }
    }
}

/// What git says; nothing where there is no git or no repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
