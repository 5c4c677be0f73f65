//! Reports about calls.

use std::collections::BTreeSet;

use super::*;

#[test]
fn call_goes_from_ringing_to_completed() {
    let mut row = sent(Channel::Call);
    for (to, theirs, status_then) in [
        (Status::Ringing, "ringing", "ringing"),
        (Status::Answered, "in-progress", "answered"),
        (Status::Ringing, "ringing late", "answered"),
        (Status::Delivered, "completed", "completed"),
        (Status::Answered, "in-progress late", "completed"),
        (Status::Failed, "failed", "completed"),
    ] {
        if let Ok(Reported {
            row: Some(after),
            event,
        }) = row.reported(provider(), &status(to, theirs), at(9))
        {
            let event = event.expect("an event");
            assert_eq!(
                (event.kind.as_str(), &event.data["status"]),
                ("call.status", &json!(status_then))
            );
            row = after;
        }
        assert_eq!(row.status.as_str(), status_then, "{theirs}");
    }
    assert_eq!(row.history.len(), 5);
}

#[test]
fn call_that_was_stored_as_delivered_is_completed() {
    let (row, _) = accepted(Channel::Call);
    let row = row.step(Status::Delivered, Some("completed".to_owned()), None, at(2));
    assert_eq!(row.status.by(row.channel), Status::Completed);
    let again = reported(&row, &status(Status::Completed, "completed"), 3);
    assert_eq!((again.row, again.event), (None, row.events().pop()));
}

#[test]
fn call_reports_emit_one_event_each() {
    let mut row = sent(Channel::Call);
    assert_eq!(
        row.events(),
        [],
        "the provider reports the progress of a call"
    );
    let mut ids = BTreeSet::new();
    for (report, kind, field, value) in [
        (
            status(Status::Sent, "ringing"),
            "call.status",
            "provider_status",
            json!("ringing"),
        ),
        (
            status(Status::Sent, "in-progress"),
            "call.status",
            "provider_status",
            json!("in-progress"),
        ),
        (
            Report::Event(json!({"digits": "1"})),
            "call.event",
            "event",
            json!({"digits": "1"}),
        ),
        (
            status(Status::Delivered, "completed"),
            "call.status",
            "status",
            json!("completed"),
        ),
        (
            recording(None),
            "call.recording",
            "recording_url",
            json!("https://a.example/r"),
        ),
    ] {
        let first = reported(&row, &report, 10);
        row = first.row.expect("on record");
        let event = first.event.expect("an event");
        assert_eq!((event.kind.as_str(), &event.data[field]), (kind, &value));
        assert!(ids.insert(event.id));
        let again = reported(&row, &report, 500);
        assert_eq!((again.row, again.event), (None, Some(event)));
    }
    for late in [Status::Sent, Status::Failed] {
        assert_eq!(
            row.reported(provider(), &status(late, "queued"), at(11)),
            Err(Ignored::Late)
        );
    }
    for number in 0..200 {
        let reported = reported(&row, &Report::Event(json!({ "number": number })), 12);
        assert!(reported.event.is_some());
        row = reported.row.unwrap_or(row);
    }
    assert_eq!(row.reported.len(), 50);
}

#[test]
fn recording_with_status_advances_the_call() {
    let row = sent(Channel::Call);
    let report = recording(Some((Status::Delivered, "completed")));
    let first = reported(&row, &report, 2);
    let after = first.row.expect("a step");
    assert_eq!(
        (
            after.status,
            after.version,
            after.updated_at,
            after.reported.len()
        ),
        (Status::Completed, row.version + 1, at(2), 1)
    );
    let again = reported(&after, &report, 3);
    assert_eq!((again.row, &again.event), (None, &first.event));
    assert_eq!(
        first.event.expect("an event").kind.as_str(),
        "call.recording"
    );
    // A report that is not recorded still counts.
    let full = Message {
        reported: vec![EventId::new(at(0), 1); 50],
        ..row.clone()
    };
    let last = changed(&full, &report, 2);
    assert_eq!(
        (last.status, last.version, last.reported.len()),
        (Status::Completed, row.version + 1, 50)
    );
}

#[test]
fn reported_call_is_not_repeated() {
    let (row, task) = accepted(Channel::Call);
    let retried = attempted(row, &task, FAILED, 1, 2);
    assert!(retried.progress.awaited.is_some());
    for report in [Report::Event(json!({"state": "ringing"})), recording(None)] {
        let row = changed(&retried, &report, 3);
        assert_eq!(
            (row.status, row.progress.awaited, row.version),
            (Status::Sent, None, retried.version + 1)
        );
    }
}
