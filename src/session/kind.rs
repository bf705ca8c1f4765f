//! Which kind of target is meant: flags, then the environment.

use super::env::Env;
use super::failure::SessionError;
use super::settings::TargetSettings;
use crate::targets::Kind;

/// The kind of target that is meant.
///
/// # Errors
/// `LIFECYCLE_TARGET` is none.
pub(super) fn kind_of(args: &TargetSettings, env: &Env) -> Result<Kind, SessionError> {
    let named = env
        .get("LIFECYCLE_TARGET")
        .map(|text| Kind::named(text).map_err(|hint| SessionError::NoKind { text: text.to_owned(), hint }));
    Ok(match (args.kind, named.transpose()?) {
        (Some(kind), _) => kind,
        (None, _) if args.base_url.is_some() => Kind::of_an_address(),
        (None, _) if args.cp_url.is_some() => Kind::of_a_control_plane(),
        (None, Some(kind)) => kind,
        // What CI sets means what the flag means.
        (None, None) if env.base_url().is_some() => Kind::of_an_address(),
        (None, None) => Kind::default(),
    })
}
