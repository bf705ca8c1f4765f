use super::*;
use crate::redact::Redactor;

const SERVER: &str = "http://server:8080";

fn home(seal: Option<String>) -> Home {
    Home { base_url: SERVER.to_owned(), org: None, credential: "ADMIN_TOKEN".to_owned(), seal }
}

fn ledger() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), Redactor::new()).unwrap();
    (folder, Ledger::new(log, home(None)))
}

/// So long before now.
fn ago(seconds: u64) -> Option<Instant> {
    Instant::now().checked_sub(Duration::from_secs(seconds))
}

#[test]
fn a_seal_holds_for_its_credential_address_and_organisation_only() {
    let token = Secret::new("token-of-this-server");
    let seal = Home::seal(SERVER, None, &token);
    assert_eq!(seal.as_deref().map(str::len), Some(4), "few bits only: {seal:?}");
    let home = home(seal);
    let elsewhere = Home { base_url: "http://other:8080".to_owned(), ..home.clone() };
    let organisation = Home { org: Some("o1".to_owned()), ..home.clone() };
    let slash = Home { base_url: format!("{SERVER}/"), ..home.clone() };
    let unsealed = Home { seal: None, ..home.clone() };
    for (name, home, token, sealed) in [
        ("the same", &home, "token-of-this-server", true),
        ("a slash at the end", &slash, "token-of-this-server", true),
        ("another credential", &home, "token-of-another-one", false),
        ("another address", &elsewhere, "token-of-this-server", false),
        ("another organisation", &organisation, "token-of-this-server", false),
        ("a log without one", &unsealed, "token-of-this-server", false),
    ] {
        assert_eq!(home.is_sealed_by(&Secret::new(token)), sealed, "{name}");
    }
}

#[test]
fn how_long_an_instance_may_come_that_was_asked_for() {
    let takes = Duration::from_secs(25);
    for (name, disturbed, put_off, seen, outstanding, calm) in [
        ("nothing was asked", None, None, None, false, true),
        ("asked a moment ago", ago(1), None, None, true, false),
        ("asked long ago, never seen", ago(60), None, None, true, true),
        ("seen since", ago(3), None, ago(1), false, true),
        ("seen, and asked again", ago(10), None, ago(20), true, true),
        ("seen, and asked again a moment ago", ago(1), None, ago(20), true, false),
        ("put off, and one was seen since: the other may come", ago(3), ago(3), ago(1), true, false),
        ("put off long ago", ago(60), ago(60), ago(50), true, true),
        ("put off a moment ago, the rest is over", ago(60), ago(1), None, true, false),
    ] {
        let entry = Entry { disturbed, put_off, seen_through: seen, ..Entry::default() };
        let until = entry.restarts_until(takes);
        assert_eq!(until.is_some(), outstanding, "{name}");
        let last = disturbed.max(put_off).map(|last| last + takes);
        assert!(until.is_none() || until == last, "{name}: {until:?}, last {last:?}");
        assert_eq!(entry.is_calm(Duration::from_secs(5)), calm, "{name}");
    }
}

#[test]
fn what_ended_is_counted_once_and_is_owned_no_more() {
    let (_folder, ledger) = ledger();
    let gone = ledger.intend("workspace", "a", Some("one"), true);
    let after_us = ledger.intend("workspace", "b", Some("one"), true);
    let stays = ledger.intend("workspace", "c", Some("two"), true);
    let root = ledger.intend("workspace", "root", None, false);
    let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names(ledger.all_open()), ["root", "c", "b", "a"], "newest first");
    assert_eq!(names(ledger.open(Some("one"))), ["b", "a"]);
    assert_eq!(names(ledger.open(None)), ["root"]);
    ledger.release(&gone, "clean-up", None);
    ledger.release(&after_us, "clean-up", Some("its row came back".to_owned()));
    ledger.leave(&stays, "the server is gone");
    // A second word about the same one changes nothing.
    ledger.leave(&gone, "too late");
    ledger.release(&stays, "clean-up", None);
    assert_eq!(ledger.tally(), Tally { removed: 2, left_by_platform: 1, left: 1 });
    assert_eq!(names(ledger.left()), ["c"]);
    assert_eq!(names(ledger.all_open()), ["root"]);
    ledger.took_after_all(&stays, "went with its organisation");
    ledger.took_after_all(&root, "it was not left");
    assert_eq!(ledger.tally(), Tally { removed: 3, left_by_platform: 2, left: 0 });
    assert_eq!(names(ledger.all_open()), ["root"]);
}

