//! `docs/mechanisms.md`, written from the catalogue.
