use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    attempt::{Due, Task},
    event::Event,
    id::{EventId, WebhookId},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

fn kind(name: &str) -> EventType {
    EventType::parse(name).expect("an event type")
}

fn id() -> DeliveryId {
    DeliveryId {
        event: EventId::new(at(0), 1),
        webhook: WebhookId::new(at(0), 2),
    }
}

fn first_message() -> DeliveryTask {
    DeliveryTask::first(id(), "t1".to_owned(), at(0), None)
}

fn attempt(number: u32, now: Timestamp, outcome: &Outcome) -> Attempt {
    Attempt {
        number,
        at: now,
        duration_ms: 5,
        status_code: outcome.status_code(),
        error: outcome.error(),
        request: crate::attempt::Requested {
            method: "POST".to_owned(),
            url: "https://example.com/".to_owned(),
        },
        response_body: None,
        missing_tags: Vec::new(),
    }
}

fn request(number: u32, token: &str) -> AttemptRequest {
    let token = token.to_owned();
    AttemptRequest::new(AttemptToken { number, token }, None)
}

/// Returns the row after the attempt that `message` requests.
fn settle(
    before: Option<Delivery>,
    message: &DeliveryTask,
    outcome: &Outcome,
    policy: &RetryPolicy,
    now: Timestamp,
) -> Delivery {
    let attempt = attempt(message.attempt.id.number, now, outcome);
    let made = CompletedAttempt {
        task: message,
        event_type: &kind("message"),
        attempt: &attempt,
        outcome,
        stops: None,
    };
    Delivery::record_attempt(
        before,
        &made,
        policy,
        now,
        format!("t{}", message.attempt.id.number + 1),
    )
}

fn failed(code: u16) -> Outcome {
    Outcome::Failed(Failure::Status {
        code,
        retry_after: None,
    })
}

#[test]
fn default_schedule_has_48_retries_half_an_hour_apart() {
    let (policy, mut message, mut row, mut now) =
        (RetryPolicy::default(), first_message(), None, at(0));
    let mut retries = 0;
    let last = loop {
        assert_eq!(arrive(row.as_ref(), &message), Arrival::Attempt);
        let after = settle(row, &message, &failed(500), &policy, now);
        assert_eq!(
            arrive(Some(&after), &message),
            Arrival::FollowUp,
            "its own message repeats the follow-up"
        );
        let Some(next) = after.awaited_task() else {
            break after;
        };
        assert_eq!(next.attempt.due_at, Some(at(1800 * i64::from(retries + 1))));
        retries += 1;
        now = at(1800 * i64::from(retries));
        (row, message) = (Some(after), next);
    };
    assert_eq!((retries, last.status), (48, Status::Failed));
}

#[test]
fn row_accepts_only_its_awaited_task() {
    let first = first_message();
    assert_eq!(arrive(None, &first), Arrival::Attempt);
    let row = settle(None, &first, &failed(500), &RetryPolicy::default(), at(1));
    let second = row.awaited_task().expect("a retry");
    let duplicate = DeliveryTask {
        attempt: request(1, "other"),
        ..first.clone()
    };
    let forged = DeliveryTask {
        attempt: request(2, "other"),
        ..second.clone()
    };
    for (message, arrival) in [
        (&first, Arrival::FollowUp),
        (&duplicate, Arrival::Stale),
        (&second, Arrival::Attempt),
        (&forged, Arrival::Stale),
    ] {
        assert_eq!(
            arrive(Some(&row), message),
            arrival,
            "{:?}",
            message.attempt.id
        );
    }
    assert_eq!(
        arrive(None, &second),
        Arrival::Stale,
        "a retry without a row: it has expired"
    );
}

#[test]
fn manual_retry_continues_numbering_and_ends_older_chain() {
    let first = first_message();
    let row = settle(None, &first, &failed(500), &RetryPolicy::default(), at(1));
    let older = row.awaited_task().expect("a retry");
    let (after, manual) = row.clone().manual_retry(0, at(10), "manual".to_owned());
    assert_eq!(
        arrive(Some(&row), &manual),
        Arrival::Attempt,
        "sent before its row is written, it replaces the older one"
    );
    let row = after;
    assert_eq!(
        (
            manual.attempt.id.number,
            manual.queued_at,
            manual.delay(at(10))
        ),
        (2, at(10), 0)
    );
    assert_eq!(arrive(Some(&row), &older), Arrival::Stale);
    assert_eq!(arrive(Some(&row), &manual), Arrival::Attempt);
    // The schedule starts again: 48 more retries, counted from this attempt.
    let row = settle(
        Some(row),
        &manual,
        &failed(500),
        &RetryPolicy::default(),
        at(20),
    );
    assert_eq!(
        row.progress
            .awaited
            .as_ref()
            .map(|awaited| (awaited.id.number, awaited.due_at)),
        Some((3, at(1820)))
    );
    assert_eq!(row.first_attempt.map(|attempt| attempt.number), Some(1));
}

#[test]
fn manual_retry_uses_larger_hops() {
    let row = settle(
        None,
        &first_message(),
        &failed(500),
        &RetryPolicy::None,
        at(1),
    );
    let (row, message) = row.manual_retry(2, at(10), "second".to_owned());
    assert_eq!((row.hops, message.hops), (2, 2));
    let row = settle(
        Some(row),
        &message,
        &failed(500),
        &RetryPolicy::default(),
        at(10),
    );
    assert_eq!(
        row.awaited_task().map(|message| message.hops),
        Some(2),
        "so do its own retries"
    );
    let (row, message) = row.manual_retry(1, at(20), "fourth".to_owned());
    assert_eq!((row.hops, message.hops), (2, 2));
    let row = settle(
        Some(row),
        &message,
        &failed(500),
        &RetryPolicy::None,
        at(20),
    );
    assert_eq!(
        delivery_failed(&row, "name", None).map(|event| event.hops),
        Some(2)
    );
}

