//! What a text says once it is decoded: JSON's escapes (Go's `\\u003c` among them), percent signs, entities of HTML, and
//! each of them within another. Every byte knows where in the text it came from.

use std::borrow::Cow;
use std::ops::Range;

/// An escape within an escape within an escape is as deep as anybody writes.
const DEPTH: usize = 3;

/// A text, or what it decodes to.
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
    /// For each byte, and for the end, where it begins in the text; `None`: it is the text.
    from: Option<Vec<u32>>,
}

impl View<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stretch of the text that a stretch of this view came from.
    pub(super) fn raw(&self, at: Range<usize>) -> Range<usize> {
        match &self.from {
            None => at,
            Some(from) => from[at.start] as usize..from[at.end] as usize,
        }
    }

    fn decoded(&self, decode: Decoder) -> Option<View<'static>> {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut from = Vec::with_capacity(self.bytes.len() + 1);
        let mut at = 0;
        let mut any = false;
        while at < self.bytes.len() {
            let start = self.raw(at..at).start as u32;
            let before = bytes.len();
            match decode(&self.bytes[at..], &mut bytes) {
                Some(taken) => {
                    any = true;
                    at += taken;
                }
                None => {
                    bytes.push(self.bytes[at]);
                    at += 1;
                }
            }
            from.resize(from.len() + bytes.len() - before, start);
        }
        from.push(self.raw(at..at).start as u32);
        any.then_some(View { bytes: Cow::Owned(bytes), from: Some(from) })
    }
}

/// Decodes what a text begins with: how many bytes that were, if it begins with an escape.
type Decoder = fn(&[u8], &mut Vec<u8>) -> Option<usize>;

/// A text, then everything that it decodes to.
pub(super) fn each(text: &[u8], look: &mut impl FnMut(&View<'_>)) {
    fn deeper(view: &View<'_>, depth: usize, look: &mut impl FnMut(&View<'_>)) {
        look(view);
        if depth == DEPTH {
            return;
        }
        for (mark, decode) in [(b'\\', json as Decoder), (b'%', percent), (b'&', html)] {
            if view.bytes.contains(&mark)
                && let Some(view) = view.decoded(decode)
            {
                deeper(&view, depth + 1, look);
            }
        }
    }
    deeper(&View { bytes: Cow::Borrowed(text), from: None }, 0, look);
}

fn json(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let [b'\\', kind, rest @ ..] = text else { return None };
    let plain = match kind {
        b'"' | b'\\' | b'/' | b'\'' => *kind,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        b'x' => {
            out.push(u8::try_from(hex(rest.get(..2)?)?).ok()?);
            return Some(4);
        }
        b'u' => {
            let high = hex(rest.get(..4)?)?;
            let low = rest.get(4..6).filter(|next| *next == b"\\u").and_then(|_| hex(rest.get(6..10)?));
            let pair = low.filter(|low| (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(low));
            let (code, taken) = match pair {
                Some(low) => (0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12),
                None => (high, 6),
            };
            let c = char::from_u32(code).unwrap_or('\u{fffd}');
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(taken);
        }
        _ => return None,
    };
    out.push(plain);
    Some(2)
}

fn percent(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let [b'%', digits @ ..] = text else { return None };
    out.push(u8::try_from(hex(digits.get(..2)?)?).ok()?);
    Some(3)
}

fn html(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let [b'&', rest @ ..] = text else { return None };
    let end = rest.iter().take(10).position(|b| *b == b';')?;
    let name = std::str::from_utf8(&rest[..end]).ok()?;
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => hex(digits.as_bytes())?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(end + 2)
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` takes a sign.
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}
