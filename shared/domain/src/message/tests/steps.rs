//! Statuses of calls, and cancelled messages.

use super::*;

#[test]
fn call_goes_from_ringing_to_completed() {
    let (row, task) = accepted(Channel::Call);
    let mut row = row.record_attempt(&task, made(1, SENT, at(0)), at(1), String::new());
    for (reported, theirs, status_then) in [
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
        }) = row.reported(provider(), &status(reported, theirs), at(9))
        {
            let event = event.expect("an event");
            assert_eq!(
                (event.kind.as_str(), &event.data["status"]),
                ("call.status", &json!(status_then))
            );
            row = after;
        }
        assert_eq!(row.status.by(row.channel).as_str(), status_then, "{theirs}");
    }
    assert_eq!(row.history.len(), 5);
}

#[test]
fn call_that_was_stored_as_delivered_is_completed() {
    let (row, _) = accepted(Channel::Call);
    let row = row.step(Status::Delivered, Some("completed".to_owned()), None, at(2));
    assert_eq!(row.status.by(row.channel), Status::Completed);
    let again = row
        .reported(provider(), &status(Status::Completed, "completed"), at(3))
        .expect("the same");
    assert_eq!((again.row, again.event), (None, row.events().pop()));
}

#[test]
fn queued_message_can_be_cancelled() {
    let (row, task) = accepted(Channel::Sms);
    let cancelled = row.cancelled(at(1)).expect("it is queued");
    assert!(
        cancelled.is_cancelled()
            && cancelled.cancelled(at(2)).is_none()
            && cancelled.version == row.version + 1
    );
    assert_eq!(
        attempt::arrive(Some(&cancelled), &task),
        crate::attempt::Arrival::Stale,
        "nothing is sent any more"
    );
    let events = cancelled.events();
    assert_eq!(
        (
            events.len(),
            events[0].kind.as_str(),
            &events[0].data["error"]
        ),
        (1, "sms.failed", &json!("cancelled"))
    );
    let sent = row.record_attempt(&task, made(1, SENT, at(0)), at(1), String::new());
    assert!(sent.cancelled(at(2)).is_none());
}
