//! The mechanisms that the binary carries.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use super::file::Mechanism;
use crate::source::SourceFile;

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/mechanism/catalogue");

/// The name of every file, without `.yaml`.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FOLDER.files().filter_map(|file| file.path().to_str()?.strip_suffix(".yaml"))
}

/// The files as sources.
pub(crate) fn files() -> Vec<SourceFile> {
    let text = |name| FOLDER.get_file(format!("{name}.yaml"))?.contents_utf8();
    let source = |name| Some(SourceFile::built_in(&format!("mechanisms/{name}.yaml"), text(name)?));
    let mut files: Vec<SourceFile> = names().filter_map(source).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// The shipped mechanisms, by layer and name. A test holds that every file loads and that the set is sound; each run would
/// pay for it.
pub(crate) fn shipped() -> &'static [Mechanism] {
    static SHIPPED: LazyLock<Vec<Mechanism>> = LazyLock::new(|| {
        let mut all: Vec<Mechanism> =
            files().iter().filter_map(|file| super::file::parse(file).ok()).collect();
        all.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
        all
    });
    &SHIPPED
}

/// Finds one by its name.
pub fn find(name: &str) -> Option<&'static Mechanism> {
    shipped().iter().find(|m| m.name == name)
}
