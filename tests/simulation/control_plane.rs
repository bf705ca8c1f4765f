//! What a control plane does to a run that makes organisations there, and how such a run ends.

use std::time::Duration;

use lifecycle_harness::facade::domain::ExitCode;
use lifecycle_harness::facade::event::EventKind;
use lifecycle_harness::facade::reference::control_plane::Rule as Route;
use lifecycle_harness::facade::run::signals::Signal;
use lifecycle_harness::facade::targets::saas::Spread;
use lifecycle_harness::facade::wire::{Fault, Side, What};
use serde_json::json;

use super::case::{Case, Cut, Matching, Rule, Trouble, When};
use super::directed::local_provision;
use super::seeds::{examine, number};

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(100_000);

/// A run at a control plane to which nothing else happens.
fn at_a_control_plane(instances: &[&str], spread: Option<Spread>) -> Case {
    Case {
        instances: instances.iter().map(|name| (*name).to_owned()).collect(),
        plane: true,
        spread,
        ..local_provision(7)
    }
}

/// An interrupt while the run waits for a control plane that stands still: a step that makes an organisation or purges one,
/// and the purge between two scenarios that have one each. The step ends at once, and the run soon after.
#[test]
fn an_interrupt_ends_what_is_asked_of_it() {
    let steps = at_a_control_plane(&["replay-tenant-isolation"], None);
    let own = ["access-health", "replay-channel-envelope", "replay-chat-history"];
    let between = at_a_control_plane(&own, Some(Spread::Each));
    let mut met = 0;
    for base in [steps, between] {
        let whole = examine(&base).0;
        assert_eq!(whole.exit(), Some(ExitCode::Passed), "{}", whole.said);
        let asks = whole.events.iter().filter_map(|event| match &event.event {
            EventKind::StepStarted(step) if step.verb == "org" => Some((step.shown.clone(), event.ms)),
            EventKind::ScenarioFinished(one) if base.spread.is_some() => {
                Some((one.scenario.clone(), event.ms))
            }
            _ => None,
        });
        for (asked, ms) in asks {
            let at = Duration::from_millis(ms);
            let cut = Cut::Signals(vec![(When::After(at + Duration::from_secs(1)), Signal::Interrupt)]);
            let trouble = Trouble::Frozen { at, lasts: FOREVER };
            let (played, wrong) = examine(&Case { trouble, cut, ..base.clone() });
            assert!(wrong.is_empty(), "{asked}:\n- {}", wrong.join("\n- "));
            assert_eq!(played.exit(), Some(ExitCode::Interrupted), "{asked}");
            met += 1;
        }
    }
    assert_eq!(met, 5);
}

/// `LIFECYCLE_MOMENTS=50`: so many moments of a run for each signal, spread over all that it asks, its purge included.
#[test]
fn a_signal_at_any_moment_leaves_no_organisation() {
    let moments = number("LIFECYCLE_MOMENTS").unwrap_or(5);
    let base = at_a_control_plane(&["replay-tenant-isolation"], None);
    let requests = examine(&base).0.sent;
    assert!(requests > 50, "{requests}");
    for moment in 0..moments {
        let at = When::Request(1 + moment * requests / moments);
        for cut in [
            Cut::Signals(vec![(at, Signal::Interrupt)]),
            Cut::Signals(vec![(at, Signal::Terminate)]),
            Cut::Kill(at),
        ] {
            let (played, wrong) = examine(&Case { cut: cut.clone(), ..base.clone() });
            assert!(wrong.is_empty(), "{cut:?} of {requests}:\n- {}", wrong.join("\n- "));
            let left = match cut {
                Cut::Kill(_) => &played.after_sweep,
                _ => &played.after_run,
            };
            assert!(left.is_empty(), "{cut:?} of {requests}: {:?}", left.rows);
        }
    }
}

const ORGS: &str = "/cp/admin/orgs";
const TENANTS: &str = "/cp/admin/tenants/*";

/// An answer in place of the truth, so many times.
fn answers(method: &str, path: &str, status: u16, times: Option<u32>) -> Route {
    Route {
        method: method.to_owned(),
        path: path.to_owned(),
        status: Some(status),
        times,
        ..Route::default()
    }
}

/// The same for a look at the health of a tenant; the first look is at the control plane's own.
fn at_health(what: What, count: u64) -> Trouble {
    Trouble::Wire(Rule {
        from: Side::Harness,
        fault: Fault { what, handled: false },
        after: 1,
        count,
        matching: Matching::Ends("GET", "/health"),
    })
}

fn comes_too_often(route: Route) -> Route {
    Route { headers: [("retry-after".to_owned(), "20".to_owned())].into(), ..route }
}

