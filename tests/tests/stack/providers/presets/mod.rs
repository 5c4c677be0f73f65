//! Each documented preset against a mock of its API. Requests, responses and reports have the
//! shapes that the API's documentation gives.

mod email_and_chat;
mod gateways;
mod own;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply, Request},
    stack::Stack,
};

const TO: &str = "+15555550100";
const FROM: &str = "+15555550101";

fn form(request: &Request) -> Vec<(String, String)> {
    assert_eq!(
        request.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect()
}

fn basic(name: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{name}:{password}"))
    )
}

/// The types of the received events, and their data.
fn emitted(requests: &[Request]) -> Vec<(String, Value)> {
    let events = requests.iter().map(Request::json);
    events
        .map(|mut event| {
            (
                event["type"].as_str().expect("a type").to_owned(),
                event["data"].take(),
            )
        })
        .collect()
}

fn kinds(requests: &[Request]) -> Vec<String> {
    let mut kinds: Vec<String> = emitted(requests)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    kinds.sort_unstable();
    kinds
}

#[tokio::test]
async fn twilio_sms_preset_sends_and_reports() {
    let (stack, events) = (Stack::get(), Receiver::start());
    let sid = "SM0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let response =
        json!({"sid": sid, "status": "queued", "to": TO, "error_code": null, "num_segments": "1"});
    let twilio = Receiver::replying([Reply::status(201).body(response.to_string())]);
    stack
        .message_webhook()
        .url(events.url())
        .events(["sms.*"])
        .create()
        .await;
    let provider = stack
        .provider("twilio-sms", &twilio.url())
        .set("provider_id", "AC123")
        .set("api_key", "AC123");
    let provider = provider
        .set("secret_key", "an-auth-token-of-twilio")
        .create()
        .await;

    let name = provider.document["name"].clone();
    let message = json!({"channel": "sms", "provider": name, "to": TO, "from": FROM, "text": "50% off & more: ünï"});
    let id = stack.message("messages", message).await;
    let request = twilio.only().await;
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/2010-04-01/Accounts/AC123/Messages.json")
    );
    assert_eq!(
        request.header("authorization"),
        basic("AC123", "an-auth-token-of-twilio")
    );
    let callback_url = provider.callback_url();
    let wanted = [
        ("To", TO),
        ("From", FROM),
        ("Body", "50% off & more: ünï"),
        ("StatusCallback", &callback_url),
    ];
    assert_eq!(
        form(&request),
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );

    let sent = stack.message_until(&id, "sent").await;
    assert_eq!(sent["provider_message_id"], sid);
    assert_eq!(sent["attempts"][0]["status_code"], 201);
    let report = async |status| {
        let fields = [
            ("SmsSid", sid),
            ("MessageSid", sid),
            ("MessageStatus", status),
            ("AccountSid", "AC123"),
        ];
        provider.report_form(&fields).await.expect(202)
    };
    // Reports are late, early or repeated.
    assert_eq!(report("queued").await, json!({"reports": 0}));
    assert_eq!(report("delivered").await, json!({"reports": 1}));
    stack.message_until(&id, "delivered").await;
    report("sent").await;
    report("delivered").await;
    report("undelivered").await;
    stack.logged("delivery", &["report ignored", &id]).await;
    let got = events.wait_for(2).await;
    assert_eq!(kinds(&got), ["sms.delivered", "sms.sent"]);
    let (_, data) = emitted(&got)
        .into_iter()
        .find(|(kind, _)| kind == "sms.delivered")
        .expect("the event");
    assert_eq!(
        data,
        json!({
            "message_id": id, "channel": "sms", "provider": name, "provider_message_id": sid, "to": TO,
            "metadata": stack.metadata(), "status": "delivered",
        })
    );
    let message = stack.message_until(&id, "delivered").await;
    let history: Vec<&Value> = message["history"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| &step["status"])
        .collect();
    assert_eq!(history, ["queued", "sent", "delivered"]);
    assert_eq!((twilio.requests().len(), events.requests().len()), (1, 2));
}

#[tokio::test]
async fn twilio_voice_preset_calls_and_reports() {
    let (stack, events) = (Stack::get(), Receiver::start());
    let sid = "CA0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let twilio = Receiver::replying([
        Reply::status(201).body(json!({"sid": sid, "status": "queued"}).to_string())
    ]);
    stack
        .message_webhook()
        .url(events.url())
        .events(["call.*"])
        .create()
        .await;
    let provider = stack
        .provider("twilio-voice", &twilio.url())
        .set("provider_id", "AC123")
        .set("api_key", "SK123");
    let provider = provider
        .set("secret_key", "a-secret-of-an-api-key")
        .create()
        .await;

    let call =
        json!({"provider": provider.id, "to": TO, "from": FROM, "text": "Your code is <4711>"});
    let id = stack.message("calls", call).await;
    assert!(id.starts_with("call_"));
    let request = twilio.only().await;
    assert_eq!(request.path, "/2010-04-01/Accounts/AC123/Calls.json");
    assert_eq!(
        request.header("authorization"),
        basic("SK123", "a-secret-of-an-api-key")
    );
    let fields = form(&request);
    let field = |name: &str| {
        fields
            .iter()
            .find(|(found, _)| found == name)
            .expect(name)
            .1
            .clone()
    };
    assert_eq!(
        (field("To"), field("From")),
        (TO.to_owned(), FROM.to_owned())
    );
    assert_eq!(
        field("Twiml"),
        "<Response><Say>Your code is &lt;4711&gt;</Say></Response>"
    );
    assert_eq!(
        (field("StatusCallback"), field("RecordingStatusCallback")),
        (provider.callback_url(), provider.callback_url())
    );

    stack.message_until(&id, "sent").await;
    let report = async |name, value| {
        provider
            .report_form(&[("CallSid", sid), ("AccountSid", "AC123"), (name, value)])
            .await
            .expect(202)
    };
    report("CallStatus", "ringing").await;
    report("Digits", "1").await;
    report(
        "RecordingUrl",
        "https://api.twilio.com/2010-04-01/Accounts/AC123/Recordings/RE1",
    )
    .await;
    report("CallStatus", "completed").await;
    let call = stack.message_until(&id, "completed").await;
    assert_eq!(call["provider_call_id"], sid);
    let got = events.wait_for(4).await;
    assert_eq!(
        kinds(&got),
        ["call.event", "call.recording", "call.status", "call.status"]
    );
    let emitted = emitted(&got);
    let of = |kind: &str, field: &str, value: &str| {
        let found = emitted
            .iter()
            .find(|(found, data)| found == kind && (value.is_empty() || data[field] == value));
        found
            .unwrap_or_else(|| panic!("{kind} {field} {value}: {emitted:?}"))
            .1
            .clone()
    };
    assert_eq!(
        of("call.recording", "", "")["recording_url"],
        "https://api.twilio.com/2010-04-01/Accounts/AC123/Recordings/RE1"
    );
    assert_eq!(of("call.event", "", "")["event"]["Digits"], "1");
    assert_eq!(
        of("call.status", "provider_status", "ringing")["status"],
        "ringing"
    );
    let completed = of("call.status", "provider_status", "completed");
    assert_eq!(
        (&completed["call_id"], &completed["status"]),
        (&json!(id), &json!("completed"))
    );
}
