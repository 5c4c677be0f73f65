//! Starts inbound as a Lambda function.

use lambda_http::{Error, Request, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    lambda_http::run(service_fn(async |request: Request| inbound::handle(&request).map_err(Error::from))).await
}