#[test]
fn delivery_failure_emits_one_event_and_none_about_itself() {
    let first = first_message();
    let blocked = Outcome::Blocked {
        reason: "no".to_owned(),
    };
    for (outcome, status) in [
        (failed(500), Status::Failed),
        (failed(410), Status::Failed),
        (blocked, Status::Blocked),
    ] {
        let row = settle(None, &first, &outcome, &RetryPolicy::None, at(1));
        assert_eq!((row.status, &row.progress.awaited), (status, &None));
        let event = delivery_failed(&row, "name", None).expect("an event");
        assert_eq!(
            event.id,
            delivery_failed(&row, "name", None).expect("an event").id
        );
        let about_itself = Delivery {
            event_type: kind("webhook.failing"),
            ..row
        };
        assert_eq!(delivery_failed(&about_itself, "name", None), None);
    }
    assert_eq!(
        settle(None, &first, &failed(410), &RetryPolicy::default(), at(1)).status,
        Status::Failed
    );
    let delivered = settle(
        None,
        &first,
        &Outcome::Delivered { code: 204 },
        &RetryPolicy::default(),
        at(1),
    );
    assert_eq!(
        (delivered.status, delivered.awaited_task()),
        (Status::Succeeded, None)
    );
    assert_eq!(delivery_failed(&delivered, "name", None), None);
}

#[test]
fn disabling_a_webhook_cancels_queued_deliveries() {
    let row = settle(
        None,
        &first_message(),
        &failed(500),
        &RetryPolicy::default(),
        at(1),
    );
    for (stopped, seen) in [
        (CancelledUntil::Never, Status::Retrying),
        (CancelledUntil::Until(at(-1)), Status::Retrying),
        (CancelledUntil::Until(at(0)), Status::Cancelled),
        (CancelledUntil::Always, Status::Cancelled),
    ] {
        assert_eq!(row.status_seen(stopped), seen, "{stopped:?}");
    }
    let ended = settle(
        None,
        &first_message(),
        &Outcome::Delivered { code: 200 },
        &RetryPolicy::default(),
        at(1),
    );
    assert_eq!(ended.status_seen(CancelledUntil::Always), Status::Succeeded);
}

#[test]
fn task_round_trips() {
    let event = Event {
        id: id().event,
        kind: kind("message"),
        timestamp: at(0),
        data: json!({"a": 1}),
        hops: 2,
    };
    let message = DeliveryTask {
        attempt: AttemptRequest {
            due_at: Some(at(5)),
            waits: 3,
            ..request(1, "t1")
        },
        hops: 2,
        event: Some((&event).into()),
        ..first_message()
    };
    let text = serde_json::to_string(&message).expect("json");
    assert_eq!(
        serde_json::from_str::<DeliveryTask>(&text).expect("a message"),
        message
    );
}

proptest! {
    /// However long the wait and however late each message arrives: delays are valid, never early,
    /// and the message eventually becomes due.
    #[test]
    fn waits_use_valid_delays(wait in 0_i64..700_000, late in proptest::collection::vec(0_i64..30, 900)) {
        let due_at = at(wait);
        let mut task = first_message().postponed(due_at);
        let mut now = at(0);
        let mut due = false;
        for late in late {
            match task.due(now) {
                Due::Now(_) => {
                    due = true;
                    break;
                }
                Due::Later { task: next, delay_seconds } => {
                    prop_assert!((1..=900).contains(&delay_seconds));
                    now += jiff::SignedDuration::from_secs(i64::from(delay_seconds) + late);
                    task = next;
                }
                Due::Lost => break,
            }
        }
        prop_assert!(due && now >= due_at);
    }
}

#[test]
fn message_that_is_never_due_is_lost() {
    let mut message = first_message().postponed(at(1));
    message.attempt.waits = 2000;
    assert_eq!(message.due(at(0)), Due::Lost);
}

#[test]
fn renewed_message_replaces_the_awaited_one() {
    let first = first_message();
    let row = settle(None, &first, &failed(500), &RetryPolicy::default(), at(1));
    let second = row.awaited_task().expect("a retry");
    let (renewed, third) = row.reissue_task("t3".to_owned()).expect("a message");
    // It is sent before the row is written, so it is the awaited one both before and after.
    assert_eq!(
        (arrive(Some(&row), &third), arrive(Some(&renewed), &third)),
        (Arrival::Attempt, Arrival::Attempt)
    );
    assert_eq!(arrive(Some(&renewed), &second), Arrival::Stale);
    let (again, fourth) = renewed.reissue_task("t4".to_owned()).expect("a message");
    assert_eq!(
        (arrive(Some(&again), &third), arrive(Some(&again), &fourth)),
        (Arrival::Stale, Arrival::Attempt)
    );
    // Of two messages that were awaited at the same time, one is recorded and the other is stale.
    let recorded = settle(
        Some(row),
        &third,
        &failed(500),
        &RetryPolicy::default(),
        at(2),
    );
    assert_eq!(
        (
            arrive(Some(&recorded), &third),
            arrive(Some(&recorded), &second)
        ),
        (Arrival::FollowUp, Arrival::Stale)
    );
    let done = settle(
        None,
        &first,
        &Outcome::Delivered { code: 200 },
        &RetryPolicy::default(),
        at(1),
    );
    assert_eq!(done.reissue_task("t2".to_owned()), None);
}
