//! Attempts to send a message, and their retries.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::attempt::{Due, Task as _};

#[test]
fn accepted_message_is_sent() {
    let (row, task) = accepted(Channel::Sms);
    assert_eq!(
        json!(task),
        json!({"message": row.id, "number": 1, "token": "t1", "waits": 0})
    );
    assert_eq!(
        (arrive(Some(&row), &task), arrive(None, &task)),
        (Arrival::Attempt, Arrival::Stale)
    );
    let queued = json!({
        "id": row.id, "channel": "sms", "provider_id": provider(), "provider": "GW",
        "content": {
            "to": "+15555550100", "from": null, "subject": "s", "text": "hi", "html": null, "url": null,
            "metadata": {"order": "1"},
        },
        "default_sender": true, "campaign_id": null, "status": "queued", "provider_message_id": null,
        "error": null, "history": [{"status": "queued", "at": crate::time::show_millis(at(0))}], "attempts": [],
        "awaited": {"number": 1, "token": "t1", "due_at": at(0)}, "reported": [], "created_at": at(0), "updated_at": at(0), "version": 1,
    });
    assert_eq!(json!(row), queued);

    let sent = attempted(row.clone(), &task, SENT, 1, 2);
    let expected = Message {
        provider_message_id: Some("SM1".to_owned()),
        attempts: sent.attempts.clone(),
        progress: Progress {
            last: Some(task.attempt.id.clone()),
            awaited: None,
        },
        ..stepped(row, Status::Sent, None, 2)
    };
    assert_eq!(sent, expected);
    assert_eq!(serde_json::from_value(json!(sent)).ok(), Some(expected));
    assert_eq!(arrive(Some(&sent), &task), Arrival::FollowUp);
    assert_eq!(
        (sent.task(), event_names(&sent)),
        (None, vec!["sms.sent".to_owned()])
    );
}

#[test]
fn failures_are_retried_for_an_hour() {
    let (mut row, mut task) = accepted(Channel::Sms);
    let mut now = 0;
    let mut delays = Vec::new();
    loop {
        row = attempted(row, &task, FAILED, now, now);
        let Some(awaited) = &row.progress.awaited else {
            break;
        };
        now = (awaited.due_at - at(0)).get_seconds();
        delays.push(now);
        assert_eq!(arrive(Some(&row), &task), Arrival::FollowUp);
        task = row.task().expect("another");
        assert_eq!(arrive(Some(&row), &task), Arrival::Attempt);
    }
    assert_eq!(delays, [5, 300, 1_800]);
    assert_eq!((row.status, row.attempts.len()), (Status::Failed, 4));
    assert_eq!(event_names(&row), ["sms.failed"]);
    assert_eq!(
        row.events()[0].data["error"],
        "the receiver responded with 500"
    );

    // The next attempt is 5 s after the start of this one, however long it takes.
    assert_eq!(next(at(0), (1, at(0)), &FAILED, at(3)), Some(at(5)));
    let failed = |code, retry_after: Option<u64>| {
        Outcome::Failed(Failure::Status {
            code,
            retry_after: retry_after.map(Duration::from_secs),
        })
    };
    let blocked = Outcome::Blocked {
        reason: "x".to_owned(),
    };
    for (number, outcome, now, expected) in [
        (1, failed(410, None), 0, Some(5)),
        (1, failed(429, Some(60)), 0, Some(60)),
        (1, failed(429, Some(1)), 0, Some(5)),
        (1, failed(429, Some(86_400)), 0, Some(3_600)),
        (4, FAILED, 1_801, None),
        (3, FAILED, 3_601, None),
        (2, FAILED, 300, Some(1_800)),
        (1, blocked, 0, None),
        (1, SENT, 0, None),
    ] {
        assert_eq!(
            next(at(0), (number, at(now)), &outcome, at(now)),
            expected.map(at),
            "{number} {outcome:?}"
        );
    }
}

#[test]
fn attempts_end_after_the_hour() {
    let (row, task) = accepted(Channel::Sms);
    assert!(
        !row.is_out_of_time(at(100_000)),
        "the first attempt has no time limit"
    );
    let row = attempted(row, &task, FAILED, 1, 2);
    assert!(!row.is_out_of_time(at(4_201)) && row.is_out_of_time(at(4_202)));
}

#[test]
fn lost_or_duplicate_queue_message_has_no_effect() {
    let (row, task) = accepted(Channel::Sms);
    let row = attempted(row, &task, FAILED, 0, 1);
    let second = row.task().expect("a retry");
    // The clock of another instance may be late.
    let (reissued, replacing) = row.reissue_task(at(-9), "t3".to_owned()).expect("a retry");
    let mut expected = row.clone();
    expected
        .progress
        .awaited
        .as_mut()
        .expect("a retry")
        .id
        .token = "t3".to_owned();
    expected.version += 1;
    assert_eq!(reissued, expected);
    assert_eq!(
        json!(replacing),
        json!({"message": row.id, "number": 2, "token": "t3", "due_at": at(5), "waits": 0, "replaces": "t2"})
    );
    assert_eq!(arrive(Some(&row), &replacing), Arrival::Attempt);
    assert_eq!(arrive(Some(&reissued), &replacing), Arrival::Attempt);
    assert_eq!(arrive(Some(&reissued), &second), Arrival::Stale);

    let mut later = second.clone();
    later.attempt.waits = 1;
    let early = Due::Later {
        task: later.clone(),
        delay_seconds: 5,
    };
    assert_eq!(
        (second.due(at(0)), later.clone().due(at(5))),
        (early, Due::Now(later.clone()))
    );
    later.attempt.waits = 99;
    assert!(matches!(later.clone().due(at(0)), Due::Later { .. }));
    later.attempt.waits = 100;
    assert_eq!(later.due(at(0)), Due::Lost);
    let sent = attempted(row, &replacing, SENT, 5, 6);
    assert_eq!(sent.reissue_task(at(7), "t4".to_owned()), None);
}

proptest! {
    #[test]
    fn retries_end_within_the_hour(failures in proptest::collection::vec((0..7_200_i64, proptest::option::of(0..100_000_u64)), 1..20)) {
        let mut now = at(0);
        for (number, (late, retry_after)) in (1..).zip(failures) {
            let outcome = Outcome::Failed(Failure::Status { code: 503, retry_after: retry_after.map(Duration::from_secs) });
            let Some(due) = next(at(0), (number, now), &outcome, now) else { break };
            prop_assert!(due >= now && due <= at(3_600) && number <= 3);
            now = due + SignedDuration::from_secs(late);
        }
    }
}
