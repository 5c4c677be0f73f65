//! Starts the config API as a Lambda function.

use config_api::{Clients, router};
use platform::{
    aws::Aws, config, gateway, keyring::KeyringCache, queue::Queue, table::Table, telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let public_url = config::public_url()?;
    let router = router(Clients {
        table: Table::new(aws.dynamodb(), config::table()?, config::retention_days()?),
        keys: KeyringCache::new(aws.secrets_manager(), config::keyring_secret()?),
        events: Queue::new(aws.sqs(), config::events_queue()?),
        deliveries: Queue::new(aws.sqs(), config::deliveries_queue()?),
        allow: config::egress_allow().parse()?,
        public_url: public_url.clone(),
    });
    gateway::run(&public_url, router).await
}
