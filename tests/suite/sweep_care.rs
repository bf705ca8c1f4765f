//! What a sweep makes of logs that are damaged, of old ones, and of ones that name another server.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::harness::{Harness, Output};
use super::platform::{Platform, TOKEN, beside, block};

const KEEPS: &str = "scenario: keeps
summary: Makes a workspace.
steps:
  - create: { as: one, external: true, delivery_mode: poll }
";

fn kept(platform: &Platform) -> Output {
    Harness::new().args(["run", "-q", "--destroy", "never"]).scenario(KEEPS).against(platform).run()
}

fn rewrite(output: &Output, change: impl FnOnce(String) -> String) {
    let path = output.run_folder().join("events.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, change(text)).unwrap();
}

#[test]
fn a_damaged_line_hides_nothing_of_what_is_owned() {
    let platform = Platform::start(["--time-scale", "20"]);
    let output = kept(&platform);
    assert!(!platform.rows().is_empty());
    rewrite(&output, |text| {
        let (first, rest) = text.split_once('\n').unwrap();
        format!("{first}\n{{\"seq\":1,\"at\n{rest}")
    });
    let swept = output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    assert!(swept.stderr.contains("are no events"), "{}", swept.stderr);
    platform.is_empty();
}

#[test]
fn an_empty_log_is_told() {
    let platform = Platform::start(["--time-scale", "20"]);
    let output = kept(&platform);
    output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    rewrite(&output, |_| String::new());
    output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0).stderr_has("its log is empty");
}

/// Something that says that it is a healthy workspace-server, and keeps what it is sent.
fn listener() -> (String, Arc<Mutex<String>>) {
    let listener = block(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&heard);
    beside(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 8 << 10];
            let read = stream.read(&mut request).await.unwrap_or_default();
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..read]));
            let body = "{\"status\":\"ok\"}";
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    (base, heard)
}

/// A log names where its resources live: the token goes only where the run used it, or where somebody says so.
#[test]
fn the_token_goes_to_no_server_that_only_a_log_names() {
    let platform = Platform::start(["--time-scale", "20"]);
    let output = kept(&platform);
    let (elsewhere, heard) = listener();
    rewrite(&output, |text| text.replace(&platform.base, &elsewhere));
    let swept = output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(4);
    assert!(swept.stderr.contains(&elsewhere), "{}", swept.stderr);
    assert_eq!(*heard.lock().unwrap(), "", "it was asked");
    output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).env("BASE", &elsewhere).run();
    assert!(heard.lock().unwrap().contains(TOKEN), "where somebody says so it is asked");
    rewrite(&output, |text| text.replace(&elsewhere, &platform.base));
    output.then(["sweep"]).env("ADMIN_TOKEN", TOKEN).run().exit(0);
    platform.is_empty();
}

/// A log that version 1 of the format wrote, with kinds in texts only, is read and reported.
#[test]
fn a_log_of_version_1_is_read() {
    let old = include_str!("../../fixtures/logs/version-1.jsonl");
    assert!(old.contains("\"schema\":1"));
    let harness = Harness::new().file("runs/20261128-112546-0ab5e6c8/events.jsonl", old);
    let output = harness.args(["report", "last", "--json", "r.json", "--junit", "r.xml"]).run().exit(0);
    let report: serde_json::Value = serde_json::from_str(&output.file("r.json")).unwrap();
    assert_eq!(report["run"]["log_schema"], 1);
    assert_eq!(report["scenarios"][0]["verdict"], "failed");
    assert!(output.file("r.xml").contains("wanted ws paused: not in time"), "{}", output.file("r.xml"));
}
