//! What is kept of a body: credentials registered first, then redacted, then cut.

use serde_json::Value;

use crate::event::Body;
use crate::redact::Redactor;

/// Larger bodies are cut in the log.
const KEEP: usize = 64 << 10;

/// Keeps a JSON body.
pub fn keep_json(redactor: &Redactor, value: &Value, bytes: usize) -> Body {
    redactor.learn(value);
    let mut value = value.clone();
    redactor.value(&mut value);
    if bytes > KEEP {
        let text = value.to_string();
        if text.len() > KEEP {
            return Body { json: None, text: Some(cut(&text)), bytes: bytes as u64 };
        }
    }
    Body { json: Some(value), text: None, bytes: bytes as u64 }
}

/// Keeps a body that is no JSON.
pub fn keep_text(redactor: &Redactor, text: &str) -> Body {
    Body { json: None, text: Some(cut(&redactor.text(text))), bytes: text.len() as u64 }
}

fn cut(text: &str) -> String {
    if text.len() <= KEEP {
        return text.to_owned();
    }
    let mut end = KEEP;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes in all)", &text[..end], text.len())
}