/// Each is named, what is left is told, and a sweep that comes when all is well again leaves nothing.
#[test]
fn whatever_goes_wrong_has_an_end_and_a_name() {
    use ExitCode::{Environment, Leak, Passed};
    let plane = |route: Route| Trouble::Plane(vec![route]);
    let done = |route: Route| plane(Route { after: true, ..route });
    let of_tenant = |route: Route| plane(Route { org: "*".to_owned(), ..route });
    let slow = Rule {
        from: Side::Harness,
        fault: Fault { what: What::Slow(Duration::from_secs(3)), handled: true },
        after: 0,
        count: u64::MAX,
        matching: Matching::All,
    };
    let page = Route { body: Some(json!("<html>hi</html>")), ..answers("GET", ORGS, 200, None) };
    let page = Route { headers: [("content-type".to_owned(), "text/html".to_owned())].into(), ..page };
    let many_pages = json!({ "orgs": [], "next_cursor": "2" });
    let many_pages = Route { body: Some(many_pages), ..answers("GET", ORGS, 200, None) };
    for (name, trouble, exit, says) in [
        (
            "down",
            Trouble::Down { at: Duration::ZERO, lasts: FOREVER },
            Environment,
            "organisation: control plane",
        ),
        ("slow", Trouble::Wire(slow), Passed, "1 passed"),
        ("down for a moment", plane(answers("GET", "/health", 503, Some(2))), Passed, "1 passed"),
        ("a list that fails for a moment", plane(answers("GET", ORGS, 500, Some(3))), Passed, "1 passed"),
        ("half up", plane(answers("GET", ORGS, 503, None)), Environment, "organisation: control plane"),
        ("a page", plane(page), Environment, "a page of HTML"),
        ("it refuses the token", plane(answers("GET", ORGS, 401, None)), Environment, "refuses the token"),
        ("a name that is taken", plane(answers("POST", ORGS, 409, None)), Environment, "is taken"),
        ("a name that is too long", plane(answers("POST", ORGS, 400, None)), Environment, "does not take"),
        ("too often", plane(comes_too_often(answers("POST", ORGS, 429, Some(2)))), Passed, "1 passed"),
        ("too often for good", plane(comes_too_often(answers("POST", ORGS, 429, None))), Environment, "429"),
        ("5xx at the purge", plane(answers("DELETE", TENANTS, 500, None)), Leak, "DELETE"),
        ("5xx at the purge, and it is done", done(answers("DELETE", TENANTS, 500, None)), Passed, "1 passed"),
        ("5xx at the purge, once", plane(answers("DELETE", TENANTS, 500, Some(1))), Passed, "1 passed"),
        ("409 at the purge, twice", plane(answers("DELETE", TENANTS, 409, Some(2))), Passed, "1 passed"),
        ("202 at the purge, and it is done", done(answers("DELETE", TENANTS, 202, None)), Passed, "1 passed"),
        ("202 at the purge, and no more", plane(answers("DELETE", TENANTS, 202, None)), Leak, "still has it"),
        (
            "too often at the purge",
            plane(comes_too_often(answers("DELETE", TENANTS, 429, None))),
            Leak,
            "429",
        ),
        ("a list of many pages", plane(many_pages), Passed, "1 passed"),
        ("a token that ended before the purge", plane(answers("DELETE", TENANTS, 401, None)), Leak, "401"),
        (
            "no token of the tenant",
            plane(answers("GET", "/cp/admin/orgs/*", 503, None)),
            Environment,
            "organisation: token",
        ),
        ("a name that resolves later", at_health(What::NoName, 20), Passed, "1 passed"),
        ("a name that never resolves", at_health(What::NoName, u64::MAX), Environment, "organisation: dns"),
        ("a certificate that is good later", at_health(What::NotYetGood, 20), Passed, "1 passed"),
        ("one that never is", at_health(What::NotYetGood, u64::MAX), Environment, "not valid yet"),
        ("nobody at its address", at_health(What::Refused, u64::MAX), Environment, "organisation: tls"),
        ("a gateway in its place", at_health(What::Page(502), u64::MAX), Environment, "organisation: health"),
        (
            "routes that come later",
            of_tenant(answers("GET", "/workspaces", 503, Some(20))),
            Passed,
            "1 passed",
        ),
        (
            "routes that never come",
            of_tenant(answers("GET", "/workspaces", 503, None)),
            Environment,
            "organisation: api",
        ),
    ] {
        let case = Case { trouble, ..at_a_control_plane(&["access-health"], None) };
        let (played, wrong) = examine(&case);
        assert!(wrong.is_empty(), "{name}:\n- {}\n{}", wrong.join("\n- "), played.said);
        assert_eq!(played.exit(), Some(exit), "{name}: {}", played.said);
        assert!(played.said.contains(says), "{name}: {}", played.said);
    }
}
