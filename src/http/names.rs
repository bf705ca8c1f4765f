//! Names under `localhost` are this machine (RFC 6761 §6.3), also where its own resolver does not know that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The machine's resolver, but for those names.
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            if is_under_localhost(&host) {
                // The reference servers listen on the IPv4 loopback.
                let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                let found: Addrs = Box::new(both.into_iter().map(|ip| SocketAddr::new(ip, 0)));
                return Ok(found);
            }
            let found = tokio::net::lookup_host((host, 0)).await?;
            let found: Addrs = Box::new(found.collect::<Vec<_>>().into_iter());
            Ok(found)
        })
    }
}

/// Whether a host is a name under `localhost`.
pub(super) fn is_under_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.len() > ".localhost".len() && host.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_under_localhost() {
        for (host, under) in [
            ("a.localhost", true),
            ("A.b.LOCALHOST.", true),
            ("localhost", false),
            (".localhost", false),
            ("xlocalhost", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_under_localhost(host), under, "{host}");
        }
    }
}
