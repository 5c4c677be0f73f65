//! The built-in event types with sample data.
//!
//! `GET /v1/event-types` lists them, publishing validates against them, and the test of a webhook
//! sends the sample.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// A built-in event type.
#[derive(Debug)]
pub struct BuiltIn {
    /// Name, a valid [`crate::pattern::EventType`].
    pub name: &'static str,
    /// When such an event is published, in one sentence.
    pub description: &'static str,
    /// Sample `data`.
    pub example: Value,
}

/// All built-in event types.
pub fn catalogue() -> &'static [BuiltIn] {
    &CATALOGUE
}

/// The built-in event type with this name.
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    CATALOGUE.iter().find(|built_in| built_in.name == name)
}

/// The known name or pattern that the client probably meant by an unknown name.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let below = format!("{name}.");
    if known.iter().any(|candidate| candidate.starts_with(&below)) {
        return Some(format!("{name}.*"));
    }
    // For example `chat` for `chat.created`.
    let above = known
        .iter()
        .filter(|known| name.starts_with(&format!("{known}.")))
        .max_by_key(|known| known.len());
    let near = || {
        known
            .iter()
            .map(|candidate| (distance(name, candidate), *candidate))
            .min()
    };
    let near = || {
        near()
            .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
            .map(|(_, near)| near)
    };
    above.copied().or_else(near).map(str::to_owned)
}

/// Levenshtein distance: the number of characters to insert, delete or replace.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, left) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

