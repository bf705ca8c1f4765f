//! What the address of a server may be.

use std::net::IpAddr;

use super::names;

/// What is wrong with an address, without what may be secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAddress {
    #[error("cannot be read: {0}")]
    NoUrl(String),
    #[error("begins with `{0}:`, not with http:// or https://")]
    Scheme(String),
    #[error("has a user or a password in it: the admin token goes with --admin-token")]
    Credentials,
    #[error("has a `?` or a `#` in it: paths are put behind it")]
    Query,
    #[error("has no host")]
    NoHost,
}

/// Whether a text is the address of a server: a scheme, a host, at most a path.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn address(text: &str) -> Result<(), BadAddress> {
    let url = reqwest::Url::parse(text).map_err(|e| BadAddress::NoUrl(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadAddress::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BadAddress::Query);
    }
    if url.host_str().is_none_or(str::is_empty) { Err(BadAddress::NoHost) } else { Ok(()) }
}

/// Whether a host is this machine, for which no proxy is ever used.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || names::is_under_localhost(host)
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
