use serde_json::json;

use super::*;
use crate::event::Event;

#[test]
fn delivery_failure_emits_one_event_and_none_about_itself() {
    let task = DeliveryTask {
        hops: 2,
        ..first_task()
    };
    let blocked = Outcome::Blocked {
        reason: "no".to_owned(),
    };
    for (outcome, status, code, error, policy) in [
        (
            failed(500),
            "failed",
            Some(500),
            "the receiver responded with 500",
            RetryPolicy::None,
        ),
        (
            failed(410),
            "failed",
            Some(410),
            "the receiver responded with 410",
            RetryPolicy::default(),
        ),
        (
            blocked,
            "blocked",
            None,
            "blocked: no",
            RetryPolicy::default(),
        ),
    ] {
        let row = settle(None, &task, &outcome, &policy, at(1));
        assert_eq!(
            (row.status.as_str(), &row.progress.awaited),
            (status, &None)
        );
        let last = attempt(1, at(1), &outcome);
        let event = delivery_failed(&row, "name", Some(&last)).expect("an event");
        let expected = Event {
            id: event.id,
            kind: kind("webhook.delivery_failed"),
            timestamp: at(1),
            data: json!({
                "delivery_id": row.id,
                "webhook_id": id().webhook,
                "webhook_name": "name",
                "event_id": id().event,
                "event_type": "message",
                "status": status,
                "attempts": 1,
                "status_code": code,
                "error": error,
            }),
            hops: 2,
        };
        assert_eq!(event, expected);
        let repeated = delivery_failed(&row, "name", None).expect("an event");
        assert_eq!(event.id, repeated.id);
        let about_itself = Delivery {
            event_type: kind("webhook.failing"),
            ..row
        };
        assert_eq!(delivery_failed(&about_itself, "name", None), None);
    }
    for outcome in [failed(500), Outcome::Delivered { code: 204 }] {
        let row = settle(None, &task, &outcome, &RetryPolicy::default(), at(1));
        assert_eq!(delivery_failed(&row, "name", None), None, "{outcome:?}");
    }
}
