//! A message as the platform makes it whole (contract §7.1).

use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A JSON-RPC request that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub value: Value,
    pub method: String,
    pub message_id: String,
    /// All text of it.
    pub text: String,
    /// `params.expires_in_seconds`.
    pub expires_in: Option<u64>,
}

impl Envelope {
    /// Whether it was written down when it came, under its own id.
    pub(crate) fn has_row(&self) -> bool {
        self.method == "message/send" && !self.message_id.is_empty()
    }

    /// As the server marks a message that an admin sends in the name of a workspace.
    pub(crate) fn of_user(&mut self) {
        let Some(params) = self.value.get_mut("params").and_then(Value::as_object_mut) else { return };
        if let Value::Object(metadata) = params.entry("metadata").or_insert_with(|| json!({})) {
            metadata.insert("source".to_owned(), json!("canvas_user"));
            metadata.insert("user_identity_status".to_owned(), json!("UNAUTHENTICATED"));
        }
    }

    /// As a server writes it that knows the canvas by its metadata.
    pub(crate) fn of_canvas(&mut self, id: Uuid) {
        let Some(params) = self.value.get_mut("params").and_then(Value::as_object_mut) else { return };
        if let Some(message) = params.get_mut("message").and_then(Value::as_object_mut) {
            message.entry("contextId").or_insert_with(|| json!(format!("canvas-{id}")));
        }
        self.of_user();
    }
}

/// Why a body is no message: the 400's body.
pub(crate) fn normalise(body: &Bytes) -> Result<Envelope, Value> {
    let given = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(given)) => given,
        // An envelope with nothing in it.
        Ok(Value::Null) => Map::new(),
        _ => return Err(json!({ "error": "invalid JSON" })),
    };
    let mut envelope = if given.contains_key("jsonrpc") {
        given
    } else {
        let mut whole = Map::new();
        whole.insert("jsonrpc".to_owned(), json!("2.0"));
        whole.insert("id".to_owned(), json!(crate::chance::uuid()));
        for key in ["method", "params"] {
            whole.insert(key.to_owned(), given.get(key).cloned().unwrap_or_default());
        }
        whole
    };
    let method = envelope.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut message_id = String::new();
    let mut text = String::new();
    let params = envelope.get_mut("params").and_then(Value::as_object_mut);
    let expires_in = params.as_ref().and_then(|p| p.get("expires_in_seconds")).and_then(Value::as_u64);
    let expires_in = expires_in.filter(|seconds| *seconds > 0);
    if let Some(message) = params.and_then(|p| p.get_mut("message")).and_then(Value::as_object_mut) {
        complete(message)?;
        message_id = message.get("messageId").and_then(Value::as_str).unwrap_or_default().to_owned();
        text = text_of(message);
    }
    Ok(Envelope { value: Value::Object(envelope), method, message_id, text, expires_in })
}

fn complete(message: &mut Map<String, Value>) -> Result<(), Value> {
    if !message.contains_key("parts") {
        let parts = match message.remove("content") {
            Some(Value::String(text)) => json!([{ "kind": "text", "text": text }]),
            Some(Value::Array(parts)) => Value::Array(parts),
            Some(_) => {
                return Err(json!({
                    "error": "params.message.content must be a string or an array of parts",
                    "hint": "v0.2 example: {\"content\":\"...\"}",
                }));
            }
            None => {
                return Err(json!({
                    "error": "params.message must contain either 'parts' (v0.3) or 'content' (v0.2 compat)",
                    "hint": "v0.3 example: {\"parts\":[{\"kind\":\"text\",\"text\":\"...\"}]}",
                }));
            }
        };
        message.insert("parts".to_owned(), parts);
    }
    if let Some(Value::Array(parts)) = message.get_mut("parts") {
        for part in parts.iter_mut().filter_map(Value::as_object_mut) {
            if !part.contains_key("kind")
                && let Some(kind) = part.remove("type")
            {
                part.insert("kind".to_owned(), kind);
            }
        }
    }
    // What is there stays, whatever it is.
    message.entry("role").or_insert_with(|| json!("user"));
    message.entry("messageId").or_insert_with(|| json!(crate::chance::uuid()));
    Ok(())
}

