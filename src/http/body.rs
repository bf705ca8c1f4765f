//! What is kept of a body: credentials registered first, then redacted, then cut.

use serde_json::Value;

use crate::event::Body;
use crate::redact::Redactor;

/// Larger bodies are cut in the log.
pub(crate) const LONGEST: usize = 64 << 10;

/// Keeps a JSON body.
pub(crate) fn keep_json(redactor: &Redactor, value: &Value, bytes: usize) -> Body {
    redactor.learn(value);
    let mut value = value.clone();
    redactor.value(&mut value);
    if bytes > LONGEST {
        let text = value.to_string();
        if text.len() > LONGEST {
            return keep(redactor, &text, bytes);
        }
    }
    Body { json: Some(value), text: None, bytes: bytes as u64 }
}

/// Keeps a body that is no JSON.
pub(crate) fn keep_text(redactor: &Redactor, text: &str) -> Body {
    keep(redactor, text, text.len())
}

fn keep(redactor: &Redactor, text: &str, bytes: usize) -> Body {
    let text = match redactor.head(text, LONGEST) {
        (all, false) => all,
        (head, true) => format!("{head}… ({} bytes in all)", text.len()),
    };
    Body { json: None, text: Some(text), bytes: bytes as u64 }
}
