//! Entry point of the `inbound` Lambda function.

use inbound::{App, handle};
use lambda_http::{Error, Request, service_fn};
use platform::{
    aws::Aws, config, gateway, keyring::KeyringCache, queue::Queue, table::Table, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let app = App {
        table: Table::new(aws.dynamodb(), config::table()?, config::retention_days()?),
        keys: KeyringCache::new(aws.secrets_manager(), config::keyring_secret()?),
        events: Queue::new(aws.sqs(), config::events_queue()?),
        deliveries: Queue::new(aws.sqs(), config::deliveries_queue()?),
        public_url: config::public_url()?,
    };
    let app = &app;
    gateway::run(
        &app.public_url,
        service_fn(async |request: Request| handle(app, &request).await.map_err(Error::from)),
    )
    .await
}
