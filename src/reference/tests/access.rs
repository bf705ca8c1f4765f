//! Who may call what (contract §1.3, §1.4), for every row of the table of routes.

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::behaviour::Edition;
use crate::reference::options::Options;
use crate::reference::routes::guard::Guard;
use crate::reference::routes::table::ROUTES;

fn org() -> Options {
    let server_env = [("MOLECULE_PLATFORM_APPROVAL_GATE", "auto"), ("MOLECULE_PLATFORM_WORKSPACE_ID", "x")];
    Options { server_env: server_env.map(|(k, v)| (k.to_owned(), v.to_owned())).into(), ..quick() }
}

async fn org_token(play: &Play) -> String {
    let got = play.admin("POST", "/org/tokens", Some(json!({ "name": "ci" }))).await;
    assert_eq!((got.status, &got.body["name"]), (200, &json!("ci")), "{:?}", got.body);
    got.body["auth_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_guarded_as_its_row_says() {
    for edition in Edition::ALL {
        guarded(edition).await;
    }
}

async fn guarded(edition: Edition) {
    let behaviours = edition.behaviours();
    let play = Play::new(Options { edition, behaviours, ..org() }).await;
    let org = org_token(&play).await;
    let (_, stranger) = play.external("stranger").await;
    for (n, route) in ROUTES.iter().enumerate() {
        if route.path.ends_with("/events/stream") || route.path == "/ws" {
            continue; // endless answers have tests of their own
        }
        for bearer in ["none", "wrong", "stranger", "own", "org", "admin"] {
            let (id, own) = play.external(&format!("w{n}-{bearer}")).await;
            let path = route.path.replace(":id", &id).replace(":queue", &id).replace(":token", &id);
            let path = path.replace(":key", "K");
            let token = match bearer {
                "none" => None,
                "wrong" => Some("wrong"),
                "stranger" => Some(stranger.as_str()),
                "own" => Some(own.as_str()),
                "org" => Some(org.as_str()),
                _ => Some(ADMIN),
            };
            let got = play.send(route.method, &path, token, Some(&json!({}))).await;
            if !route.served(behaviours) {
                let no_route = (404, json!("404 page not found"));
                assert_eq!((got.status, got.body), no_route, "{edition}: {} {}", route.method, route.path);
                continue;
            }
            let refusal = match (route.guard, bearer) {
                (Guard::Admin, "none") => Some("admin auth required"),
                (Guard::Admin, "wrong" | "stranger" | "own") => Some("invalid admin auth token"),
                (Guard::Workspace, "none") => Some("missing workspace auth token"),
                (Guard::Workspace, "wrong" | "stranger") => Some("invalid workspace auth token"),
                // Two handlers ask again for the workspace's own (contract §1.4).
                (Guard::Workspace, "org" | "admin")
                    if route.path.ends_with("/state") || route.path.ends_with("/secrets/values") =>
                {
                    Some("invalid workspace auth token")
                }
                (Guard::Own, _) => continue,
                _ => None,
            };
            let seen = (got.status == 401).then(|| got.body["error"].as_str().unwrap_or_default().to_owned());
            assert_eq!(
                seen.as_deref(),
                refusal,
                "{edition}: {} {} as {bearer}: {}",
                route.method,
                route.path,
                got.body
            );
        }
    }
}

#[test]
fn a_route_of_some_servers_only_is_on_one_edition_and_not_on_another() {
    for route in ROUTES.iter().filter(|r| r.with_behaviour.is_some()) {
        let served = Edition::ALL.map(|e| route.served(e.behaviours()));
        assert!(served.contains(&true) && served.contains(&false), "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn auth_comes_before_existence() {
    let play = Play::new(quick()).await;
    let (_, token) = play.external("e").await;
    let nobody = "/workspaces/00000000-0000-4000-8000-000000000000";
    for (path, bearer, status) in [
        ("/restart", Some(token.as_str()), 401),
        ("/restart", Some(ADMIN), 404),
        ("/pause", Some(ADMIN), 404),
        ("/hibernate", Some(ADMIN), 404),
        ("/resume", Some(ADMIN), 404),
        ("/notify", Some(ADMIN), 400),
    ] {
        let got = play.send("POST", &format!("{nobody}{path}"), bearer, Some(&json!({}))).await;
        assert_eq!(got.status, status, "{path}: {}", got.body);
    }
    let got = play
        .send_with("GET", "/workspaces", None, vec![("authorization", format!("bearer {ADMIN}"))], None)
        .await;
    assert_eq!(got.body["error"], "admin auth required");
}

#[tokio::test]
async fn without_an_admin_token_any_workspace_token_is_enough() {
    let play = Play::new(Options { admin_token: "".into(), ..quick() }).await;
    let got = play.send("GET", "/workspaces", Some("x"), None).await;
    assert_eq!((got.status, &got.body["error"]), (401, &json!("invalid admin auth token")));
    let card = json!({ "id": crate::chance::uuid(), "agent_card": {}, "delivery_mode": "poll" });
    let got = play.send("POST", "/registry/register", None, Some(&card)).await;
    let token = got.body["auth_token"].as_str().unwrap().to_owned();
    assert_eq!(play.send("GET", "/workspaces", Some(&token), None).await.status, 200);
}

#[tokio::test]
async fn one_organisations_server_wants_its_header() {
    let server_env = [("MOLECULE_ORG_ID".to_owned(), "org-1".to_owned())].into();
    let play = Play::new(Options { server_env, ..quick() }).await;
    let ask = async |path: &str, org: Option<&str>| {
        let headers = org.map(|o| ("x-molecule-org-id", o.to_owned())).into_iter().collect();
        play.send_with("GET", path, Some(ADMIN), headers, None).await
    };
    let got = ask("/workspaces", None).await;
    assert_eq!((got.status, &got.body["code"]), (400, &json!("TENANT_ORG_HEADER_REQUIRED")));
    let got = ask("/workspaces", Some("org-2")).await;
    assert_eq!((got.status, &got.body), (404, &Value::Null));
    assert_eq!(ask("/workspaces", Some("org-1")).await.status, 200);
    assert_eq!(ask("/health", None).await.status, 200);
    let beat = json!({ "workspace_id": crate::chance::uuid() });
    assert_eq!(play.send("POST", "/registry/heartbeat", None, Some(&beat)).await.status, 200);
}

#[tokio::test]
async fn tokens_are_minted_listed_and_revoked() {
    let play = Play::new(quick()).await;
    let (id, own) = play.external("e").await;
    let path = format!("/workspaces/{id}/tokens");
    let minted = play.send("POST", &path, Some(&own), None).await;
    assert_eq!(minted.status, 201);
    let token = minted.body["auth_token"].as_str().unwrap().to_owned();
    let listed = play.send("GET", &path, Some(&token), None).await;
    assert_eq!((listed.status, &listed.body["count"]), (200, &json!(2)));
    assert_eq!(
        play.send("GET", &format!("{path}?limit=1&offset=1"), Some(&token), None).await.body["count"],
        1
    );
    let newest = listed.body["tokens"][0]["id"].as_str().unwrap().to_owned();
    let revoked = play.send("DELETE", &format!("{path}/{newest}"), Some(&own), None).await;
    assert_eq!((revoked.status, &revoked.body), (200, &json!({ "status": "revoked" })));
    assert_eq!(play.send("DELETE", &format!("{path}/{newest}"), Some(&own), None).await.status, 404);
    assert_eq!(play.send("GET", &path, Some(&token), None).await.status, 401);
    for _ in 1..50 {
        assert_eq!(play.admin("POST", &format!("/admin{path}"), None).await.status, 201);
    }
    assert_eq!(play.admin("POST", &format!("/admin{path}"), None).await.status, 429);
    let got = play.admin("POST", &format!("/admin/workspaces/{id}/revoke-auth-tokens"), None).await;
    assert_eq!(got.body, json!({ "status": "revoked", "workspace_id": id }));
    assert_eq!(play.send("GET", &path, Some(&own), None).await.status, 401);
    for bad in ["x", "00000000-0000-4000-8000-000000000000"] {
        let status = play.admin("POST", &format!("/admin/workspaces/{bad}/tokens"), None).await.status;
        assert_eq!(status, if bad == "x" { 400 } else { 404 });
    }
}

#[tokio::test]
async fn organisation_tokens_wait_for_an_anchor_and_an_approval() {
    let play = Play::new(quick()).await;
    assert_eq!(play.admin("POST", "/org/tokens", Some(json!({}))).await.status, 400);
    let server_env = [("MOLECULE_PLATFORM_WORKSPACE_ID".to_owned(), "x".to_owned())].into();
    let play = Play::new(Options { server_env, ..quick() }).await;
    let got = play.admin("POST", "/org/tokens", Some(json!({}))).await;
    assert_eq!((got.status, &got.body["action"]), (202, &json!("org_token_mint")));
    let again = play.admin("POST", "/org/tokens", Some(json!({}))).await;
    assert_eq!(again.body["approval_id"], got.body["approval_id"]);
    // A yes is good for one request, a no for none.
    let (anchor, _) = play.external("anchor").await;
    let decide =
        |id: &Value| format!("/workspaces/{anchor}/approvals/{}/decide", id.as_str().unwrap_or_default());
    for (decision, then) in [("denied", 202), ("approved", 200)] {
        let asked = play.admin("POST", "/org/tokens", Some(json!({}))).await;
        let path = decide(&asked.body["approval_id"]);
        assert_eq!(play.admin("POST", &path, Some(json!({ "decision": "perhaps" }))).await.status, 400);
        let said = json!({ "decision": decision, "decided_by": "somebody" });
        assert_eq!(play.admin("POST", &path, Some(said.clone())).await.status, 200);
        assert_eq!(play.admin("POST", &path, Some(said)).await.status, 404, "it is decided");
        assert_eq!(play.admin("POST", "/org/tokens", Some(json!({}))).await.status, then, "{decision}");
        assert_eq!(play.admin("POST", "/org/tokens", Some(json!({}))).await.status, 202, "{decision}");
    }
    let long = json!({ "name": "x".repeat(101) });
    assert_eq!(play.admin("POST", "/org/tokens", Some(long)).await.status, 400);
    let play = Play::new(org()).await;
    let token = org_token(&play).await;
    let listed = play.send("GET", "/org/tokens", Some(&token), None).await;
    let id = listed.body["tokens"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/org/tokens/{id}");
    assert_eq!(play.send("DELETE", &path, Some(&token), None).await.body, json!({ "revoked": id }));
    assert_eq!(play.send("GET", "/org/tokens", Some(&token), None).await.status, 401);
    assert_eq!(play.admin("DELETE", &path, None).await.status, 404);
}

/// Contract §1.3 to §1.5: a browser's own page, a session of nobody known, a front of one's own: none is a token.
#[tokio::test]
async fn where_a_request_says_it_comes_from_lets_nobody_in() {
    let play = Play::new(quick()).await;
    let (id, _) = play.external("e").await;
    let own = play.base.clone();
    for (name, value) in [
        ("origin", own.clone()),
        ("origin", "http://localhost:3000".to_owned()),
        ("referer", format!("{own}/canvas")),
        ("cookie", "session=somebody".to_owned()),
        ("x-forwarded-host", "localhost".to_owned()),
    ] {
        for (path, error) in [
            ("/workspaces".to_owned(), "admin auth required"),
            (format!("/workspaces/{id}/activity"), "missing workspace auth token"),
        ] {
            let got = play.send_with("GET", &path, None, vec![(name, value.clone())], None).await;
            assert_eq!((got.status, &got.body["error"]), (401, &json!(error)), "{name}: {value} {path}");
        }
    }
}
