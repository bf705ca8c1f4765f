//! Faults of the wire: waits bear them, and a create never makes two.

use super::harness::{Harness, Output, word};
use super::platform::Platform;
use super::proxy::{ALL, Mischief, Proxy, Rule};

const CREATES: &str = "scenario: creates
summary: Makes two workspaces.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
  - create: { as: two, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: some-key-value-1 } }
  - await:  { workspace: two, status: online, within: 60s }
";

fn through(proxy: &Proxy, scenario: &str) -> Output {
    Harness::new().args(["run", "-q", scenario]).at(&proxy.base).run()
}

#[test]
fn every_fault_of_reads_is_borne() {
    let platform = Platform::start(["--time-scale", "20"]);
    for mischief in ALL {
        // The probe of the target itself must get through: nothing is spoilt before the run began.
        let proxy = Proxy::before(&platform, None);
        proxy.set(Rule { mischief, begins: "GET /workspaces", every: 4, reaches: false });
        for scenario in ["local-provision", "external-poll-mode"] {
            let output = through(&proxy, scenario);
            assert_eq!(output.code(), Some(0), "{mischief:?} {scenario}\n{}", output.stderr);
        }
        assert!(proxy.spoilt() > 0, "{mischief:?} was never met");
        platform.is_empty();
    }
}

#[test]
fn a_create_never_makes_two_whatever_happens_to_its_answer() {
    let platform = Platform::start(["--time-scale", "20"]);
    for mischief in ALL {
        for reaches in [false, true] {
            for every in [1, 2] {
                let rule = Rule { mischief, begins: "POST /workspaces HTTP", every, reaches };
                let proxy = Proxy::before(&platform, Some(rule));
                let output = Harness::new()
                    .args(["run", "-q", "--destroy", "never"])
                    .scenario(CREATES)
                    .at(&proxy.base)
                    .run();
                let mut names: Vec<String> = platform.rows().iter().map(|row| word(&row["name"])).collect();
                let all = names.len();
                // The platform marks a second one of a name: `name (2)`.
                names.iter_mut().for_each(|n| *n = n.split(" (").next().unwrap_or_default().to_owned());
                names.sort();
                names.dedup();
                assert_eq!(names.len(), all, "{mischief:?} reaches {reaches}: {:?}", platform.names());
                assert!(output.code() == Some(0) || every == 1 || !matches!(mischief, Mischief::Slow));
                output.then(["sweep"]).env("ADMIN_TOKEN", super::platform::TOKEN).run().exit(0);
                platform.is_empty();
            }
        }
    }
}

#[test]
fn a_lost_answer_to_a_delete_or_a_restart_is_no_red() {
    let platform = Platform::start(["--time-scale", "20"]);
    for mischief in [Mischief::Status503, Mischief::Reset, Mischief::Truncated] {
        let rule = Rule { mischief, begins: "DELETE /workspaces/", every: 2, reaches: true };
        let proxy = Proxy::before(&platform, Some(rule));
        let output = Harness::new().args(["run", "-q"]).scenario(CREATES).at(&proxy.base).run();
        assert_eq!(output.code(), Some(0), "{mischief:?}\n{}", output.stderr);
        assert!(proxy.spoilt() > 0);
        platform.is_empty();
    }
}

#[test]
fn faults_of_the_platform_itself_are_borne() {
    for fault in ["http-503-every-n=4", "http-429-every-n=4", "garbage-every-n=5"] {
        let output = Harness::new().args(["run", "-q", "external-poll-mode", "--fault", fault]).run();
        let verdicts = output.verdicts();
        // Requests that change something may be refused: that is an honest red; a crash or a leak is not.
        assert!(matches!(output.code(), Some(0 | 1 | 3)), "{fault}: {verdicts:?}\n{}", output.stderr);
    }
}
