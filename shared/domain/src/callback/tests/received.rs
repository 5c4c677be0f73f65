//! Inbound messages and calls.

use jiff::Timestamp;

use super::*;
use crate::{
    event::Event,
    event_type,
    id::{EventId, Id},
    inbound::Verification,
    secrets::redact::{Redactor, Secrets},
};

fn inbound_of(preset: &str) -> InboundSettings {
    let preset: Value = serde_json::from_str(preset).expect("JSON");
    InboundSettings::read(preset["inbound"].clone(), Source::Client).expect("settings")
}

fn at() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn reader(channel: Channel, mapping: Option<Mapping>, inbound: &Value) -> Reader {
    let inbound = InboundSettings::read(inbound.clone(), Source::Client).expect("settings");
    Reader {
        channel,
        mapping,
        inbound: Some(inbound),
    }
}

/// The mapping of reports with `id` and `status`, and recordings at `url` for calls.
fn plain(channel: Channel) -> Mapping {
    let mut mapping = json!({"id_pointer": "/id", "status_pointer": "/status", "statuses": {"done": "delivered"}});
    if channel == Channel::Call {
        mapping["recording_pointer"] = json!("/url");
    }
    Mapping::parse(mapping, channel).expect("a mapping")
}

fn received(reader: &Reader, kind: &str, body: &str) -> Vec<Result<Received, NoReport>> {
    try_receive(reader, kind, URL, body).expect("readable")
}

fn try_receive(
    reader: &Reader,
    kind: &str,
    url: &str,
    body: &str,
) -> Result<Vec<Result<Received, NoReport>>, Unreadable> {
    let kind = HeaderValue::from_str(kind).expect("a header");
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind)]);
    let request = inbound::Request {
        method: &Method::POST,
        url,
        headers: &headers,
        body: body.as_bytes(),
    };
    read(reader, &request)
}

fn event_of(received: &Result<Received, NoReport>, channel: Channel) -> Event {
    let Ok(Received::Message(message)) = received else {
        panic!("an inbound message: {received:?}")
    };
    let none = Redactor::new(Secrets::default());
    let of = (EventId::new(at(), 1), at());
    let provider = (Id::new(at(), 7), "GW");
    let event = message.clone().event(provider, channel, &none, of, 2);
    event.expect("an event")
}

/// The data without the fields that every event of a provider has.
fn data(received: &Result<Received, NoReport>, channel: Channel) -> Value {
    let mut data = event_of(received, channel).data;
    let fields = data.as_object_mut().expect("an object");
    assert_eq!(fields.remove("provider"), Some(json!("GW")));
    let id = fields.remove("provider_id").expect("an ID");
    assert!(id.as_str().is_some_and(|id| id.starts_with("prov_")));
    data
}

#[test]
fn presets_read_what_recipients_send() {
    let sms = include_str!("../../../../../docs/providers/twilio-sms.json");
    let twilio = Reader {
        channel: Channel::Sms,
        mapping: Some(mapping(sms, Channel::Sms)),
        inbound: Some(inbound_of(sms)),
    };
    let form = "MessageSid=SM9&SmsSid=SM9&SmsStatus=received&From=%2B15555550100&To=%2B15555550101&Body=Yes+%E2%9C%93&NumMedia=1&MediaUrl0=https%3A%2F%2Fapi.twilio.com%2FM1&AccountSid=AC1";
    let raw = json!({
        "MessageSid": "SM9", "SmsSid": "SM9", "SmsStatus": "received", "From": "+15555550100",
        "To": "+15555550101", "Body": "Yes ✓", "NumMedia": "1", "AccountSid": "AC1",
        "MediaUrl0": "https://api.twilio.com/M1",
    });
    let all = received(&twilio, FORM, form);
    assert_eq!(
        data(&all[0], Channel::Sms),
        json!({
            "from": "+15555550100", "from_name": null, "to": "+15555550101", "text": "Yes ✓", "id": "SM9",
            "media": "https://api.twilio.com/M1", "raw": raw,
        })
    );
    let report = "MessageSid=SM1&SmsStatus=delivered&MessageStatus=delivered";
    assert_eq!(
        received(&twilio, FORM, report),
        [Ok(Received::Report(theirs(
            "SM1",
            status(Status::Delivered, "delivered")
        )))]
    );

    let telegram = Reader {
        channel: Channel::Chatbot,
        mapping: None,
        inbound: Some(inbound_of(include_str!(
            "../../../../../docs/providers/telegram.json"
        ))),
    };
    let photo = json!([{"file_id": "AgAC", "width": 90}]);
    let update = json!({"update_id": 70412, "message": {
        "message_id": 5, "from": {"id": 88, "first_name": "Ana"}, "chat": {"id": 88}, "text": "Hi",
        "photo": photo,
    }});
    let all = received(&telegram, JSON, &update.to_string());
    assert_eq!(
        data(&all[0], Channel::Chatbot),
        json!({
            "from": "88", "from_name": "Ana", "to": null, "text": "Hi", "id": "70412", "media": photo,
            "raw": update,
        })
    );
    let edited = json!({"update_id": 70413, "edited_message": {"text": "Hello"}});
    assert_eq!(
        received(&telegram, JSON, &edited.to_string()),
        [Err(NoReport::NoMapping)]
    );
}

