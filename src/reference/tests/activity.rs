//! Activity, poll loop, notify, history (contract §7.3, §7.4).

use serde_json::{Value, json};

use super::play::{ADMIN, Play, quick};
use crate::reference::state::activity::Row;

async fn send(play: &Play, id: &str, text: &str, headers: Vec<(&'static str, String)>) {
    let body = json!({ "method": "message/send", "params": { "message": { "content": text } } });
    let got =
        play.send_with("POST", &format!("/workspaces/{id}/a2a"), None, headers, Some(body.to_string())).await;
    assert_eq!(got.body["status"], "queued", "{}", got.body);
}

fn texts(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap();
    rows.iter()
        .map(|r| {
            r["request_body"]["params"]["message"]["parts"][0]["text"].as_str().unwrap_or("-").to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_poll_loop_sees_every_message_once() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    let path = format!("/workspaces/{id}/activity?type=a2a_receive");
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for round in 0..5 {
        for n in 0..3 {
            send(&play, &id, &format!("{round}-{n}"), vec![]).await;
        }
        let got = play.send("GET", &format!("{path}{cursor}&limit=500"), Some(&token), None).await;
        let mut rows = got.body.as_array().unwrap().clone();
        if cursor.is_empty() {
            rows.reverse();
        }
        cursor = format!("&since_id={}", rows.last().unwrap()["id"].as_str().unwrap());
        seen.extend(texts(&json!(rows)));
    }
    let all: Vec<String> = (0..5).flat_map(|r| (0..3).map(move |n| format!("{r}-{n}"))).collect();
    assert_eq!(seen, all);
    let empty = play.send("GET", &format!("{path}{cursor}"), Some(&token), None).await;
    assert_eq!(empty.body, json!([]));
}

#[tokio::test]
async fn queries_narrow_and_wrong_ones_are_refused() {
    let play = Play::new(quick()).await;
    play.external("root").await;
    let (a, a_token) = play.external("a").await;
    let (b, b_token) = play.external("b").await;
    send(&play, &b, "canvas", vec![]).await;
    send(&play, &b, "agent", vec![("authorization", format!("Bearer {a_token}"))]).await;
    let log = json!({ "activity_type": "agent_log", "summary": "s", "duration_ms": 5, "status": "error", "error_detail": "d" });
    assert_eq!(
        play.send("POST", &format!("/workspaces/{b}/activity"), Some(&b_token), Some(&log)).await.status,
        200
    );
    let get = async |query: &str| {
        play.send("GET", &format!("/workspaces/{b}/activity?{query}"), Some(&b_token), None).await
    };
    for (query, want) in [
        ("", vec!["-", "agent", "canvas"]),
        ("type=a2a_receive", vec!["agent", "canvas"]),
        ("type=agent_log", vec!["-"]),
        ("source=canvas", vec!["canvas"]),
        ("source=agent", vec!["-", "agent"]),
        ("limit=1", vec!["-"]),
        ("limit=x", vec!["-", "agent", "canvas"]),
        ("since_secs=60", vec!["-", "agent", "canvas"]),
        ("before_ts=2001-01-01T00:00:00Z", vec![]),
        (&format!("peer_id={a}"), vec!["agent"]),
    ] {
        let got = get(query).await;
        assert_eq!(
            (got.status, texts(&got.body)),
            (200, want.into_iter().map(str::to_owned).collect()),
            "{query}"
        );
    }
    for (query, status) in [
        ("source=x", 400),
        ("peer_id=x", 400),
        ("since_secs=0", 400),
        ("since_secs=x", 400),
        ("before_ts=x", 400),
        ("since_id=x", 500),
        ("since_id=00000000-0000-4000-8000-000000000000", 410),
    ] {
        assert_eq!(get(query).await.status, status, "{query}");
    }
    let row = &get("include=peer_info&source=agent&type=a2a_receive").await.body[0];
    assert_eq!((&row["peer_name"], row.get("attachments")), (&json!("a"), None));
    assert!(row["agent_card_url"].as_str().unwrap().ends_with(&format!("/registry/discover/{a}")));
    let foreign = get("limit=1").await.body[0]["id"].as_str().unwrap().to_owned();
    let got =
        play.send("GET", &format!("/workspaces/{a}/activity?since_id={foreign}"), Some(&a_token), None).await;
    assert_eq!(got.status, 410);
    let false_source = json!({ "activity_type": "agent_log", "source_id": a });
    let got =
        play.send("POST", &format!("/workspaces/{b}/activity"), Some(&b_token), Some(&false_source)).await;
    assert_eq!(got.status, 403);
}

#[tokio::test]
async fn notify_reaches_the_history_and_is_not_a_message() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    send(&play, &id, "question", vec![]).await;
    for (body, status) in [
        (json!({ "message": "answer", "attachments": [{ "uri": "u", "name": "n" }] }), 200),
        (json!({ "message": "" }), 400),
        (json!({ "message": "x", "attachments": [{}] }), 400),
        (json!({}), 400),
    ] {
        let got = play.send("POST", &format!("/workspaces/{id}/notify"), Some(&token), Some(&body)).await;
        assert_eq!(got.status, status, "{body}");
    }
    let nobody = format!("/workspaces/{}/notify", crate::chance::uuid());
    assert_eq!(play.send("POST", &nobody, Some(ADMIN), Some(&json!({ "message": "x" }))).await.status, 404);
    let rows = play.send("GET", &format!("/workspaces/{id}/activity"), Some(&token), None).await.body;
    assert_eq!((&rows[0]["method"], &rows[0]["source_id"]), (&json!("notify"), &Value::Null));
    let path = format!("/workspaces/{id}/chat-history");
    let history = play.send("GET", &path, Some(&token), None).await.body;
    let said: Vec<(&str, &str)> = history["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
        .collect();
    assert_eq!(
        (said, &history["reached_end"]),
        (vec![("user", "question"), ("agent", "answer")], &json!(true))
    );
    for (query, status) in [("limit=x", 200), ("limit=0", 200), ("before_ts=x", 400), ("limit=1", 200)] {
        assert_eq!(
            play.send("GET", &format!("{path}?{query}"), Some(&token), None).await.status,
            status,
            "{query}"
        );
    }
}

/// Contract §7.3: how many rows a list has.
#[tokio::test]
async fn a_list_has_a_hundred_rows_unless_told_and_never_more_than_five_hundred() {
    let play = Play::new(quick()).await;
    let (id, token) = play.external("e").await;
    for _ in 0..510 {
        play.running.platform().state().log_activity(id.parse().unwrap(), Row::new("agent_log"));
    }
    for (query, rows) in
        [("", 100), ("?limit=0", 100), ("?limit=-1", 100), ("?limit=7", 7), ("?limit=1000", 500)]
    {
        let got = play.send("GET", &format!("/workspaces/{id}/activity{query}"), Some(&token), None).await;
        assert_eq!(got.body.as_array().map(Vec::len), Some(rows), "{query}");
    }
}
