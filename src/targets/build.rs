//! The build that a server must be.

use serde_json::Value;

use super::error::OpenError;

/// Fewer digits of a commit say too little.
const SHORTEST: usize = 7;

/// Compares what `/buildinfo` says with what somebody expects.
///
/// # Errors
/// It is another build, or the server does not say.
pub(super) fn expected(build: Option<&Value>, wanted: &str) -> Result<(), OpenError> {
    let fields = build.and_then(Value::as_object);
    let said: Vec<(&str, &str)> = fields
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str().filter(|said| !said.is_empty())?)))
        .collect();
    if said.iter().any(|(_, said)| is_same(said, wanted)) {
        return Ok(());
    }
    let check = [
        "has the deployment ended, and is it this server that it went to?",
        "--expect-build, LIFECYCLE_EXPECT_BUILD, `expect_build` of the profile",
    ];
    let what = match said.as_slice() {
        [] => format!("the server does not say which build it is (/buildinfo), and {wanted} is expected"),
        said => {
            let said: Vec<String> = said.iter().map(|(name, said)| format!("{name} {said}")).collect();
            format!("the server is another build: /buildinfo says {}, expected is {wanted}", said.join(", "))
        }
    };
    Err(OpenError::new(what, &check))
}

/// The same text, or the beginning of the same commit.
fn is_same(said: &str, wanted: &str) -> bool {
    let (said, wanted) = (said.trim().to_ascii_lowercase(), wanted.trim().to_ascii_lowercase());
    let (short, long) = if said.len() < wanted.len() { (said, wanted) } else { (wanted, said) };
    let commit = |text: &str| text.len() >= SHORTEST && text.bytes().all(|b| b.is_ascii_hexdigit());
    short == long || (commit(&short) && commit(&long) && long.starts_with(&short))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_build_is_told_and_a_short_commit_is_enough() {
        let full = "41a28aebd3c0ffee41a28aebd3c0ffee41a28aeb";
        for (name, build, wanted, fits) in [
            ("the whole commit", json!({ "git_sha": full }), full, true),
            ("its beginning", json!({ "git_sha": full }), "41A28AEB", true),
            ("the server says less", json!({ "git_sha": "41a28aeb" }), full, true),
            ("too short to tell", json!({ "git_sha": full }), "41a28a", false),
            ("another one", json!({ "git_sha": full }), "aeec8e47", false),
            ("another field", json!({ "git_sha": "dev", "version": "v1.2" }), "v1.2", true),
            ("only nearly the same", json!({ "version": "v1.2.3-rc" }), "v1.2.3", false),
            ("nothing is said", json!({ "git_sha": "" }), full, false),
            ("no object", json!([full]), full, false),
        ] {
            assert_eq!(expected(Some(&build), wanted).is_ok(), fits, "{name}");
        }
        assert!(expected(None, full).is_err());
    }
}
