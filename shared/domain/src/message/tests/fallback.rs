//! Messages that another provider takes over.

use super::*;

fn other(number: u128) -> ProviderId {
    Id::new(at(0), number)
}

/// A fallback provider, which has the next one as its own fallback.
fn fallback(number: u128) -> Fallback {
    Fallback {
        id: other(number),
        name: format!("P{number}"),
        from: Some(format!("from {number}")),
        from_before: Some("GW".to_owned()),
        fallback_provider_id: Some(other(number + 1)),
    }
}

const BLOCKED: fn() -> Outcome = || Outcome::Blocked {
    reason: "x".to_owned(),
};

/// The row after an attempt at this time, after which `next` may take over.
fn attempted_at(row: Message, seconds: i64, outcome: Outcome, next: Option<Fallback>) -> Message {
    let task = row.task().expect("an attempt is awaited");
    let number = task.attempt.id.number;
    let made = CompletedAttempt {
        attempt: Attempt {
            number,
            at: at(seconds),
            duration_ms: 1,
            status_code: outcome.status_code(),
            error: outcome.error(),
            request: Requested {
                method: "POST".to_owned(),
                url: "https://gw.example.com/".to_owned(),
            },
            response_body: Some("é".repeat(8 * 1024)),
            missing_tags: Vec::new(),
        },
        provider_message_id: Some(format!("SM{number}")),
        outcome,
    };
    let fails = row.fails_after(&task, &made, at(seconds));
    let token = format!("t{}", number + 1);
    let after = row.record_attempt(&task, made, next.clone(), at(seconds), token);
    let took_over = next.is_some_and(|next| after.provider_id == next.id);
    assert_eq!(fails, took_over || after.status == Status::Failed);
    after
}

/// The seconds until the next attempt is due.
fn due(row: &Message) -> Option<i64> {
    let awaited = row.progress.awaited.as_ref();
    awaited.map(|next| next.due_at.duration_since(at(0)).as_secs())
}

#[test]
fn next_provider_takes_over_after_the_last_attempt_and_has_an_hour() {
    let (mut row, first) = accepted(Channel::Sms);
    let mut seconds = 0;
    for (provider, expected) in [
        (7, [5, 300, 1_800, 1_800]),
        (8, [1_805, 2_100, 3_600, 3_600]),
    ] {
        for due_at in expected {
            assert_eq!(row.provider_id, other(provider));
            let task = row.task().expect("an attempt is awaited");
            let is_last = (row.attempts.len() + 1).is_multiple_of(4);
            assert_eq!(row.may_be_last(&task, at(seconds)), is_last);
            row = attempted_at(row, seconds, FAILED, Some(fallback(provider + 1)));
            assert_eq!(due(&row), Some(due_at), "{provider}");
            seconds = due_at;
        }
        let waits = row.is_out_of_time(at(100_000));
        assert!(
            !waits,
            "the first attempt through a provider has no time limit"
        );
    }
    assert_eq!(row.status, Status::Queued);
    assert_eq!(event_names(&row), Vec::<String>::new());
    assert_eq!((row.provider.as_str(), row.history.len()), ("P9", 1));
    assert_eq!(row.fallback_provider_id, Some(other(10)));
    assert_eq!(row.provider_message_id, None, "none of the new provider");
    let names: Vec<(u32, &str)> = row
        .attempts
        .iter()
        .map(|attempt| (attempt.number, row.provider_of(attempt.number).1))
        .collect();
    assert_eq!(
        names,
        [
            (1, "GW"),
            (2, "GW"),
            (3, "GW"),
            (4, "GW"),
            (5, "P8"),
            (6, "P8"),
            (7, "P8"),
            (8, "P8")
        ]
    );
    assert_eq!(row.provider_of(9), (other(9), "P9"));
    let size: usize = row
        .attempts
        .iter()
        .filter_map(|attempt| Some(attempt.response_body.as_ref()?.len()))
        .sum();
    assert_eq!(size, 8 * 2 * 1024);
    assert_eq!(arrive(Some(&row), &first), Arrival::Stale);
    let stored: Message = serde_json::from_value(json!(row)).expect("a row");
    assert_eq!(stored, row);

    // The last provider has no successor.
    let sent = attempted_at(row.clone(), seconds, SENT, None);
    assert_eq!(event_names(&sent), ["sms.sent"]);
    assert_eq!(sent.provider_message_id.as_deref(), Some("SM9"));
    let failed = attempted_at(row, seconds, BLOCKED(), None);
    assert_eq!((failed.status, due(&failed)), (Status::Failed, None));
    assert_eq!(event_names(&failed), ["sms.failed"]);
    assert_eq!(failed.events()[0].data["provider"], "P9");
}

