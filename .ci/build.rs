//! The embedded folders: a file that is new in one of them builds the crate again.

fn main() {
    for folder in [".ci/build.rs", "scenarios", "src/mechanism/catalogue"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
