//! The fields of a workspace's record, each by its name on the wire.

use serde_json::Value;

use super::record::text;
use crate::domain::Status;

/// What the platform says of a workspace. Texts are empty when they are absent or of another type.
pub trait Row {
    /// Its id.
    fn id(&self) -> &str;
    /// Its name, which the platform may have changed.
    fn name(&self) -> &str;
    /// Its status; `None` when there is none.
    fn status(&self) -> Option<Status>;
    /// Where its instance is.
    fn url(&self) -> &str;
    /// The id of the workspace that it hangs under.
    fn parent(&self) -> &str;
    /// Its runtime.
    fn runtime(&self) -> &str;
    /// Seconds since its instance's start, as the last heartbeat said.
    fn uptime(&self) -> Option<i64>;
    /// Where it is not what was asked for, or what it was: the runtime, or the workspace that it hangs under.
    fn unlike(&self, wanted: &Value) -> Option<Unlike>;
    /// Whether it is the workspace with this id, however the id is written.
    fn is(&self, id: &str) -> bool;
    /// Whether it says that it is another workspace than the one that was asked for.
    fn is_anothers(&self, id: &str) -> bool;
}

/// A field of a row that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {}, and should be {wanted}", if is.is_empty() { "none" } else { is })]
pub struct Unlike {
    /// Its name.
    pub field: &'static str,
    /// What the row says; empty: none.
    pub is: String,
    /// What was asked for, or what it was.
    pub wanted: String,
}

impl Row for Value {
    fn id(&self) -> &str {
        text(self, "id")
    }

    fn name(&self) -> &str {
        text(self, "name")
    }

    fn status(&self) -> Option<Status> {
        self.get("status").and_then(Value::as_str).map(Status::from_wire)
    }

    fn url(&self) -> &str {
        text(self, "url")
    }

    fn parent(&self) -> &str {
        text(self, "parent_id")
    }

    fn runtime(&self) -> &str {
        text(self, "runtime")
    }

    fn uptime(&self) -> Option<i64> {
        self.get("uptime_seconds").and_then(Value::as_i64)
    }

    fn unlike(&self, wanted: &Value) -> Option<Unlike> {
        // A row that does not tell says nothing.
        ["runtime", "parent_id"].into_iter().filter(|field| self.get(*field).is_some()).find_map(|field| {
            let (is, wanted) = (text(self, field), text(wanted, field));
            let compares = !wanted.is_empty() && (field == "parent_id" || !is.is_empty());
            (compares && !is.eq_ignore_ascii_case(wanted)).then(|| Unlike {
                field,
                is: is.to_owned(),
                wanted: wanted.to_owned(),
            })
        })
    }

    fn is(&self, id: &str) -> bool {
        self.id().eq_ignore_ascii_case(id)
    }

    fn is_anothers(&self, id: &str) -> bool {
        !self.id().is_empty() && !self.is(id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_of_its_id() {
        for (row, it, another) in [
            (json!({ "id": "A-1" }), true, false),
            (json!({}), false, false),
            (json!({ "id": "b-1" }), false, true),
        ] {
            assert_eq!((row.is("a-1"), row.is_anothers("a-1")), (it, another), "{row}");
        }
    }

    #[test]
    fn a_row_is_what_was_asked_for() {
        let sent = json!({ "runtime": "claude-code", "parent_id": "p-1" });
        for (row, unlike) in [
            (json!({ "runtime": "claude-code", "parent_id": "P-1" }), None),
            (json!({}), None),
            (json!({ "runtime": "" }), None),
            (
                json!({ "runtime": "codex", "parent_id": "p-1" }),
                Some("runtime is codex, and should be claude-code"),
            ),
            (json!({ "parent_id": null }), Some("parent_id is none, and should be p-1")),
        ] {
            assert_eq!(row.unlike(&sent).map(|one| one.to_string()).as_deref(), unlike, "{row}");
        }
        assert_eq!(json!({ "runtime": "codex", "parent_id": "x" }).unlike(&json!({})), None);
    }

    #[test]
    fn fields_of_another_type_are_absent() {
        let row = json!({ "id": 7, "name": null, "status": ["online"], "url": {}, "uptime_seconds": "3" });
        assert_eq!((row.id(), row.name(), row.url(), row.parent()), ("", "", "", ""));
        assert_eq!((row.status(), row.uptime()), (None, None));
    }
}
