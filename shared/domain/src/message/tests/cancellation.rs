//! Messages cancelled by a client.

use super::*;

#[test]
fn queued_message_can_be_cancelled() {
    let (row, task) = accepted(Channel::Sms);
    let cancelled = row.cancelled(at(1)).expect("queued");
    let expected = Message {
        error: Some("cancelled".to_owned()),
        progress: Progress::default(),
        ..stepped(row.clone(), Status::Failed, None, 1)
    };
    assert_eq!(cancelled, expected);
    assert!(cancelled.is_cancelled() && cancelled.cancelled(at(2)).is_none());
    assert_eq!(arrive(Some(&cancelled), &task), Arrival::Stale);
    assert_eq!(event_names(&cancelled), ["sms.failed"]);
    assert_eq!(cancelled.events()[0].data["error"], "cancelled");

    let blocked = Outcome::Blocked {
        reason: "x".to_owned(),
    };
    let failed = attempted(row.clone(), &task, blocked, 0, 1);
    let sent = attempted(row, &task, SENT, 0, 1);
    for other in [&failed, &sent] {
        assert!(!other.is_cancelled() && other.cancelled(at(2)).is_none());
    }
    // Only a cancelled message may have been sent after all.
    assert_eq!(
        failed.reported(provider(), &status(Status::Delivered, "delivered"), at(9)),
        Err(Ignored::Late)
    );
}

#[test]
fn cancellation_during_a_successful_attempt_has_no_effect() {
    let (row, task) = accepted(Channel::Sms);
    let cancelled = row.cancelled(at(1)).expect("queued");
    let failed = attempted(cancelled.clone(), &task, FAILED, 0, 2);
    assert!(
        failed.is_cancelled() && failed.progress.awaited.is_none() && failed.attempts.len() == 1
    );
    let sent = attempted(cancelled, &task, SENT, 0, 2);
    assert_eq!(
        (
            sent.status,
            &sent.error,
            sent.provider_message_id.as_deref()
        ),
        (Status::Sent, &None, Some("SM1"))
    );
    assert_eq!(event_names(&sent), ["sms.failed", "sms.sent"]);
    let delivered = changed(&sent, &status(Status::Delivered, "delivered"), 9);
    assert_eq!(delivered.status, Status::Delivered);
}

#[test]
fn report_about_a_cancelled_message_counts() {
    let (row, task) = accepted(Channel::Sms);
    let failed = attempted(row.clone(), &task, FAILED, 0, 1);
    let during = row.cancelled(at(1)).expect("queued");
    let after = failed.cancelled(at(2)).expect("queued");
    for (cancelled, in_flight) in [(&during, true), (&after, false)] {
        let delivered = status(Status::Delivered, "delivered");
        let first = reported(cancelled, &delivered, 9);
        let mut row = first.row.expect("a step");
        if in_flight {
            row = attempted(row, &task, SENT, 0, 10);
        }
        assert_eq!(
            (row.status, &row.error, &row.progress.awaited),
            (Status::Delivered, &None, &None)
        );
        assert_eq!(event_names(&row), ["sms.failed", "sms.delivered"]);
        let event = first.event.expect("an event");
        assert_eq!(event.kind.as_str(), "sms.delivered");
        let again = reported(&row, &delivered, 20);
        assert_eq!(
            (again.row, again.event.map(|event| event.id)),
            (None, Some(event.id))
        );

        let row = changed(cancelled, &status(Status::Sent, "sent"), 9);
        assert_eq!((row.status, &row.progress.awaited), (Status::Sent, &None));
        assert_eq!(
            cancelled.reported(provider(), &status(Status::Queued, "queued"), at(9)),
            Err(Ignored::Late)
        );
    }
}