#[test]
fn blocked_message_goes_on_at_once() {
    let (row, task) = accepted(Channel::Sms);
    let row = attempted_at(row, 3, BLOCKED(), Some(fallback(8)));
    assert_eq!((row.status, due(&row)), (Status::Queued, Some(3)));
    assert_eq!(row.attempts[0].error.as_deref(), Some("blocked: x"));
    assert_eq!(arrive(Some(&row), &task), Arrival::FollowUp);
    let next = row.task().expect("an attempt");
    assert_eq!(arrive(Some(&row), &next), Arrival::Attempt);
    // Only a failure that ends it passes it on.
    let (row, _) = accepted(Channel::Sms);
    for outcome in [FAILED, SENT] {
        let row = attempted_at(row.clone(), 3, outcome, Some(fallback(8)));
        assert_eq!((row.provider_id, row.earlier.len()), (provider(), 0));
    }
}

#[test]
fn successor_is_another_provider_and_the_third_at_most() {
    let (row, _) = accepted(Channel::Sms);
    assert_eq!(row.successor(None), None);
    assert_eq!(row.successor(Some(provider())), None);
    assert_eq!(row.successor(Some(other(8))), Some(other(8)));
    let row = attempted_at(row, 1, BLOCKED(), Some(fallback(8)));
    for had_it in [provider(), other(8)] {
        assert_eq!(row.successor(Some(had_it)), None);
    }
    assert_eq!(row.successor(Some(other(9))), Some(other(9)));
    let row = attempted_at(row, 2, BLOCKED(), Some(fallback(9)));
    assert_eq!(row.successor(Some(other(10))), None);
}

#[test]
fn default_sender_is_that_of_the_provider() {
    let (row, _) = accepted(Channel::Sms);
    assert_eq!(row.default_sender, Some(true), "the client named none");
    for (default_sender, from, expected) in [
        (Some(true), Some("GW"), "from 8"),
        (Some(true), Some("before a change"), "from 8"),
        (Some(true), None, "from 8"),
        (Some(false), Some("GW"), "GW"),
        // Rows of earlier releases.
        (None, Some("GW"), "from 8"),
        (None, Some("55512"), "55512"),
        (None, None, "from 8"),
    ] {
        let (mut row, _) = accepted(Channel::Sms);
        (row.content.from, row.default_sender) = (from.map(str::to_owned), default_sender);
        let row = attempted_at(row, 1, BLOCKED(), Some(fallback(8)));
        assert_eq!(row.content.from.as_deref(), Some(expected), "{from:?}");
        let is_default = expected == "from 8";
        assert_eq!(row.default_sender, Some(is_default), "known from now on");
    }
}

#[test]
fn reports_of_the_current_provider_count() {
    let (row, _) = accepted(Channel::Sms);
    let queued = attempted_at(row, 1, BLOCKED(), Some(fallback(8)));
    let sent = attempted_at(queued.clone(), 2, SENT, None);
    let delivered = status(Status::Delivered, "done");
    let failed = status(Status::Failed, "bounced");
    let waits = status(Status::Queued, "accepted");
    for (row, from, report) in [
        (&sent, provider(), &delivered),
        (&queued, provider(), &failed),
        (&queued, provider(), &waits),
        (&queued, other(9), &delivered),
    ] {
        let ignored = row.reported(from, report, at(9));
        assert_eq!(ignored, Err(Ignored::OtherProvider), "{report:?}");
    }
    for at_provider in [queued, sent] {
        let reported = at_provider.reported(other(8), &delivered, at(9));
        let row = reported.expect("effects").row.expect("a changed row");
        assert_eq!((row.status, row.provider_id), (Status::Delivered, other(8)));
    }
}

