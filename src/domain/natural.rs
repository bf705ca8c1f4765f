//! The order in which a person counts: `v2` before `v10`.

use std::cmp::Ordering;

/// Compares two names; digits in them are numbers.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (text, number) = (head(&mut left, false), head(&mut left, true));
        let (other_text, other_number) = (head(&mut right, false), head(&mut right, true));
        let by_number = || {
            let (n, m) = (number.trim_start_matches('0'), other_number.trim_start_matches('0'));
            n.len().cmp(&m.len()).then_with(|| n.cmp(m))
        };
        match text.cmp(other_text).then_with(by_number) {
            Ordering::Equal if left.is_empty() && right.is_empty() => return a.cmp(b),
            Ordering::Equal => {}
            decided => return decided,
        }
    }
}

/// Takes the digits, or everything before the next digit, off the front.
fn head<'a>(text: &mut &'a str, digits: bool) -> &'a str {
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (front, rest) = text.split_at(end);
    *text = rest;
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_numbers() {
        let mut names = ["v10", "v2", "v101", "v1", "v", "a[n=10,m=2]", "a[n=9,m=10]", "v02", "v2b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a[n=9,m=10]", "a[n=10,m=2]", "v", "v1", "v02", "v2", "v2b", "v10", "v101"]);
    }

    proptest::proptest! {
        #[test]
        fn it_is_an_order(a in "[ab0-3]{0,6}", b in "[ab0-3]{0,6}", c in "[ab0-3]{0,6}") {
            proptest::prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            proptest::prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                proptest::prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
