use std::cell::Cell;
use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A scope with a counter for randomness.
pub(crate) struct Fixed {
    pub(crate) values: HashMap<&'static str, Value>,
    counter: Cell<u64>,
}

impl Fixed {
    pub(crate) fn new<const N: usize>(values: [(&'static str, Value); N]) -> Fixed {
        Fixed { values: HashMap::from(values), counter: Cell::new(0) }
    }
}

impl Scope for Fixed {
    fn lookup(&self, path: &[String]) -> Option<Value> {
        self.values.get(path.join(".").as_str()).cloned()
    }

    fn random(&self) -> u64 {
        self.counter.set(self.counter.get() + 1);
        self.counter.get()
    }
}

fn render(text: &str) -> String {
    let scope = Fixed::new([
        ("inputs.runtime", json!("claude-code")),
        ("ws.id", json!("7f")),
        ("rows", json!([1, 2])),
        ("n", json!(3)),
        ("empty", json!("")),
        ("nothing", json!(null)),
    ]);
    match Template::parse(text, Span::default()) {
        Ok(template) => template.render(&scope).unwrap_or_else(|e| format!("error: {e}")),
        Err(error) => format!("syntax at {}: {error}", error.at),
    }
}

#[test]
fn renders_lookups_calls_and_escapes() {
    for (text, rendered) in [
        ("plain", "plain"),
        ("", ""),
        ("/workspaces/${ws.id}?x=1", "/workspaces/7f?x=1"),
        ("${ inputs.runtime }", "claude-code"),
        ("$${ws.id} costs $5", "${ws.id} costs $5"),
        ("${n}${nothing}${rows}", "3[1,2]"),
        ("${sha256('abc')}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("${urlencode('a b/c~d')}", "a%20b%2Fc~d"),
        ("${base64(inputs.runtime)}", "Y2xhdWRlLWNvZGU="),
        ("${first(missing.x, empty, ws.id, 'z')}", "7f"),
        ("${first(missing.x)}", ""),
        ("${random(4)}", "0000"),
        ("${uuid()}", "00000000-0000-4001-8000-000000000002"),
        ("${missing.x}", "error: `${missing.x}` has no value here"),
        (
            "${random('many')}",
            "error: `random(…)` became `many`: a number of digits from 1 to 64 is expected",
        ),
        ("${ws.id", "syntax at 0: `${` is never closed"),
        ("a ${}", "syntax at 2: `${}` names nothing"),
        ("${ws.}", "syntax at 5: a name is expected after the dot"),
        ("${'open}", "syntax at 2: this quoted text is never closed"),
        ("${sha265(ws.id)}", "syntax at 2: there is no function `sha265`"),
        ("${sha256()}", "syntax at 2: `sha256` takes one argument, not 0"),
        ("${ws id}", "syntax at 5: `}` is expected here"),
    ] {
        assert_eq!(render(text), rendered, "{text}");
    }
}

#[test]
fn a_lone_lookup_keeps_its_type() {
    let scope = Fixed::new([("rows", json!([1, 2])), ("n", json!(3))]);
    let value =
        TemplateValue::from_json(&json!({ "a": "${rows}", "b": "n=${n}", "c": ["${n}", null, true] }));
    let value = value.unwrap().render(&scope).unwrap();
    assert_eq!(value, json!({ "a": [1, 2], "b": "n=3", "c": [3, null, true] }));
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        prop::collection::vec("[a-z_][a-z0-9_-]{0,6}", 1..4).prop_map(Expr::Path),
        "[^'\"]{0,8}".prop_map(Expr::Literal),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            Just(Expr::Call { function: Function::Uuid, args: Vec::new() }),
            inner.clone().prop_map(|arg| Expr::Call { function: Function::Sha256, args: vec![arg] }),
            prop::collection::vec(inner, 1..4)
                .prop_map(|args| Expr::Call { function: Function::First, args }),
        ]
    })
}

proptest! {
    #[test]
    fn parts_survive_a_round_trip(
        parts in prop::collection::vec(
            prop_oneof![any_expr().prop_map(Piece::Expr), "[^$]{1,8}".prop_map(Piece::Text)],
            0..6,
        )
    ) {
        // Neighbouring texts read back as one.
        let mut joined: Vec<Piece> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, part) => joined.push(part),
            }
        }
        let template = Template::from_parts(joined.clone());
        let again = Template::parse(&template.raw, Span::default()).unwrap();
        prop_assert_eq!(again.parts, joined);
    }

    #[test]
    fn a_literal_renders_to_itself(text in ".{0,40}") {
        let literal = Template::literal(text.clone());
        let again = Template::parse(&literal.raw, Span::default());
        // Three dollars in a row are the one text whose escape is ambiguous.
        prop_assume!(!text.contains("$${"));
        prop_assert_eq!(again.unwrap().render(&Fixed::new([])).unwrap(), text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[${}().,'\"a-zé 0-9]{0,40}") {
        if let Ok(template) = Template::parse(&text, Span::default()) {
            let _ = template.render(&Fixed::new([]));
        }
    }
}
