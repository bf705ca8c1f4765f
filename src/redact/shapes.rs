//! Shapes of tokens that nobody registered.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use regex::bytes::Regex;

/// Finds tokens by what they look like.
pub(super) struct Shapes {
    vendors: Regex,
    bearer: Regex,
    userinfo: Regex,
}

/// Boundaries are ASCII and nothing is captured, so that the fast engines of the crate apply: every string of every
/// event passes through here.
pub(super) static SHAPES: LazyLock<Result<Shapes, regex::Error>> = LazyLock::new(|| {
    Ok(Shapes {
        vendors: Regex::new(
            r"(?x-u)
            (?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}
            | gh[pousr]_[A-Za-z0-9]{20,}
            | github_pat_[A-Za-z0-9_]{20,}
            | glpat-[A-Za-z0-9_-]{16,}
            | hf_[A-Za-z0-9]{20,}
            | xai-[A-Za-z0-9_-]{20,}
            | npm_[A-Za-z0-9]{30,}
            | xox[abeprs]-[A-Za-z0-9-]{10,}
            | (?:AKIA|ASIA)[A-Z0-9]{16}
            | AIza[A-Za-z0-9_-]{35}
            | [0-9a-f]{32}\.[A-Za-z0-9]{16}
            | ya29\.[A-Za-z0-9_-]{20,}
            | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
            ",
        )?,
        bearer: Regex::new(
            r#"(?x-u)
            (?:[Bb]earer|BEARER)[\x20\t]+[A-Za-z0-9._~+/=-]{8,}
            | [Bb]asic[\x20\t]+[A-Za-z0-9+/_-]{4,}={1,2}
            | uthorization["'\x20\t:=]+(?:[Bb]asic|[Tt]oken)[\x20\t]+[A-Za-z0-9._~+/=-]{8,}
            "#,
        )?,
        userinfo: Regex::new(r"(?-u)://(?:[!$-&(-.0-9;=A-~]*:[!$-&(-.0-;=A-~]+|[A-Za-z0-9_-]{16,})@")?,
    })
});

const TOKEN: &str = "<redacted:token>";
const BEARER: &str = "<redacted:bearer>";
const USERINFO: &str = "<redacted:userinfo>";

/// Whether a placeholder says less than a registered name.
pub(super) fn is_general(shown: &str) -> bool {
    [TOKEN, BEARER, USERINFO, "<redacted:credential>"].contains(&shown)
}

impl Shapes {
    /// Tells everything that looks like a token.
    pub(super) fn find(&self, text: &[u8], tell: &mut impl FnMut(Range<usize>, Arc<str>)) {
        let mut from = 0;
        while let Some(found) = self.vendors.find_at(text, from) {
            // `task-…` and `disk-…` are words; a token's own alphabet may stand before it.
            let in_a_word = found.start() > 0 && text[found.start() - 1].is_ascii_alphanumeric();
            if in_a_word {
                from = found.start() + 1;
            } else {
                tell(found.range(), Arc::from(TOKEN));
                from = found.end();
            }
        }
        for found in self.bearer.find_iter(text) {
            let word = found.as_bytes();
            let token = word.iter().rposition(|b| matches!(b, b' ' | b'\t')).map_or(0, |at| at + 1);
            tell(found.start() + token..found.end(), Arc::from(BEARER));
        }
        for found in self.userinfo.find_iter(text) {
            // Who asks, and with which password; not the scheme, nor the sign before the host.
            tell(found.start() + 3..found.end() - 1, Arc::from(USERINFO));
        }
        random_words(text, tell);
    }
}

/// Words of 43 characters are 32 random bytes in base64url (contract §1.2), when they mix cases as those do; names and
/// hashes do not. The first and the last character may be `-`.
fn random_words(text: &[u8], tell: &mut impl FnMut(Range<usize>, Arc<str>)) {
    let mut start = 0;
    let in_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    for at in 0..=text.len() {
        if at < text.len() && in_word(text[at]) {
            continue;
        }
        let word = &text[start..at];
        if word.len() == 43 {
            let upper = word.iter().filter(|b| b.is_ascii_uppercase()).count();
            let lower = word.iter().filter(|b| b.is_ascii_lowercase()).count();
            // Fewer than two of either are in one of 10^8 tokens.
            if upper >= 2 && lower >= 2 {
                tell(start..at, Arc::from(TOKEN));
            }
        }
        start = at + 1;
    }
}
