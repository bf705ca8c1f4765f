//! Every route with every wrong kind of input: the platform's own statuses, and it goes on serving.

use serde_json::json;

use super::play::{ADMIN, Play, quick};
use crate::reference::routes::table::ROUTES;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_body_and_no_name_upsets_the_server() {
    let play = Play::new(quick()).await;
    let (id, _) = play.external("e").await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "\"x\"",
        "5",
        "{}",
        "\u{0}",
        &deep,
        "{\"name\":\"a\\u0000b\",\"id\":5,\"message\":[]}",
        "{\"workspace_id\":\"\u{fffd}\",\"mode\":[],\"model\":{},\"key\":[1],\"value\":null,\"agent_card\":\"x\"}",
        "{\"id\":\"x\",\"agent_card\":[],\"url\":\"http://[\",\"delivery_mode\":\"push\"}",
        "{\"name\":\"n\",\"external\":true,\"url\":\"http://\",\"parent_id\":\"x\",\"tier\":1e400}",
        "{\"method\":5,\"params\":[],\"jsonrpc\":null}",
        "{\"method\":\"message/send\",\"params\":{\"message\":{\"parts\":\"x\"}}}",
    ];
    let ids =
        [id.as_str(), "x", "%00", "%F0%28%8C%28", "00000000-0000-4000-8000-000000000000", &"9".repeat(2_000)];
    for route in ROUTES.iter().filter(|r| !r.path.ends_with("/events/stream") && r.method != "DELETE") {
        for (n, body) in bodies.iter().enumerate() {
            let text = ids[n % ids.len()];
            let path = route
                .path
                .replace(":id", text)
                .replace(":queue", text)
                .replace(":token", text)
                .replace(":key", text);
            let headers = vec![("x-workspace-id", if n % 2 == 0 { "not-an-id" } else { &id }.to_owned())];
            let got =
                play.send_with(route.method, &path, Some(ADMIN), headers, Some((*body).to_owned())).await;
            let text = got.body["error"].as_str().unwrap_or_default();
            // The platform's own 5xx: a database that refuses, a cloud that is not there, nothing to call.
            let own = match got.status {
                500 => ["failed", "lookup", "registration", "internal"].iter().any(|w| text.contains(w)),
                501..=503 => !text.is_empty(),
                status => status < 500,
            };
            assert!(own, "{} {path} {body:.80}: {} {}", route.method, got.status, got.body);
        }
    }
    assert_eq!(play.send("GET", "/health", None, None).await.status, 200);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_the_same_404() {
    let play = Play::new(quick()).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nope"),
        ("HEAD", "/health"),
        ("POST", "/health"),
        ("PUT", "/workspaces"),
        ("GET", "/admin/workspaces/x/test-token"),
        ("GET", "//health"),
        ("OPTIONS", "/workspaces"),
    ] {
        let got = play.send_with(method, path, Some(ADMIN), vec![], None).await;
        assert_eq!(
            (got.status, got.headers["content-type"].to_str().unwrap()),
            (404, "text/plain"),
            "{method} {path}"
        );
        let body = if method == "HEAD" { json!(null) } else { json!("404 page not found") };
        assert_eq!(got.body, body, "{method} {path}");
    }
}
