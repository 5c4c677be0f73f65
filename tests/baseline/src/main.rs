//! The least that a function with `lambda_runtime`, `reqwest` and the AWS SDK can cost.
//!
//! Invoked without calls it is a function that does nothing. With calls it sends as many requests
//! and nothing else: HTTP requests, or items to the table.

use std::sync::LazyLock;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use futures::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::{aws::Aws, config};
use serde::Deserialize;

/// Requests to send.
#[derive(Deserialize)]
struct Calls {
    /// Where HTTP requests go. None writes items.
    url: Option<String>,
    count: usize,
    /// Maximum number of requests at the same time.
    concurrent: usize,
    body: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Option<Calls>>| {
        if let Some(calls) = event.payload {
            match &calls.url {
                Some(url) => post(url, &calls).await?,
                None => put(&calls).await?,
            }
        }
        Ok::<_, Error>(())
    }))
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures a client without the egress policy"
)]
async fn post(url: &str, calls: &Calls) -> Result<(), Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let sent = stream::iter(0..calls.count).map(|_| async {
        let response = client.post(url).body(calls.body.clone()).send().await?;
        response.error_for_status()?.bytes().await
    });
    let mut sent = sent.buffer_unordered(calls.concurrent);
    while let Some(response) = sent.next().await {
        response?;
    }
    Ok(())
}

async fn put(calls: &Calls) -> Result<(), Error> {
    static CLIENT: LazyLock<Client> =
        LazyLock::new(|| Aws::from_env().expect("the region is set").dynamodb());
    let table = config::table()?;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let sent = stream::iter(0..calls.count).map(|number| {
        let put = CLIENT.put_item().table_name(&table);
        put.item("pk", text("baseline"))
            .item("sk", text(&number.to_string()))
            .item("body", text(&calls.body))
            .send()
    });
    let mut sent = sent.buffer_unordered(calls.concurrent);
    while let Some(response) = sent.next().await {
        response?;
    }
    Ok(())
}
