//! Starts the sweeper as a Lambda function.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::{aws::Aws, config, queue::Queue, table::Table, telemetry};
use sweeper::{App, Request, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let app = App {
        table: Table::new(aws.dynamodb(), config::table()?, config::retention_days()?),
        retries: Queue::new(aws.sqs(), config::retries_queue()?),
    };
    let app = &app;
    lambda_runtime::run(service_fn(async |request: LambdaEvent<Request>| {
        handle(app, &request.payload).await.map_err(Error::from)
    }))
    .await
}
