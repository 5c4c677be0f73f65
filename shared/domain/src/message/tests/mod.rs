mod new;
mod steps;

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use serde_json::json;

use super::{attempt::*, *};
use crate::{
    attempt::{Arrival, Due, Failure, Outcome, Requested, Task},
    event_type,
    id::Id,
    secrets::redact::{Redactor, Secrets},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

const PROVIDER: u128 = 7;

fn provider() -> ProviderId {
    Id::new(at(0), PROVIDER)
}

fn accepted(channel: Channel) -> (Message, SendTask) {
    let new = match channel {
        Channel::Call => NewMessage::parse_call(
            json!({"to": "+15555550100", "text": "hi", "metadata": {"order": "1"}}),
        ),
        _ => NewMessage::parse(json!({
            "channel": channel, "to": if channel == Channel::Email { "ana@example.com" } else { "+15555550100" },
            "subject": "s", "text": "hi", "metadata": {"order": "1"},
        })),
    };
    let id = MessageRef::new(channel, at(0), 5);
    Message::accept(
        new.expect("a message"),
        id,
        (provider(), "GW".to_owned()),
        at(0),
        "t1".to_owned(),
    )
}

fn made(number: u32, outcome: Outcome, now: Timestamp) -> CompletedAttempt {
    let attempt = Attempt {
        number,
        at: now,
        duration_ms: 1,
        status_code: outcome.status_code(),
        error: outcome.error(),
        request: Requested {
            method: "POST".to_owned(),
            url: "https://gw.example.com/".to_owned(),
        },
        response_body: None,
        missing_tags: Vec::new(),
    };
    let id = matches!(outcome, Outcome::Delivered { .. }).then(|| "SM1".to_owned());
    CompletedAttempt {
        attempt,
        outcome,
        provider_message_id: id,
    }
}

const SENT: Outcome = Outcome::Delivered { code: 201 };
const FAILED: Outcome = Outcome::Failed(Failure::Status {
    code: 500,
    retry_after: None,
});

fn status(status: Status, theirs: &str) -> Report {
    Report::Status {
        status,
        provider_status: theirs.to_owned(),
    }
}

#[test]
fn accepted_message_is_sent_and_delivered() {
    let (row, task) = accepted(Channel::Sms);
    assert_eq!(
        serde_json::to_value(&task).expect("JSON"),
        json!({"message": row.id, "number": 1, "token": "t1", "waits": 0})
    );
    assert_eq!(
        (arrive(Some(&row), &task), arrive(None, &task)),
        (Arrival::Attempt, Arrival::Stale)
    );
    let sent = row.record_attempt(&task, made(1, SENT, at(1)), at(2), "t2".to_owned());
    assert_eq!(
        (
            sent.status,
            sent.provider_message_id.as_deref(),
            &sent.progress.awaited
        ),
        (Status::Sent, Some("SM1"), &None)
    );
    assert_eq!(arrive(Some(&sent), &task), Arrival::FollowUp);
    let kept: Message =
        serde_json::from_str(&serde_json::to_string(&sent).expect("JSON")).expect("a message");
    assert_eq!(kept, sent);
    let reported = sent
        .reported(provider(), &status(Status::Delivered, "delivered"), at(9))
        .expect("a change");
    let row = reported.row.expect("a step");
    assert_eq!((row.status, row.version), (Status::Delivered, 3));
    let names: Vec<String> = row
        .events()
        .into_iter()
        .map(|event| event.kind.as_str().to_owned())
        .collect();
    assert_eq!(names, ["sms.sent", "sms.delivered"]);
    assert_eq!(row.events().pop(), reported.event);
    assert_eq!(
        json!(row.history[2]),
        json!({"status": "delivered", "at": crate::time::show_millis(at(9)), "provider_status": "delivered"})
    );
}

#[test]
fn cancellation_during_a_successful_attempt_has_no_effect() {
    let (row, task) = accepted(Channel::Sms);
    let cancelled = row.cancelled(at(1)).expect("queued");
    assert!(cancelled.is_cancelled() && arrive(Some(&cancelled), &task) == Arrival::Stale);
    let failed = cancelled.clone().record_attempt(
        &task,
        made(1, Outcome::Failed(Failure::Timeout), at(0)),
        at(2),
        "t2".to_owned(),
    );
    assert!(
        failed.is_cancelled() && failed.progress.awaited.is_none() && failed.attempts.len() == 1
    );
    let sent = cancelled.record_attempt(&task, made(1, SENT, at(0)), at(2), "t2".to_owned());
    assert_eq!(
        (
            sent.status,
            &sent.error,
            sent.provider_message_id.as_deref()
        ),
        (Status::Sent, &None, Some("SM1"))
    );
    let names: Vec<String> = sent
        .events()
        .into_iter()
        .map(|event| event.kind.as_str().to_owned())
        .collect();
    assert_eq!(names, ["sms.failed", "sms.sent"]);
    let reported = sent
        .reported(provider(), &status(Status::Delivered, "delivered"), at(9))
        .expect("a change");
    assert_eq!(reported.row.expect("a step").status, Status::Delivered);
}

#[test]
fn report_about_a_cancelled_message_counts() {
    let (row, task) = accepted(Channel::Sms);
    let failed = row.clone().record_attempt(
        &task,
        made(1, Outcome::Failed(Failure::Timeout), at(0)),
        at(1),
        "t2".to_owned(),
    );
    let during = row.cancelled(at(1)).expect("queued");
    let after = failed.cancelled(at(2)).expect("queued");
    for (cancelled, in_flight) in [(&during, true), (&after, false)] {
        let delivered = status(Status::Delivered, "delivered");
        let reported = cancelled
            .reported(provider(), &delivered, at(9))
            .expect("a change");
        let mut row = reported.row.expect("a step");
        if in_flight {
            row = row.record_attempt(&task, made(1, SENT, at(0)), at(10), "t2".to_owned());
        }
        assert_eq!(
            (row.status, &row.error, &row.progress.awaited),
            (Status::Delivered, &None, &None)
        );
        let event = reported.event.expect("an event");
        assert_eq!(event.kind.as_str(), "sms.delivered");
        let names: Vec<String> = row
            .events()
            .iter()
            .map(|event| event.kind.as_str().to_owned())
            .collect();
        assert_eq!(names, ["sms.failed", "sms.delivered"]);
        let again = row.reported(provider(), &delivered, at(20)).expect("known");
        assert_eq!(
            (again.row, again.event.map(|event| event.id)),
            (None, Some(event.id))
        );

        let reported = cancelled
            .reported(provider(), &status(Status::Sent, "sent"), at(9))
            .expect("a change");
        let row = reported.row.expect("a step");
        assert_eq!((row.status, &row.progress.awaited), (Status::Sent, &None));
        let queued = status(Status::Queued, "queued");
        assert_eq!(
            cancelled.reported(provider(), &queued, at(9)),
            Err(Ignored::Late)
        );
    }
}

#[test]
fn failures_are_retried_for_an_hour() {
    let (mut row, mut task) = accepted(Channel::Sms);
    let mut now = at(0);
    let mut delays = Vec::new();
    loop {
        row = row.record_attempt(
            &task,
            made(task.attempt.id.number, FAILED, now),
            now,
            format!("t{}", delays.len() + 2),
        );
        let Some(awaited) = &row.progress.awaited else {
            break;
        };
        delays.push((awaited.due_at - at(0)).get_seconds());
        assert_eq!(arrive(Some(&row), &task), Arrival::FollowUp);
        task = row.task().expect("another");
        now = awaited.due_at;
        assert_eq!(arrive(Some(&row), &task), Arrival::Attempt);
    }
    assert_eq!(delays, [5, 300, 1_800]);
    assert_eq!((row.status, row.attempts.len()), (Status::Failed, 4));
    let events = row.events();
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "sms.failed"));
    assert_eq!(events[0].data["error"], "the receiver responded with 500");

    // The next attempt is 5 s after the start of this one, however long it takes.
    assert_eq!(next(at(0), (1, at(0)), &FAILED, at(3)), Some(at(5)));
    let retry_after = |seconds| {
        Outcome::Failed(Failure::Status {
            code: 429,
            retry_after: Some(Duration::from_secs(seconds)),
        })
    };
    let gone = Outcome::Failed(Failure::Status {
        code: 410,
        retry_after: None,
    });
    let blocked = Outcome::Blocked {
        reason: "x".to_owned(),
    };
    for (number, outcome, now, expected) in [
        (1, gone, 0, Some(5)),
        (1, retry_after(60), 0, Some(60)),
        (1, retry_after(86_400), 0, Some(3_600)),
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
fn lost_or_duplicate_queue_message_has_no_effect() {
    let (row, task) = accepted(Channel::Sms);
    let row = row.record_attempt(&task, made(1, FAILED, at(0)), at(1), "t2".to_owned());
    let second = row.task().expect("a retry");
    let (renewed, replacing) = row
        .reissue_task(at(2), "t3".to_owned())
        .expect("one awaited");
    assert_eq!(arrive(Some(&row), &replacing), Arrival::Attempt);
    assert_eq!(arrive(Some(&renewed), &replacing), Arrival::Attempt);
    assert_eq!(arrive(Some(&renewed), &second), Arrival::Stale);
    let Due::Later {
        mut task,
        delay_seconds,
    } = second.due(at(0))
    else {
        panic!("due at 5 s")
    };
    assert_eq!((task.attempt.waits, delay_seconds), (1, 5));
    assert!(matches!(task.clone().due(at(5)), Due::Now(_)));
    task.attempt.waits = 100;
    assert_eq!(task.due(at(0)), Due::Lost);
}

#[test]
fn report_before_the_response_counts() {
    let (row, task) = accepted(Channel::Sms);
    let row = row.record_attempt(
        &task,
        made(1, Outcome::Failed(Failure::Timeout), at(0)),
        at(1),
        "t2".to_owned(),
    );
    let task = row.task().expect("a retry");
    let reported = row
        .reported(provider(), &status(Status::Sent, "sent"), at(2))
        .expect("a change")
        .row
        .expect("a step");
    assert_eq!(
        (reported.status, arrive(Some(&reported), &task)),
        (Status::Sent, Arrival::Stale)
    );
    // The attempt had started by then.
    let after = reported.record_attempt(&task, made(2, FAILED, at(2)), at(3), "t3".to_owned());
    assert_eq!(
        (after.status, after.progress.awaited, after.attempts.len()),
        (Status::Sent, None, 2)
    );
}

#[test]
fn late_and_foreign_reports_are_ignored() {
    let (row, task) = accepted(Channel::Sms);
    let sent = row.record_attempt(&task, made(1, SENT, at(0)), at(1), String::new());
    let news = sent
        .reported(provider(), &status(Status::Delivered, "delivered"), at(2))
        .expect("a change");
    let row = news.row.expect("a step");
    let again = row
        .reported(provider(), &status(Status::Delivered, "delivered"), at(99))
        .expect("the same");
    assert_eq!((again.row, again.event), (None, news.event));
    for (report, from, why) in [
        (status(Status::Failed, "failed"), provider(), Ignored::Late),
        (status(Status::Sent, "sent"), provider(), Ignored::Late),
        (status(Status::Delivered, "read"), provider(), Ignored::Late),
        (
            status(Status::Failed, "failed"),
            Id::new(at(0), 8),
            Ignored::OtherProvider,
        ),
        (
            Report::Recording {
                url: "u".to_owned(),
                status: None,
            },
            provider(),
            Ignored::NotACall,
        ),
        (Report::Event(json!({})), provider(), Ignored::NotACall),
    ] {
        assert_eq!(row.reported(from, &report, at(3)), Err(why), "{report:?}");
    }
}

#[test]
fn call_reports_emit_one_event_each() {
    let (row, task) = accepted(Channel::Call);
    let mut row = row.record_attempt(&task, made(1, SENT, at(0)), at(1), String::new());
    assert_eq!(
        row.events(),
        [],
        "the provider reports the progress of a call"
    );
    let mut ids = std::collections::BTreeSet::new();
    let reports = [
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
            Report::Recording {
                url: "https://a.example/r".to_owned(),
                status: None,
            },
            "call.recording",
            "recording_url",
            json!("https://a.example/r"),
        ),
    ];
    for (report, kind, field, value) in &reports {
        let first = row.reported(provider(), report, at(10)).expect("a change");
        row = first.row.expect("on record");
        let event = first.event.expect("an event");
        assert_eq!((event.kind.as_str(), &event.data[field]), (*kind, value));
        assert!(ids.insert(event.id));
        let again = row.reported(provider(), report, at(500)).expect("the same");
        assert_eq!((again.row, again.event), (None, Some(event)));
    }
    assert_eq!(
        row.reported(provider(), &status(Status::Sent, "queued"), at(11)),
        Err(Ignored::Late)
    );
    for number in 0..200 {
        let reported = row
            .reported(
                provider(),
                &Report::Event(json!({ "number": number })),
                at(12),
            )
            .expect("a change");
        assert!(reported.event.is_some());
        row = reported.row.unwrap_or(row);
    }
    assert_eq!(row.reported.len(), 50);
}

