//! What is broken: the ways that deliveries go.

use domain::delivery::Status;
use serde_json::{Value, json};

/// An event `message` with `{"n": 1}`, what the receiver does, and how it has to end.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Each webhook's name and fields, and how its delivery ends; `None` where there is none.
    pub(super) webhooks: Vec<(&'static str, Value, Option<Ended>)>,
    /// By path and by the seconds since the event.
    pub(super) answers: fn(&str, i64) -> u16,
    /// The types of events that report failures.
    pub(super) tells: &'static [&'static str],
}

#[derive(Clone, Copy)]
pub(super) struct Ended {
    pub(super) status: Status,
    pub(super) attempts: u32,
    pub(super) calls: usize,
}

/// Each attempt is a call, but of what is blocked.
fn ended(status: Status, attempts: u32) -> Ended {
    Ended {
        status,
        attempts,
        calls: if status == Status::Blocked {
            0
        } else {
            attempts as usize
        },
    }
}

pub(super) fn cases() -> Vec<Case> {
    let twice = json!({"retry": {"type": "custom", "delays_seconds": [600, 600]}});
    let condition = |n: u32| json!({"conditions": {"field": "n", "op": "eq", "value": n}});
    let failures = json!({"field": "delivery_id", "op": "exists", "value": true});
    let watch = |tells: &str| ("watch", json!({"events": [tells]}), None);
    vec![
        Case {
            name: "three of five match",
            webhooks: vec![
                ("plain", json!({}), Some(ended(Status::Succeeded, 1))),
                ("wants", condition(1), Some(ended(Status::Succeeded, 1))),
                (
                    "all",
                    json!({"events": ["*", "message"]}),
                    Some(ended(Status::Succeeded, 1)),
                ),
                ("differs", condition(2), None),
                ("other", json!({"events": ["chat"]}), None),
            ],
            answers: |_, _| 200,
            tells: &[],
        },
        Case {
            name: "the second and the third attempt succeed",
            webhooks: vec![
                ("early", twice.clone(), Some(ended(Status::Succeeded, 2))),
                ("late", twice.clone(), Some(ended(Status::Succeeded, 3))),
            ],
            answers: |path, seconds| {
                if seconds < if path == "early" { 500 } else { 1100 } {
                    500
                } else {
                    200
                }
            },
            tells: &[],
        },
        Case {
            name: "every attempt fails",
            webhooks: vec![
                ("fails", twice.clone(), Some(ended(Status::Failed, 3))),
                watch("webhook.delivery_failed"),
            ],
            answers: |path, _| if path == "watch" { 200 } else { 500 },
            tells: &["webhook.delivery_failed"],
        },
        Case {
            name: "there are no retries",
            // The watch fails too, of which no event tells.
            webhooks: vec![
                (
                    "once",
                    json!({"retry": {"type": "none"}}),
                    Some(ended(Status::Failed, 1)),
                ),
                (
                    "watch",
                    json!({"events": ["*"], "conditions": failures, "retry": {"type": "none"}}),
                    None,
                ),
            ],
            answers: |_, _| 404,
            tells: &["webhook.delivery_failed"],
        },
        Case {
            name: "gone at once",
            webhooks: vec![
                ("gone", json!({}), Some(ended(Status::Failed, 1))),
                watch("webhook.*"),
            ],
            answers: |path, _| if path == "gone" { 410 } else { 200 },
            tells: &["webhook.delivery_failed", "webhook.disabled"],
        },
        Case {
            name: "gone later",
            webhooks: vec![
                ("gone", twice, Some(ended(Status::Failed, 2))),
                watch("webhook.*"),
            ],
            answers: |path, seconds| match (path, seconds) {
                ("gone", 500..) => 410,
                ("gone", _) => 500,
                _ => 200,
            },
            tells: &["webhook.delivery_failed", "webhook.disabled"],
        },
        Case {
            name: "blocked",
            webhooks: vec![
                (
                    "blocked/{missing}",
                    json!({}),
                    Some(ended(Status::Blocked, 1)),
                ),
                watch("webhook.*"),
            ],
            answers: |_, _| 200,
            tells: &["webhook.delivery_failed"],
        },
    ]
}
