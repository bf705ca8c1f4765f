//! The body of a create and its field checks (contract §2.1, §2.2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// What `POST /workspaces` reads; other keys are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Create {
    pub name: Option<String>,
    pub role: Option<String>,
    pub template: Option<String>,
    pub tier: Option<i64>,
    pub model: Option<String>,
    pub runtime: Option<String>,
    pub external: Option<bool>,
    pub url: Option<String>,
    pub delivery_mode: Option<String>,
    pub workspace_dir: Option<String>,
    pub workspace_access: Option<String>,
    pub parent_id: Option<String>,
    pub budget_limit: Option<i64>,
    pub secrets: Option<BTreeMap<String, String>>,
    pub max_concurrent_tasks: Option<i64>,
    pub compute: Option<Value>,
    pub canvas: Option<Canvas>,
    /// Read so that a wrong kind is refused, and ignored.
    pub llm_provider: Option<String>,
    /// For a memory plugin, which is not here.
    pub initial_memories: Option<Vec<Memory>>,
}

/// What a new workspace would remember.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub content: Option<String>,
    pub scope: Option<String>,
}

/// Where it is drawn.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Canvas {
    pub x: f64,
    pub y: f64,
}

/// Characters that names and roles must not have.
const BANNED: [char; 9] = ['{', '}', '[', ']', '|', '>', '*', '&', '!'];
/// Directories of the host that are never mounted.
const BLOCKED_DIRS: [&str; 9] = ["/etc", "/var", "/proc", "/sys", "/dev", "/boot", "/sbin", "/bin", "/lib"];

impl Create {
    /// Whether name, role, model and runtime are within their bounds.
    pub(super) fn fields_ok(&self) -> bool {
        let text = |value: &Option<String>, max: usize, plain: bool| {
            value
                .as_deref()
                .is_none_or(|v| v.len() <= max && !v.contains(['\n', '\r']) && (!plain || clean(v)))
        };
        text(&self.name, 255, true)
            && text(&self.role, 1000, true)
            && text(&self.model, 100, false)
            && text(&self.runtime, 100, false)
    }

    /// Whether a database takes it: no NUL in a text, a tier of 32 bits.
    pub(super) fn storable(&self) -> bool {
        let texts =
            [&self.name, &self.role, &self.model, &self.runtime, &self.workspace_dir, &self.workspace_access];
        !texts.into_iter().flatten().any(|text| text.contains('\0'))
            && self.tier.is_none_or(|tier| i32::try_from(tier).is_ok())
    }

    /// Whether the template leaves the templates' directory.
    pub(super) fn template_escapes(&self) -> bool {
        let template = self.template.as_deref().unwrap_or_default();
        template.starts_with('/') || template.contains('\\') || template.split('/').any(|part| part == "..")
    }

    /// Rows 11 of the order: directory, access, compute.
    pub(super) fn placement_error(&self) -> Option<&'static str> {
        let dir = self.workspace_dir.as_deref().filter(|d| !d.is_empty());
        if dir.is_some_and(|d| !dir_ok(d)) {
            return Some("invalid workspace directory");
        }
        let access = self.workspace_access.as_deref().unwrap_or_default();
        let known = matches!(access, "" | "none" | "read_only" | "read_write");
        if !known || (matches!(access, "read_only" | "read_write") && dir.is_none()) {
            return Some("invalid workspace access");
        }
        self.compute.as_ref().and_then(compute_error)
    }
}

/// Whether a name or role has none of the banned characters.
pub(super) fn clean(text: &str) -> bool {
    !text.contains(['\n', '\r']) && !text.contains(BANNED)
}

/// Whether a directory of the host may be mounted: looked at as it reads without empty parts and `.`.
pub(super) fn dir_ok(dir: &str) -> bool {
    let parts: Vec<&str> = dir.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let clean = format!("/{}", parts.join("/"));
    dir.starts_with('/')
        && !dir.contains("..")
        && !BLOCKED_DIRS.iter().chain(&["/usr"]).any(|blocked| {
            clean.strip_prefix(blocked).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// One cloud, as the server offers it.
pub(super) struct Cloud {
    pub id: &'static str,
    pub label: &'static str,
    pub usual: &'static str,
    pub with_display: &'static str,
    pub instances: &'static [&'static str],
}

/// The clouds, with the instance types that a workspace may name.
pub(super) const CLOUDS: [Cloud; 3] = [
    Cloud {
        id: "aws",
        label: "AWS (default)",
        usual: "t3.medium",
        with_display: "t3.xlarge",
        instances: &[
            "t3.medium",
            "t3.large",
            "t3.xlarge",
            "t3.2xlarge",
            "m6i.large",
            "m6i.xlarge",
            "c6i.xlarge",
        ],
    },
    Cloud {
        id: "gcp",
        label: "GCP",
        usual: "e2-standard-2",
        with_display: "e2-standard-4",
        instances: &["e2-small", "e2-medium", "e2-standard-2", "e2-standard-4", "e2-standard-8"],
    },
    Cloud {
        id: "hetzner",
        label: "Hetzner",
        usual: "cpx31",
        with_display: "cpx41",
        instances: &["cpx11", "cpx21", "cpx31", "cpx41", "cpx51", "cax11", "cax21", "cax31", "cax41"],
    },
];

/// What each key of a compute object is; keys that are not here go.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Whole,
    Object(&'static [(&'static str, Shape)]),
}

