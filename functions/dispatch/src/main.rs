//! Entry point of the `dispatch` Lambda function.

use aws_lambda_events::sqs::SqsEvent;
use dispatch::{App, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::{aws::Aws, config, deadline::Deadline, queue::Queue, table::Table, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let app = App {
        table: Table::new(aws.dynamodb(), config::table()?, config::retention_days()?),
        events: Queue::new(aws.sqs(), config::events_queue()?),
        deliveries: Queue::new(aws.sqs(), config::deliveries_queue()?),
        retries: Queue::new(aws.sqs(), config::retries_queue()?),
        dead: Queue::new(aws.sqs(), config::dead_queue()?),
    };
    let app = &app;
    lambda_runtime::run(service_fn(async |batch: LambdaEvent<SqsEvent>| {
        let deadline = Deadline::at(batch.context.deadline);
        Ok::<_, Error>(handle(app, batch.payload, deadline).await)
    }))
    .await
}
