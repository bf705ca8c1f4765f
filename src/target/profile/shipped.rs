//! The profiles that the binary carries.

use crate::source::SourceFile;

/// Name and text.
const PROFILES: &[(&str, &str)] = &[];

/// The shipped profiles, as files.
pub fn shipped() -> Vec<SourceFile> {
    let named =
        |(name, text): &(&str, &str)| SourceFile::new(format!("<built-in>/profiles/{name}.yaml"), *text);
    PROFILES.iter().map(named).collect()
}
