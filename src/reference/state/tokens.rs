//! Workspace and organisation tokens (contract §1.2). Only digests are kept.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::clock::Instant;
use crate::reference::clock::wall;

/// The two kinds of workspace token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Replaced on every provision.
    Instance,
    /// Survives provisions.
    Api,
}

/// A live workspace token.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub id: Uuid,
    pub kind: Kind,
    pub prefix: String,
    pub created_at: String,
    pub last_used_at: Option<String>,
    pub last_used: Instant,
    digest: Digest,
}

/// An organisation's API token.
#[derive(Clone, Debug)]
pub(crate) struct OrgToken {
    pub id: Uuid,
    pub name: Option<String>,
    pub prefix: String,
    pub created_at: String,
    digest: Digest,
}

type Digest = [u8; 32];

/// How many live tokens a workspace may have (contract §1.6).
pub(crate) const MAX_LIVE: usize = 50;

/// All live workspace tokens.
#[derive(Default)]
pub(crate) struct Tokens {
    owners: HashMap<Digest, Uuid>,
    rows: HashMap<Uuid, Vec<TokenRow>>,
}

/// 32 random bytes as 43 characters.
pub(crate) fn random_token() -> String {
    let mut bytes = [0_u8; 32];
    for chunk in bytes.chunks_mut(16) {
        chunk.copy_from_slice(crate::chance::uuid().as_bytes());
    }
    // A v4 id has six fixed bits; hashing spreads what is random over all of them.
    URL_SAFE_NO_PAD.encode(Sha256::digest([bytes.as_slice(), crate::chance::uuid().as_bytes()].concat()))
}

fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

fn prefix(token: &str) -> String {
    token.chars().take(8).collect()
}

impl Tokens {
    /// A new token of this workspace.
    pub(crate) fn issue(&mut self, workspace: Uuid, kind: Kind) -> String {
        let token = random_token();
        let digest = digest(&token);
        self.owners.insert(digest, workspace);
        self.rows.entry(workspace).or_default().push(TokenRow {
            id: crate::chance::uuid(),
            kind,
            prefix: prefix(&token),
            created_at: wall(),
            last_used_at: None,
            last_used: Instant::now(),
            digest,
        });
        token
    }

    /// A token that is there and opens nothing: look-ups skip removed workspaces (contract §13, 23).
    pub(crate) fn issue_in_vain(&mut self, workspace: Uuid, kind: Kind) -> String {
        let token = self.issue(workspace, kind);
        self.owners.remove(&digest(&token));
        token
    }

    /// Whose token it is; being asked counts as use.
    pub(crate) fn owner(&mut self, token: &str) -> Option<Uuid> {
        let digest = digest(token);
        let owner = *self.owners.get(&digest)?;
        if let Some(row) =
            self.rows.get_mut(&owner).and_then(|rows| rows.iter_mut().find(|r| r.digest == digest))
        {
            row.last_used_at = Some(wall());
            row.last_used = Instant::now();
        }
        Some(owner)
    }

    /// Live tokens, newest first.
    pub(crate) fn list(&self, workspace: Uuid) -> impl Iterator<Item = &TokenRow> {
        self.rows.get(&workspace).into_iter().flat_map(|rows| rows.iter().rev())
    }

    pub(crate) fn has_any(&self, workspace: Uuid) -> bool {
        self.rows.get(&workspace).is_some_and(|rows| !rows.is_empty())
    }

    pub(crate) fn has_instance(&self, workspace: Uuid) -> bool {
        self.rows.get(&workspace).is_some_and(|rows| rows.iter().any(|r| r.kind == Kind::Instance))
    }

    /// Revokes those for which `which` holds; how many that were.
    pub(crate) fn revoke(&mut self, workspace: Uuid, which: impl Fn(&TokenRow) -> bool) -> usize {
        let Some(rows) = self.rows.get_mut(&workspace) else { return 0 };
        let before = rows.len();
        let owners = &mut self.owners;
        rows.retain(|row| {
            let goes = which(row);
            if goes {
                owners.remove(&row.digest);
            }
            !goes
        });
        before - rows.len()
    }

    /// As if all of a workspace's tokens were last used then.
    #[cfg(test)]
    pub(crate) fn age(&mut self, workspace: Uuid, then: Instant) {
        for row in self.rows.get_mut(&workspace).into_iter().flatten() {
            row.last_used = then;
        }
    }

    /// Everything of a workspace is gone.
    pub(crate) fn forget(&mut self, workspace: Uuid) {
        self.revoke(workspace, |_| true);
        self.rows.remove(&workspace);
    }
}

impl OrgToken {
    /// A new one, and its value.
    pub(crate) fn issue(name: Option<String>) -> (OrgToken, String) {
        let token = random_token();
        let row = OrgToken {
            id: crate::chance::uuid(),
            name,
            prefix: prefix(&token),
            created_at: wall(),
            digest: digest(&token),
        };
        (row, token)
    }

    /// Whether this is its value.
    pub(crate) fn is(&self, token: &str) -> bool {
        self.digest == digest(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_contracts_shape_and_their_own_kind_of_life() {
        let mut tokens = Tokens::default();
        let id = crate::chance::uuid();
        let api = tokens.issue(id, Kind::Api);
        let instance = tokens.issue(id, Kind::Instance);
        assert_eq!((api.len(), tokens.owner(&instance)), (43, Some(id)));
        assert_eq!(tokens.revoke(id, |row| row.kind == Kind::Instance), 1);
        assert_eq!((tokens.owner(&instance), tokens.owner(&api)), (None, Some(id)));
        assert!(!tokens.has_instance(id));
        tokens.forget(id);
        assert_eq!(tokens.owner(&api), None);
    }
}
