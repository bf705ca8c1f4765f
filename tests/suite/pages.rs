//! Pages of `docs/` that are made from the code equal it; `UPDATE_DOCS=1` writes them.

use lifecycle_harness::facade::behaviour;
use lifecycle_harness::facade::domain::ExitCode;

#[test]
fn the_page_of_exit_codes_is_the_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md");
    #[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, ExitCode::page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), ExitCode::page());
}

#[test]
fn the_page_of_behaviours_is_the_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/behaviours.md");
    #[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, behaviour::page::page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), behaviour::page::page());
}
