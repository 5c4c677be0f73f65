//! Timing of retries of messages, and the maximum duration of sending.

use std::time::{Duration, Instant};

use domain::message::Status;
use serde_json::{Value, json};
use tests::{
    fake::sqs::Name,
    receiver::{Reply, Request},
    rights::{allowed, taken, unused_patterns},
};

use crate::api::{Api, egress};

#[tokio::test]
async fn message_fails_after_an_hour_of_retries() {
    let mut api = Api::new(&egress()).await;
    api.provider("down", json!({})).await;
    api.system
        .webhook("watch", json!({"events": ["sms.*"]}))
        .await;
    let mut asked = 0;
    api.system.receiver.script(move |request: &Request| {
        asked += usize::from(request.name() == "down");
        match (request.name(), asked) {
            ("watch", _) => Reply::status(200),
            // Later than planned, but within the hour.
            (_, 2) => Reply::retry_after(429, 1_000),
            _ => Reply::status(301),
        }
    });
    let began = api.system.time();
    let id = api.send("down").await;
    let mut calls = Vec::new();
    loop {
        api.system.begin_count();
        let Some((queue, _)) = api.system.step().await else {
            break;
        };
        if queue != Name::Events {
            calls.append(&mut api.system.fake.state().calls);
        }
    }
    let (taken, allowed) = (taken(&calls), allowed("DeliveryFunction"));
    assert!(
        taken.is_subset(&allowed),
        "{:?} is not allowed",
        taken.difference(&allowed)
    );
    let unused = unused_patterns("DeliveryFunction", &calls);
    for used in ["read messages#*", "write messages#*", "read provider#*"] {
        assert!(!unused.contains(used), "{unused:?}");
    }
    let message = api.message(id).await;
    let times: Vec<i64> = api
        .requests("down")
        .iter()
        .map(|request| request.at.duration_since(began).as_secs())
        .collect();
    assert_eq!(times, [0, 5, 1_005, 1_800]);
    let attempts: Vec<(u32, Option<u16>)> = message
        .attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.status_code))
        .collect();
    assert_eq!(
        attempts,
        [
            (1, Some(301)),
            (2, Some(429)),
            (3, Some(301)),
            (4, Some(301))
        ]
    );
    let history: Vec<Status> = message.history.iter().map(|change| change.status).collect();
    assert_eq!(
        (message.status, history),
        (Status::Failed, vec![Status::Queued, Status::Failed])
    );
    assert_eq!(
        message.error.as_deref(),
        Some("the receiver responded with 301")
    );
    let reported = api.requests("watch");
    assert_eq!(reported.len(), 1);
    let event: Value = serde_json::from_slice(&reported[0].body).expect("JSON");
    assert_eq!(
        (&event["type"], &event["data"]["message_id"]),
        (&json!("sms.failed"), &json!(id))
    );
    assert_eq!(
        event["data"]["metadata"],
        json!({"n": 1e300}),
        "what DynamoDB's numbers can't represent"
    );
    let shown = api
        .call("GET", &format!("/v1/messages/{id}"), Value::Null)
        .await
        .expect(200);
    assert_eq!(
        (&shown["next_attempt_at"], &shown["metadata"]),
        (&Value::Null, &json!({"n": 1e300}))
    );
}

#[tokio::test]
async fn blocked_attempt_lists_missing_tags() {
    let mut api = Api::new(&egress()).await;
    let url = format!(
        "{}/{{message.metadata.region}}/send",
        api.system.receiver.url_of("regional")
    );
    let provider = api.provider("regional", json!({"send_url": url})).await;
    let id = api.send("regional").await;
    api.system.run().await;
    let attempts = api.message(id).await.attempts;
    let missing: Vec<&[String]> = attempts
        .iter()
        .map(|attempt| &*attempt.missing_tags)
        .collect();
    assert_eq!(missing, [["message.metadata.region".to_owned()]]);
    let path = format!(
        "/v1/providers/{}/test",
        provider["id"].as_str().expect("an id")
    );
    let tested = api
        .call("POST", &path, json!({"to": "+15555550100"}))
        .await
        .expect(200);
    assert_eq!(
        tested["attempt"]["missing_tags"],
        json!(["message.metadata.region"])
    );
}

#[tokio::test]
async fn attempts_of_a_batch_run_concurrently() {
    let mut api = Api::new(&egress()).await;
    api.provider("hangs", json!({})).await;
    api.provider("quick", json!({})).await;
    api.system.receiver.script(|request: &Request| {
        if request.name() == "hangs" {
            Reply::hang()
        } else {
            Reply::status(200)
        }
    });
    for _ in 0..5 {
        api.send("hangs").await;
        api.send("quick").await;
    }
    let began = Instant::now();
    api.system.step().await.expect("a batch of ten");
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(14)..Duration::from_secs(25)).contains(&took),
        "{took:?}"
    );
    let quick = api.requests("quick");
    assert_eq!((quick.len(), api.requests("hangs").len()), (5, 5));
    assert!(
        quick
            .iter()
            .all(|request| request.instant - began < Duration::from_secs(5)),
        "no request waits for the hanging ones"
    );
}

#[tokio::test]
async fn early_report_is_retried_for_15_minutes() {
    // Attempts are made after 0 s, 5 s, 5 min and 30 min.
    for (known_after, status) in [(200, Status::Delivered), (1_000, Status::Sent)] {
        let mut api = Api::new(&egress()).await;
        let provider = api
            .provider("late", json!({"response": {"id_pointer": "/id"}}))
            .await;
        let began = api.system.time();
        api.system.receiver.script(move |request: &Request| {
            let early = request.at.duration_since(began).as_secs() < known_after;
            if early {
                Reply::status(500)
            } else {
                Reply::status(200).body(r#"{"id": "theirs"}"#)
            }
        });
        let id = api.send("late").await;
        let report = json!({
            "callback": {
                "id": {"theirs": "theirs"},
                "report": {"status": {"status": "delivered", "provider_status": "done"}},
            },
            "provider": provider["id"],
            "received_at": began,
        });
        api.system.put(Name::Deliveries, report.to_string()).await;
        api.system.run().await;
        assert_eq!(
            api.message(id).await.status,
            status,
            "known after {known_after} s"
        );
        assert!(api.system.fake.state().queues.on(Name::Dead).is_empty());
    }
}
