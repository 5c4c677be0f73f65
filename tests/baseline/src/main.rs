//! The least that a function with `lambda_runtime` and `reqwest` can cost.
//!
//! Invoked without calls it is a function that does nothing. With calls it sends as many requests,
//! ten at a time, and nothing else.

use futures::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

/// Requests to send.
#[derive(Deserialize)]
struct Calls {
    url: String,
    count: usize,
    body: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Option<Calls>>| {
        if let Some(calls) = event.payload {
            send(&calls).await?;
        }
        Ok::<_, Error>(())
    }))
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures a client without the egress policy"
)]
async fn send(calls: &Calls) -> Result<(), Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let sent = stream::iter(0..calls.count).map(|_| async {
        let response = client
            .post(&calls.url)
            .body(calls.body.clone())
            .send()
            .await?;
        response.error_for_status()?.bytes().await
    });
    let mut sent = sent.buffer_unordered(10);
    while let Some(response) = sent.next().await {
        response?;
    }
    Ok(())
}