#[test]
fn what_may_come_up_after_its_end_is_looked_for_again() {
    let (_folder, ledger) = ledger();
    let make = |name: &str, managed: bool| {
        let resource = ledger.intend("workspace", name, Some("one"), managed);
        ledger.own(&resource, name, name);
        resource
    };
    let made =
        [("never-up", true), ("up", true), ("up-and-restarted", true), ("external", false), ("left", true)];
    let made = made.map(|(name, managed)| (name, make(name, managed)));
    for up in ["up", "up-and-restarted"] {
        ledger.settle(up, true);
    }
    ledger.disturb("up-and-restarted", false);
    assert_eq!(ledger.managed_ids(), ["never-up", "up", "up-and-restarted", "left"]);
    for (name, resource) in &made {
        match *name {
            "left" => ledger.leave(resource, "the server is gone"),
            _ => ledger.release(resource, "clean-up", None),
        }
    }
    let watched: Vec<String> = ledger.disturbed().into_iter().map(|entry| entry.name).collect();
    assert_eq!(watched, ["never-up", "up-and-restarted"]);
    assert!(ledger.managed_ids().is_empty());
    let elsewhere = ledger.in_room(1, home(None));
    assert!(elsewhere.disturbed().is_empty() && elsewhere.workspaces().is_empty());
    assert_eq!(ledger.workspaces().len(), made.len());
    assert!(elsewhere.owns("up") && !elsewhere.owns("somebody-elses"));
}

/// Times are the clock's own, which stands still here unless it is told to go on.
#[tokio::test(start_paused = true)]
async fn how_long_the_platform_takes_is_learned_from_what_came_up() {
    let (_folder, ledger) = ledger();
    let after = |seconds| tokio::time::advance(Duration::from_secs(seconds));
    let resource = ledger.intend("workspace", "a", None, true);
    ledger.own(&resource, "a", "a");
    assert_eq!((ledger.slowest(), ledger.slowest_edge()), (None, None));
    after(7).await;
    ledger.online("a");
    ledger.settle("a", true);
    after(60).await;
    // Only a first time says how long a provisioning takes.
    ledger.online("a");
    assert_eq!(ledger.slowest(), Some(Duration::from_secs(7)));
    // A look that meets it again does not count as a request for it.
    ledger.disturb("a", false);
    after(4).await;
    ledger.settle("a", false);
    after(5).await;
    assert!(ledger.by_id("a").unwrap().restarts_until(Duration::ZERO).is_some());
    ledger.unfinished("a", true);
    assert!(ledger.by_id("a").unwrap().unfinished);
    ledger.seen_through("a", true);
    let entry = ledger.by_id("a").unwrap();
    assert!(entry.restarts_until(Duration::ZERO).is_none() && !entry.unfinished);
    assert_eq!(ledger.slowest_edge(), Some(Duration::from_secs(9)));
    // One that was put off may come whatever was seen.
    ledger.disturb("a", true);
    ledger.seen_through("a", false);
    assert!(ledger.by_id("a").unwrap().restarts_until(Duration::ZERO).is_some());
    assert_eq!(ledger.slowest_edge(), Some(Duration::from_secs(9)));
    let again = tempfile::tempdir().unwrap();
    let earlier = Ledger::restore(
        Log::create(again.path(), Redactor::new()).unwrap(),
        home(None),
        ledger.all_open(),
        Vec::new(),
        Some(Duration::from_secs(30)),
    );
    assert_eq!(earlier.slowest(), Some(Duration::from_secs(30)), "what an earlier run saw counts too");
}
