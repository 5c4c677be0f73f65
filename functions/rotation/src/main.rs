//! Entry point of the `rotation` Lambda function.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::{aws::Aws, config, keyring::KeyringCache, queue::Queue, table::Table, telemetry};
use rotation::{App, Request, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let app = App {
        table: Table::new(aws.dynamodb(), config::table()?, config::retention_days()?),
        keys: KeyringCache::new(aws.secrets_manager(), config::keyring_secret()?),
        events: Queue::new(aws.sqs(), config::events_queue()?),
    };
    let app = &app;
    lambda_runtime::run(service_fn(async |request: LambdaEvent<Request>| {
        handle(app, request.payload).await.map_err(Error::from)
    }))
    .await
}
