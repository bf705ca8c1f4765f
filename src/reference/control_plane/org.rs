//! One organisation, and the rules for its slug.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Instant;
use crate::domain::Secret;
use crate::reference::provision::embedded::Embedded;
use crate::reference::server;

/// A slug is as long as this at most (scenarios §1.5).
const SLUG: usize = 32;

/// Where an organisation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Provisioning,
    Running,
    Failed,
    Purging,
    Purged,
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Phase::Provisioning => "provisioning",
            Phase::Running => "running",
            Phase::Failed => "failed",
            Phase::Purging => "purging",
            Phase::Purged => "purged",
        }
    }
}

/// The server of an organisation.
pub(super) struct Tenant {
    pub server: server::Running,
    /// Until then only `/health` answers.
    pub api_at: Instant,
}

/// One row.
pub(super) struct Org {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub owner: String,
    pub phase: Phase,
    pub last_error: String,
    pub created_at: String,
    pub admin_token: Secret,
    pub tenant: Option<Arc<Tenant>>,
    /// What runs its workspaces.
    pub machines: Arc<Embedded>,
    /// It was never created here: a server that is configured by hand.
    pub foreign: bool,
}

impl Org {
    /// As the list shows it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "slug": self.slug,
            "name": self.name,
            "owner_user_id": self.owner,
            "status": match self.phase {
                Phase::Purged => "purged",
                Phase::Purging => "purging",
                _ => "active",
            },
            "instance_status": self.phase.as_str(),
            "last_error": self.last_error,
            "created_at": self.created_at,
        })
    }
}

/// `^[a-z][a-z0-9-]{2,31}$`
pub(super) fn is_slug(slug: &str) -> bool {
    let tail = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=SLUG).contains(&slug.len())
        && slug.starts_with(|c: char| c.is_ascii_lowercase())
        && slug.chars().all(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for (slug, good) in [
            ("abc", true),
            ("ab", false),
            ("e2e-20261128-run-0badcafe", true),
            ("a-------------------------------", true),
            ("a--------------------------------", false),
            ("1abc", false),
            ("abC", false),
            ("a_b", false),
            ("", false),
        ] {
            assert_eq!(is_slug(slug), good, "{slug}");
        }
    }
}
