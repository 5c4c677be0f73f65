//! Entry point of the `delivery` Lambda function.

use aws_lambda_events::sqs::SqsEvent;
use delivery::{App, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::{
    aws::Aws, config, deadline::Deadline, egress::Egress, keyring::KeyringCache, queue::Queue,
    table::Table, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let app = App {
        table: Table::new(aws.dynamodb(), config::table()?, config::retention_days()?),
        keys: KeyringCache::new(aws.secrets_manager(), config::keyring_secret()?),
        egress: Egress::new(config::egress_allow().parse()?),
        deliveries: Queue::new(aws.sqs(), config::deliveries_queue()?),
        retries: Queue::new(aws.sqs(), config::retries_queue()?),
        events: Queue::new(aws.sqs(), config::events_queue()?),
        dead: Queue::new(aws.sqs(), config::dead_queue()?),
        public_url: config::public_url()?,
    };
    let app = &app;
    lambda_runtime::run(service_fn(async |batch: LambdaEvent<SqsEvent>| {
        let deadline = Deadline::at(batch.context.deadline);
        Ok::<_, Error>(handle(app, batch.payload, deadline).await)
    }))
    .await
}