#[test]
fn recording_with_status_advances_the_call() {
    let (row, task) = accepted(Channel::Call);
    let row = row.record_attempt(&task, made(1, SENT, at(0)), at(1), String::new());
    let completed = Some((Status::Delivered, "completed".to_owned()));
    let report = Report::Recording {
        url: "u".to_owned(),
        status: completed,
    };
    let first = row.reported(provider(), &report, at(2)).expect("a change");
    let after = first.row.expect("a step");
    assert_eq!(
        (after.status, after.version, after.reported.len()),
        (Status::Completed, row.version + 1, 1)
    );
    let again = after
        .reported(provider(), &report, at(3))
        .expect("the same");
    assert_eq!((again.row, again.event.clone()), (None, first.event));
    assert_eq!(
        again.event.expect("an event").kind.as_str(),
        "call.recording"
    );
}

#[test]
fn events_have_the_fields_of_their_examples() {
    for channel in [
        Channel::Sms,
        Channel::Email,
        Channel::Chatbot,
        Channel::Call,
    ] {
        let (row, task) = accepted(channel);
        let failed = row.clone().record_attempt(
            &task,
            made(
                1,
                Outcome::Blocked {
                    reason: "x".to_owned(),
                },
                at(0),
            ),
            at(1),
            String::new(),
        );
        let sent = row.record_attempt(&task, made(1, SENT, at(0)), at(1), String::new());
        let reports = [
            status(Status::Delivered, "x"),
            Report::Recording {
                url: "u".to_owned(),
                status: None,
            },
            Report::Event(json!({})),
        ];
        let reported = reports
            .iter()
            .filter_map(|report| sent.reported(provider(), report, at(2)).ok()?.event);
        let failures = failed
            .events()
            .into_iter()
            .filter(|_| channel != Channel::Call);
        let delivered = reported.collect::<Vec<_>>();
        assert_eq!(
            delivered.len(),
            if channel == Channel::Call { 3 } else { 1 }
        );
        for event in sent.events().into_iter().chain(delivered).chain(failures) {
            let keys = |data: &Value| {
                data.as_object()
                    .expect("an object")
                    .keys()
                    .cloned()
                    .collect::<std::collections::BTreeSet<_>>()
            };
            let example = &event_type::find(event.kind.as_str())
                .expect("built in")
                .example;
            assert_eq!(keys(&event.data), keys(example), "{}", event.kind);
        }
    }
}

