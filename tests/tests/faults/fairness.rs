//! Endpoints that hang. Tested here because other concurrent deliveries would distort the
//! measurement.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{
    faults::Faulty,
    load::publish_many,
    receiver::{Receiver, Reply},
};

const TIMEOUT: Duration = Duration::from_secs(6);
/// Tolerance for a busy machine. A second timeout would take longer.
const TOLERANCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn hung_endpoint_delays_others_by_at_most_one_timeout() {
    let faulty = Faulty::get().await;
    let stack = &faulty.stack;
    let (healthy, other) = (Receiver::start(), Receiver::start());
    stack
        .webhook()
        .url(healthy.url())
        .events(["chat"])
        .create()
        .await;
    let webhook = stack
        .webhook()
        .url(other.url())
        .set("timeout_seconds", TIMEOUT.as_secs())
        .create()
        .await;
    let behind_a_hundred = async |count: usize| {
        publish_many(stack, 100, 100).await;
        other.wait_for(count).await;
        let started = Instant::now();
        stack.publish("chat", json!({})).await;
        healthy.wait_for(healthy.requests().len() + 1).await;
        started.elapsed()
    };

    let usual = behind_a_hundred(1).await;
    other.wait_for(100).await;
    other.set_reply(Reply::hang());
    let delayed = behind_a_hundred(101).await;

    assert!(
        delayed <= usual + TIMEOUT + TOLERANCE,
        "{delayed:?}, and {usual:?} when no endpoint hangs"
    );
    assert!(
        other.requests().len() < 200,
        "all of them would have taken several timeouts"
    );
    webhook.delete().await;
}
