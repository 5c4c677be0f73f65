use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    attempt::{Due, Task},
    event::Event,
};

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
        ..first_task()
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
        let mut task = first_task().postponed(due_at);
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
    let task = |waits| {
        let mut task = first_task().postponed(at(1));
        task.attempt.waits = waits;
        task
    };
    let later = Due::Later {
        task: task(2000),
        delay_seconds: 1,
    };
    assert_eq!(task(1999).due(at(0)), later);
    assert_eq!(task(2000).due(at(0)), Due::Lost);
}

#[test]
fn task_in_a_line_is_checked_whenever_it_arrives() {
    let line = |since: i64| serde_json::from_value(json!(since)).expect("a line");
    let (task, delay) = first_task().in_line(at(80), line(1), 1_000, at(0));
    let mut postponed = first_task().postponed(at(80));
    assert_eq!((delay, postponed.delay(at(0))), (10, 80));
    assert_eq!(
        (postponed.is_fresh(), postponed.is_in_line(at(0))),
        (false, false)
    );
    postponed.line = Some(line(1));
    assert_eq!(task, postponed);
    for (now, place) in [(0, Some(at(80))), (79, Some(at(80))), (80, None)] {
        assert_eq!(task.place_in(line(1), at(now)), place);
        assert_eq!(task.is_in_line(at(now)), place.is_some());
        assert_eq!(task.delay(at(now)), 0);
    }
    assert_eq!(task.place_in(line(2), at(0)), None, "another line");
    let first = first_task();
    assert_eq!(
        (first.is_fresh(), first.delay(at(0)), first.hops),
        (true, 0, 0)
    );
}