#[test]
fn id_is_a_message_or_call() {
    for (channel, prefix) in [
        (Channel::Sms, "msg_"),
        (Channel::Chatbot, "msg_"),
        (Channel::Call, "call_"),
    ] {
        let id = MessageRef::new(channel, at(0), 3);
        assert!(id.to_string().starts_with(prefix) && id.to_string().parse() == Ok(id));
    }
    assert!(
        "evt_01K3S0M3ZC0000000000000000"
            .parse::<MessageRef>()
            .is_err()
            && "msg_1".parse::<MessageRef>().is_err()
    );
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
        let distinct: std::collections::BTreeSet<_> = row.events().into_iter().map(|event| event.id).collect();
        prop_assert_eq!(distinct.len() + 1, row.history.len());
    }

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

#[test]
fn reported_call_is_not_repeated() {
    let (row, task) = accepted(Channel::Call);
    let retried = row.record_attempt(&task, made(1, FAILED, at(1)), at(2), "t2".to_owned());
    assert!(retried.progress.awaited.is_some());
    for report in [
        Report::Event(json!({"state": "ringing"})),
        Report::Recording {
            url: "https://example.com/1".to_owned(),
            status: None,
        },
    ] {
        let row = retried
            .reported(provider(), &report, at(3))
            .expect("a change")
            .row
            .expect("a step");
        assert_eq!(
            (row.status, row.progress.awaited),
            (Status::Sent, None),
            "it is not made once more"
        );
    }
}

#[test]
fn reports_are_stored_without_secrets() {
    let mut secrets = Secrets::default();
    secrets.add("the-api-key");
    let body =
        json!({"sid": "the-api-key", "more": ["x the-api-key", 1, {"the": "the%2Dapi-key"}]});
    let redacted = json!({"sid": "•••", "more": ["x •••", 1, {"the": "•••"}]});
    assert_eq!(
        Report::Event(body).redacted(&Redactor::new(secrets)),
        Report::Event(redacted)
    );
}

#[test]
fn attempts_end_after_the_hour() {
    let (row, task) = accepted(Channel::Sms);
    assert!(
        !row.is_out_of_time(at(100_000)),
        "its first attempt has been waited for"
    );
    let row = row.record_attempt(&task, made(1, FAILED, at(1)), at(2), "t2".to_owned());
    assert!(!row.is_out_of_time(at(3_601)) && row.is_out_of_time(at(7_200)));
}
