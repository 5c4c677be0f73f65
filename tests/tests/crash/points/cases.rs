//! The cases to break: webhooks, the receiver's responses and the expected ends.

use domain::delivery::Status;
use serde_json::{Value, json};

/// An event `message` with `{"n": 1}`, the receiver's responses, and the expected end.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Each webhook's name and fields, and the end of its delivery; `None` if there is none.
    pub(super) webhooks: Vec<(&'static str, Value, Option<Ended>)>,
    /// Status by path and seconds since the event.
    pub(super) responses: fn(&str, i64) -> u16,
    /// The types of the events that report failures.
    pub(super) emits: &'static [&'static str],
}

#[derive(Clone, Copy)]
pub(super) struct Ended {
    pub(super) status: Status,
    pub(super) attempts: u32,
    pub(super) calls: usize,
}

/// Each attempt is a call, unless it is blocked.
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
    let watch = |emits: &str| ("watch", json!({"events": [emits]}), None);
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
            responses: |_, _| 200,
            emits: &[],
        },
        Case {
            name: "the second and the third attempt succeed",
            webhooks: vec![
                ("early", twice.clone(), Some(ended(Status::Succeeded, 2))),
                ("late", twice.clone(), Some(ended(Status::Succeeded, 3))),
            ],
            responses: |path, seconds| {
                if seconds < if path == "early" { 500 } else { 1100 } {
                    500
                } else {
                    200
                }
            },
            emits: &[],
        },
        Case {
            name: "every attempt fails",
            webhooks: vec![
                ("fails", twice.clone(), Some(ended(Status::Failed, 3))),
                watch("webhook.delivery_failed"),
            ],
            responses: |path, _| if path == "watch" { 200 } else { 500 },
            emits: &["webhook.delivery_failed"],
        },
        Case {
            name: "there are no retries",
            // The watching webhook fails too. No event reports that.
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
            responses: |_, _| 404,
            emits: &["webhook.delivery_failed"],
        },
        Case {
            name: "gone immediately",
            webhooks: vec![
                ("gone", json!({}), Some(ended(Status::Failed, 1))),
                watch("webhook.*"),
            ],
            responses: |path, _| if path == "gone" { 410 } else { 200 },
            emits: &["webhook.delivery_failed", "webhook.disabled"],
        },
        Case {
            name: "gone later",
            webhooks: vec![
                ("gone", twice, Some(ended(Status::Failed, 2))),
                watch("webhook.*"),
            ],
            responses: |path, seconds| match (path, seconds) {
                ("gone", 500..) => 410,
                ("gone", _) => 500,
                _ => 200,
            },
            emits: &["webhook.delivery_failed", "webhook.disabled"],
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
            responses: |_, _| 200,
            emits: &["webhook.delivery_failed"],
        },
    ]
}
