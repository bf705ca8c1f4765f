//! Any value, where the scenario language takes one: a [`Node`] read back out of the decoder.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::decode::Spanned;
use crate::yaml::{Key, Kind, Node};

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Spanned { value, span } = Spanned::<Kind>::deserialize(d)?;
        Ok(Node { span, kind: value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_newtype_struct(super::decode::KIND, AnyKind)
    }
}

struct AnyKind;

impl<'de> Visitor<'de> for AnyKind {
    type Value = Kind;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(v))
    }

    /// A number: its JSON form, a NUL, its digits as written.
    fn visit_bytes<E: serde::de::Error>(self, v: &[u8]) -> Result<Kind, E> {
        let text = String::from_utf8_lossy(v);
        let (json, raw) = text.split_once('\0').unwrap_or((&text, &text));
        let number = serde_json::from_str(json).map_err(E::custom)?;
        Ok(Kind::Number(number, raw.to_owned()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Kind, E> {
        Ok(Kind::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push((Key { text: key.value, span: key.span }, map.next_value::<Node>()?));
        }
        Ok(Kind::Map(entries))
    }
}
