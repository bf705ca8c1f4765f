//! The identity of a red: its scenario, where in it, by which mechanism, of what. It has no step number, so it stays
//! the same when steps are put in before it.

/// A place in a fingerprint has at most so many characters.
const LONGEST: usize = 60;

/// What a red is called in lists, states and commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `scenario/place/mechanism[/key]`.
    pub fingerprint: String,
    /// How earlier versions wrote it, with the step's number in the place of its name; lists and states that hold it
    /// still match.
    pub former: String,
}

impl Identity {
    /// Both forms, today's first.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        let former = (self.former != self.fingerprint && !self.former.is_empty()).then_some(&self.former);
        std::iter::once(&self.fingerprint).chain(former).map(String::as_str)
    }
}

/// A step's name, or its verb and subject, as one part of a fingerprint: `await-ws-online`.
pub(crate) fn place(name: &str) -> String {
    let mut place = String::new();
    for letter in name.chars() {
        if letter.is_alphanumeric() {
            place.extend(letter.to_lowercase());
        } else if !place.is_empty() && !place.ends_with('-') {
            place.push('-');
        }
        if place.chars().count() >= LONGEST {
            break;
        }
    }
    place.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_part_without_blanks_or_slashes() {
        for (name, wanted) in [
            ("await ws online", "await-ws-online"),
            ("GET /workspaces/${ws.id}/activity", "get-workspaces-ws-id-activity"),
            ("create ws[claude-code]", "create-ws-claude-code"),
            ("  The *Key* is there!  ", "the-key-is-there"),
            ("Öffne", "öffne"),
            ("///", ""),
            ("", ""),
        ] {
            assert_eq!(place(name), wanted, "{name}");
        }
        assert_eq!(place(&"ab ".repeat(100)).chars().count(), LONGEST - 1);
    }

    #[test]
    fn the_former_form_counts_only_where_it_differs() {
        let red = |fingerprint: &str, former: &str| Identity {
            fingerprint: fingerprint.to_owned(),
            former: former.to_owned(),
        };
        assert_eq!(red("a/await-ws/m", "a/3/m").forms().collect::<Vec<_>>(), ["a/await-ws/m", "a/3/m"]);
        assert_eq!(red("a/3/m", "a/3/m").forms().collect::<Vec<_>>(), ["a/3/m"]);
        assert_eq!(red("a/3/m", "").forms().collect::<Vec<_>>(), ["a/3/m"]);
    }
}
