//! Located tree → raw structs, by serde, without stopping at the first error.
//!
//! serde gives up at the first wrong field. Here that field is reported, left out, and the rest is
//! read again; the raw structs are all `Option`, so every mistake of a step is found in one go.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Visitor, value::StrDeserializer, value::StringDeserializer,
};

use crate::source::{Span, did_you_mean};

use crate::yaml::{Key, Kind, Node};

const SPANNED: &str = "$scenario::Spanned";
pub(super) const KIND: &str = "$scenario::Kind";

/// A value with the place where it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_newtype_struct(SPANNED, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let missing = || de::Error::custom("a place is missing");
        let start = seq.next_element()?.ok_or_else(missing)?;
        let len = seq.next_element()?.ok_or_else(missing)?;
        let value = seq.next_element()?.ok_or_else(missing)?;
        Ok(Spanned { value, span: Span { start, len } })
    }
}

/// What serde found wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecodeError {
    /// `unknown-field`, `unknown-word`, `wrong-type`: the end of the problem's code.
    pub code: &'static str,
    /// One line.
    pub message: String,
    /// "did you mean", valid names.
    pub hint: Option<String>,
    /// Where; filled in by the innermost value.
    pub span: Option<Span>,
    /// The field that is left out because of it.
    pub field: Option<String>,
    /// It is in the list already; what caused it is left out at the next attempt.
    reported: bool,
}

impl DecodeError {
    fn new(code: &'static str, message: String, hint: Option<String>) -> Self {
        DecodeError { code, message, hint, span: None, field: None, reported: false }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(msg: T) -> Self {
        DecodeError::new("wrong-type", msg.to_string(), None)
    }

    fn invalid_type(unexp: de::Unexpected<'_>, exp: &dyn de::Expected) -> Self {
        let got = match unexp {
            de::Unexpected::Unit => "nothing".to_owned(),
            de::Unexpected::Map => "a mapping".to_owned(),
            de::Unexpected::Seq => "a list".to_owned(),
            de::Unexpected::Str(s) => format!("the text `{s}`"),
            de::Unexpected::Bool(b) => format!("`{b}`"),
            other => other.to_string(),
        };
        DecodeError::new("wrong-type", format!("{} is expected here, not {got}", plain(exp)), None)
    }

    fn invalid_value(unexp: de::Unexpected<'_>, exp: &dyn de::Expected) -> Self {
        DecodeError::new("wrong-type", format!("{} is expected here, not {unexp}", plain(exp)), None)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(field, expected.iter().copied());
        DecodeError::new("unknown-field", format!("there is no field `{field}` here"), Some(hint))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(variant, expected.iter().copied());
        DecodeError::new("unknown-word", format!("`{variant}` is none of the words allowed here"), Some(hint))
    }
}

/// serde's own descriptions, in the words of a scenario's author.
fn plain(exp: &dyn de::Expected) -> String {
    let text = exp.to_string();
    match text.as_str() {
        "a string" => "a text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a sequence" => "a list".to_owned(),
        t if t.starts_with("struct ") => "a mapping".to_owned(),
        "u8" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        _ => text,
    }
}

/// Reads a raw struct, pushing every mistake; `None` when nothing could be read.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(node: &Node, errors: &mut Vec<DecodeError>) -> Option<T> {
    let state = State::default();
    let result = loop {
        let before = state.skip.borrow().len();
        match T::deserialize(NodeDe { node, state: &state }) {
            Ok(value) => break Some(value),
            Err(error) if error.reported && state.skip.borrow().len() > before => {}
            Err(mut error) => {
                error.span.get_or_insert(node.span);
                state.errors.borrow_mut().push(error);
                break None;
            }
        }
    };
    errors.extend(state.errors.into_inner());
    result
}

#[derive(Default)]
struct State {
    errors: RefCell<Vec<DecodeError>>,
    /// Start and length of the keys that are left out.
    skip: RefCell<HashSet<(usize, usize)>>,
}

impl State {
    /// Reports an error once and leaves the field out from now on.
    fn leave_out(&self, key: &Key, mut error: DecodeError) -> DecodeError {
        if !error.reported {
            error.reported = true;
            error.field = Some(key.text.clone());
            self.errors.borrow_mut().push(error.clone());
            self.skip.borrow_mut().insert((key.span.start, key.span.len));
        }
        error
    }
}

struct NodeDe<'a> {
    node: &'a Node,
    state: &'a State,
}

