//! Engines of the tests' own: over TLS, by a context, with a full disk. They need root, dockerd and openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lifecycle_harness::facade::docker::Settings;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::var;
use crate::harness::{Harness, signal, wait_for};
use crate::platform::block;

/// A second engine without networks, in folders of its own.
struct Second {
    child: Child,
    folder: TempDir,
    mounted: bool,
}

fn works(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|o| o.status.success())
}

fn done(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Second {
    /// `None`: not on this machine. `small`: on a disk of so many megabytes.
    fn start(folder: TempDir, arguments: &[String], small: Option<u32>) -> Option<Second> {
        let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
        if !(root && works("dockerd", "--version") && works("openssl", "version"))
            || var("DOCKER_HOST").is_some()
        {
            eprintln!("SKIPPED: a second engine needs root, dockerd and openssl");
            return None;
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(at("data")).unwrap();
        if let Some(size) = small {
            done("mount", &["-t", "tmpfs", "-o", &format!("size={size}m"), "none", &at("data")]);
        }
        let child = Command::new("dockerd")
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
            .args(["--host", &format!("unix://{}", at("sock")), "--bridge", "none"])
            .args(["--iptables=false", "--ip-masq=false"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let mut second = Second { child, folder, mounted: small.is_some() };
        let settings = Settings { host: Some(second.socket()), ..Settings::default() };
        wait_for("a second engine", || {
            let ended = second.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(second.folder.path().join("log")).unwrap());
            block(settings.connect().ok()?.ping()).ok()
        });
        Some(second)
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.folder.path().join("sock").display())
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        signal(self.child.id(), "TERM");
        let _ = self.child.wait();
        if self.mounted {
            let _ = Command::new("umount").arg(self.folder.path().join("data")).output();
        }
    }
}

/// A CA, and one certificate of it for server and client, as docker's own client names the files.
fn certificates(folder: &Path) {
    let at = |name: &str| folder.join(name).display().to_string();
    fs::create_dir_all(folder).unwrap();
    fs::write(at("names"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let ca = [
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=test-ca",
        "-keyout",
        &at("ca-key.pem"),
        "-out",
        &at("ca.pem"),
    ];
    done("openssl", &[&ca[..], &key[..]].concat());
    let asked = ["req", "-subj", "/CN=test", "-keyout", &at("key.pem"), "-out", &at("asked.pem")];
    done("openssl", &[&asked[..], &key[..]].concat());
    let signed = [
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        &at("asked.pem"),
        "-CA",
        &at("ca.pem"),
        "-CAkey",
        &at("ca-key.pem"),
    ];
    done(
        "openssl",
        &[&signed[..], &["-CAcreateserial", "-extfile", &at("names"), "-out", &at("cert.pem")]].concat(),
    );
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A context as docker's own client stores it.
fn context(config: &Path, name: &str, host: &str, certificates: Option<&Path>) {
    let id: String = Sha256::digest(name.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    let meta = config.join("contexts/meta").join(&id);
    fs::create_dir_all(&meta).unwrap();
    let text = serde_json::json!({ "Name": name, "Endpoints": { "docker": { "Host": host, "SkipTLSVerify": false } } });
    fs::write(meta.join("meta.json"), text.to_string()).unwrap();
    if let Some(from) = certificates {
        let to = config.join("contexts/tls").join(&id).join("docker");
        fs::create_dir_all(&to).unwrap();
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

#[test]
fn an_engine_over_tls_and_by_context_is_found_as_docker_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    let other = folder.path().join("other");
    if works("openssl", "version") {
        certificates(&good);
        certificates(&other);
    }
    let address = format!("tcp://127.0.0.1:{}", free_port());
    let pem = |name: &str| good.join(name).display().to_string();
    let arguments = [
        format!("--host={address}"),
        "--tlsverify".to_owned(),
        format!("--tlscacert={}", pem("ca.pem")),
        format!("--tlscert={}", pem("cert.pem")),
        format!("--tlskey={}", pem("key.pem")),
    ];
    let Some(second) = Second::start(folder, &arguments, None) else { return };
    let config = second.folder.path().join("config");
    context(&config, "near", &second.socket(), None);
    context(&config, "far", &address, Some(&good));
    fs::write(config.join("config.json"), r#"{"currentContext": "far"}"#).unwrap();
    let text = |path: &PathBuf| path.display().to_string();
    let (good, other, config) = (text(&good), text(&other), text(&config));
    let tls = ("DOCKER_TLS_VERIFY", "1");
    let host = ("DOCKER_HOST", address.as_str());
    let folder = ("DOCKER_CONFIG", config.as_str());
    let table: [(&[(&str, &str)], bool); 8] = [
        (&[host, tls, ("DOCKER_CERT_PATH", &good)], true),
        (&[host, tls, ("DOCKER_CERT_PATH", &other)], false),
        (&[host], false),
        (&[host, tls, ("DOCKER_CERT_PATH", "/nowhere")], false),
        (&[folder], true),
        (&[folder, ("DOCKER_CONTEXT", "near")], true),
        (&[folder, ("DOCKER_CONTEXT", "nobody")], false),
        // The address wins over any context.
        (&[folder, ("DOCKER_CONTEXT", "nobody"), ("DOCKER_HOST", &second.socket())], true),
    ];
    for (variables, found) in table {
        let doctor =
            variables.iter().fold(Harness::new().args(["doctor"]), |h, (name, value)| h.env(name, value));
        let output = doctor.run().exit(0);
        let says = if found { "ok   container engine" } else { "none container engine" };
        assert!(output.stdout.contains(says), "{variables:?}\n{}", output.stdout);
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_stays() {
    let Some(second) = Second::start(tempfile::tempdir().unwrap(), &[], Some(24)) else { return };
    let settings = Settings { host: Some(second.socket()), ..Settings::default() };
    let engine = settings.connect().unwrap();
    let before = block(engine.inventory()).unwrap();
    Harness::new()
        .args(["run", "--target", "docker", "local-provision"])
        .env("DOCKER_HOST", &second.socket())
        .run()
        .exit(3)
        .stderr_has("no space left on device")
        .stderr_has("docker system df");
    assert_eq!(block(engine.inventory()).unwrap(), before);
    assert_eq!(block(engine.old_agent_images("")).unwrap(), Vec::<String>::new());
}
