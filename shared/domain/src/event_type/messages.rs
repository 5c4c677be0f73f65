//! The built-in event types of messages and calls.

use serde_json::{Value, json};

use super::Row;

pub(super) fn messages() -> Vec<Row> {
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

pub(super) fn calls() -> Vec<Row> {
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

/// What recipients send back.
pub(super) fn received() -> Vec<Row> {
    let received = |from: &str, from_name: Option<&str>, to: &str, text: Option<&str>, id: &str| {
        json!({
            "provider_id": "prov_01K3S0M3ZC0000000000000000",
            "provider": "Example provider",
            "from": from,
            "from_name": from_name,
            "to": to,
            "text": text,
            "id": id,
            "media": null,
            "raw": {"id": id, "from": from, "to": to, "body": text},
        })
    };
    let with = |mut data: Value, name: &str, value: Value| {
        data[name] = value;
        data
    };
    vec![
        (
            "sms.received",
            "A provider received an SMS.",
            with(
                received(
                    "+15555550100",
                    None,
                    "+15555550101",
                    Some("Yes, 10 o'clock is fine."),
                    "SM3c5e1a",
                ),
                "raw",
                json!({
                    "MessageSid": "SM3c5e1a",
                    "SmsStatus": "received",
                    "From": "+15555550100",
                    "To": "+15555550101",
                    "Body": "Yes, 10 o'clock is fine.",
                    "NumMedia": "0",
                }),
            ),
        ),
        (
            "email.received",
            "A provider received an e-mail.",
            received(
                "ana@example.com",
                Some("Ana Lima"),
                "support@example.com",
                Some("Thank you, the parcel has arrived."),
                "CAF7e21@mail.example.com",
            ),
        ),
        (
            "chatbot.received",
            "A provider received a chatbot message.",
            with(
                received(
                    "chat-user-88",
                    Some("Ana Lima"),
                    "support-bot",
                    Some("Is this the right part?"),
                    "70412",
                ),
                "media",
                json!("https://chat.example.com/files/70412.jpg"),
            ),
        ),
        (
            "call.incoming",
            "A provider reported an incoming call.",
            with(
                received("+15555550100", None, "+15555550101", None, "CA9d02f4"),
                "raw",
                json!({
                    "CallSid": "CA9d02f4",
                    "Direction": "inbound",
                    "CallStatus": "ringing",
                    "From": "+15555550100",
                    "To": "+15555550101",
                }),
            ),
        ),
    ]
}
