use serde_json::{Value, json};

use super::*;

/// Queue messages of the previous release, as they may wait on the queues during a deployment.
fn earlier() -> [(&'static str, Value); 5] {
    let delivery = "dlv_01KDVXBC0000000000000000R101KDVXBC0000000000000000R2";
    let event = json!({
        "id": "evt_01KDVXBC0000000000000000R1", "type": "message", "timestamp": "2026-01-01T00:00:00Z",
        "data": {"text": "Gr\u{fc}\u{df}e", "n": 1.0}, "hops": 1,
    });
    [
        (
            "delivery",
            json!({
                "delivery": delivery, "number": 1, "token": "t1",
                "queued_at": "2026-01-01T00:00:00Z", "waits": 0, "event": event,
            }),
        ),
        (
            "delivery",
            json!({
                "delivery": delivery, "number": 7, "token": "t7", "waits": 3, "hops": 2,
                "queued_at": "2026-01-01T00:00:00Z", "due_at": "2026-01-01T03:00:00Z",
                "replaces": "t6", "line": 1_767_225_600_000_000_i64,
            }),
        ),
        (
            "send",
            json!({
                "message": "msg_01KDVXBC0000000000000000R3", "number": 2, "token": "t2",
                "due_at": "2026-01-01T00:05:00Z", "waits": 1, "replaces": "t1",
            }),
        ),
        (
            "report",
            json!({
                "callback": {
                    "id": {"theirs": "SM1"},
                    "report": {"status": {"status": "delivered", "provider_status": "ok"}},
                },
                "provider": "prov_01KDVXBC0000000000000000R4",
                "received_at": "2026-01-01T00:00:00Z", "hops": 0,
            }),
        ),
        (
            "report",
            json!({
                "callback": {
                    "id": {"ours": "call_01KDVXBC0000000000000000R5"},
                    "report": {"recording": {"url": "https://example.com/r.mp3"}},
                },
                "provider": "prov_01KDVXBC0000000000000000R4",
                "received_at": "2026-01-01T00:00:00Z",
            }),
        ),
    ]
}

#[test]
fn messages_of_the_previous_release_are_read_and_keep_their_fields() {
    for (kind, earlier) in earlier() {
        let read = QueueMessage::parse(&earlier.to_string()).expect("a queue message");
        let Value::Object(written) = json!(read) else {
            panic!("an object")
        };
        assert_eq!(written["kind"], kind);
        assert_eq!(
            QueueMessage::parse(&json!(written).to_string()).expect("read again"),
            read
        );
        // The previous release ignores the kind and reads the other fields.
        for (name, value) in earlier.as_object().expect("fields") {
            assert_eq!(&written[name], value, "{name}");
        }
    }
}

#[test]
fn other_texts_are_rejected() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"kind": "delivery"}"#,
        r#"{"kind": "other", "delivery": 1}"#,
        r#"{"kind": "send", "delivery": "x"}"#,
        r#"{"message": 1}"#,
        r#"{"callback": {}}"#,
    ] {
        assert!(QueueMessage::parse(text).is_err(), "{text}");
    }
}
