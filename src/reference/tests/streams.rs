//! Event streams (contract §12).

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::play::{Play, quick};
use crate::reference::options::{BootTiming, Options};

async fn socket(
    play: &Play,
    headers: &[(&'static str, &str)],
) -> Result<impl futures_util::Stream<Item = Value> + Unpin + use<>, u16> {
    let mut request = format!("{}/ws", play.base.replace("http:", "ws:")).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((stream, _)) => Ok(Box::pin(stream.filter_map(|m| async move {
            match m {
                Ok(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
                _ => None,
            }
        }))),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canvas_hears_everything_and_a_workspace_what_concerns_it() {
    let play = Play::new(quick()).await;
    let (root, root_token) = play.external("root").await;
    let (child, child_token) = play.external("child").await;
    let body = json!({ "name": "far", "external": true, "delivery_mode": "poll", "parent_id": child });
    let far = play.admin("POST", "/workspaces", Some(body)).await.body["id"].as_str().unwrap().to_owned();
    let (sibling, sibling_token) = play.external("sibling").await;
    let mut all = socket(&play, &[]).await.unwrap();
    let bearer = format!("Bearer {sibling_token}");
    let mut own = socket(&play, &[("x-workspace-id", &sibling), ("authorization", &bearer)]).await.unwrap();
    assert_eq!(socket(&play, &[("x-workspace-id", &sibling)]).await.err(), Some(401));
    let wrong = format!("Bearer {root_token}");
    assert_eq!(
        socket(&play, &[("x-workspace-id", &sibling), ("authorization", &wrong)]).await.err(),
        Some(401)
    );
    let beat = async |id: &str, token: Option<&str>| {
        play.send("POST", "/registry/heartbeat", token, Some(&json!({ "workspace_id": id }))).await
    };
    play.admin("POST", &format!("/admin/workspaces/{far}/revoke-auth-tokens"), None).await;
    assert_eq!(beat(&far, None).await.status, 200);
    assert_eq!(beat(&child, Some(&child_token)).await.status, 200);
    assert_eq!(beat(&root, Some(&root_token)).await.status, 200);
    let mut heard = Vec::new();
    while heard.len() < 6 {
        let frame = all.next().await.unwrap();
        assert!(frame["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        heard.push((
            frame["event"].as_str().unwrap().to_owned(),
            frame["workspace_id"].as_str().unwrap().to_owned(),
        ));
    }
    let want: Vec<(String, String)> = [&far, &child, &root]
        .into_iter()
        .flat_map(|id| ["WORKSPACE_ONLINE", "WORKSPACE_HEARTBEAT"].map(|kind| (kind.to_owned(), id.clone())))
        .collect();
    assert_eq!(heard, want);
    let mut mine = Vec::new();
    while mine.len() < 4 {
        mine.push(own.next().await.unwrap()["workspace_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(mine, [&child, &child, &root, &root].map(Clone::clone), "not its nephew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_events_leave_the_small_talk_out() {
    // Slow enough that the stream is there before the instance is.
    let boot = BootTiming { provision: std::time::Duration::from_secs(2), ..BootTiming::default() };
    let play = Play::new(Options { time_scale: 1.0, boot, ..quick() }).await;
    let (id, token) = play.managed("w").await;
    let mut stream = play.listen(&id, &token).await;
    play.online(&id).await;
    let body = json!({ "method": "message/send", "params": { "message": { "content": "hi" } } });
    play.admin("POST", &format!("/workspaces/{id}/a2a"), Some(body)).await;
    play.send("POST", &format!("/workspaces/{id}/notify"), Some(&token), Some(&json!({ "message": "m" })))
        .await;
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|k| k != "AGENT_MESSAGE") {
        let event = stream.recv().await.unwrap();
        assert!(event["timestamp"].is_i64());
        kinds.push(event["type"].as_str().unwrap().to_owned());
    }
    for kind in ["WORKSPACE_ONLINE", "USER_MESSAGE", "ACTIVITY_LOGGED", "A2A_RESPONSE"] {
        assert!(kinds.iter().any(|k| k == kind), "{kind} in {kinds:?}");
    }
    let stored = play.admin("GET", &format!("/events/{id}"), None).await.body;
    let stored: Vec<&str> =
        stored.as_array().unwrap().iter().map(|e| e["event_type"].as_str().unwrap()).collect();
    assert_eq!(stored, ["WORKSPACE_ONLINE", "WORKSPACE_PROVISIONING"]);
    assert_eq!(play.admin("GET", "/events", None).await.body.as_array().unwrap().len(), 2);
    let gone = format!("/workspaces/{}/events/stream", crate::chance::uuid());
    assert_eq!(play.admin("GET", &gone, None).await.status, 404);
}
