//! Faults of the wire: waits bear them, and a create never makes two.

use super::harness::{Harness, rows, wait_for};
use super::platform::Platform;
use super::proxy::{Mischief, Proxy, Rule, answers_of_nobody, lost_answers};

const CREATES: &str = "scenario: creates
summary: Makes two workspaces.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
    within: 8s
  - create: { as: two, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: some-key-value-1 } }
    within: 8s
  - await:  { workspace: two, status: online, within: 60s }
";

mod every_fault_of_reads_is_borne {
    use super::*;

    fn row(mischief: Mischief) {
        let platform = Platform::start(["--time-scale", "10"]);
        let rule = Rule { mischief, begins: "GET ", every: 4, reaches: false };
        let proxy = Proxy::before(&platform, Some(rule));
        // An expected failure is one only with its mechanism, so the evidence must be had too.
        let run =
            Harness::new().args(["run", "-q", "local-provision", "external-poll-mode", "external-resume"]);
        let output = run.at(&proxy.base).run();
        assert_eq!(output.code(), Some(0), "{}", output.stderr);
        assert!(proxy.spoilt() > 0, "it was never met");
        platform.is_empty();
    }

    lost_answers!(rows! row);
    answers_of_nobody!(rows! row);
    rows! { row; status_429: Mischief::Status429 }
}

mod a_create_never_makes_two_whatever_happens_to_its_answer {
    use super::*;

    fn row(mischief: Mischief, reaches: bool, every: usize) {
        let platform = Platform::start(["--time-scale", "10"]);
        let rule = Rule { mischief, begins: "POST /workspaces HTTP", every, reaches };
        let proxy = Proxy::before(&platform, Some(rule));
        let run = Harness::new().args(["run", "-q", "--destroy", "never"]).scenario(CREATES);
        let output = run.at(&proxy.base).run();
        // The platform marks a second one of a name: `name (2)`.
        let twice: Vec<String> = platform.names().into_iter().filter(|name| name.contains(" (")).collect();
        assert!(twice.is_empty(), "made twice: {twice:?}");
        assert!(proxy.spoilt() > 0, "it was never met");
        // An answer that is only late spoils nothing, and a platform that was never reached has nothing.
        assert!(mischief != Mischief::Slow || output.code() == Some(0), "{}", output.stderr);
        output.then(["sweep"]).env("ADMIN_TOKEN", crate::platform::TOKEN).run().exit(0);
        platform.is_empty();
    }

    mod none_reaches_the_platform {
        use super::*;
        lost_answers!(rows! |mischief| row(mischief, false, 1));
        rows! { |mischief| row(mischief, false, 1); status_429: Mischief::Status429 }
    }

    mod every_second_does_not_reach_it {
        use super::*;
        lost_answers!(rows! |mischief| row(mischief, false, 2));
        rows! { |mischief| row(mischief, false, 2); status_429: Mischief::Status429 }
    }

    // Whoever limits rates has done nothing: there is no such answer to a create that was made.
    mod each_is_done_and_its_answer_lost {
        use super::*;
        lost_answers!(rows! |mischief| row(mischief, true, 1));
    }

    mod every_second_is_done_and_its_answer_lost {
        use super::*;
        lost_answers!(rows! |mischief| row(mischief, true, 2));
    }
}

/// The restart that a secret brings may come although the answer to the write was lost: the ledger knows before.
#[test]
fn what_may_start_an_instance_is_in_the_ledger_before_it_leaves() {
    let platform = Platform::start(["--time-scale", "10"]);
    let rule =
        Rule { mischief: Mischief::Truncated, begins: "POST /workspaces/*/secrets", every: 1, reaches: true };
    let proxy = Proxy::before(&platform, Some(rule));
    let output = Harness::new().args(["run", "-q"]).scenario(WRITES).at(&proxy.base).run().exit(3);
    let events = output.events();
    let at = |kind: &str, has: &str| {
        events.iter().position(|e| e["event"].get(kind).is_some_and(|e| e.to_string().contains(has)))
    };
    let (disturbed, asked) = (at("disturbed", "r2"), at("exchange", "write secret K"));
    assert!(disturbed.is_some() && asked.is_some(), "{disturbed:?} {asked:?}");
    assert!(disturbed < asked, "disturbed at {disturbed:?}, asked at {asked:?}");
    platform.is_empty();
}

const WRITES: &str = "scenario: writes
summary: Writes a secret.
steps:
  - create: { as: one, runtime: claude-code, model: MiniMax-M2.7, credentials: none, secrets: { MINIMAX_API_KEY: some-key-value-1 } }
  - await:  { workspace: one, status: online, within: 60s }
  - secret: { workspace: one, set: { K: some-value-12 } }
";