const COMPUTE: &[(&str, Shape)] = &[
    ("provider", Shape::Text),
    ("instance_type", Shape::Text),
    ("data_persistence", Shape::Text),
    ("volume", Shape::Object(&[("root_gb", Shape::Whole)])),
    (
        "display",
        Shape::Object(&[
            ("mode", Shape::Text),
            ("protocol", Shape::Text),
            ("width", Shape::Whole),
            ("height", Shape::Whole),
        ]),
    ),
];

/// A compute object as the server keeps it: unknown keys and zero values go. `None`: a field of another type.
pub(super) fn compute_kept(compute: &Value) -> Option<Value> {
    match compute {
        Value::Null => Some(Value::Object(Map::new())),
        Value::Object(map) => kept(map, COMPUTE).map(Value::Object),
        _ => None,
    }
}

fn kept(map: &Map<String, Value>, shape: &[(&str, Shape)]) -> Option<Map<String, Value>> {
    let mut found = Map::new();
    for (key, shape) in shape {
        let value = match (map.get(*key), shape) {
            (None | Some(Value::Null), _) => continue,
            (Some(Value::String(text)), Shape::Text) => {
                Some(Value::from(text.as_str())).filter(|_| !text.is_empty())
            }
            (Some(Value::Number(number)), Shape::Whole) => {
                Some(number.as_i64()?).filter(|n| *n != 0).map(Value::from)
            }
            (Some(Value::Object(inner)), Shape::Object(shape)) => {
                Some(kept(inner, shape)?).filter(|m| !m.is_empty()).map(Value::Object)
            }
            _ => return None,
        };
        if let Some(value) = value {
            found.insert((*key).to_owned(), value);
        }
    }
    Some(found)
}

