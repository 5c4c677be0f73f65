//! Reports of providers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::secrets::redact::{Redactor, Secrets};

#[test]
fn report_before_the_response_counts() {
    let (row, task) = accepted(Channel::Sms);
    let row = attempted(row, &task, FAILED, 0, 1);
    let task = row.task().expect("a retry");
    let sent = changed(&row, &status(Status::Sent, "sent"), 2);
    assert_eq!(
        (sent.status, arrive(Some(&sent), &task)),
        (Status::Sent, Arrival::Stale)
    );
    // The attempt had started by then.
    let after = attempted(sent, &task, FAILED, 2, 3);
    assert_eq!(
        (after.status, after.progress.awaited, after.attempts.len()),
        (Status::Sent, None, 2)
    );
}

#[test]
fn final_report_is_recorded_and_repeats_lead_to_the_same_event() {
    let sent = sent(Channel::Sms);
    let delivered = status(Status::Delivered, "delivered");
    let first = reported(&sent, &delivered, 2);
    let row = first.row.expect("a step");
    let expected = stepped(sent.clone(), Status::Delivered, Some("delivered"), 2);
    assert_eq!(row, expected);
    assert_eq!(event_names(&row), ["sms.sent", "sms.delivered"]);
    assert_eq!(row.events().pop(), first.event);
    let again = reported(&row, &delivered, 99);
    assert_eq!((again.row, again.event), (None, first.event));
    let other = Id::new(at(0), 8);
    for (report, from, why) in [
        (status(Status::Failed, "failed"), provider(), Ignored::Late),
        (status(Status::Sent, "sent"), provider(), Ignored::Late),
        (status(Status::Delivered, "read"), provider(), Ignored::Late),
        (
            status(Status::Failed, "failed"),
            other,
            Ignored::OtherProvider,
        ),
        (recording(None), provider(), Ignored::NotACall),
        (Report::Event(json!({})), provider(), Ignored::NotACall),
    ] {
        assert_eq!(row.reported(from, &report, at(3)), Err(why), "{report:?}");
    }

    let failed = changed(&sent, &status(Status::Failed, "undelivered"), 2);
    assert_eq!(
        failed.error.as_deref(),
        Some("the provider reported \"undelivered\"")
    );
}

#[test]
fn reports_are_stored_without_secrets() {
    let mut secrets = Secrets::default();
    secrets.add("the-api-key");
    let secrets = Redactor::new(secrets);
    for (report, redacted) in [
        (
            json!({"event": {"sid": "the-api-key", "more": ["x the-api-key", 1, {"the": "the%2Dapi-key"}]}}),
            json!({"event": {"sid": "•••", "more": ["x •••", 1, {"the": "•••"}]}}),
        ),
        (
            json!({"recording": {"url": "https://a.example/the-api-key", "status": ["completed", "done"]}}),
            json!({"recording": {"url": "https://a.example/•••", "status": ["completed", "done"]}}),
        ),
    ] {
        let report: Report = serde_json::from_value(report).expect("a report");
        assert_eq!(json!(report.redacted(&secrets)), redacted);
    }
}

fn any_status() -> impl Strategy<Value = Status> {
    proptest::sample::select(Status::all(Channel::Sms)).prop_map(|(_, status)| status)
}

proptest! {
    #[test]
    fn status_only_moves_forward(steps in proptest::collection::vec(any_status(), 0..12)) {
        let (mut row, _) = accepted(Channel::Sms);
        for (second, step) in (1..).zip(steps) {
            let before = row.status;
            let reported = row.reported(provider(), &status(step, step.as_str()), at(second));
            if let Ok(Reported { row: Some(after), .. }) = reported {
                prop_assert!(before.advance(after.status).is_some() && after.progress.awaited.is_none());
                row = after;
            }
            prop_assert!(row.status.advance(before).is_none());
        }
        prop_assert!(row.history.len() <= 3);
        prop_assert!(row.history.windows(2).all(|pair| pair[0].status.advance(pair[1].status).is_some()));
        let distinct: BTreeSet<_> = row.events().into_iter().map(|event| event.id).collect();
        prop_assert_eq!(distinct.len() + 1, row.history.len());
    }
}
