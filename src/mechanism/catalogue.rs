//! The mechanisms that the binary carries.

use std::sync::LazyLock;

use super::file::Mechanism;
use super::lint;
use crate::source::SourceFile;

macro_rules! carried {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("catalogue/", $name, ".yaml")))),*]
    };
}

/// Name and text of each file; a test compares them with the folder.
pub const FILES: &[(&str, &str)] = carried!(
    "admin-token-refused",
    "agent-address-blocked",
    "agent-error-as-text",
    "agent-meets-401",
    "agent-never-speaks",
    "agent-refuses-message",
    "agent-reports-degraded",
    "agent-unreachable",
    "agent-url-unroutable",
    "agent-without-credential",
    "announced-wake-never-happens",
    "answer-is-no-json",
    "base-url-keeps-v1",
    "boot-outlives-deadline",
    "bootstrap-reported-failed",
    "budget-exhausted",
    "caller-may-not-call",
    "came-after-deadline",
    "certificate-not-trusted",
    "config-volume-lost",
    "connection-cut",
    "connection-refused",
    "container-cut-off",
    "container-ended",
    "container-frozen",
    "container-keeps-exiting",
    "container-name-taken",
    "container-network-missing",
    "container-out-of-memory",
    "container-port-taken",
    "cp-answers-200-instead-of-201",
    "cp-provision-failed",
    "cp-refuses-credentials",
    "create-field-refused",
    "create-missing-credential",
    "create-model-not-registered",
    "create-model-required",
    "create-name-taken",
    "create-provider-not-in-registry",
    "create-runtime-unresolved",
    "create-runtime-unsupported",
    "create-vendor-key-refused",
    "dead-instance-stays-online",
    "deadline-shorter-than-usual",
    "delete-needs-cascade",
    "delete-not-removed",
    "delete-stop-failed",
    "empty-completion",
    "engine-disk-full",
    "environment-changes-over-edge",
    "environment-differs",
    "external-resumed-as-managed",
    "harness-panic",
    "heartbeats-ceased",
    "image-cannot-run",
    "image-missing",
    "image-without-agent",
    "instance-died",
    "message-queued-not-answered",
    "name-does-not-resolve",
    "no-register-seen",
    "opaque-agent-error",
    "organisation-header-missing",
    "organisation-is-another",
    "platform-path-with-vendor-model",
    "platform-unreachable-from-inside",
    "projection-lost-over-edge",
    "projection-missing",
    "provider-model-unknown",
    "provider-overloaded",
    "provider-quota-exhausted",
    "provider-refuses-credential",
    "provider-unreachable",
    "provision-forbidden-secret",
    "provision-missing-credential",
    "provision-missing-model",
    "provision-missing-platform-proxy",
    "provision-no-backend",
    "provision-plugin-failed",
    "provision-required-variable",
    "provision-runtime-mismatch",
    "provision-secret-not-decrypted",
    "provision-start-failed",
    "provisioner-not-available",
    "proxy-page-instead-of-server",
    "rate-limited",
    "register-400-leaves-degraded",
    "register-refused-400",
    "register-refused-401",
    "register-timeout",
    "register-undoes-pause",
    "removed-under-us",
    "reply-of-another-request",
    "reply-too-slow",
    "restart-context-not-logged",
    "restart-context-source",
    "restart-keeps-old-instance",
    "secret-delete-dropped",
    "secret-not-passed",
    "secret-write-dropped",
    "server-datastore-down",
    "server-error",
    "server-hangs",
    "server-unavailable",
    "target-went-away",
    "token-lost-over-edge",
    "too-many-open-files",
    "vendor-key-not-removed",
    "workspace-has-no-url",
    "workspace-token-refused",
    "wrong-answer",
    "wrong-credential-projected",
);

/// The files as sources.
pub fn files() -> Vec<SourceFile> {
    let file =
        |(name, text): &(&str, &str)| SourceFile::new(format!("<built-in>/mechanisms/{name}.yaml"), *text);
    FILES.iter().map(file).collect()
}

/// The shipped mechanisms, by layer and name. A test holds that every file loads.
pub fn shipped() -> &'static [Mechanism] {
    static SHIPPED: LazyLock<Vec<Mechanism>> = LazyLock::new(|| {
        let mut all: Vec<Mechanism> =
            files().iter().filter_map(|file| super::file::parse(file).ok()).collect();
        all.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
        debug_assert!(lint::load(&files()).is_ok());
        all
    });
    &SHIPPED
}

/// Finds one by its name.
pub fn find(name: &str) -> Option<&'static Mechanism> {
    shipped().iter().find(|m| m.name == name)
}
