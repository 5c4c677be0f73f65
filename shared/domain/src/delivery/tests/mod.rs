mod events;
mod rows;
mod tasks;

use super::*;
use crate::id::{EventId, WebhookId};

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

fn first_task() -> DeliveryTask {
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
        (RetryPolicy::default(), first_task(), None, at(0));
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
    let first = first_task();
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
    let awaited = &second.attempt.id.token;
    let [earlier, later] = [1, 3].map(|number| DeliveryTask {
        attempt: request(number, awaited),
        ..second.clone()
    });
    for (message, arrival) in [
        (&first, Arrival::FollowUp),
        (&duplicate, Arrival::Stale),
        (&second, Arrival::Attempt),
        (&forged, Arrival::Stale),
        (&earlier, Arrival::Stale),
        (&later, Arrival::Stale),
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
fn disabling_a_webhook_cancels_queued_deliveries() {
    let row = settle(
        None,
        &first_task(),
        &failed(500),
        &RetryPolicy::default(),
        at(1),
    );
    let disabled = (Status::Cancelled, Some(Cancellation::Disabled));
    for (enabled, stopped_at, seen) in [
        (true, None, (Status::Retrying, None)),
        (true, Some(at(-1)), (Status::Retrying, None)),
        (true, Some(at(0)), disabled),
        (false, None, disabled),
        (false, Some(at(-1)), disabled),
    ] {
        let stopped = CancelledUntil::of(enabled, stopped_at);
        assert_eq!(row.status_seen(stopped), seen, "{stopped:?}");
    }
    let deleted = (Status::Cancelled, Some(Cancellation::Deleted));
    assert_eq!(row.status_seen(CancelledUntil::Deleted), deleted);
    let ended = settle(
        None,
        &first_task(),
        &Outcome::Delivered { code: 200 },
        &RetryPolicy::default(),
        at(1),
    );
    let succeeded = (Status::Succeeded, None);
    assert_eq!(ended.status_seen(CancelledUntil::Deleted), succeeded);
}

#[test]
fn reissued_message_replaces_the_awaited_one() {
    let first = first_task();
    let row = settle(None, &first, &failed(500), &RetryPolicy::default(), at(1));
    let second = row.awaited_task().expect("a retry");
    let (reissued, third) = row.reissue_task("t3".to_owned()).expect("a message");
    // It is sent before the row is written, so it is the awaited one both before and after.
    assert_eq!(
        (arrive(Some(&row), &third), arrive(Some(&reissued), &third)),
        (Arrival::Attempt, Arrival::Attempt)
    );
    assert_eq!(arrive(Some(&reissued), &second), Arrival::Stale);
    let (again, fourth) = reissued.reissue_task("t4".to_owned()).expect("a message");
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
