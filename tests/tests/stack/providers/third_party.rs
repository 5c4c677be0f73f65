//! A third party with a scoped token: it sends SMS, triggers calls, and its webhook receives what
//! happens to them and what recipients send back.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use tests::{
    client::Response,
    provider::Provider,
    receiver::{Receiver, Reply, Request},
    stack::{Stack, text, unique},
};

const TO: &str = "+15555550100";
const FROM: &str = "+15555550101";
/// The auth token with which Twilio signs its requests.
const TOKEN: &str = "an-auth-token-of-twilio";

/// Sends a form to the provider's callback URL, signed as by Twilio with this token.
async fn from_twilio(
    stack: &Stack,
    provider: &Provider,
    token: &str,
    fields: &[(&str, &str)],
) -> Response {
    let url = provider.callback_url();
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("any key");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = stack
        .call(reqwest::Method::POST, &url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(form);
    stack.send(request).await
}

/// A provider by one of Twilio's presets, with the verification of its requests.
async fn twilio(stack: &Stack, preset: &str, receiver: &Receiver, inbound: Value) -> Provider {
    let path = local::root().join(format!("docs/providers/{preset}.json"));
    let document = std::fs::read_to_string(path).expect("a preset");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let mut callback = document["callback"].clone();
    callback["verification"] = json!({"type": "twilio", "secret": TOKEN});
    let inbound = if inbound.is_null() {
        document["inbound"].clone()
    } else {
        inbound
    };
    stack
        .provider(preset, &receiver.url())
        .set("provider_id", "AC123")
        .set("api_key", "AC123")
        .set("secret_key", TOKEN)
        .set("callback", callback)
        .set("inbound", inbound)
        .create()
        .await
}

/// The names of the fields of an object.
fn fields(object: &Value) -> Vec<&String> {
    object.as_object().expect("an object").keys().collect()
}

#[tokio::test]
async fn token_of_a_third_party_sends_sms_triggers_calls_and_receives_events() {
    let (stack, api, events) = (Stack::get(), Receiver::start(), Receiver::start());
    let mut created = 0;
    api.script(move |_| {
        created += 1;
        let sid = format!("S{created}");
        Reply::status(201).body(json!({"sid": sid}).to_string())
    });
    let sms = twilio(&stack, "twilio-sms", &api, Value::Null).await;
    let incoming = json!({
        "when": {"field": "Direction", "op": "eq", "value": "inbound"}, "from_pointer": "/From",
        "to_pointer": "/To", "id_pointer": "/CallSid", "from_name_pointer": "/CallerName",
    });
    let voice = twilio(&stack, "twilio-voice", &api, incoming).await;

    let scopes = ["messages:send", "calls:trigger", "webhooks:write"];
    let credential = json!({"description": unique("third party"), "scopes": scopes});
    let credential = stack.post("/v1/credentials", credential).await.expect(201);
    let third_party = stack.with_token(&text(&credential, "token"));
    third_party.get_path("/v1/providers").await.problem(403);
    let providers = json!([sms.document["name"], voice.document["name"]]);
    third_party
        .webhook()
        .url(events.url())
        .events(["sms.*", "call.*"])
        .set(
            "conditions",
            json!({"field": "provider", "op": "in", "value": providers}),
        )
        .create()
        .await;

    let message = |body: &str| json!({"channel": "sms", "provider": sms.id, "to": TO, "from": FROM, "text": body});
    let delivered = third_party.message("messages", message("Hello")).await;
    api.wait_for(1).await;
    let undelivered = third_party.message("messages", message("Bye")).await;
    api.wait_for(2).await;
    let call = json!({"provider": voice.id, "to": TO, "from": FROM, "text": "Hello"});
    let call = third_party.message("calls", call).await;
    api.wait_for(3).await;
    for id in [&delivered, &undelivered, &call] {
        stack.message_until(id, "sent").await;
    }
    let report = |status| [("MessageSid", "S1"), ("MessageStatus", status)];
    let forged = from_twilio(&stack, &sms, "another-token", &report("undelivered")).await;
    forged.problem(401);
    let sent = from_twilio(&stack, &sms, TOKEN, &report("delivered")).await;
    assert_eq!(sent.expect(202), json!({"reports": 1}));
    let failed = [("MessageSid", "S2"), ("MessageStatus", "undelivered")];
    from_twilio(&stack, &sms, TOKEN, &failed).await.expect(202);
    let answer = [
        ("MessageSid", "SM9"),
        ("SmsStatus", "received"),
        ("From", TO),
        ("To", FROM),
        ("Body", "Yes, 10 o'clock & ünï"),
    ];
    for _ in 0..2 {
        let response = from_twilio(&stack, &sms, TOKEN, &answer).await;
        assert_eq!((response.status, &*response.text), (200, "<Response/>"));
    }
    let digits = [("CallSid", "S3"), ("Digits", "1")];
    let recorded = [
        ("CallSid", "S3"),
        ("RecordingUrl", "https://api.example.com/RE1"),
    ];
    let completed = [("CallSid", "S3"), ("CallStatus", "completed")];
    for report in [digits, recorded, completed] {
        from_twilio(&stack, &voice, TOKEN, &report)
            .await
            .expect(202);
    }
    let incoming = [
        ("CallSid", "CA9"),
        ("Direction", "inbound"),
        ("CallStatus", "ringing"),
        ("From", TO),
        ("To", FROM),
    ];
    let response = from_twilio(&stack, &voice, TOKEN, &incoming).await;
    assert_eq!((response.status, &*response.text), (200, "<Response/>"));

    stack.message_until(&delivered, "delivered").await;
    stack.message_until(&undelivered, "failed").await;
    stack.message_until(&call, "completed").await;
    let received = events.wait_for(9).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in received.iter().map(Request::json) {
        let kind = text(&event, "type");
        let known = stack.get_path(&format!("/v1/event-types/{kind}")).await;
        let example = known.expect(200)["example"].clone();
        assert_eq!(fields(&event["data"]), fields(&example), "{event}");
        *counts.entry(kind).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(
        counts,
        [
            ("call.event", 1),
            ("call.incoming", 1),
            ("call.recording", 1),
            ("call.status", 1),
            ("sms.delivered", 1),
            ("sms.failed", 1),
            ("sms.received", 1),
            ("sms.sent", 2),
        ]
    );
    let received = received.iter().map(Request::json);
    let answer = received
        .into_iter()
        .find(|event| event["type"] == "sms.received")
        .expect("an inbound SMS");
    let data = &answer["data"];
    assert_eq!(
        (&data["provider_id"], &data["provider"]),
        (&json!(sms.id), &sms.document["name"])
    );
    assert_eq!(
        (&data["from"], &data["text"], &data["id"]),
        (&json!(TO), &json!("Yes, 10 o'clock & ünï"), &json!("SM9"))
    );
    // The token does no more than that.
    for forged in ["sms.received", "call.incoming"] {
        let event = json!({"type": forged, "data": {}});
        third_party.post("/v1/events", event).await.problem(403);
    }
}
