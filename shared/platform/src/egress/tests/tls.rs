use rustls::crypto::ring;
use tokio_rustls::TlsAcceptor;

use super::*;

#[tokio::test]
async fn https_verifies_certificate_and_name() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["hook.test".to_owned()]).expect("certificate");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .expect("server");
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let mut trusted = RootCertStore::empty();
    trusted.add(cert.der().clone()).expect("root");

    let (listener, port) = listen().await;
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.expect("connection");
            if let Ok(mut stream) = acceptor.accept(stream).await {
                request(&mut stream).await;
                respond_ok(&mut stream).await;
            }
        }
    };
    let calls = async {
        let call = |host: &str| get(&format!("https://{host}:{port}/"));
        let response = egress(port, trusted.clone())
            .call(call("hook.test"))
            .await
            .expect("response");
        assert_eq!(response.body, b"ok");
        let untrusted = egress(port, public_roots())
            .call(call("hook.test"))
            .await
            .expect_err("untrusted certificate");
        assert_eq!(
            untrusted,
            Unreachable::Tls("the certificate is not signed by a trusted authority").into()
        );
        let other = egress(port, trusted)
            .call(call("other.test"))
            .await
            .expect_err("name mismatch");
        assert_eq!(
            other,
            Unreachable::Tls("the certificate is for a different host name").into()
        );
    };
    tokio::select! { () = serve => unreachable!(), () = calls => () }
}

#[tokio::test]
async fn server_without_tls_is_reported() {
    let (listener, port) = listen().await;
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("connection");
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("response");
        stream.read_to_end(&mut Vec::new()).await
    };
    let egress = egress(port, RootCertStore::empty());
    let (outcome, _) = tokio::join!(
        egress.call(get(&format!("https://hook.test:{port}/"))),
        serve
    );
    assert_eq!(
        outcome.expect_err("no TLS"),
        Unreachable::Tls("the server does not speak TLS").into()
    );
}

#[test]
fn public_roots_are_loaded() {
    assert_eq!(
        public_roots().len(),
        webpki_root_certs::TLS_SERVER_ROOT_CERTS.len()
    );
}
