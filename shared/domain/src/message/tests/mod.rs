mod attempts;
mod calls;
mod cancellation;
mod events;
mod fallback;
mod new;
mod reports;

use serde_json::json;

use super::{attempt::*, *};
use crate::{
    attempt::{Arrival, Failure, Outcome, Requested},
    id::Id,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

fn provider() -> ProviderId {
    Id::new(at(0), 7)
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

const SENT: Outcome = Outcome::Delivered { code: 201 };
const FAILED: Outcome = Outcome::Failed(Failure::Status {
    code: 500,
    retry_after: None,
});

/// The row after the attempt of `task` from `began` to `ended`.
fn attempted(row: Message, task: &SendTask, outcome: Outcome, began: i64, ended: i64) -> Message {
    let number = task.attempt.id.number;
    let attempt = Attempt {
        number,
        at: at(began),
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
    let made = CompletedAttempt {
        attempt,
        provider_message_id: (outcome == SENT).then(|| "SM1".to_owned()),
        outcome,
    };
    row.record_attempt(task, made, None, at(ended), format!("t{}", number + 1))
}

/// A message or call that its provider accepted.
fn sent(channel: Channel) -> Message {
    let (row, task) = accepted(channel);
    attempted(row, &task, SENT, 0, 1)
}

/// The row after a change to `status`, apart from its attempts.
fn stepped(mut row: Message, status: Status, theirs: Option<&str>, seconds: i64) -> Message {
    row.history.push(Change {
        status,
        at: at(seconds),
        provider_status: theirs.map(str::to_owned),
    });
    Message {
        status,
        updated_at: at(seconds),
        version: row.version + 1,
        ..row
    }
}

fn status(status: Status, theirs: &str) -> Report {
    Report::Status {
        status,
        provider_status: theirs.to_owned(),
    }
}

fn recording(status: Option<(Status, &str)>) -> Report {
    Report::Recording {
        url: "https://a.example/r".to_owned(),
        status: status.map(|(status, theirs)| (status, theirs.to_owned())),
    }
}

/// The effects of a report that counts.
fn reported(row: &Message, report: &Report, seconds: i64) -> Reported {
    row.reported(provider(), report, at(seconds))
        .expect("effects")
}

/// The row after a report that changes it.
fn changed(row: &Message, report: &Report, seconds: i64) -> Message {
    reported(row, report, seconds).row.expect("a changed row")
}

fn event_names(row: &Message) -> Vec<String> {
    let events = row.events();
    events.iter().map(|event| event.kind.to_string()).collect()
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
    for text in ["evt_01K3S0M3ZC0000000000000000", "msg_1"] {
        assert!(text.parse::<MessageRef>().is_err(), "{text}");
    }
}

#[test]
fn channels_and_statuses_are_named_as_in_json() {
    for (name, channel) in Channel::ALL {
        assert_eq!((json!(channel), channel.as_str()), (json!(name), name));
        for (name, status) in Status::all(channel) {
            let own = status.by(channel);
            assert_eq!((json!(status), status.as_str()), (json!(name), *name));
            assert!(*status == own || (*name, own) == ("delivered", Status::Completed));
        }
    }
}
