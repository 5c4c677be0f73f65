//! Every form of response that HTTP allows, and common deviations.

use super::{super::exchange::MAX_HEADERS, *};

#[tokio::test]
async fn unusual_but_valid_responses_are_accepted() {
    let many = (0..MAX_HEADERS - 1)
        .map(|n| format!("x-{n}: a\r\n"))
        .collect::<Vec<_>>()
        .concat();
    let many = format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\nok");
    let long = format!(
        "HTTP/1.1 200 OK\r\nset-cookie: {}\r\ncontent-length: 2\r\n\r\nok",
        "x".repeat(200_000)
    );
    let repeated = format!(
        "HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nok",
        "set-cookie: a=b\r\n".repeat(200)
    );
    for reply in [
        many.as_bytes(),
        long.as_bytes(),
        repeated.as_bytes(),
        b"HTTP/1.1 200 OK\r\nx-folded: a\r\n b\r\n\tc\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 Tr\xe8s bien\r\ncontent-length: 2\r\nx-a: \xe8\r\n\r\nok",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length:2\r\nx-empty:\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nno field at all\r\n: nameless\r\nco ntent: 9\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;name=\"value\"\r\no\r\n001\r\nk\r\n0\r\nx-trailer: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 99\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nok",
    ] {
        let head = String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned();
        let response = exchange_with(reply, |_| ()).await.0.unwrap_or_else(|error| panic!("{error}: {head}"));
        assert_eq!((response.status, &*response.body, response.incomplete), (StatusCode::OK, &b"ok"[..], None), "{head}");
    }
    for (status, reply) in [
        (
            204,
            &b"HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n"[..],
        ),
        (
            304,
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
        ),
        (
            205,
            b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
        ),
        (299, b"HTTP/1.1 299\r\ncontent-length: 0\r\n\r\n"),
        (799, b"HTTP/1.1 799 Odd\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let response = exchange_with(reply, |_| ()).await.0.expect("response");
        assert_eq!(
            (
                response.status.as_u16(),
                response.body.len(),
                response.incomplete
            ),
            (status, 0, None)
        );
    }
}

#[tokio::test]
async fn folded_field_has_its_whole_value() {
    let reply = b"HTTP/1.1 503 Busy\r\nretry-after:\r\n  120\r\nx-a: one,\r\n\ttwo\r\ncontent-length: 0\r\n\r\n";
    let response = exchange_with(reply, |_| ()).await.0.expect("response");
    let text = |name: &str| {
        response.headers[name]
            .to_str()
            .expect("text")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        (text("retry-after"), text("x-a")),
        ("120".to_owned(), "one, two".to_owned())
    );
}

#[tokio::test]
async fn incomplete_response_has_status_and_partial_body() {
    for (reply, body) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"[..],
            &b"half"[..],
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            b"half",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"",
        ),
    ] {
        let response = exchange_with(reply, |_| ())
            .await
            .0
            .expect("the head is a response");
        let incomplete = Some(EgressError::Unreachable(Unreachable::Closed));
        assert_eq!(
            (response.status, &*response.body, response.incomplete),
            (StatusCode::OK, body, incomplete)
        );
    }
}