impl<'a> NodeDe<'a> {
    fn at(&self, node: &'a Node) -> NodeDe<'a> {
        NodeDe { node, state: self.state }
    }

    fn located<T>(&self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.map_err(|mut e| {
            e.span.get_or_insert(self.node.span);
            e
        })
    }
}

impl<'de> Deserializer<'de> for NodeDe<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Number(n, _) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
                (Some(n), _, _) => visitor.visit_u64(n),
                (_, Some(n), _) => visitor.visit_i64(n),
                (_, _, Some(n)) => visitor.visit_f64(n),
                _ => visitor.visit_unit(),
            },
            Kind::Text(text) => visitor.visit_str(text),
            Kind::List(items) => visitor.visit_seq(Items { rest: items.iter(), de: &self }),
            Kind::Map(entries) => {
                visitor.visit_map(Entries { rest: entries.iter(), value: None, state: self.state })
            }
        };
        self.located(result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Numbers and bools are texts where a text is wanted: `default: 90`, `MODE: true`.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.kind {
            Kind::Number(_, raw) => visitor.visit_str(raw),
            Kind::Bool(b) => visitor.visit_str(if *b { "true" } else { "false" }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == SPANNED {
            return visitor.visit_seq(Place { next: 0, span: self.node.span, de: &self });
        }
        match &self.node.kind {
            Kind::Number(n, raw) if name == KIND => visitor.visit_bytes(format!("{n}\0{raw}").as_bytes()),
            _ if name == KIND => self.deserialize_any(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let result = match self.node.as_text() {
            Some(word) => visitor.visit_enum(Word(word)),
            None => Err(DecodeError::new(
                "wrong-type",
                format!("a word is expected here, not {}", self.node.what()),
                None,
            )),
        };
        self.located(result)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    rest: std::slice::Iter<'a, Node>,
    de: &'a NodeDe<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.rest.next().map(|node| seed.deserialize(self.de.at(node))).transpose()
    }
}

/// A [`Spanned`]: start, length, value.
struct Place<'a> {
    next: u8,
    span: Span,
    de: &'a NodeDe<'a>,
}

impl<'de> SeqAccess<'de> for Place<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(self.span.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.span.len.into_deserializer()).map(Some),
            3 => seed.deserialize(self.de.at(self.de.node)).map(Some),
            _ => Ok(None),
        }
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a (Key, Node)>,
    state: &'a State,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let skip = self.state.skip.borrow();
        let next = self.rest.by_ref().find(|(k, _)| !skip.contains(&(k.span.start, k.span.len)));
        drop(skip);
        self.value = next;
        let Some((key, _)) = next else { return Ok(None) };
        let node = Node::of_text(key.span, key.text.clone());
        match seed.deserialize(NodeDe { node: &node, state: self.state }) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(self.state.leave_out(key, error)),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some((key, node)) = self.value else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(NodeDe { node, state: self.state }).map_err(|error| self.state.leave_out(key, error))
    }
}

struct Word(String);

impl<'de> EnumAccess<'de> for Word {
    type Error = DecodeError;
    type Variant = UnitOnly;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, UnitOnly), DecodeError> {
        let de: StringDeserializer<DecodeError> = self.0.into_deserializer();
        Ok((seed.deserialize(de)?, UnitOnly))
    }
}

struct UnitOnly;

impl<'de> de::VariantAccess<'de> for UnitOnly {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        let de: StrDeserializer<'_, DecodeError> = "".into_deserializer();
        seed.deserialize(de)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, DecodeError> {
        Err(de::Error::custom("a single word is expected here"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, DecodeError> {
        Err(de::Error::custom("a single word is expected here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::model::Gate;
    use crate::scenario::raw::values::Text;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: Option<Text>,
        count: Option<Spanned<u8>>,
        gate: Option<Gate>,
        inner: Option<Box<Sample>>,
        list: Option<Vec<Spanned<u8>>>,
    }

    fn at(start: usize, kind: Kind) -> Node {
        Node { span: Span { start, len: 1 }, kind }
    }

    fn map(start: usize, entries: Vec<(&str, Node)>) -> Node {
        let entries = entries.into_iter().enumerate().map(|(i, (key, value))| {
            (Key { text: key.to_owned(), span: Span { start: start + 100 + i, len: 1 } }, value)
        });
        at(start, Kind::Map(entries.collect()))
    }

    fn number(start: usize, n: u64) -> Node {
        at(start, Kind::Number(n.into(), format!("0{n}")))
    }

    #[test]
    fn every_mistake_is_found_and_the_rest_is_read() {
        let node = map(
            0,
            vec![
                ("nam", number(1, 1)),
                ("name", number(2, 7)),
                ("count", number(3, 300)),
                ("gate", at(4, Kind::Text("optional".to_owned()))),
                (
                    "inner",
                    map(
                        200,
                        vec![("count", at(5, Kind::Bool(true))), ("name", number(6, 8)), ("x", number(7, 1))],
                    ),
                ),
                ("list", at(8, Kind::List(vec![number(9, 1), at(10, Kind::Null)]))),
            ],
        );
        let mut errors = Vec::new();
        let sample: Sample = decode(&node, &mut errors).unwrap();
        assert_eq!(sample.name, Some(Text { value: "07".to_owned(), span: Span { start: 2, len: 1 } }));
        assert_eq!(sample.inner.unwrap().name.unwrap().value, "08");
        assert_eq!((sample.count, sample.gate, sample.list), (None, None, None));
        let mut found: Vec<_> = errors.iter().map(|e| (e.code, e.span.unwrap().start)).collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("unknown-field", 100),
                ("unknown-field", 302),
                ("unknown-word", 4),
                ("wrong-type", 3),
                ("wrong-type", 5),
                ("wrong-type", 10),
            ]
        );
        assert!(errors.iter().any(|e| e.hint.as_deref().is_some_and(|h| h.contains("did you mean `name`"))));
    }
}
