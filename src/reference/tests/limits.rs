//! A production server: rate limit and addresses (contract §1.5, §7.1).

use serde_json::json;

use super::play::{ADMIN, Play, quick};
use crate::reference::options::{Mode, Options};

fn production(limit: &str) -> Options {
    let server_env = [("RATE_LIMIT".to_owned(), limit.to_owned())].into();
    Options { mode: Mode::Production, time_scale: 1.0, server_env, ..quick() }
}

#[tokio::test]
async fn requests_are_counted_by_key() {
    let play = Play::new(production("3")).await;
    for (remaining, status) in [("2", 200), ("1", 200), ("0", 200), ("0", 429)] {
        let got = play.admin("GET", "/workspaces", None).await;
        assert_eq!((got.status, got.headers["x-ratelimit-remaining"].to_str().unwrap()), (status, remaining));
        assert_eq!(got.headers["x-ratelimit-limit"], "3");
        if status == 429 {
            let after = got.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
            assert_eq!(
                (&got.body["error"], &got.body["retry_after"]),
                (&json!("rate limit exceeded"), &json!(after))
            );
            assert!((1..=60).contains(&after));
        }
    }
    assert_eq!(play.send("GET", "/health", None, None).await.status, 200, "another key");
    let org = vec![("x-molecule-org-id", "o".to_owned())];
    assert_eq!(play.send_with("GET", "/workspaces", Some(ADMIN), org, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loopback_agents_are_not_called() {
    let play = Play::new(production("600")).await;
    let (id, _) = play.managed("w").await;
    play.online(&id).await;
    let body = json!({ "method": "message/send", "params": { "message": { "content": "hi" } } });
    let got = play.admin("POST", &format!("/workspaces/{id}/a2a"), Some(body)).await;
    assert_eq!((got.status, &got.body["error"]), (502, &json!("workspace URL is not publicly routable")));
}

#[tokio::test]
async fn browsers_may_come_from_where_they_are_allowed() {
    let play = Play::new(quick()).await;
    for (origin, allowed) in [("http://localhost:3000", true), ("http://evil", false)] {
        let headers = vec![("origin", origin.to_owned())];
        let got = play.send_with("GET", "/health", None, headers.clone(), None).await;
        let status = if allowed { 200 } else { 403 };
        assert_eq!((got.status, got.headers.contains_key("access-control-allow-origin")), (status, allowed));
        let got = play.send_with("OPTIONS", "/workspaces", None, headers, None).await;
        assert_eq!(got.status, if allowed { 204 } else { 403 });
    }
}

/// Contract §1.5: no proxy is trusted, so nobody gets a limit of his own by naming another address.
#[tokio::test]
async fn an_address_that_a_header_names_is_not_believed() {
    let play = Play::new(production("3")).await;
    for (n, status) in [200, 200, 200, 429, 429].into_iter().enumerate() {
        let named = format!("203.0.113.{n}");
        let headers =
            ["x-forwarded-for", "x-real-ip", "forwarded"].map(|name| (name, named.clone())).to_vec();
        assert_eq!(play.send_with("GET", "/health", None, headers, None).await.status, status, "{n}");
    }
}

/// Contract §1.6: ten new ones an hour from one address, asked for behind the guard.
#[tokio::test]
async fn new_organisation_tokens_have_a_limit_of_their_own() {
    let play = Play::new(production("600")).await;
    let mint = async |play: &Play, token: Option<&str>| {
        play.send("POST", "/org/tokens", token, Some(&json!({}))).await
    };
    for _ in 0..12 {
        assert_eq!(mint(&play, Some("wrong")).await.status, 401, "who may not mint does not count");
    }
    for _ in 0..10 {
        assert_eq!(mint(&play, Some(ADMIN)).await.status, 400, "no anchor");
    }
    let got = mint(&play, Some(ADMIN)).await;
    let after = got.body["retry_after"].as_u64().unwrap();
    assert_eq!((got.status, &got.body["error"]), (429, &json!("rate limit exceeded")));
    assert_eq!(got.headers["retry-after"], after.to_string().as_str());
    assert!((3_500..=3_600).contains(&after), "{after}");
    assert_eq!(play.admin("GET", "/org/tokens", None).await.status, 200, "only that route");
    let free = Play::new(Options { mode: Mode::Development, ..production("600") }).await;
    for _ in 0..12 {
        assert_eq!(mint(&free, Some(ADMIN)).await.status, 400);
    }
}
