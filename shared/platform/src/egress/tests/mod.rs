use std::net::Ipv4Addr;

use domain::egress_policy::TargetError;
use futures::FutureExt;
use http::HeaderValue;
use rustls::RootCertStore;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use super::{resolve::Lookup, *};

mod responses;
mod reuse;
mod tls;

/// A client that resolves every name to this machine and may reach only `port`.
fn egress(port: u16, roots: RootCertStore) -> Egress {
    let allow: AllowList = format!("127.0.0.1:{port}").parse().expect("allow-list");
    let loopback: Lookup = |_| async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) }.boxed();
    Egress(Arc::new(Inner::new(
        allow.clone(),
        Clients::new(allow, loopback, roots).into(),
    )))
}

fn get(url: &str) -> EgressRequest {
    EgressRequest {
        method: Method::GET,
        url: url.parse().expect(url),
        headers: HeaderMap::new(),
        body: None,
        timeout: Duration::from_secs(10),
        limit: MAX_WEBHOOK_RESPONSE_BYTES,
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("address").port();
    (listener, port)
}

/// Reads one request to the end of its body. Returns it with the head in lower case.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("length")) {
                return text;
            }
        }
        assert_ne!(
            stream.read_buf(&mut read).await.expect("request"),
            0,
            "the request is cut: {text}"
        );
    }
}

/// Sends `call` (to `/` on a new port) to a server that responds with `reply` and closes. Returns
/// the result and the request.
async fn exchange_with(
    reply: &[u8],
    call: impl FnOnce(&mut EgressRequest),
) -> (Result<EgressResponse, EgressError>, String) {
    let (listener, port) = listen().await;
    let mut made = get(&format!("http://127.0.0.1:{port}/"));
    call(&mut made);
    let egress = egress(port, RootCertStore::empty());
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("connection");
        let request = request(&mut stream).await;
        // The client may disconnect early.
        drop(stream.write_all(reply).await);
        request
    };
    let both = async { tokio::join!(egress.call(made), server) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("the request went elsewhere")
}

async fn failure_with(reply: &[u8]) -> EgressError {
    exchange_with(reply, |_| ())
        .await
        .0
        .expect_err("no response")
}

#[tokio::test]
async fn request_arrives_unchanged() {
    let (response, request) = exchange_with(
        b"HTTP/1.1 201 Created\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok",
        |call| {
            call.method = Method::PUT;
            call.headers.insert("x-key", HeaderValue::from_static("v"));
            call.body = Some(b"hello".to_vec());
        },
    )
    .await;
    let response = response.expect("response");
    assert_eq!(
        (
            response.status,
            response.body.as_slice(),
            response.truncated
        ),
        (StatusCode::CREATED, &b"ok"[..], false)
    );
    assert_eq!(response.headers["x-a"], "b");
    assert!(
        request.starts_with("put / http/1.1\r\n") && request.ends_with("\r\n\r\nhello"),
        "{request}"
    );
    for line in [
        "x-key: v",
        "content-length: 5",
        concat!("user-agent: tieline/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            request.contains(&format!("\r\n{line}\r\n")),
            "{line} is missing: {request}"
        );
    }
    assert!(!request.contains("accept-encoding"), "{request}");
}

#[tokio::test]
async fn request_without_content_sends_content_length_zero() {
    for (method, body, length) in [
        (Method::GET, None, None),
        (Method::DELETE, None, None),
        (Method::POST, None, Some("0")),
        (Method::PUT, None, Some("0")),
        (Method::PATCH, Some(Vec::new()), Some("0")),
        (Method::DELETE, Some(b"x".to_vec()), Some("1")),
    ] {
        let (response, request) = exchange_with(b"HTTP/1.1 204 No Content\r\n\r\n", |call| {
            (call.method, call.body) = (method.clone(), body);
        })
        .await;
        assert_eq!(response.expect("response").status, StatusCode::NO_CONTENT);
        let lengths: Vec<_> = request
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "))
            .collect();
        assert_eq!(lengths, Vec::from_iter(length), "{method}: {request}");
        assert!(!request.contains("transfer-encoding"), "{request}");
    }
}

