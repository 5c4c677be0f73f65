//! What an event costs: requests to AWS, and capacity units of DynamoDB. Requests that grow with
//! the load are the bill of a deployment, so each number here is a decision.

use std::collections::BTreeMap;

use domain::inbound::Key;
use jiff::SignedDuration;
use lambda_http::{Body, http};
use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::{
        dynamodb::units::Units,
        functions::{PUBLIC_URL, inbound},
        sqs::Name,
        system::System,
    },
    fixture::Api,
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
    counted(system)
}

/// What was counted so far.
fn counted(system: &System) -> Cost {
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
    // Reads: the subscriptions of `message` and of `*`; for an attempt the webhook and the delivery.
    // Writes: the event's row, and one for each delivery. Webhooks that do not match cost nothing.
    for (matching, others, events, writes, half_reads) in [
        (0, 0, 1, 1, 4),
        (1, 0, 1, 2, 8),
        (1, 0, 10, 20, 26),
        (10, 0, 1, 11, 44),
        (10, 9_990, 1, 11, 44),
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

/// Sends a request to the API with or without an idempotency key. Returns the response, and what
/// it cost.
async fn call(
    system: &System,
    api: &Api,
    key: Option<&str>,
    path: &str,
    body: Value,
) -> (Response, Cost) {
    system.begin_count();
    let headers: Vec<_> = key
        .map(|key| ("idempotency-key", key))
        .into_iter()
        .collect();
    let response = api.call_with("POST", path, &headers, body).await;
    (response, counted(system))
}

#[tokio::test]
async fn publishing_costs_one_read_request_and_its_messages() {
    let system = super::system().await;
    let (api, _) = Api::of_admin(&system.fake, system.time()).await;
    let event = || json!({"type": "message", "data": {"text": "x".repeat(200)}});
    let batch = json!({"events": vec![event(); 100]});
    // The first request of a process reads the keyring, and the first of an hour records the use of
    // the token.
    api.call("POST", "/v1/events", event()).await.expect(202);
    // The rows of the token and of its user are read together. A key is claimed, and the claim
    // completed.
    let plain = [("BatchGetItem", 1), ("SendMessageBatch", 1)];
    let keyed = [("BatchGetItem", 1), ("PutItem", 2), ("SendMessageBatch", 1)];
    let batched = [("BatchGetItem", 1), ("SendMessageBatch", 10)];
    for (path, key, body, expected) in [
        ("/v1/events", None, event(), cost(plain, 4, 0)),
        ("/v1/events", Some("key"), event(), cost(keyed, 4, 2)),
        ("/v1/events/batch", None, batch, cost(batched, 4, 0)),
    ] {
        let (response, counted) = call(&system, &api, key, path, body).await;
        response.expect(202);
        assert_eq!(counted, expected, "{path} with the key {key:?}");
    }
}

#[tokio::test]
async fn inbound_call_costs_one_read_and_its_message() {
    let system = super::system().await;
    let user = "usr_01J0000000000000000000000A".parse().expect("an ID");
    system.user(user).await;
    let key = Key::new("AbCdEfGhIjKlMnOpQrSt-_", user);
    let none = || json!({"type": "none"});
    let service = system.service("https://crm.example", Some(key.clone()), none(), none());
    service.await;
    let app = inbound(&system.fake);
    let request = || {
        http::Request::post(format!("{PUBLIC_URL}/in/{}", key.expose()))
            .body(Body::from(json!({"a": 1}).to_string()))
            .expect("a request")
    };
    let call = async || {
        system.begin_count();
        let response = system.at(inbound::handle(&app, &request())).await;
        assert_eq!(response.expect("a response").status(), 202);
        counted(&system)
    };
    call().await;
    assert_eq!(
        call().await,
        cost([("BatchGetItem", 1), ("SendMessage", 1)], 4, 0)
    );
}

#[tokio::test]
async fn message_costs_three_writes_until_it_is_sent() {
    let mut system = super::system().await;
    let (api, _) = Api::of_admin(&system.fake, system.time()).await;
    system.provider("sms").await;
    let sms =
        || json!({"channel": "sms", "provider": "sms", "to": "+15555550100", "text": "Hello"});
    let send = async |system: &System| {
        let (response, accepted) = call(system, &api, None, "/v1/messages", sms()).await;
        response.expect(202);
        accepted
    };
    send(&system).await;
    work(&mut system).await;
    let accepted = send(&system).await;
    // The token with its user, the provider by name, and the message's row.
    let requests = [
        ("BatchGetItem", 2),
        ("GetItem", 1),
        ("PutItem", 1),
        ("SendMessage", 1),
    ];
    assert_eq!(accepted, cost(requests, 8, 1), "to accept it");
    // The message, its provider, its result, and the event `sms.sent`, which no webhook wants.
    let requests = [
        ("BatchGetItem", 2),
        ("Query", 3),
        ("PutItem", 2),
        ("SendMessage", 1),
    ];
    assert_eq!(work(&mut system).await, cost(requests, 10, 2), "to send it");
}
