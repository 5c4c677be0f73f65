//! Names, descriptions and sample data of the built-in event types.

use std::sync::LazyLock;

use serde_json::json;

use super::{
    BuiltIn, Row,
    messages::{calls, messages, received},
    tickets::tickets,
};

pub(super) static CATALOGUE: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    [
        conversations(),
        insights(),
        tickets(),
        messages(),
        calls(),
        received(),
        tieline(),
    ]
    .into_iter()
    .flatten()
    .map(|(name, description, example)| BuiltIn {
        name,
        description,
        example,
    })
    .collect()
});

fn conversations() -> Vec<Row> {
    vec![
        (
            "chat",
            "A chat was created.",
            json!({
                "id": "chat_1042",
                "channel": "web",
                "subject": "Order 20817 has not arrived",
                "customer": {"id": "cus_88", "name": "Ana Lima", "email": "ana@example.com"},
                "created_at": "2026-03-02T09:15:00Z",
            }),
        ),
        (
            "message",
            "A message was created in a chat.",
            json!({
                "id": "msg_5501",
                "chat_id": "chat_1042",
                "author": {"type": "customer", "id": "cus_88", "name": "Ana Lima"},
                "text": "Hello, where is my order?",
                "created_at": "2026-03-02T09:15:04Z",
            }),
        ),
    ]
}

fn insights() -> Vec<Row> {
    vec![
        (
            "insight.summary",
            "A summary of a chat was generated.",
            json!({"chat_id": "chat_1042", "summary": "The customer asks for an order that is three days late."}),
        ),
        (
            "insight.topic",
            "The topics of a chat were generated.",
            json!({"chat_id": "chat_1042", "topics": [{"name": "delivery", "confidence": 0.94}]}),
        ),
        (
            "insight.key",
            "The key facts of a chat were generated.",
            json!({"chat_id": "chat_1042", "keys": [{"name": "order_number", "value": "20817"}]}),
        ),
        (
            "insight.conversation",
            "An analysis of a whole conversation was generated.",
            json!({"chat_id": "chat_1042", "duration_seconds": 412, "messages": 14, "resolved": true, "language": "en"}),
        ),
        (
            "insight.sentiment",
            "The sentiment of a chat was generated.",
            json!({"chat_id": "chat_1042", "sentiment": "negative", "score": -0.42}),
        ),
    ]
}

fn tieline() -> Vec<Row> {
    let rotation = |days_overdue: u32| {
        json!({
            "credential_id": "cred_01K3S0M3ZC0000000000000000",
            "description": "CRM synchronization",
            "user_id": "usr_01K3S0M3ZC0000000000000000",
            "rotation_due_at": "2026-03-09T00:00:00Z",
            "days_overdue": days_overdue,
        })
    };
    let (webhook_id, webhook_name) = ("wh_01K3S0M3ZC0000000000000000", "CRM");
    vec![
        (
            "service.received",
            "A third party sent a request to the inbound URL of a connected service.",
            json!({
                "service_id": "svc_01K3S0M3ZC0000000000000000",
                "service": "CRM",
                "user_id": "usr_01K3S0M3ZC0000000000000000",
                "method": "POST",
                "query": {"source": "crm"},
                "headers": {"user-agent": "crm/2.1"},
                "content_type": "application/json",
                "body": {"deal": 311, "stage": "won"},
            }),
        ),
        (
            "credential.rotation_due_soon",
            "A credential must be rotated within 7 days.",
            rotation(0),
        ),
        (
            "credential.rotation_due",
            "The rotation of a credential is due or overdue.",
            rotation(7),
        ),
        (
            "webhook.failing",
            "All deliveries to a webhook have failed for a day.",
            json!({
                "webhook_id": webhook_id,
                "webhook_name": webhook_name,
                "failing_since": "2026-03-01T09:15:00Z",
            }),
        ),
        (
            "webhook.disabled",
            "A webhook was disabled because it failed for too long or its endpoint is gone.",
            json!({"webhook_id": webhook_id, "webhook_name": webhook_name, "reason": "failing"}),
        ),
        (
            "webhook.delivery_failed",
            "A delivery failed permanently: its retry schedule has ended.",
            json!({
                "webhook_id": webhook_id,
                "webhook_name": webhook_name,
                "delivery_id": "dlv_01K3S0M3ZC000000000000000001K3S0M3ZC0000000000000000",
                "event_id": "evt_01K3S0M3ZC0000000000000000",
                "event_type": "message",
                "status": "failed",
                "attempts": 49,
                "status_code": 503,
                "error": "the receiver responded with 503",
            }),
        ),
    ]
}