#[tokio::test]
async fn redirect_is_returned() {
    // The server accepts one connection only, so following the redirect would time out.
    let reply =
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let response = exchange_with(reply, |_| ()).await.0.expect("response");
    assert_eq!(response.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(response.headers["location"], "/elsewhere");
}

#[tokio::test]
async fn body_is_cut_at_the_limit() {
    for (sent, limit, kept) in [
        (99, 100, 99),
        (100, 100, 100),
        (101, 100, 100),
        (1_000_000, MAX_WEBHOOK_RESPONSE_BYTES, 16_384),
    ] {
        let mut reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {sent}\r\n\r\n").into_bytes();
        reply.resize(reply.len() + sent, b'x');
        let response = exchange_with(&reply, |call| call.limit = limit)
            .await
            .0
            .expect("response");
        assert_eq!(
            (response.body.len(), response.truncated),
            (kept, kept < sent),
            "{sent}"
        );
    }
    let empty = exchange_with(b"HTTP/1.1 200 OK\r\n\r\nx", |call| call.limit = 0)
        .await
        .0
        .expect("response");
    assert_eq!((empty.body.len(), empty.truncated), (0, true));
}

#[tokio::test]
async fn compressed_body_is_not_decompressed() {
    let reply =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let response = exchange_with(reply, |_| ()).await.0.expect("response");
    assert_eq!(response.body, b"\x1f\x8b\x08\x00");
    assert_eq!(response.headers["content-encoding"], "gzip");
}

#[tokio::test(start_paused = true)]
async fn timeout_covers_slow_heads_and_bodies() {
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"] {
        let (listener, port) = listen().await;
        let drip = async {
            let (mut stream, _) = listener.accept().await.expect("connection");
            request(&mut stream).await;
            stream.write_all(head.as_bytes()).await.expect("head");
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            while head.is_empty() || stream.write_all(b"x").await.is_ok() {
                tick.tick().await;
            }
        };
        let egress = egress(port, RootCertStore::empty());
        let mut call = get(&format!("http://127.0.0.1:{port}/"));
        call.timeout = Duration::from_secs(15);
        let start = Instant::now();
        let outcome = tokio::select! {
            outcome = egress.call(call) => outcome,
            () = drip => panic!("the client disconnected too early"),
        };
        assert_eq!(start.elapsed().as_secs(), 15);
        if head.is_empty() {
            assert_eq!(outcome.expect_err("no response"), EgressError::Timeout);
        } else {
            let response = outcome.expect("the head is a response");
            assert_eq!(
                (response.status, response.incomplete),
                (StatusCode::OK, Some(EgressError::Timeout))
            );
            assert!(
                response.body.iter().all(|byte| *byte == b'x') && response.body.len() > 10,
                "{:?}",
                response.body
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connect_timeout_is_separate() {
    // The connection is never accepted, so the TLS handshake hangs.
    let (_listener, port) = listen().await;
    let start = Instant::now();
    let outcome = egress(port, RootCertStore::empty())
        .call(get(&format!("https://hook.test:{port}/")))
        .await;
    assert_eq!(
        outcome.expect_err("no response"),
        Unreachable::ConnectTimeout.into()
    );
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn failures_are_classified() {
    assert_eq!(failure_with(b"").await, Unreachable::Closed.into());
    assert_eq!(
        failure_with(b"HTTP/1.1 200 OK\r\ncontent-").await,
        Unreachable::Closed.into()
    );
    assert_eq!(
        failure_with(b"220 mail.example ESMTP\r\n").await,
        Unreachable::Protocol.into()
    );
    assert_eq!(
        failure_with(b"HTTP/1.1 2xx OK\r\n\r\n").await,
        Unreachable::Protocol.into()
    );

    let (listener, port) = listen().await;
    drop(listener);
    let call = get(&format!("http://127.0.0.1:{port}/"));
    let refused = egress(port, RootCertStore::empty()).call(call).await;
    assert_eq!(
        refused.expect_err("no response"),
        Unreachable::Refused.into()
    );

    // There is no TCP route to a broadcast address.
    let egress = Egress::new("255.255.255.255:9".parse().expect("allow-list"));
    let unrouted = egress.call(get("http://255.255.255.255:9/")).await;
    assert_eq!(
        unrouted.expect_err("no response"),
        Unreachable::Connect.into()
    );

    let nowhere: Lookup = |_| async { Err(std::io::Error::other("no such name")) }.boxed();
    let clients = Clients::new(AllowList::default(), nowhere, RootCertStore::empty());
    let egress = Egress(Arc::new(Inner::new(AllowList::default(), clients.into())));
    let unknown = egress.call(get("https://hook.test/")).await;
    assert_eq!(unknown.expect_err("no response"), Unreachable::Dns.into());
}

#[tokio::test]
async fn disallowed_targets_are_blocked() {
    for (url, why) in [
        ("https://hook.test/", TargetError::Resolved),
        ("https://hook.test:8443/", TargetError::Resolved),
        ("http://hook.test:9000/", TargetError::Scheme),
        ("https://localhost/", TargetError::LocalName),
        ("https://127.0.0.1:9001/", TargetError::Address),
        ("https://0x7f.1/", TargetError::Address),
        ("https://hook.test:22/", TargetError::Port(22)),
    ] {
        let outcome = egress(9000, RootCertStore::empty()).call(get(url)).await;
        assert_eq!(outcome.expect_err(url), EgressError::Blocked(why), "{url}");
    }
}

async fn respond_ok(stream: &mut (impl AsyncWrite + Unpin)) {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await
        .expect("response");
    stream.flush().await.expect("response");
}

/// A process can't safely set its own environment, so another test runs in a process that has the
/// variables.
#[test]
fn proxy_from_the_environment_is_ignored() {
    let proxy = "http://127.0.0.1:1";
    let status = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "egress::tests::request_arrives_unchanged"])
        .envs(
            [
                "http_proxy",
                "HTTP_PROXY",
                "https_proxy",
                "HTTPS_PROXY",
                "all_proxy",
                "ALL_PROXY",
            ]
            .map(|name| (name, proxy)),
        )
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .expect("run");
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(
        status.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
