//! What a server that is none gets: exit 3, the whole cause, and what to check.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Harness, Output, of_kind, wait_for};
use super::platform::{Platform, TOKEN, beside, block};
use super::proxy::{Mischief, Proxy, Rule};

/// How a server misbehaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Html,
    Redirect,
    Silent,
    Closes,
    Garbage,
    Empty,
    /// A body that never ends.
    Endless,
    /// A body of 100 MB, all of it sent.
    Huge,
    /// Half of what it promised.
    Short,
    Refuses,
    OtherJson,
    /// Healthy, but its list is none.
    ListIsNone,
    /// Healthy, and its refusal would write lines of its own.
    Steers,
}

async fn answer(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    let mut request = vec![0; 8 << 10];
    let read = stream.read(&mut request).await?;
    let health = request[..read].starts_with(b"GET /health");
    let whole = |status: &str, kind: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let ok = |body: &str| whole("200 OK", "application/json", body);
    let text = match manner {
        Manner::Html => {
            whole("200 OK", "text/html", "<!doctype html><html><title>Canvas</title><body>Welcome</body></html>")
        }
        Manner::Redirect => {
            "HTTP/1.1 302 Found\r\nlocation: https://login.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .into()
        }
        Manner::Silent => {
            // Held open until the other side gives up.
            while stream.read(&mut request).await? > 0 {}
            return Ok(());
        }
        Manner::Closes => return Ok(()),
        Manner::Garbage => "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".into(),
        Manner::Empty => ok(""),
        Manner::Short => "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"status\":".into(),
        Manner::OtherJson => ok("{\"name\":\"grafana\",\"ok\":true}"),
        Manner::Refuses => whole("500 Internal Server Error", "application/json", "{\"error\":\"no database\"}"),
        Manner::ListIsNone | Manner::Steers if health => ok("{\"status\":\"ok\"}"),
        Manner::ListIsNone => ok("{\"workspaces\":{}}"),
        Manner::Steers => whole(
            "500 Internal Server Error",
            "application/json",
            "{\"error\":\"red\\n::error file=x::injected\\r\\n\\u001b]0;pwned\\u0007\\u001b[31m\\u009b1m\\u202e\"}",
        ),
        Manner::Huge | Manner::Endless => {
            let (size, length) = match manner {
                Manner::Huge => (100 << 20, format!("content-length: {}\r\n", 100 << 20)),
                _ => (usize::MAX, String::new()),
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{length}\r\n");
            stream.write_all(head.as_bytes()).await?;
            let block = vec![b' '; 1 << 20];
            let mut sent = 0;
            while sent < size {
                stream.write_all(&block).await?;
                sent += block.len();
            }
            return Ok(());
        }
    };
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

fn serve(manner: Manner) -> SocketAddr {
    let listener = block(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    beside(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The harness may hang up: that is its answer.
            beside(async move { drop(answer(stream, manner).await) });
        }
    });
    addr
}

fn met(base: &str) -> Output {
    Harness::new().args(["run", "local-provision", "--patience", "300ms"]).at(base).run()
}

#[test]
fn what_is_no_workspace_server_is_named() {
    for manner in [
        Manner::Html,
        Manner::Redirect,
        Manner::Closes,
        Manner::Garbage,
        Manner::Empty,
        Manner::Short,
        Manner::OtherJson,
        Manner::Refuses,
        Manner::ListIsNone,
        Manner::Huge,
        Manner::Endless,
    ] {
        let output = met(&format!("http://{}", serve(manner)));
        insta::assert_snapshot!(format!("server_{manner:?}"), output.said());
        output.exit(3).stderr_has("check:");
    }
}

/// The words of a server reach a terminal and the log of a forge: they are one line, and steer nothing.
#[test]
fn what_a_server_says_steers_nothing() {
    let base = format!("http://{}", serve(Manner::Steers));
    for flags in [["--color", "always"], ["--ci", "--quiet"]] {
        let output = Harness::new().args(["run", "local-provision"]).args(flags).at(&base).run();
        assert!(output.stderr.contains("red ::error file=x::injected"), "{}", output.stderr);
        let raw = output.stderr.lines().find(|line| {
            line.starts_with("::error file=x")
                || line.contains(['\u{7}', '\u{9b}', '\u{202e}'])
                || line.contains("\u{1b}]")
        });
        assert_eq!(raw, None, "{flags:?}");
        output.exit(3);
    }
}

/// Nothing is sent with a token that no header can carry, and the name of the input is told.
#[test]
fn a_token_with_the_end_of_its_line_is_told_before_anything_is_sent() {
    for (name, value) in [("MOLECULE_ADMIN_TOKEN", "token-of-12\n"), ("MINIMAX_API_KEY", "key-of\n12345")] {
        let run =
            Harness::new().args(["run", "external-poll-mode"]).env(name, value).at("http://127.0.0.1:9");
        run.run().exit(2).stderr_has(name).stderr_has("line break").stderr_lacks("of-12");
    }
}

/// A server that is restarted is waited for, also when a proxy answers in its place.
#[test]
fn a_proxy_that_answers_for_a_server_that_starts_is_waited_out() {
    let platform = Platform::start(["--time-scale", "20"]);
    let rule = Rule { mischief: Mischief::Status503, begins: "GET /health", every: 1, reaches: false };
    let proxy = Proxy::before(&platform, Some(rule));
    let line = ["run", "-q", "external-poll-mode", "--patience", "20s"];
    let run = Harness::new().args(line).at(&proxy.base).spawn();
    wait_for("a second look", || (proxy.spoilt() > 1).then_some(()));
    proxy.set(Rule { begins: "GET /nothing", ..rule });
    run.output().exit(0);
    proxy.set(rule);
    met(&proxy.base).exit(3).stderr_has("is answered with 503").stderr_has("--patience");
}

/// An edge may serve `/health` before it routes anything else: the same patience holds for the rest (field D4).
#[test]
fn an_api_that_comes_after_its_health_is_waited_for() {
    let platform = Platform::start(["--time-scale", "20"]);
    let rule =
        Rule { mischief: Mischief::Status503, begins: "GET /workspaces HTTP", every: 1, reaches: false };
    let proxy = Proxy::before(&platform, Some(rule));
    let run =
        Harness::new().args(["run", "-q", "external-poll-mode", "--patience", "60s"]).at(&proxy.base).spawn();
    // More often than any other probe is asked again.
    wait_for("many looks", || (proxy.spoilt() > 30).then_some(()));
    proxy.set(Rule { begins: "GET /nothing", ..rule });
    run.output().exit(0);
    proxy.set(rule);
    met(&proxy.base).exit(3).stderr_has("/health answers, and the API does not").stderr_has("--patience");
}

/// Another build than the expected one is told before anything is made: by flag, variable and profile.
#[test]
fn another_build_than_the_expected_one_is_told_first() {
    let platform = Platform::start(["--time-scale", "20"]);
    let run = || Harness::new().args(["run", "-q", "external-poll-mode"]).against(&platform);
    let wanted = "aeec8e47";
    let profile = format!("profile: p\nbase_url: {}\nexpect_build: {wanted}\n", platform.base);
    for (name, run) in [
        ("flag", run().args(["--expect-build", wanted])),
        ("variable", run().env("LIFECYCLE_EXPECT_BUILD", wanted)),
        (
            "profile",
            Harness::new()
                .file("p.yaml", profile)
                .args(["run", "-q", "external-poll-mode", "--profile", "p.yaml"])
                .env("ADMIN_TOKEN", TOKEN),
        ),
    ] {
        let output = run.run().exit(3).stderr_has("another build").stderr_has("git_sha dev");
        let events = output.events();
        assert_eq!(of_kind(&events, "scenario_started").count(), 0, "{name}");
        assert_eq!(of_kind(&events, "intended").count(), 0, "{name}");
    }
    // What is typed wins.
    run().args(["--expect-build", "dev"]).env("LIFECYCLE_EXPECT_BUILD", wanted).run().exit(0);
}

#[test]
fn a_server_that_accepts_and_never_answers_is_bounded() {
    let output = met(&format!("http://{}", serve(Manner::Silent)));
    insta::assert_snapshot!("server_Silent", output.said());
    output.exit(3);
}

#[test]
fn nobody_at_an_address_is_named_with_the_whole_chain() {
    // A port that was free a moment ago.
    let free = block(TcpListener::bind("127.0.0.1:0")).unwrap().local_addr().unwrap();
    let output = met(&format!("http://{free}"));
    insta::assert_snapshot!("nobody_listens", output.said());
    output.exit(3).stderr_has("Connection refused");
    let output = met("http://no-such-host.invalid:8080");
    output.exit(3).stderr_has("no-such-host.invalid").stderr_has("DNS");
}

#[test]
fn tls_where_there_is_none_is_named() {
    let output = met(&format!("https://{}", serve(Manner::Html)));
    insta::assert_snapshot!("tls_on_a_plain_port", output.said());
    output.exit(3);
}

#[test]
fn a_wrong_token_and_no_token_are_told_apart() {
    let platform = Platform::start(["--time-scale", "20"]);
    let line = ["run", "local-provision", "--target", "live", "--base-url", platform.base.as_str()];
    let wrong = Harness::new().args(line).args(["--admin-token", "not-the-token"]).run().exit(3);
    insta::assert_snapshot!("a_wrong_token", wrong.said());
    assert!(!wrong.stderr.contains("not-the-token"));
    let none = Harness::new().args(line).run().exit(3);
    insta::assert_snapshot!("no_token", none.said());
    let by_variable = Harness::new().args(["run"]).scenario(
        "scenario: reads
summary: Reads the list.
steps:
  - http: { path: /workspaces, expect: { status: 200 } }
",
    );
    by_variable.env("BASE", &platform.base).env("ADMIN_TOKEN", super::platform::TOKEN).run().exit(0);
    assert!(platform.rows().is_empty());
}

#[test]
fn sweep_and_diagnose_meet_the_same_servers() {
    let html = format!("http://{}", serve(Manner::Html));
    let id = "00000000-0000-4000-8000-000000000001";
    Harness::new()
        .args(["diagnose", id, "--base-url", &html, "--patience", "300ms"])
        .run()
        .exit(3)
        .stderr_has("is not a workspace-server");
    let platform = Platform::start(["--time-scale", "20"]);
    let output = Harness::new().args(["diagnose", id]).at(&platform.base).run();
    output.exit(3).stderr_has(id);
}
