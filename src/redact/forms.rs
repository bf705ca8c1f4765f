//! The forms in which a registered value may stand in a text, besides those that [`super::views`] decodes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Shorter values would match ordinary words; they are only replaced in credential positions.
pub(crate) const MIN_LEN: usize = 8;
/// A longer value is looked for in pieces, so that no needle is longer than what one window has of the next.
pub(super) const PIECE: usize = 16 << 10;

/// Every form as bytes, each once.
pub(super) fn of(value: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let mut add = |text: &str| {
        for piece in text.as_bytes().chunks(PIECE).filter(|piece| piece.len() >= MIN_LEN) {
            forms.push(piece.to_vec());
            let hex = |digit: fn(u8) -> String| piece.iter().map(|byte| digit(*byte)).collect::<String>();
            forms.push(hex(|byte| format!("{byte:02x}")).into_bytes());
            forms.push(hex(|byte| format!("{byte:02X}")).into_bytes());
            for engine in [&STANDARD, &URL_SAFE] {
                for shift in 0..3usize {
                    let mut bytes = vec![0; shift];
                    bytes.extend_from_slice(piece);
                    let encoded = engine.encode(&bytes);
                    // The characters at both ends depend on the neighbours: leave them out.
                    let from = [0, 2, 3][shift];
                    let to = bytes.len() * 8 / 6;
                    forms.push(encoded.as_bytes()[from..to].to_vec());
                }
            }
        }
    };
    add(value);
    if value.contains(char::is_whitespace) {
        // Somebody else's message may have it folded, or a line of it; forms write a space as `+`.
        add(&value.split_whitespace().collect::<Vec<_>>().join(" "));
        add(&value.replace(' ', "+"));
        for line in value.lines().map(str::trim) {
            // The frame of a key in PEM is no secret.
            if line != value && !line.starts_with("-----") {
                add(line);
            }
        }
    }
    forms.sort();
    forms.dedup();
    forms
}
