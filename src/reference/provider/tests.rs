//! The provider as a client meets it.

use super::*;
use crate::domain::answers::KNOWN;
use crate::reference::outbound::{Call, Outbound};

async fn ask(
    provider: &Running,
    path: &str,
    header: Option<(&'static str, &str)>,
    prompt: &str,
) -> (u16, Value) {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": prompt }] });
    let mut call = Call::post_json(format!("{}{path}", provider.base_url()), body.to_string());
    if let Some((name, value)) = header {
        call = call.header(name, value);
    }
    let answer = Outbound::new().unwrap().send(call).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn every_vendors_path_answers_and_a_doubled_v1_does_not() {
    let provider =
        start(Options { keys: BTreeSet::from(["k".to_owned()]), ..Options::default() }).await.unwrap();
    for (path, header, status) in [
        ("/v1/messages", Some(("x-api-key", "k")), 200),
        ("/anthropic/v1/messages", Some(("authorization", "Bearer k")), 200),
        ("/coding/v1/messages", Some(("x-api-key", "k")), 200),
        ("/api/anthropic/v1/messages", Some(("authorization", "Bearer k")), 200),
        ("/api/v1/internal/llm/anthropic/v1/messages", Some(("x-api-key", "k")), 200),
        ("/v1/chat/completions", Some(("authorization", "Bearer k")), 200),
        ("/v1beta/openai/chat/completions", Some(("authorization", "Bearer k")), 200),
        ("/openai/v1/chat/completions", Some(("authorization", "Bearer k")), 200),
        ("/api/v1/internal/llm/openai/v1/chat/completions", Some(("authorization", "Bearer k")), 200),
        ("/anthropic/v1/v1/messages", Some(("authorization", "Bearer k")), 404),
        ("/v1/v1/messages", Some(("x-api-key", "k")), 404),
        ("/anthropic/v1/messages", Some(("authorization", "Bearer other")), 401),
        ("/anthropic/v1/messages", None, 401),
        ("/v1/chat/completions", Some(("authorization", "k")), 401),
    ] {
        let (got, body) = ask(&provider, path, header, KNOWN[1].prompt).await;
        assert_eq!(got, status, "{path} {body}");
        assert_eq!(body.to_string().contains(KNOWN[1].token), status == 200, "{path} {body}");
    }
    assert_eq!(provider.seen().len(), 14);
    let (_, body) = ask(&provider, "/v1/messages", Some(("x-api-key", "k")), "hello").await;
    assert_eq!(body["content"][0]["text"], NEUTRAL);
    provider.stop().await;
}

#[tokio::test]
async fn a_vendors_key_is_only_that_vendors() {
    let keys_of = BTreeMap::from([("https://api.minimax.io".to_owned(), BTreeSet::from(["mx".to_owned()]))]);
    let provider = start(Options { keys_of, ..Options::default() }).await.unwrap();
    let body = json!({ "model": "m", "messages": [] }).to_string();
    let outbound = Outbound::new().unwrap();
    for (origin, status) in [("https://api.minimax.io", 200), ("https://api.anthropic.com", 401)] {
        let call = Call::post_json(format!("{}/v1/messages", provider.base_url()), body.clone())
            .header("x-api-key", "mx")
            .header(ORIGIN_HEADER, origin);
        assert_eq!(outbound.send(call).await.unwrap().status, status, "{origin}");
    }
    provider.refuse(Some(529));
    assert_eq!(ask(&provider, "/v1/messages", None, "x").await.0, 529);
    provider.stop().await;
}
