//! Catalogues as they are had: from a file, and the two that the binary carries.

use std::sync::LazyLock;

use crate::behaviour::Edition;
use crate::models::catalogue::Catalogue;
use crate::models::read::Reader;
use crate::models::yaml;
use crate::source::{Problem, SourceFile};

impl Catalogue {
    /// Reads and checks a catalogue. All problems at once, each with its place; unknown keys are
    /// only warnings, because the platform reads past them (see [`lint`](crate::models::catalogue::lint)).
    pub fn parse(source: &SourceFile) -> Result<Catalogue, Vec<Problem>> {
        let tree = yaml::parse(source).map_err(|problem| vec![*problem])?;
        let mut reader = Reader::new(source);
        let parts = reader.catalogue(&tree);
        let (errors, notes) = reader.finish();
        match parts {
            Some((providers, runtimes)) if errors.is_empty() => {
                Ok(Catalogue { source: source.clone(), providers, runtimes, notes })
            }
            _ => Err(errors.into_iter().chain(notes).collect()),
        }
    }

    /// The catalogue that the binary carries.
    pub fn built_in() -> &'static Catalogue {
        static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| {
            let source = SourceFile::built_in("providers.yaml", include_str!("../../providers.yaml"));
            // A test reads the file, so the empty catalogue is never seen.
            Catalogue::parse(&source).unwrap_or_else(|_| Catalogue {
                source,
                providers: Vec::new(),
                runtimes: Vec::new(),
                notes: Vec::new(),
            })
        });
        &BUILT_IN
    }

    /// The catalogue of an edition.
    pub fn of_edition(edition: Edition) -> &'static Catalogue {
        static AUGUST: LazyLock<Option<Catalogue>> = LazyLock::new(|| {
            let text = include_str!("../../fixtures/catalogues/mid-august.yaml");
            Catalogue::parse(&SourceFile::built_in("mid-august.yaml", text)).ok()
        });
        match edition {
            Edition::MidJune => Catalogue::built_in(),
            Edition::MidAugust => AUGUST.as_ref().unwrap_or_else(|| Catalogue::built_in()),
        }
    }
}