/// All text parts, one a line.
fn text_of(message: &Map<String, Value>) -> String {
    let parts = message.get("parts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &Value) -> Result<Envelope, Value> {
        normalise(&Bytes::from(value.to_string()))
    }

    #[test]
    fn bare_and_old_forms_are_completed() {
        let message = json!({ "parts": [{ "kind": "text", "text": "hi" }] });
        for params in [
            json!({ "message": { "content": "hi" } }),
            json!({ "message": { "content": [{ "type": "text", "text": "hi" }] } }),
            json!({ "message": { "parts": [{ "type": "text", "text": "hi" }] } }),
            json!({ "message": message }),
        ] {
            let envelope = read(&json!({ "method": "message/send", "params": params })).unwrap();
            let whole = &envelope.value["params"]["message"];
            assert_eq!((envelope.text.as_str(), &envelope.value["jsonrpc"]), ("hi", &json!("2.0")));
            assert_eq!((&whole["role"], &whole["parts"]), (&json!("user"), &message["parts"]));
            assert!(whole.get("content").is_none());
            assert_eq!(whole["messageId"].as_str(), Some(envelope.message_id.as_str()));
            assert!(uuid::Uuid::try_parse(envelope.value["id"].as_str().unwrap()).is_ok());
        }
    }

    #[test]
    fn only_what_is_absent_is_filled_in() {
        let odd = json!({ "jsonrpc": "2.0", "method": "message/send",
            "params": { "message": { "messageId": "", "role": null, "parts": [] }, "expires_in_seconds": 0 } });
        let envelope = read(&odd).unwrap();
        assert_eq!((&envelope.value, envelope.expires_in, envelope.has_row()), (&odd, None, false));
        let bare = read(&json!({ "id": "mine", "method": "tasks/get", "more": 1 })).unwrap();
        assert!(uuid::Uuid::try_parse(bare.value["id"].as_str().unwrap()).is_ok());
        assert_eq!((bare.value.get("params"), bare.value.get("more")), (Some(&Value::Null), None));
        let nothing = read(&Value::Null).unwrap();
        assert_eq!((nothing.method.as_str(), nothing.value.get("method")), ("", Some(&Value::Null)));
    }

    #[test]
    fn ids_are_kept_and_nonsense_is_refused() {
        let kept = json!({ "jsonrpc": "2.0", "id": 7, "method": "message/send",
            "params": { "message": { "messageId": "m", "role": "agent", "parts": [] }, "expires_in_seconds": 5 } });
        let envelope = read(&kept).unwrap();
        assert_eq!((envelope.message_id.as_str(), envelope.expires_in), ("m", Some(5)));
        assert_eq!(envelope.value, kept);
        assert_eq!(normalise(&Bytes::from_static(b"{")).unwrap_err()["error"], "invalid JSON");
        assert_eq!(normalise(&Bytes::from_static(b"[]")).unwrap_err()["error"], "invalid JSON");
        for message in [json!({ "role": "user" }), json!({ "content": 3 })] {
            let refused =
                read(&json!({ "method": "message/send", "params": { "message": message } })).unwrap_err();
            assert!(refused["hint"].is_string());
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,8}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("jsonrpc"),
            Just("method"),
            Just("params"),
            Just("message"),
            Just("parts"),
            Just("content"),
            Just("kind"),
            Just("type"),
            Just("text"),
            Just("messageId"),
            Just("role"),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_complete_stays_as_it_is(value in json()) {
            if let Ok(once) = read(&value) {
                let twice = read(&once.value).unwrap();
                prop_assert_eq!(&once.value, &twice.value);
                prop_assert_eq!(once.message_id, twice.message_id);
            }
        }
    }
}
