//! What anybody may ask, and whom a tenant's server answers (contract §1.1, §1.5).

use serde_json::json;

use super::play::{ADMIN, Play, quick};
use crate::reference::options::Options;

fn on(server_env: &[(&str, &str)]) -> Options {
    let server_env = server_env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Options { server_env, ..quick() }
}

#[tokio::test]
async fn open_routes_answer_without_a_token() {
    let named = [("GIT_SHA", "abc"), ("MOLECULE_ORG_NAME", "Acme"), ("MOLECULE_ORG_SLUG", "acme")];
    let play = Play::new(Options { llm_proxy: true, ..on(&named) }).await;
    for (path, at, value) in [
        ("/health", "", json!({ "status": "ok" })),
        ("/buildinfo", "", json!({ "git_sha": "abc" })),
        (
            "/org/identity",
            "",
            json!({ "name": "Acme", "slug": "acme", "org_id": "", "platform_managed_available": true }),
        ),
        ("/compute/metadata", "/providers/0/id", json!("aws")),
        ("/compute/metadata", "/providers/1/id", json!("gcp")),
        ("/compute/metadata", "/providers/2/id", json!("hetzner")),
        ("/canvas/viewport", "/zoom", json!(1)),
    ] {
        let got = play.send("GET", path, None, None).await;
        assert_eq!((got.status, got.body.pointer(at)), (200, Some(&value)), "{path}");
    }
    for provider in
        play.send("GET", "/compute/metadata", None, None).await.body["providers"].as_array().unwrap()
    {
        assert!(provider["label"].is_string(), "{provider}");
        assert!(
            provider["instances"].as_array().unwrap().contains(&provider["default_instance"]),
            "{provider}"
        );
    }
    let caps = play.send("GET", "/uploads/limits", None, None).await;
    assert!(caps.status == 200 && caps.body.as_object().is_some_and(|c| !c.is_empty()), "{:?}", caps.body);
    let metrics = play.send("GET", "/metrics", None, None).await;
    assert!(metrics.body.as_str().unwrap().starts_with("# HELP "), "{:?}", metrics.body);
    let plain = Play::new(quick()).await;
    let identity = plain.send("GET", "/org/identity", None, None).await.body;
    assert_eq!(identity["platform_managed_available"], false, "no proxy, no platform models");
}

#[tokio::test]
async fn a_tenants_server_answers_its_own_organisation_and_the_exempt_paths() {
    let play = Play::new(on(&[("MOLECULE_ORG_ID", "org-1")])).await;
    let id = crate::chance::uuid();
    for (method, path, exempt) in [
        ("GET", "/health".to_owned(), true),
        ("GET", "/buildinfo".to_owned(), true),
        ("GET", "/metrics".to_owned(), true),
        ("POST", "/registry/register".to_owned(), true),
        ("POST", "/registry/heartbeat".to_owned(), true),
        ("GET", "/cp/x".to_owned(), true),
        ("POST", "/registry/update-card".to_owned(), false),
        ("GET", format!("/registry/discover/{id}"), false),
        ("POST", "/registry/check-access".to_owned(), false),
        ("POST", format!("/workspaces/{id}/a2a"), false),
        ("GET", format!("/workspaces/{id}/activity"), false),
        ("GET", format!("/workspaces/{id}"), false),
        ("GET", "/org/identity".to_owned(), false),
        ("GET", "/nope".to_owned(), false),
    ] {
        let body = Some(json!({}));
        let ask = async |org: Option<&str>| {
            let headers = org.map(|o| ("x-molecule-org-id", o.to_owned())).into_iter().collect();
            play.send_with(method, &path, Some(ADMIN), headers, body.as_ref().map(ToString::to_string)).await
        };
        let (none, wrong, right) = (ask(None).await, ask(Some("org-2")).await, ask(Some("org-1")).await);
        let refused = none.body["code"] == "TENANT_ORG_HEADER_REQUIRED";
        assert_eq!(refused, !exempt, "{path}: {:?}", none.body);
        if refused {
            assert_eq!((none.status, &none.body["required_header"]), (400, &json!("X-Molecule-Org-Id")));
            assert_eq!(none.body["error"], "missing tenant routing header");
        }
        let hidden = (wrong.status, wrong.body.is_null()) == (404, true);
        assert_eq!(hidden, !exempt, "{path}: {} {:?}", wrong.status, wrong.body);
        assert_ne!(right.body["code"], "TENANT_ORG_HEADER_REQUIRED", "{path}");
    }
    let body = json!({ "name": "e", "external": true, "tier": 1 });
    let org = vec![("x-molecule-org-id", "org-1".to_owned())];
    play.send_with("POST", "/workspaces", Some(ADMIN), org.clone(), Some(body.to_string())).await;
    let list = play.send_with("GET", "/workspaces", Some(ADMIN), org, None).await.body;
    assert_eq!(list[0]["tier"], 4, "a tenant's tier is forced");
}

#[tokio::test]
async fn other_origins_when_told() {
    let play = Play::new(on(&[("CORS_ORIGINS", "https://a.example, https://b.example")])).await;
    for (origin, allowed) in
        [("https://a.example", true), ("https://b.example", true), ("http://localhost:3000", false)]
    {
        let headers = vec![("origin", origin.to_owned())];
        let got = play.send_with("GET", "/health", None, headers.clone(), None).await;
        let said = got.headers.get("access-control-allow-origin").map(|v| v.to_str().unwrap());
        assert_eq!(said, allowed.then_some(origin), "{origin}");
        assert_eq!(got.headers.contains_key("access-control-allow-credentials"), allowed);
        let got = play.send_with("OPTIONS", "/workspaces", None, headers, None).await;
        if !allowed {
            assert_eq!((got.status, got.body), (403, serde_json::Value::Null));
            continue;
        }
        let named = got.headers["access-control-allow-headers"].to_str().unwrap().to_owned();
        for header in
            ["X-Workspace-ID", "X-Molecule-Org-Id", "X-Molecule-Org-Slug", "X-Confirm-Name", "Authorization"]
        {
            assert!(named.contains(header), "{header} in {named}");
        }
    }
}