/// A gateway gives up on a create that the platform still gets: a look at once would not see it.
#[test]
fn a_create_that_comes_true_behind_a_gateways_page_is_not_made_twice() {
    let platform = Platform::start(["--time-scale", "10"]);
    let rule = Rule { mischief: Mischief::Behind, begins: "POST /workspaces HTTP", every: 2, reaches: false };
    let proxy = Proxy::before(&platform, Some(rule));
    let output =
        Harness::new().args(["run", "-q", "--destroy", "never"]).scenario(CREATES).at(&proxy.base).run();
    let names = platform.names();
    assert_eq!(output.code(), Some(0), "{}", output.stderr);
    assert_eq!(proxy.spoilt(), 1);
    assert_eq!(names.len(), 3, "the root and one of each: {names:?}");
}

/// The create's answer is lost and its token with it; the answer to minting another is lost too.
mod a_lost_token_is_no_red_of_the_platform {
    use super::*;

    fn row(mischief: Mischief) {
        let platform = Platform::start(["--time-scale", "10"]);
        let proxy =
            Proxy::before(&platform, Some(Rule { mischief, begins: "POST ", every: 1, reaches: true }));
        let output = Harness::new().args(["run", "-q", "external-poll-mode"]).at(&proxy.base).run();
        assert_eq!(output.code(), Some(3), "{}", output.stderr);
        assert!(proxy.spoilt() > 1, "the second request was never met");
    }

    rows! { row; status_503: Mischief::Status503, reset: Mischief::Reset, garbage: Mischief::Garbage }
}

/// The contract lets a create go without its token (§2.3), and later requests need one.
#[test]
fn a_create_without_its_token_gets_another() {
    let platform = Platform::start(["--time-scale", "20"]);
    let rule = Rule { mischief: Mischief::NoToken, begins: "POST /workspaces HTTP", every: 1, reaches: true };
    let proxy = Proxy::before(&platform, Some(rule));
    let output = Harness::new().args(["run", "local-pause-resume"]).at(&proxy.base).run();
    output.exit(0).stderr_has("was answered without an auth_token");
    assert!(proxy.spoilt() > 0);
}

/// A server that refuses to show a workspace, or shows another one, still removes it by id and name.
mod what_cannot_be_read_is_removed_all_the_same {
    use super::*;

    fn row(mischief: Mischief) {
        let platform = Platform::start(["--time-scale", "20"]);
        let rule = Rule { mischief, begins: "GET /workspaces/", every: 1, reaches: false };
        let proxy = Proxy::before(&platform, Some(rule));
        let run = Harness::new().args(["run", "-q", "local-first-answer", "-i", "online_within=2s"]);
        let output = run.at(&proxy.base).run();
        assert!(matches!(output.code(), Some(1 | 3)), "{}", output.stderr);
        assert!(proxy.spoilt() > 0, "it was never met");
        platform.is_empty();
    }

    rows! { row; forbidden: Mischief::Forbidden, garbage: Mischief::Garbage }
}

const BACK: &str = "scenario: back
summary: Looks for the absence when it is over.
needs: [managed, env]
steps:
  - create:    { as: ws, runtime: claude-code, model: auto }
  - await:     { workspace: ws, status: online, within: 60s }
  - terminate: ws
  - hold:      { for: 120s }
  - await:     { workspace: ws, status: online, leaves: true, within: 20s }
  - await:     { workspace: ws, status: online, new_instance: true, within: 120s }
";

/// A platform that heals between two looks, and a server without a stream that would show it.
#[test]
fn who_left_and_came_back_has_left_without_a_stream_too() {
    let platform = Platform::start(["--time-scale", "20"]);
    let rule = Rule { mischief: Mischief::Forbidden, begins: "GET /ws", every: 1, reaches: false };
    let proxy = Proxy::before(&platform, Some(rule));
    Harness::new().args(["run", "-q"]).scenario(BACK).at(&proxy.base).run().exit(0);
    assert!(proxy.spoilt() > 0);
}

