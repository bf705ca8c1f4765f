//! Parents, children and who may talk to whom (contract §2.1 `parent_id`, §5, §6.3).

use uuid::Uuid;

use super::State;
use super::workspace::Workspace;
use crate::domain::Status;

/// A chain of parents is never followed further than this.
const DEPTH: usize = 64;

impl State {
    /// The parent that a create without one gets: the single platform root, else the single root, else none.
    pub(crate) fn default_parent(&self) -> Option<Uuid> {
        let single = |mut roots: Box<dyn Iterator<Item = &Workspace> + '_>| match (roots.next(), roots.next())
        {
            (Some(root), None) => Some(root.id),
            _ => None,
        };
        single(Box::new(self.live().filter(|w| w.parent.is_none() && w.platform)))
            .or_else(|| single(Box::new(self.live().filter(|w| w.parent.is_none()))))
    }

    /// Children that are not removed, in creation order.
    pub(crate) fn children(&self, id: Uuid) -> impl Iterator<Item = &Workspace> {
        self.live().filter(move |w| w.parent == Some(id))
    }

    /// All descendants that are not removed, parents before children.
    pub(crate) fn descendants(&self, id: Uuid) -> Vec<Uuid> {
        let mut found: Vec<Uuid> = self.children(id).map(|w| w.id).collect();
        let mut next = 0;
        while next < found.len() {
            let more: Vec<Uuid> =
                self.children(found[next]).map(|w| w.id).filter(|c| !found.contains(c)).collect();
            found.extend(more);
            next += 1;
        }
        found
    }

    /// Parents, nearest first.
    pub(crate) fn ancestors(&self, id: Uuid) -> Vec<&Workspace> {
        let mut chain = Vec::new();
        let mut at = self.get(id).and_then(|w| w.parent);
        while let Some(parent) = at.and_then(|p| self.get(p)) {
            if chain.len() >= DEPTH {
                break;
            }
            chain.push(parent);
            at = parent.parent;
        }
        chain
    }

    /// The nearest paused ancestor's name.
    pub(crate) fn paused_ancestor(&self, id: Uuid) -> Option<String> {
        self.ancestors(id).into_iter().find(|w| w.status == Status::Paused).map(|w| w.name.clone())
    }

    /// Whether two workspaces may talk: the same one, siblings under one parent, ancestor and descendant.
    pub(crate) fn can_communicate(&self, a: Uuid, b: Uuid, roots_are_siblings: bool) -> bool {
        if a == b {
            return true;
        }
        let (Some(first), Some(second)) = (self.get(a), self.get(b)) else { return false };
        let siblings = match (first.parent, second.parent) {
            (Some(p), Some(q)) => p == q,
            (None, None) => roots_are_siblings,
            _ => false,
        };
        siblings || self.ancestors(a).iter().any(|w| w.id == b) || self.ancestors(b).iter().any(|w| w.id == a)
    }

    /// The name that a new child of `parent` gets: itself, or with ` (2)` to ` (21)`; `None` when all are taken.
    pub(crate) fn free_name(&self, parent: Option<Uuid>, name: &str) -> Option<String> {
        let taken = |candidate: &str| self.live().any(|w| w.parent == parent && w.name == candidate);
        std::iter::once(name.to_owned())
            .chain((2..=21).map(|n| format!("{name} ({n})")))
            .find(|candidate| !taken(candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(state: &mut State, name: &str, parent: Option<Uuid>) -> Uuid {
        let mut workspace = Workspace::new(crate::chance::uuid(), name.to_owned(), "claude-code".to_owned());
        workspace.parent = parent;
        let id = workspace.id;
        state.insert(workspace);
        id
    }

    #[test]
    fn default_parent_is_the_only_root() {
        let mut state = State::default();
        assert_eq!(state.default_parent(), None);
        let first = add(&mut state, "first", None);
        assert_eq!(state.default_parent(), Some(first));
        let second = add(&mut state, "second", None);
        assert_eq!(state.default_parent(), None);
        if let Some(w) = state.get_mut(second) {
            w.platform = true;
        }
        assert_eq!(state.default_parent(), Some(second));
        state.set_status(second, Status::Removed);
        assert_eq!(state.default_parent(), Some(first));
    }

    #[test]
    fn who_may_talk() {
        let mut state = State::default();
        let root = add(&mut state, "root", None);
        let a = add(&mut state, "a", Some(root));
        let b = add(&mut state, "b", Some(root));
        let grandchild = add(&mut state, "c", Some(a));
        let other = add(&mut state, "other", None);
        for (x, y, allowed) in [
            (a, a, true),
            (a, b, true),
            (root, grandchild, true),
            (grandchild, root, true),
            (b, grandchild, false),
            (root, other, false),
            (a, crate::chance::uuid(), false),
        ] {
            assert_eq!(state.can_communicate(x, y, false), allowed);
        }
        assert!(state.can_communicate(root, other, true));
        assert_eq!(state.descendants(root), [a, b, grandchild]);
    }

    #[test]
    fn names_are_unique_among_siblings_until_twenty_one() {
        let mut state = State::default();
        let root = add(&mut state, "root", None);
        for expected in ["w", "w (2)", "w (3)"] {
            let name = state.free_name(Some(root), "w").unwrap();
            assert_eq!(name, expected);
            add(&mut state, &name, Some(root));
        }
        for n in 4..=21 {
            add(&mut state, &format!("w ({n})"), Some(root));
        }
        assert_eq!(state.free_name(Some(root), "w"), None);
        assert_eq!(state.free_name(None, "w").as_deref(), Some("w"));
    }
}
