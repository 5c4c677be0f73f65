//! TLS 1.2 and 1.3 with Mozilla's root certificates.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

pub(super) fn config(roots: RootCertStore) -> ClientConfig {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions() // TLS 1.2 and 1.3
        .expect("ring serves both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tls
}

/// Mozilla's roots, compiled in. Reading the system's is slower, and Lambda's runtime has none to
/// rely on.
pub(super) fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots
}
