//! Chat files, memories, versioned values, files and the terminal of a workspace, as staging drives them (scenarios §2.2).

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use crate::domain::Status;
use crate::reference::reply;
use crate::reference::state::kept::Kept;

/// One file may not be larger (`/uploads/limits`).
const FILE: usize = 25 << 20;

fn with(call: &Call, work: impl FnOnce(&mut Kept, Uuid) -> Response) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let mut state = call.platform.state();
    if state.present(id).is_none() {
        return reply::error(404, "workspace not found");
    }
    work(state.kept.entry(id).or_default(), id)
}

pub(super) fn upload(call: &Call) -> Response {
    let Some(file) = call.header("content-type").and_then(|kind| first_file(kind, &call.body)) else {
        return reply::error(400, "no files");
    };
    if file.bytes.len() > FILE {
        return reply::error(413, "file too large");
    }
    with(call, |kept, _| {
        let path = format!("/workspace/uploads/{}-{}", crate::chance::uuid().simple(), file.name);
        let size = file.bytes.len();
        let uri = format!("workspace:{path}");
        if kept.upload(&path, &file.mime, file.bytes.clone()).is_none() {
            return reply::error(413, "too many files");
        }
        let row = json!({ "uri": uri, "name": file.name, "mimeType": file.mime, "size": size });
        reply::json_body(201, &json!({ "files": [row] }))
    })
}

pub(super) fn download(call: &Call) -> Response {
    let path = call.query("path").unwrap_or_default().to_owned();
    with(call, |kept, _| {
        let Some((mime, bytes)) = kept.uploaded(&path) else { return reply::error(404, "file not found") };
        let mut response = Response::new(Body::from(bytes.clone()));
        let mime =
            HeaderValue::from_str(mime).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert(header::CONTENT_TYPE, mime);
        response
    })
}

pub(super) fn remember(call: &Call) -> Response {
    let Some(body) = call.json::<Value>().filter(|b| b["content"].as_str().is_some_and(|c| !c.is_empty()))
    else {
        return reply::error(400, "content is required");
    };
    let scope = body["scope"].as_str().unwrap_or("LOCAL").to_owned();
    if !matches!(scope.as_str(), "LOCAL" | "TEAM" | "GLOBAL") {
        return reply::error(400, "scope must be LOCAL, TEAM or GLOBAL");
    }
    with(call, |kept, id| {
        let memory = json!({ "id": crate::chance::uuid(), "workspace_id": id, "content": body["content"], "scope": scope });
        kept.remember(memory.clone());
        reply::json_body(201, &memory)
    })
}

pub(super) fn memories(call: &Call) -> Response {
    let scope = call.query("scope").map(str::to_owned);
    with(call, |kept, _| reply::ok(&Value::Array(kept.memories(scope.as_deref()))))
}

pub(super) fn write_value(call: &Call) -> Response {
    let Some(body) = call.json::<Value>().filter(Value::is_object) else {
        return reply::error(400, "invalid request body");
    };
    let Some(key) = body["key"].as_str().filter(|key| !key.is_empty()) else {
        return reply::error(400, "key is required");
    };
    let expected = body["if_match_version"].as_u64();
    with(call, |kept, _| match kept.put(key, body["value"].clone(), expected) {
        Ok(version) => reply::ok(&json!({ "status": "ok", "key": key, "version": version })),
        Err(stored) => {
            let error = json!({ "error": "if_match_version mismatch", "current_version": stored });
            reply::json_body(409, &error)
        }
    })
}

fn key(call: &Call) -> String {
    call.params.get(1).cloned().unwrap_or_default()
}

pub(super) fn read_value(call: &Call) -> Response {
    with(call, |kept, _| match kept.value(&key(call)) {
        Some(row) => reply::ok(&row),
        None => reply::error(404, "key not found"),
    })
}

pub(super) fn drop_value(call: &Call) -> Response {
    with(call, |kept, _| match kept.drop_value(&key(call)) {
        true => reply::ok(&json!({ "status": "deleted" })),
        false => reply::error(404, "key not found"),
    })
}

pub(super) fn write_file(call: &Call) -> Response {
    let body: Value = call.json().unwrap_or_default();
    let Some(content) = body["content"].as_str().map(str::to_owned) else {
        return reply::error(400, "content is required");
    };
    with(call, |kept, _| {
        kept.files.insert(key(call), content);
        reply::ok(&json!({ "status": "saved" }))
    })
}

pub(super) fn read_file(call: &Call) -> Response {
    with(call, |kept, _| match kept.files.get(&key(call)) {
        Some(content) => reply::ok(&json!({ "path": key(call), "content": content })),
        None => reply::error(404, "file not found"),
    })
}

/// Whether a terminal could be opened, step by step.
pub(super) fn diagnose(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let up = {
        let state = call.platform.state();
        let Some(row) = state.present(id) else { return reply::error(404, "workspace not found") };
        matches!(row.status, Status::Online | Status::Degraded)
    };
    let step =
        json!({ "name": "instance", "ok": up, "error": if up { "" } else { "the workspace is not up" } });
    let first = if up { Value::Null } else { json!("instance") };
    reply::ok(&json!({ "ok": up, "first_failure": first, "steps": [step] }))
}

struct File {
    name: String,
    mime: String,
    bytes: Bytes,
}

/// The first file of a `multipart/form-data` body (RFC 7578).
fn first_file(kind: &str, body: &Bytes) -> Option<File> {
    let boundary = kind.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let find = |from: usize, what: &[u8]| {
        let rest = body.get(from..)?;
        rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let mut at = find(0, boundary.as_bytes())?;
    loop {
        let head = at + boundary.len() + 2;
        let blank = find(head, b"\r\n\r\n")?;
        let end = find(blank + 4, format!("\r\n{boundary}").as_bytes())?;
        let headers = String::from_utf8_lossy(body.get(head..blank)?).into_owned();
        let name = headers.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(name) = name {
            let mime = headers.lines().find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
            });
            let safe: String =
                name.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).collect();
            return Some(File {
                name: safe,
                mime: mime.unwrap_or_else(|| "application/octet-stream".to_owned()),
                bytes: body.slice(blank + 4..end),
            });
        }
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_of_a_form() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\n\
            Content-Disposition: form-data; name=\"files\"; filename=\"p/..\\i.png\"\r\nContent-Type: image/png\r\n\r\n\
            \u{89}PNG\r\n\r\n--b--\r\n";
        let file = first_file("multipart/form-data; boundary=b", &Bytes::from(body)).unwrap();
        assert_eq!((file.name.as_str(), file.mime.as_str()), ("p..i.png", "image/png"));
        assert_eq!(file.bytes, "\u{89}PNG\r\n".as_bytes());
        for broken in ["", "--b", "--b\r\n", "--b\r\nfilename=\"x\"\r\n\r\nno end"] {
            assert!(
                first_file("multipart/form-data; boundary=b", &Bytes::from(broken)).is_none(),
                "{broken}"
            );
        }
    }
}