#[test]
fn earlier_provider_that_sent_a_queued_message_gets_it_back() {
    let (mut first, _) = accepted(Channel::Sms);
    first.content.from = Some("from 7".to_owned());
    let second = attempted_at(first, 1, FAILED, None);
    let second = attempted_at(second, 6, BLOCKED(), Some(fallback(8)));
    let third = attempted_at(second.clone(), 7, BLOCKED(), Some(fallback(9)));
    let cancelled = second.cancelled(at(8)).expect("cancelled");
    let attempts = |row: &Message| -> Vec<String> {
        let attempts = row.attempts.iter();
        let names = attempts.map(|attempt| row.provider_of(attempt.number).1.to_owned());
        names.collect()
    };
    for (row, back, name, in_flight) in [
        (&second, provider(), "GW", vec!["GW", "GW", "P8"]),
        (&cancelled, provider(), "GW", vec!["GW", "GW", "P8"]),
        (&third, provider(), "GW", vec!["GW", "GW", "P8", "P9"]),
        (&third, other(8), "P8", vec!["GW", "GW", "P8", "P9"]),
    ] {
        for report in [
            status(Status::Sent, "sent"),
            status(Status::Delivered, "done"),
        ] {
            let effects = row.reported(back, &report, at(9)).expect("effects");
            let after = effects.row.expect("a changed row");
            assert_eq!((after.provider_id, after.provider.as_str()), (back, name));
            assert_eq!(
                after.content.from.as_deref(),
                Some(&*format!("from {}", if name == "GW" { 7 } else { 8 }))
            );
            assert_eq!((after.task(), &after.error), (None, &None));
            assert!(after.status != Status::Queued && after.status != Status::Failed);
            let event = effects.event.expect("an event");
            assert_eq!(event.data["provider"], name);
            let stored: Message = serde_json::from_value(json!(after)).expect("a row");
            assert_eq!(stored, after);
            // The report again, and those of the provider that has lost the message.
            let again = after.reported(back, &report, at(10)).expect("effects");
            assert_eq!((again.row, again.event), (None, Some(event)));
            for late in [status(Status::Delivered, "x"), status(Status::Failed, "x")] {
                let ignored = after.reported(row.provider_id, &late, at(10));
                assert_eq!(ignored, Err(Ignored::OtherProvider));
            }
            // An attempt through that provider was in progress.
            let task = second.task().filter(|_| row.earlier.len() == 1);
            let task = task.or(row.task()).expect("a task");
            assert_eq!(arrive(Some(&after), &task), Arrival::Stale);
            for outcome in [SENT, BLOCKED()] {
                let made = CompletedAttempt {
                    attempt: Attempt {
                        number: task.attempt.id.number,
                        ..after.attempts[0].clone()
                    },
                    outcome,
                    provider_message_id: Some("of the other".to_owned()),
                };
                let next = Some(fallback(20));
                let row = after.clone();
                let row = row.record_attempt(&task, made, next, at(11), "t".to_owned());
                assert_eq!((row.status, row.provider_id), (after.status, back));
                assert_eq!((row.task(), &row.provider_message_id), (None, &None));
                assert_eq!(attempts(&row), in_flight);
            }
        }
    }
}

#[test]
fn earlier_provider_that_recorded_a_call_gets_it_back() {
    let (row, _) = accepted(Channel::Call);
    let row = attempted_at(row, 1, BLOCKED(), Some(fallback(8)));
    for (report, counts) in [
        (recording(None), true),
        (recording(Some((Status::Completed, "done"))), true),
        (recording(Some((Status::Failed, "busy"))), false),
        (status(Status::Ringing, "ringing"), true),
        // Its meaning is not known.
        (Report::Event(json!({"status": "rejected"})), false),
    ] {
        let reported = row.reported(provider(), &report, at(9));
        assert_eq!(reported.is_ok(), counts, "{report:?}");
        if let Ok(effects) = reported {
            let row = effects.row.expect("a changed row");
            assert_eq!((row.provider_id, row.task()), (provider(), None));
            assert!(row.status != Status::Queued);
        }
    }
}

#[test]
fn sent_or_cancelled_message_stays_with_its_provider() {
    // A failure that the provider reports is final.
    let row = changed(&sent(Channel::Sms), &status(Status::Failed, "bounced"), 9);
    assert_eq!((row.status, row.task()), (Status::Failed, None));
    // A report during the attempt shows that the provider has the message.
    let (queued, task) = accepted(Channel::Sms);
    let made = CompletedAttempt {
        attempt: sent(Channel::Sms).attempts.remove(0),
        outcome: BLOCKED(),
        provider_message_id: None,
    };
    let delivered = changed(&queued, &status(Status::Delivered, "done"), 1);
    let cancelled = queued.cancelled(at(1)).expect("cancelled");
    for row in [delivered, cancelled] {
        let (made, status) = (made.clone(), row.status);
        assert!(!row.fails_after(&task, &made, at(2)));
        let row = row.record_attempt(&task, made, Some(fallback(8)), at(2), "t".to_owned());
        assert_eq!((row.provider_id, row.status), (provider(), status));
        assert_eq!(row.task(), None);
    }
}
