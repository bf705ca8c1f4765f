//! `parallel:` runs steps at once.

use schemars::{Schema, SchemaGenerator};

use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use super::{Parallel, Step, Steps, Verb};
use crate::scenario::check::Check;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::raw::values::StepList;
use crate::source::Span;
use crate::yaml::{Kind, Node};

impl VerbSpec for Parallel {
    const HELP: Help = Help {
        keyword: "parallel",
        group: Group::Flow,
        meaning: "Runs its steps at once; a branch of several steps is a `steps:` step.",
        example: "- parallel:\n    - await: { workspace: a, status: online }\n    - steps:\n        - await: { workspace: b, \
         status: online }\n        - pause: b",
        names: Names::None,
        holds: Holds::Here,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<StepList>()
    }

    fn check(check: &mut Check<'_>, node: &Node, _: Span, id: &str) -> Option<Self> {
        let Kind::List(items) = &node.kind else {
            return Some(Parallel(check.steps(node, &format!("{id}."))));
        };
        let before = check.names.branch();
        let mut after = before.branch();
        let mut branches = Vec::new();
        for (index, item) in items.iter().enumerate() {
            check.names = before.branch();
            let one = Node { span: item.span, kind: Kind::List(vec![item.clone()]) };
            let mut steps = check.steps(&one, "");
            let branch_id = format!("{id}.{}", index + 1);
            if steps.len() == 1
                && let Some(mut step) = steps.pop()
            {
                step.renumber("1", &branch_id);
                branches.push(step);
            } else if !steps.is_empty() {
                // A `use:` of several steps is one branch.
                branches.push(check.block(item, steps, branch_id));
            }
            let branch = std::mem::take(&mut check.names);
            for (name, span) in after.join(&before, branch) {
                let message = format!("two branches both introduce `{name}`");
                check.error("duplicate-name", span, message, "again here", "choose another name".to_owned());
            }
        }
        check.names = after;
        if items.is_empty() {
            check.error("no-steps", node.span, "there are no branches here", "empty", None);
        }
        Some(Parallel(branches))
    }

    fn title(&self) -> String {
        format!("parallel ({})", self.0.len())
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Longest
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}

impl Check<'_> {
    fn block(&mut self, item: &Node, mut steps: Vec<Step>, id: String) -> Step {
        for step in &mut steps {
            step.renumber("1", &id);
        }
        Step {
            name: format!("steps ({})", steps.len()),
            verb: Verb::Steps(Box::new(Steps(steps))),
            when: None,
            within: None,
            gate: None,
            retry: None,
            milestone: None,
            behaviour: None,
            span: item.span,
            position: self.source.position(item.span.start),
            source: self.source.clone(),
            id,
        }
    }
}
