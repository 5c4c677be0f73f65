//! Reuse of connections, and receivers that close them.

use super::*;

/// Actions of a receiver for the requests of one connection, in order. Then it closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Respond,
    /// Closes without sending a byte.
    Close,
    /// Resets the connection, discarding what was sent.
    Reset,
    /// Starts a response and closes.
    Begin,
}

/// Serves a list of connections. Returns the requests of each.
async fn serve(listener: TcpListener, connections: &[&[Act]]) -> Vec<Vec<String>> {
    let mut seen = Vec::new();
    for acts in connections {
        let (mut stream, _) = listener.accept().await.expect("connection");
        let mut requests = Vec::new();
        for act in *acts {
            requests.push(request(&mut stream).await);
            match act {
                Act::Respond => respond_ok(&mut stream).await,
                Act::Close => stream.shutdown().await.expect("closed"),
                Act::Reset => stream.set_zero_linger().expect("a socket"),
                Act::Begin => {
                    stream.write_all(b"H").await.expect("a byte");
                    stream.shutdown().await.expect("closed");
                }
            }
        }
        seen.push(requests);
    }
    seen
}

/// Sends requests one after the other. Returns their results and the requests that the receiver
/// saw.
async fn calls(
    count: usize,
    connections: &[&[Act]],
) -> (Vec<Result<u16, EgressError>>, Vec<Vec<String>>) {
    let (listener, port) = listen().await;
    let egress = egress(port, RootCertStore::empty());
    let calls = async {
        let mut results = Vec::new();
        for n in 0..count {
            let mut call = get(&format!("http://127.0.0.1:{port}/{n}"));
            call.method = Method::POST;
            call.headers
                .insert("webhook-id", HeaderValue::from_static("evt_1"));
            call.body = Some(b"content".to_vec());
            results.push(
                egress
                    .clone()
                    .call(call)
                    .await
                    .map(|response| response.status.as_u16()),
            );
        }
        results
    };
    let both = async { tokio::join!(calls, serve(listener, connections)) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("as many connections as were announced")
}

#[tokio::test]
async fn connection_is_reused() {
    let (results, seen) = calls(3, &[&[Act::Respond; 3]]).await;
    assert_eq!((results, seen[0].len()), (vec![Ok(200); 3], 3));
}

#[tokio::test]
async fn request_lost_on_a_reused_connection_is_repeated() {
    for loss in [Act::Close, Act::Reset, Act::Begin] {
        let (results, seen) = calls(2, &[&[Act::Respond, loss], &[Act::Respond]]).await;
        assert_eq!(results, [Ok(200), Ok(200)]);
        assert_eq!(seen[0][1], seen[1][0], "the repeat is the same request");
        assert!(
            seen[1][0].contains("webhook-id: evt_1") && seen[1][0].ends_with("content"),
            "{}",
            seen[1][0]
        );
    }
}

#[tokio::test]
async fn request_is_repeated_at_most_once() {
    let closed = Err(EgressError::Unreachable(Unreachable::Closed));
    // The repeat is lost too. On a new connection, that is the outcome.
    let (results, seen) = calls(2, &[&[Act::Respond, Act::Close], &[Act::Close]]).await;
    assert_eq!((results, seen.len()), (vec![Ok(200), closed], 2));
    // A loss on the first use of a connection is not repeated.
    let (results, seen) = calls(1, &[&[Act::Close]]).await;
    assert_eq!((results, seen.len()), (vec![closed], 1));
}

#[tokio::test(start_paused = true)]
async fn repeat_uses_the_remaining_time() {
    let (listener, port) = listen().await;
    let egress = egress(port, RootCertStore::empty());
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("connection");
        request(&mut stream).await;
        respond_ok(&mut stream).await;
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        drop(stream);
        let (mut stream, _) = listener.accept().await.expect("connection");
        request(&mut stream).await;
        std::future::pending::<()>().await;
    };
    let calls = async {
        let call = || get(&format!("http://127.0.0.1:{port}/"));
        egress.call(call()).await.expect("response");
        let start = Instant::now();
        (egress.call(call()).await, start.elapsed().as_secs())
    };
    let (result, seconds) =
        tokio::select! { () = serve => unreachable!(), result = calls => result };
    assert_eq!(
        (result.expect_err("no response"), seconds),
        (EgressError::Timeout, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn reused_connection_that_closes_later_than_a_second_is_not_repeated() {
    let (listener, port) = listen().await;
    let egress = egress(port, RootCertStore::empty());
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("connection");
        request(&mut stream).await;
        respond_ok(&mut stream).await;
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        drop(stream);
        listener.accept().await.expect("connection");
    };
    let calls = async {
        let call = || get(&format!("http://127.0.0.1:{port}/"));
        egress.call(call()).await.expect("response");
        egress.call(call()).await
    };
    let result = tokio::select! { () = serve => panic!("the request was repeated"), result = calls => result };
    assert_eq!(
        result.expect_err("no response"),
        EgressError::Unreachable(Unreachable::Closed)
    );
}