#[test]
fn condition_decides_what_is_an_inbound_message() {
    let when = json!({"when": {"field": "Direction", "op": "eq", "value": "inbound"}});
    let call = Channel::Call;
    for (settings, mapping, body, is_message) in [
        (
            &when,
            Some(plain(call)),
            json!({"Direction": "inbound", "id": "C1", "status": "done"}),
            true,
        ),
        (
            &when,
            Some(plain(call)),
            json!({"Direction": "outbound", "id": "C1"}),
            false,
        ),
        (&when, None, json!({"Direction": "inbound"}), true),
        (&when, None, json!({"Direction": "outbound"}), false),
        // Without a condition: what is no report.
        (&json!({}), None, json!({"status": "done"}), true),
        (&json!({}), Some(plain(call)), json!({"id": "C1"}), true),
        (
            &json!({}),
            Some(plain(call)),
            json!({"id": "C1", "status": null}),
            true,
        ),
        (
            &json!({}),
            Some(plain(call)),
            json!({"id": "C1", "status": "unknown"}),
            false,
        ),
        (
            &json!({}),
            Some(plain(call)),
            json!({"id": "C1", "url": "https://x"}),
            false,
        ),
        (&json!({}), None, json!({}), false),
    ] {
        let reader = reader(call, mapping, settings);
        let all = received(&reader, JSON, &body.to_string());
        assert_eq!(
            matches!(all[..], [Ok(Received::Message(_))]),
            is_message,
            "{settings} {body}: {all:?}"
        );
    }
}