/// What is wrong with a `compute` object.
pub(super) fn compute_error(compute: &Value) -> Option<&'static str> {
    if compute.is_null() {
        return None;
    }
    let Some(map) = compute.as_object() else { return Some("compute must be an object") };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let provider = text(map.get("provider"));
    let instances = CLOUDS.iter().find(|cloud| cloud.id == provider).map(|cloud| cloud.instances);
    if !provider.is_empty() && instances.is_none() {
        return Some("compute.provider must be one of aws, gcp, hetzner");
    }
    let instance = text(map.get("instance_type"));
    let known = instances.unwrap_or(CLOUDS[0].instances);
    if !instance.is_empty() && !known.contains(&instance.as_str()) {
        return Some("compute.instance_type is not allowed for this provider");
    }
    let within = |value: Option<&Value>, low: i64, high: i64| {
        value.and_then(Value::as_i64).is_none_or(|n| n == 0 || (low..=high).contains(&n))
    };
    if !within(map.get("volume").and_then(|v| v.get("root_gb")), 30, 500) {
        return Some("compute.volume.root_gb must be between 30 and 500");
    }
    let display = map.get("display");
    let of = |key: &str| display.and_then(|d| d.get(key));
    if !matches!(text(of("mode")).as_str(), "" | "none" | "desktop-control" | "gpu-desktop-control") {
        return Some("compute.display.mode is not supported");
    }
    if !matches!(text(of("protocol")).as_str(), "" | "dcv" | "novnc") {
        return Some("compute.display.protocol is not supported");
    }
    if !within(of("width"), 800, 3840) {
        return Some("compute.display.width must be between 800 and 3840");
    }
    if !within(of("height"), 600, 2160) {
        return Some("compute.display.height must be between 600 and 2160");
    }
    if !matches!(text(map.get("data_persistence")).as_str(), "" | "persist" | "ephemeral") {
        return Some("compute.data_persistence must be persist or ephemeral");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_directories_and_compute() {
        let named = |name: &str| Create { name: Some(name.to_owned()), ..Create::default() };
        for (name, good) in [
            ("w", true),
            ("a|b", false),
            ("a\nb", false),
            (&"x".repeat(255), true),
            (&"x".repeat(256), false),
        ] {
            assert_eq!(named(name).fields_ok(), good, "{name}");
        }
        for (dir, good) in [
            ("/srv/x", true),
            ("x", false),
            ("/srv/../etc", false),
            ("/etc", false),
            ("/usr/local", false),
            ("/etcetera", true),
            ("/srv/a..b", false),
            ("//etc", false),
            ("/./etc/x", false),
        ] {
            assert_eq!(dir_ok(dir), good, "{dir}");
        }
        for (compute, good) in [
            (json!(null), true),
            (json!({}), true),
            (json!({ "provider": "aws", "instance_type": "t3.medium" }), true),
            (json!({ "provider": "ibm" }), false),
            (json!({ "provider": "gcp", "instance_type": "t3.medium" }), false),
            (json!({ "volume": { "root_gb": 29 } }), false),
            (json!({ "volume": { "root_gb": 500 } }), true),
            (json!({ "display": { "mode": "vr" } }), false),
            (json!({ "display": { "width": 4000 } }), false),
            (json!({ "display": { "height": 100 } }), false),
            (json!({ "display": { "protocol": "rdp" } }), false),
            (json!({ "data_persistence": "maybe" }), false),
            (json!([]), false),
        ] {
            assert_eq!(compute_error(&compute).is_none(), good, "{compute}");
        }
    }

    /// Contract §2.1, the bounds of each field.
    #[test]
    fn every_bound_is_met_and_not_passed() {
        let create = |key: &str, value: &str| -> Create {
            serde_json::from_value(json!({ "name": "w", key: value })).unwrap()
        };
        for (key, most) in [("name", 255), ("role", 1_000), ("model", 100), ("runtime", 100)] {
            for (length, good) in [(most, true), (most + 1, false)] {
                assert_eq!(create(key, &"x".repeat(length)).fields_ok(), good, "{key} {length}");
            }
        }
        for banned in BANNED.into_iter().chain(['\n', '\r']) {
            let line = matches!(banned, '\n' | '\r');
            for (key, good) in [("name", false), ("role", false), ("model", !line), ("runtime", !line)] {
                assert_eq!(create(key, &format!("a{banned}b")).fields_ok(), good, "{key} {banned:?}");
            }
        }
        for dir in
            ["/etc", "/var", "/proc", "/sys", "/dev", "/boot", "/sbin", "/bin", "/lib", "/usr", "/srv/a/../b"]
        {
            assert!(!dir_ok(dir) && !dir_ok(&format!("{dir}/x")), "{dir}");
        }
        for (access, dir, good) in [
            ("", "", true),
            ("none", "", true),
            ("read_only", "/srv", true),
            ("read_write", "/srv", true),
            ("read_only", "", false),
            ("read_write", "", false),
            ("write", "/srv", false),
        ] {
            let body = json!({ "workspace_access": access, "workspace_dir": dir });
            let create: Create = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(create.placement_error().is_none(), good, "{body}");
        }
        let volume = |gb: i64| json!({ "volume": { "root_gb": gb } });
        let display = |key: &str, value: i64| json!({ "display": { key: value } });
        let mode = |mode: &str| json!({ "display": { "mode": mode } });
        let protocol = |protocol: &str| json!({ "display": { "protocol": protocol } });
        for (compute, good) in [
            (volume(29), false),
            (volume(30), true),
            (volume(500), true),
            (volume(501), false),
            (display("width", 799), false),
            (display("width", 800), true),
            (display("width", 3_840), true),
            (display("width", 3_841), false),
            (display("height", 599), false),
            (display("height", 600), true),
            (display("height", 2_160), true),
            (display("height", 2_161), false),
            (mode(""), true),
            (mode("none"), true),
            (mode("desktop-control"), true),
            (mode("gpu-desktop-control"), true),
            (protocol("dcv"), true),
            (protocol("novnc"), true),
            (json!({ "provider": "hetzner", "data_persistence": "persist" }), true),
            (json!({ "provider": "gcp", "data_persistence": "ephemeral" }), true),
        ] {
            assert_eq!(compute_error(&compute).is_none(), good, "{compute}");
        }
    }

    #[test]
    fn templates_stay_in_their_directory() {
        for (template, escapes) in
            [("seo-agent", false), ("../x", true), ("a/../../x", true), ("/abs", true), ("a..b", false)]
        {
            let create = Create { template: Some(template.to_owned()), ..Create::default() };
            assert_eq!(create.template_escapes(), escapes, "{template}");
        }
    }
}
