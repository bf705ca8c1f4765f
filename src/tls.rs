//! The one TLS provider of this process.

/// Begins a client whose TLS is ring's.
pub fn client() -> reqwest::ClientBuilder {
    // An error says that it is the provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    reqwest::Client::builder()
}