const TWINS: &str = "scenario: twins
summary: Gives one name twice.
steps:
  - create: { as: one, name: twin, external: true, delivery_mode: poll }
  - create: { as: two, name: twin, external: true, delivery_mode: poll }
    within: 8s
  - expect: { row_of: two, json: { $.name: \"${one.name} (2)\" } }
";

/// The answer to the second one is lost, and the first one has its name: the platform called the second one otherwise.
#[test]
fn a_twin_whose_answer_was_lost_is_found_beside_the_first() {
    let platform = Platform::start(["--time-scale", "10"]);
    let lost = Rule { mischief: Mischief::Garbage, begins: "POST /workspaces HTTP", every: 3, reaches: true };
    let proxy = Proxy::before(&platform, Some(lost));
    let output = Harness::new().args(["run", "-q"]).scenario(TWINS).at(&proxy.base).run();
    assert_eq!(proxy.spoilt(), 1);
    assert_eq!(output.code(), Some(0), "{}", output.stderr);
    platform.is_empty();
}

mod a_lost_answer_to_a_delete_is_no_red {
    use super::*;

    fn row(mischief: Mischief) {
        let platform = Platform::start(["--time-scale", "20"]);
        let rule = Rule { mischief, begins: "DELETE /workspaces/", every: 2, reaches: true };
        let proxy = Proxy::before(&platform, Some(rule));
        let output = Harness::new().args(["run", "-q"]).scenario(CREATES).at(&proxy.base).run();
        assert_eq!(output.code(), Some(0), "{}", output.stderr);
        assert!(proxy.spoilt() > 0);
        platform.is_empty();
    }

    rows! { row; status_503: Mischief::Status503, reset: Mischief::Reset, truncated: Mischief::Truncated }
}

mod faults_of_the_platform_itself_are_borne {
    use super::*;

    fn row(fault: &str) {
        let output = Harness::new().args(["run", "-q", "external-poll-mode", "--fault", fault]).run();
        let verdicts = output.verdicts();
        // Requests that change something may be refused: that is an honest red; a crash or a leak is not.
        assert!(matches!(output.code(), Some(0 | 1 | 3)), "{verdicts:?}\n{}", output.stderr);
    }

    rows! { row; status_503: "http-503-every-n=4", status_429: "http-429-every-n=4", garbage: "garbage-every-n=5" }
}

const GLOBAL: &str = "scenario: global
summary: Writes a secret of the whole server.
steps:
  - secret: { global: true, set: { LC_HIDDEN_KEY: some-key-value-2 } }
";

/// The answer to the write is a gateway's, and the secret is stored.
#[test]
fn a_global_secret_whose_answer_was_lost_is_removed() {
    let platform = Platform::start(["--time-scale", "10"]);
    let rule =
        Rule { mischief: Mischief::Status503, begins: "PUT /settings/secrets", every: 1, reaches: true };
    let proxy = Proxy::before(&platform, Some(rule));
    let run = Harness::new().args(["run", "-q", "--exclusive"]).scenario(GLOBAL);
    run.at(&proxy.base).run().exit(3);
    assert_eq!(proxy.spoilt(), 1);
    let (status, stored) = platform.ask("GET", "/settings/secrets", None);
    assert!(status == 200 && !stored.to_string().contains("LC_HIDDEN_KEY"), "{status}: {stored}");
}

const ONE: &str = "scenario: one
summary: Makes one workspace.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
    within: WITHIN
";

/// The answer to the create is lost, and for a while nobody can look whether it was made: nothing is sent again.
mod a_create_that_cannot_be_looked_for_is_not_sent_again {
    use super::*;

    fn row((within, code): (&str, i32)) {
        let platform = Platform::start(["--time-scale", "10"]);
        let mischief = Mischief::Blind { seconds: 4 };
        let rule = Rule { mischief, begins: "POST /workspaces HTTP", every: 2, reaches: true };
        let proxy = Proxy::before(&platform, Some(rule));
        let run = Harness::new().args(["run", "-q"]).scenario(&ONE.replace("WITHIN", within));
        let output = run.at(&proxy.base).run();
        assert_eq!(output.code(), Some(code), "{}", output.stderr);
        assert_eq!(proxy.spoilt(), 1);
        platform.is_empty();
    }

    rows! { row; found_in_time: ("30s", 0), too_late: ("2s", 3) }
}

const MANY: &str = "scenario: many
summary: More waits at once than are read singly.
needs: [managed]
steps:
  - foreach:
      as: n
      in: [a, b, c, d, e, f]
      parallel: true
      steps:
        - create: { as: ws, runtime: claude-code, model: auto }
        - await:  { workspace: ws, status: online, within: 12s }
";

/// Without a list and without a stream, every workspace can still be read by itself.
mod a_list_that_fails_blinds_no_wait {
    use super::*;

    fn row(mischief: Mischief) {
        let platform = Platform::start(["--time-scale", "10", "--fault", "slow-online=60"]);
        let stream = Rule { mischief: Mischief::Forbidden, begins: "GET /ws", every: 1, reaches: false };
        let proxy = Proxy::before(&platform, Some(stream));
        let run = Harness::new().args(["run", "-q", "--destroy", "never"]).scenario(MANY);
        let run = run.at(&proxy.base).spawn();
        wait_for("the first workspaces", || (platform.rows().len() > 2).then_some(()));
        let begins = "GET /workspaces HTTP|GET /ws";
        // What begins the run needs the list, and the waits that follow do not.
        proxy.set(Rule { mischief, begins, every: 1, reaches: false });
        let output = run.output();
        assert_eq!(output.code(), Some(0), "{}", output.stderr);
    }

    rows! { row; status_503: Mischief::Status503, hang: Mischief::Hang }
}
