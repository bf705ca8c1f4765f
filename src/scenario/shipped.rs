//! The scenarios, fragments and profiles that the binary carries: the folder `scenarios/`.

use include_dir::{Dir, DirEntry, include_dir};

use crate::source::SourceFile;

use super::Fragments;

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// Files by path, a folder's own before those of its folders; `enter` chooses among folders.
fn files(folder: &'static Dir<'static>, enter: &dyn Fn(&str) -> bool) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = folder
        .entries()
        .iter()
        .flat_map(|entry| match entry {
            DirEntry::Dir(inner) if enter(inner.path().to_str().unwrap_or_default()) => files(inner, enter),
            DirEntry::Dir(_) => Vec::new(),
            DirEntry::File(file) => {
                let path = file.path().to_str().filter(|path| path.ends_with(".yaml"));
                let source = |path| Some(SourceFile::built_in(path, file.contents_utf8()?.to_owned()));
                path.and_then(source).into_iter().collect()
            }
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// The shipped scenarios, by path.
pub fn shipped() -> Vec<SourceFile> {
    files(&FOLDER, &|folder| folder != "fragments" && folder != "profiles")
}

/// What a scenario's file calls it, when that is what its first line says: so that files are told apart unread.
pub(crate) fn name_of(file: &SourceFile) -> Option<&str> {
    file.text.lines().next()?.strip_prefix("scenario:").map(str::trim)
}

fn below(folder: &str) -> Vec<SourceFile> {
    FOLDER.get_dir(folder).map(|folder| files(folder, &|_| true)).unwrap_or_default()
}

/// The shipped fragments, as files.
pub fn shipped_fragment_files() -> Vec<SourceFile> {
    below("fragments")
}

/// The shipped profiles, as files.
pub fn shipped_profiles() -> Vec<SourceFile> {
    below("profiles")
}

/// The shipped fragments, ready for `use:`.
pub fn shipped_fragments() -> Fragments {
    Fragments::load(&shipped_fragment_files()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    #[test]
    fn all_shipped_scenarios_load() {
        let (fragments, problems) = Fragments::load(&shipped_fragment_files());
        let mut lines: Vec<String> = problems.iter().map(|p| p.draw(false, 120)).collect();
        let mut names = Vec::new();
        for file in shipped() {
            let loaded = load(&file, &fragments);
            lines.extend(loaded.problems.iter().map(|p| p.draw(false, 120)));
            names.extend(loaded.scenario.map(|s| s.name));
        }
        assert!(lines.is_empty(), "{}", lines.concat());
        assert_eq!(names.len(), shipped().len());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), shipped().len(), "two scenarios have the same name");
    }

    #[test]
    fn every_shipped_scenario_says_what_it_is_for() {
        for file in shipped() {
            let scenario = load(&file, &shipped_fragments()).scenario.unwrap();
            assert_eq!(name_of(&file), Some(scenario.name.as_str()), "{}", file.name);
            assert!(!scenario.summary.is_empty(), "{} has no summary", scenario.name);
            assert!(!scenario.tags.is_empty(), "{} has no tags", scenario.name);
        }
    }
}
