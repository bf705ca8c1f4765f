//! What is in the way on an engine is named, and nothing half-made stays.

use std::collections::BTreeMap;
use std::net::TcpListener;

use bollard::query_parameters::ImportImageOptions;
use futures_util::{StreamExt as _, stream};
use lifecycle_harness::facade::docker::{ContainerSpec, names, tar};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::containers::{CREATE, ONLINE, mechanism_of, red, tells};
use super::{Held, docker, docker_of, engine};
use crate::harness::{events, of_kind, wait_for, word};
use crate::platform::block;

/// A layer of one text.
fn layer() -> Vec<u8> {
    tar::archive([("nothing", tar::READABLE, 0, b"nothing to run".as_slice())])
}

/// An image for an architecture that the engine is not of, as `docker load` takes it.
fn foreign_image(held: &Held, name: &str, architecture: &str) {
    let layer = layer();
    let id: String = Sha256::digest(&layer).iter().map(|b| format!("{b:02x}")).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": { "Entrypoint": ["/nobody"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{id}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    let (config, manifest) = (config.to_string(), manifest.to_string());
    let files = [
        ("config.json", tar::READABLE, 0, config.as_bytes()),
        ("layer.tar", tar::READABLE, 0, &layer),
        ("manifest.json", tar::READABLE, 0, manifest.as_bytes()),
    ];
    let socket = held.engine.endpoint().trim_start_matches("unix://").to_owned();
    let docker = bollard::Docker::connect_with_unix(&socket, 60, bollard::API_DEFAULT_VERSION).unwrap();
    let body = bollard::body_full(tar::archive(files).into());
    let loaded = docker.import_image(ImportImageOptions::default(), body, None);
    block(loaded.collect::<Vec<_>>()).into_iter().for_each(|line| _ = line.unwrap());
}

#[test]
fn an_image_for_another_machine_is_refused_before_anything_is_made() {
    let Some(held) = engine() else { return };
    if !held.engine.endpoint().starts_with("unix://") {
        return;
    }
    foreign_image(&held, "lifecycle-test:elsewhere", "riscv64");
    let run = docker().args(["local-provision", "--agent-image", "lifecycle-test:elsewhere"]).run();
    assert!(block(held.engine.remove_image("lifecycle-test:elsewhere")));
    run.exit(3).stderr_has("lifecycle-test:elsewhere is for linux/riscv64");
    held.as_before("after an image for another machine");
}

#[test]
fn an_image_without_an_agent_is_named() {
    let Some(held) = engine() else { return };
    let changes = vec!["ENTRYPOINT [\"/nobody\"]".to_owned()];
    let archive = stream::iter([Ok(layer().into())]);
    block(held.engine.import_image("lifecycle-test:empty", changes, archive)).unwrap();
    let body = format!("{CREATE}{ONLINE}");
    let run = docker().args(["--agent-image", "lifecycle-test:empty"]).scenario(&red(&body)).run();
    assert!(block(held.engine.remove_image("lifecycle-test:empty")));
    let run = run.exit(1);
    tells(&run, "no such file or directory");
    assert_eq!(mechanism_of(&run), "image-without-agent");
    held.as_before("after an image without an agent");
}

/// Somebody else's container bears the name while the workspace sleeps; it is neither used nor removed.
#[test]
fn a_name_that_is_taken_is_named_and_its_owner_left_alone() {
    let Some(held) = engine() else { return };
    let sleeps = "  - pause: ws
  - hold: { for: 60s, workspace: ws, status: paused }
  - resume: ws
  - await: { workspace: ws, status: online, within: 20s }
";
    let run = docker().scenario(&red(&format!("{CREATE}{ONLINE}{sleeps}"))).spawn();
    let id = wait_for("a paused workspace", || {
        let events = events(&run.run_folder()?);
        let paused = of_kind(&events, "observed").find(|o| o["status"] == "paused")?;
        Some(word(&paused["id"]))
    });
    let image = block(held.engine.old_agent_images("")).unwrap().pop().unwrap();
    let stranger = ContainerSpec {
        name: names::container(&id),
        image,
        network: Some("none".to_owned()),
        labels: BTreeMap::from([("whose".to_owned(), "somebody else's".to_owned())]),
        ..ContainerSpec::default()
    };
    let stranger = block(held.engine.create(&stranger)).unwrap();
    let output = run.output();
    let there = block(held.engine.inspect(&stranger)).unwrap();
    block(held.engine.remove(&stranger)).unwrap();
    let output = output.exit(3);
    tells(&output, "already in use by");
    tells(&output, "somebody else's, not touched");
    assert_eq!(mechanism_of(&output), "container-name-taken");
    assert!(there.is_some(), "the stranger's container is still there");
    held.as_before("after a taken name");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let Some(held) = engine() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = ["serve", "platform", "--docker", "--listen", &address, "--admin-token", "t"];
    let port = address.rsplit(':').next().unwrap().to_owned();
    docker_of(serve).run().exit(3).stderr_has("in use").stderr_has(&port);
    held.as_before("after a taken port");
}
