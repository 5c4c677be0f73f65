//! What an event costs: requests to AWS, and capacity units of DynamoDB. Requests that grow with
//! the load are the bill of a deployment, so each number here is a decision.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;
use tests::{
    fake::{dynamodb::units::Units, sqs::Name, system::System},
    receiver::Reply,
};

/// Requests by operation, and units.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    requests: BTreeMap<String, usize>,
    units: Units,
}

fn cost<const N: usize>(requests: [(&str, usize); N], half_reads: usize, writes: usize) -> Cost {
    let requests = requests.map(|(operation, count)| (operation.to_owned(), count));
    Cost {
        requests: requests.into(),
        units: Units { half_reads, writes },
    }
}

/// Makes all attempts that are due. Returns what they cost.
async fn work(system: &mut System) -> Cost {
    system.begin_count();
    let queues = [Name::Events, Name::Deliveries, Name::Retries];
    while system.step_on(&queues).await.is_some() {}
    Cost {
        requests: system.fake.counts(),
        units: system.fake.state().table.units,
    }
}

/// Starts a system with webhooks that match `message` and others that do not, in processes that
/// have worked before.
async fn warm(matching: usize, others: usize) -> System {
    let mut system = super::system().await;
    for number in 0..matching {
        system
            .webhook(&format!("matching-{number}"), json!({}))
            .await;
    }
    for number in 0..others {
        let fields = json!({"events": ["user.created"]});
        system.webhook(&format!("other-{number}"), fields).await;
    }
    system.publish("message", json!({})).await;
    work(&mut system).await;
    system
}

#[tokio::test]
async fn delivered_event_costs_two_writes_and_reads_by_matches_only() {
    // Reads: the subscriptions of `message` and of `*`; for an attempt the webhook, its subscription
    // and the delivery. Writes: the event's row, and one for each delivery. Webhooks that do not
    // match cost nothing.
    for (matching, others, events, writes, half_reads) in [
        (0, 0, 1, 1, 4),
        (1, 0, 1, 2, 8),
        (1, 0, 10, 20, 26),
        (10, 0, 1, 11, 44),
        (10, 300, 1, 11, 44),
    ] {
        let mut expected = cost([("Query", 2), ("PutItem", writes)], half_reads, writes);
        if matching > 0 {
            for operation in ["SendMessageBatch", "BatchGetItem"] {
                expected.requests.insert(operation.to_owned(), 1);
            }
        }
        let mut system = warm(matching, others).await;
        for number in 0..events {
            system.publish("message", json!({"number": number})).await;
        }
        let what = format!(
            "{events} events for {matching} webhooks of {}",
            matching + others
        );
        assert_eq!(work(&mut system).await, expected, "{what}");
    }
}

/// A wait longer than SQS's maximum delay passes through the queue without touching the table.
#[tokio::test]
async fn retry_costs_one_transaction_and_its_waits_no_read() {
    let mut system = warm(1, 0).await;
    system.receiver.script(|_| Reply::status(500));
    system.publish("message", json!({})).await;
    // Besides the row of the delivery: the webhook's health, and the index of unfinished deliveries.
    let first = [
        ("Query", 2),
        ("PutItem", 2),
        ("UpdateItem", 1),
        ("SendMessageBatch", 1),
        ("SendMessage", 1),
        ("BatchGetItem", 1),
    ];
    assert_eq!(work(&mut system).await, cost(first, 8, 5));
    for retry in 1..=3 {
        system.set_time(system.time() + SignedDuration::from_secs(900));
        let wait = work(&mut system).await;
        assert_eq!(
            wait,
            cost([("SendMessage", 1)], 0, 0),
            "before retry {retry}"
        );
        system.set_time(system.time() + SignedDuration::from_secs(901));
        // The keyring is read again as it is older than five minutes.
        let attempt = [
            ("BatchGetItem", 1),
            ("GetSecretValue", 1),
            ("TransactWriteItems", 1),
            ("SendMessage", 1),
        ];
        assert_eq!(
            work(&mut system).await,
            cost(attempt, 6, 5),
            "retry {retry}"
        );
    }
}

#[tokio::test]
async fn obsolete_message_costs_one_read() {
    let mut system = warm(1, 0).await;
    system.receiver.script(|_| Reply::status(500));
    system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    let first = system.fake.state().queues.on(Name::Deliveries).remove(0);
    work(&mut system).await;
    let body = first
        .body
        .replace(first.json()["token"].as_str().expect("a token"), "another");
    system.put(Name::Deliveries, body).await;
    assert_eq!(work(&mut system).await, cost([("BatchGetItem", 1)], 4, 0));
}