static CATALOGUE: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    [
        conversations(),
        insights(),
        tickets(),
        messages(),
        calls(),
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

type Row = (&'static str, &'static str, Value);

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

fn tickets() -> Vec<Row> {
    let ticket = |status: &str| {
        json!({
            "id": 7315,
            "parent_ticket_id": 7290,
            "subject": "Printer on floor 3 is out of order",
            "status": status,
            "priority": "urgent",
            "link_staff": "https://desk.example.com/staff/tickets/7315",
            "requester": {"id": 204, "name": "Jo Park", "email": "jo@example.com"},
            "last_reply": {"author": "end_user", "text": "It still shows error 12."},
        })
    };
    let changed = |mut ticket: Value, name: &str, value: Value| {
        ticket[name] = value;
        ticket
    };
    vec![
        ("ticket.created", "A ticket was created.", ticket("open")),
        (
            "ticket.updated",
            "Fields of a ticket were changed.",
            changed(ticket("open"), "changed_fields", json!(["priority"])),
        ),
        (
            "ticket.reply_added",
            "A reply was added to a ticket.",
            changed(
                ticket("open"),
                "reply",
                json!({"id": 90211, "internal": false, "text": "It still shows error 12."}),
            ),
        ),
        (
            "ticket.status_changed",
            "The status of a ticket was changed.",
            changed(ticket("resolved"), "previous_status", json!("open")),
        ),
    ]
}

fn messages() -> Vec<Row> {
    let message = |channel: &str, to: &str, status: &str| {
        json!({
            "message_id": "msg_01K3S0M3ZC0000000000000000",
            "channel": channel,
            "provider": "Example provider",
            "provider_message_id": "a81f20",
            "to": to,
            "status": status,
            "metadata": {"order": "20817"},
        })
    };
    let failed = |channel, to| {
        let mut message = message(channel, to, "failed");
        message["error"] = json!("the provider responded with 400");
        message
    };
    let (phone, address, user) = ("+15555550100", "ana@example.com", "chat-user-88");
    vec![
        (
            "sms.sent",
            "A provider accepted an SMS.",
            message("sms", phone, "sent"),
        ),
        (
            "sms.delivered",
            "An SMS reached its recipient.",
            message("sms", phone, "delivered"),
        ),
        (
            "sms.failed",
            "An SMS could not be delivered.",
            failed("sms", phone),
        ),
        (
            "email.sent",
            "A provider accepted an e-mail.",
            message("email", address, "sent"),
        ),
        (
            "email.delivered",
            "An e-mail reached its recipient.",
            message("email", address, "delivered"),
        ),
        (
            "email.failed",
            "An e-mail could not be delivered.",
            failed("email", address),
        ),
        (
            "chatbot.sent",
            "A provider accepted a chatbot message.",
            message("chatbot", user, "sent"),
        ),
        (
            "chatbot.delivered",
            "A chatbot message reached its recipient.",
            message("chatbot", user, "delivered"),
        ),
        (
            "chatbot.failed",
            "A chatbot message could not be delivered.",
            failed("chatbot", user),
        ),
    ]
}

fn calls() -> Vec<Row> {
    let call = |more: Value| {
        let mut call = json!({
            "call_id": "call_01K3S0M3ZC0000000000000000",
            "provider": "Example provider",
            "provider_call_id": "c-4471",
            "to": "+15555550100",
            "metadata": {"order": "20817"},
        });
        if let (Value::Object(call), Value::Object(more)) = (&mut call, more) {
            call.extend(more);
        }
        call
    };
    vec![
        (
            "call.status",
            "The status of a call changed.",
            call(json!({"status": "completed", "provider_status": "completed"})),
        ),
        (
            "call.recording",
            "A recording of a call is ready.",
            call(json!({"recording_url": "https://calls.example.com/recordings/c-4471.mp3"})),
        ),
        (
            "call.event",
            "A provider reported something else about a call.",
            call(json!({"event": {"digits": "1"}})),
        ),
    ]
}

fn tieline() -> Vec<Row> {
    let rotation = |days_overdue: u32| {
        json!({
            "credential_id": "cred_01K3S0M3ZC0000000000000000",
            "description": "CRM synchronisation",
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::{SignedDuration, Timestamp};

    use super::*;

    #[test]
    fn closest_name_is_suggested() {
        for (wrong, meant) in [
            ("chat.created", Some("chat")),
            ("messages", Some("message")),
            ("mesage", Some("message")),
            ("insight", Some("insight.*")),
            ("insights", None),
            ("insight.summery", Some("insight.summary")),
            ("insight.summary.new", Some("insight.summary")),
            ("ticket", Some("ticket.*")),
            ("ticket.create", Some("ticket.created")),
            ("ticket_created", Some("ticket.created")),
            ("order.paid", Some("order.payed")),
            ("invoice", None),
            ("x", None),
        ] {
            let known = catalogue()
                .iter()
                .map(|known| known.name)
                .chain(["order.payed"]);
            assert_eq!(closest(wrong, known).as_deref(), meant, "{wrong}");
        }
    }
    use crate::{
        credential::{self, Credential, TokenMark},
        delivery::{
            Attempt, Delivery, Failure, Made, Message, Outcome, attempt::Requested, delivery_failed,
        },
        id::{CredentialId, DeliveryId, EventId, UserId, WebhookId},
        pattern::EventType,
        retry::RetryPolicy,
        signature::SigningSecret,
        target::Allow,
        webhook::{self, DisabledReason, Webhook},
    };

    #[test]
    fn names_are_valid_and_unique_and_examples_are_objects() {
        let mut names = BTreeSet::new();
        for built_in in catalogue() {
            assert!(
                EventType::parse(built_in.name).is_ok() && names.insert(built_in.name),
                "{}",
                built_in.name
            );
            assert!(
                built_in
                    .example
                    .as_object()
                    .is_some_and(|data| !data.is_empty()),
                "{}",
                built_in.name
            );
            assert_eq!(
                find(built_in.name).map(|found| found.name),
                Some(built_in.name)
            );
        }
        assert_eq!(names.len(), 29);
        assert!(find("sms.*").is_none() && find("").is_none());
    }

    #[test]
    fn examples_have_the_fields_of_published_events() {
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        let settings = json!({"name": "CRM", "url": "https://example.com/", "events": ["*"]});
        let (settings, _) =
            webhook::Settings::parse(settings, &Allow::default()).expect("settings");
        let webhook = Webhook::new(
            WebhookId::new(at, 1),
            settings,
            SigningSecret::generated([7; 32]),
            at,
        );
        let delivery = DeliveryId {
            event: EventId::new(at, 1),
            webhook: webhook.id,
        };
        let message = Message::first(delivery, "token".to_owned(), at, None);
        let outcome = Outcome::Failed(Failure::Timeout);
        let requested = Requested {
            method: "POST".to_owned(),
            url: "https://example.com/".to_owned(),
        };
        let attempt = Attempt {
            number: 1,
            at,
            duration_ms: 1,
            status_code: None,
            error: outcome.error(),
            request: requested,
            response_body: None,
            missing_tags: Vec::new(),
        };
        let kind = EventType::parse("message").expect("an event type");
        let made = Made {
            message: &message,
            event_type: &kind,
            attempt: &attempt,
            outcome: &outcome,
            stops: None,
        };
        let row = Delivery::after(None, &made, &RetryPolicy::None, at, String::new());
        let settings = json!({"description": "CRM", "scopes": ["events:write"]});
        let settings =
            credential::Settings::parse(settings, UserId::new(at, 1), at).expect("settings");
        let token = TokenMark {
            hash: String::new(),
            hint: String::new(),
        };
        let credential = Credential::new(CredentialId::new(at, 2), settings, token, None, at);
        let remind = |before: i32| {
            let now = credential.rotation_due_at() - SignedDuration::from_hours(24) * before;
            credential.reminder_event(credential.reminder(now).expect("a reminder"), now, now)
        };
        for event in [
            delivery_failed(&row, "CRM", Some(&attempt)).expect("an event"),
            webhook
                .disabled(DisabledReason::Gone, at)
                .disabled_event()
                .expect("an event"),
            remind(7),
            remind(0),
        ] {
            let example = &find(event.kind.as_str()).expect("built in").example;
            let keys = |data: &Value| {
                data.as_object()
                    .expect("an object")
                    .keys()
                    .cloned()
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(keys(&event.data), keys(example), "{}", event.kind);
        }
    }
}