#[test]
fn events_have_the_fields_of_their_examples() {
    for (name, channel) in Channel::ALL {
        let all = received(&reader(channel, None, &json!({})), JSON, r#"{"x": 1}"#);
        let event = event_of(&all[0], channel);
        let kind = match channel {
            Channel::Call => "call.incoming".to_owned(),
            _ => format!("{name}.received"),
        };
        assert_eq!((event.kind.as_str(), event.hops), (kind.as_str(), 2));
        let example = &event_type::find(&kind).expect("built in").example;
        let keys = |data: &Value| -> Vec<String> {
            data.as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(keys(&event.data), keys(example));
        assert!(event.kind.is_reserved());
    }
}

#[test]
fn missing_values_are_null_and_others_are_texts() {
    let pointers = json!({
        "from_pointer": "/a", "from_name_pointer": "/b", "to_pointer": "/c", "text_pointer": "/d",
        "id_pointer": "/e", "media_pointer": "/f",
    });
    let reader = reader(Channel::Chatbot, None, &pointers);
    let long = "x".repeat(2_000);
    for (body, expected) in [
        (
            json!({"a": 88, "b": "", "c": "c\nd", "d": long, "e": 1.5, "f": {"g": [1]}}),
            json!(["88", "", "c\nd", long, "1.5", {"g": [1]}]),
        ),
        (
            json!({"a": true, "b": null, "c": ["x"], "d": {}, "e": "", "f": null}),
            json!([null, null, null, null, null, null]),
        ),
        (json!({"z": 1}), json!([null, null, null, null, null, null])),
    ] {
        let all = received(&reader, JSON, &body.to_string());
        let data = data(&all[0], Channel::Chatbot);
        let fields = ["from", "from_name", "to", "text", "id", "media"];
        let values: Vec<Value> = fields.iter().map(|field| data[*field].clone()).collect();
        assert_eq!(json!(values), expected, "{body}");
        assert_eq!(data["raw"], body);
    }
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    let all = received(&reader, JSON, &format!(r#"{{"f": {deep}}}"#));
    let data = data(&all[0], Channel::Chatbot);
    assert_eq!(data["media"], deep, "too deep for JSON");
    assert!(data["raw"].is_string());
}

#[test]
fn array_may_contain_reports_and_messages() {
    let when = json!({"when": {"field": "in", "op": "exists"}});
    let reader = reader(Channel::Sms, Some(plain(Channel::Sms)), &when);
    let body = json!([{"in": 1}, {"id": "a", "status": "done"}, 7, {"id": "a", "status": "x"}]);
    let all = received(&reader, JSON, &body.to_string());
    assert!(matches!(
        all[..],
        [
            Ok(Received::Message(_)),
            Ok(Received::Report(_)),
            Err(NoReport::NotAnObject),
            Err(NoReport::Unmapped)
        ]
    ));
    let messages = |count: usize| json!(vec![json!({"in": 1}); count]).to_string();
    assert_eq!(received(&reader, JSON, &messages(100)).len(), 100);
    assert_eq!(
        try_receive(&reader, JSON, URL, &messages(101)),
        Err(Unreadable::TooManyMessages)
    );
    assert_eq!(
        try_receive(&reader, "text/plain", URL, "Hello"),
        Err(Unreadable::Form)
    );
    let url = format!("{URL}?in=1&text=Hi");
    let all = try_receive(&reader, "text/plain", &url, "").expect("a query");
    assert_eq!(
        data(&all[0], Channel::Sms)["raw"],
        json!({"in": "1", "text": "Hi"})
    );
}

#[test]
fn repeats_have_the_same_id_or_the_same_request() {
    let reader = reader(Channel::Sms, None, &json!({"id_pointer": "/id"}));
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("idempotency-key"),
        HeaderValue::from_static("k1"),
    )]);
    let keys = |body: &Value, headers: &HeaderMap, verification: &Verification| {
        let text = body.to_string();
        let request = inbound::Request {
            method: &Method::POST,
            url: URL,
            headers,
            body: text.as_bytes(),
        };
        let read = read(&reader, &request).expect("readable");
        let messages = read.into_iter().enumerate();
        messages
            .flat_map(|(position, received)| match received {
                Ok(Received::Message(message)) => {
                    message.delivery_keys(position, verification, &request)
                }
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let (none, empty) = (&Verification::None, HeaderMap::new());
    let first = keys(&json!({"id": "a", "n": 1}), &empty, none);
    assert_eq!(first, keys(&json!({"id": "a", "n": 2}), &headers, none));
    assert_ne!(first, keys(&json!({"id": "b"}), &empty, none));
    let long = keys(&json!({"id": "x".repeat(5_000)}), &empty, none);
    assert!(long.len() == 1 && long[0].len() < 300);
    // Without an ID.
    assert!(keys(&json!({"n": 1}), &empty, none).is_empty());
    assert_eq!(
        keys(&json!([{"n": 1}, {"n": 2}]), &headers, none),
        ["idempotency-key:k1#0", "idempotency-key:k1#1"]
    );
    let github = json!({"type": "github", "secret": "secret-of-github"});
    let github = Verification::parse(github).expect("settings");
    let signed = keys(&json!({"n": 1}), &empty, &github);
    assert!(signed.len() == 1 && signed[0].starts_with("signature:"));
    assert_ne!(signed, keys(&json!({"n": 2}), &empty, &github));
}

#[test]
fn secrets_of_the_provider_are_masked() {
    let reader = reader(Channel::Sms, None, &json!({"from_pointer": "/from"}));
    let body = json!({"from": "hush-hush", "list": ["key=hush-hush", 1], "ok": "x"});
    let all = received(&reader, JSON, &body.to_string());
    let Ok(Received::Message(message)) = &all[0] else {
        panic!("a message")
    };
    let mut secrets = Secrets::default();
    secrets.add("hush-hush");
    let of = (EventId::new(at(), 1), at());
    let provider = (Id::new(at(), 7), "hush-hush");
    let event = message
        .clone()
        .event(provider, Channel::Sms, &Redactor::new(secrets), of, 0)
        .expect("an event");
    assert_eq!(event.data["from"], "•••");
    assert_eq!(
        event.data["raw"],
        json!({"from": "•••", "list": ["key=•••", 1], "ok": "x"})
    );
    assert_eq!(event.data["provider"], "hush-hush", "a name is no secret");
}
