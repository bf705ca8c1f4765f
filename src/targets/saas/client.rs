//! The HTTP client for control planes and tenants.

use crate::http;
use crate::targets::OpenError;

pub(super) fn client(http: &http::Config, tls: bool) -> Result<http::Client, OpenError> {
    let config = http::Config { tls, ..http.clone() };
    http::Client::new(&config)
        .map_err(|why| OpenError::new(why.to_string(), &["--ca-cert, --insecure and the proxy variables"]))
}
