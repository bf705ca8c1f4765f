//! A disk that is read-only or full: said, exit 3, and what was made is removed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::{Harness, newest_run};
use super::platform::Platform;

const MAKES: &str = "scenario: makes
summary: Makes workspaces and reads the list until the disk is full.
steps:
  - create:  { as: one, external: true, delivery_mode: poll }
  - foreach:
      in: [a, b, c, d, e, f, g, h, i, j]
      as: name
      steps:
        - create: { as: more, external: true, delivery_mode: poll }
        - http:   { path: \"/workspaces?of=${name}\", expect: { status: 200 } }
";

/// A small file system of its own, taken away when it is dropped.
struct Mount(PathBuf);

impl Mount {
    /// None where this process may not mount.
    fn of(dir: &Path, options: &str) -> Option<Mount> {
        std::fs::create_dir_all(dir).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).output();
        let mounted = done.is_ok_and(|done| done.status.success());
        if !mounted {
            eprintln!("SKIPPED: only root can mount a small file system, so this disk is not tested");
        }
        mounted.then(|| Mount(dir.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, because somebody may still look.
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).output();
    }
}

#[test]
fn a_read_only_disk_is_said_before_anything_is_sent() {
    let platform = Platform::start(["--time-scale", "20"]);
    let harness = Harness::new().args(["run"]).scenario(MAKES).against(&platform);
    let Some(_mount) = Mount::of(&harness.path().join("runs"), "ro,size=64k") else { return };
    let output = harness.run().exit(3).stderr_has("nothing was sent");
    insta::assert_snapshot!("a_read_only_disk", output.said());
    assert!(platform.rows().is_empty());
}

#[test]
fn a_disk_that_fills_up_is_said_and_everything_is_removed() {
    let platform = Platform::start(["--time-scale", "20"]);
    let harness = Harness::new().args(["run"]).scenario(MAKES).against(&platform);
    let Some(_mount) = Mount::of(&harness.path().join("runs"), "size=40k") else { return };
    let output = harness.run().exit(3).stderr_has("No space left on device");
    assert!(newest_run(output.dir.path()).is_some());
    platform.is_empty();
}

#[test]
fn a_terminal_that_cannot_be_written_to_ends_the_run_and_no_clean_up() {
    let platform = Platform::start(["--time-scale", "20"]);
    let harness = Harness::new().args(["run", "-v"]).scenario(MAKES).against(&platform);
    let output = harness.stderr_to(Path::new("/dev/full")).run().exit(3);
    let stopped = output.events().iter().any(|e| e["event"]["cancel_began"]["reason"] == "cannot_write");
    assert!(stopped, "the run went on without anybody who hears of it");
    platform.is_empty();
    // A warning of the check comes before the run: where that is lost, nothing is made.
    let warned = MAKES.replace("?of=${name}", "");
    let harness = Harness::new().args(["run", "-v"]).scenario(&warned).against(&platform);
    let output = harness.stderr_to(Path::new("/dev/full")).run().exit(3);
    assert!(newest_run(output.dir.path()).is_none());
    platform.is_empty();
}

#[test]
fn runs_that_are_a_file_are_said() {
    let output = Harness::new().file("runs", "a file").args(["run"]).scenario(MAKES).run().exit(3);
    insta::assert_snapshot!("runs_are_a_file", output.said());
}
