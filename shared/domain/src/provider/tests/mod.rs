mod limits;
mod presets;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    egress_policy::AllowList,
    id::Id,
    message::{Message, MessageRef, NewMessage},
    outgoing::Request,
    secrets::{Reveal, redact::Redactor},
};

const KEYS: [&str; 2] = ["a-key-of-the-provider", "a-secret-of-the-provider"];
const CALLBACK: &str = "https://hub.example.com/in/k?a=b";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

fn document(change: &Value) -> Value {
    let mut document = json!({
        "name": "SMS gateway", "provider_id": "gw-1", "channel": "sms", "send_url": "https://gw.example.com/send",
        "api_key": KEYS[0], "secret_key": KEYS[1],
    });
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    document
}

fn settings(change: &Value) -> Result<Settings, ValidationErrors> {
    Settings::parse(document(change), &AllowList::default(), KeyPolicy::Required)
}

fn provider(change: &Value) -> Provider {
    Provider::new(
        ProviderId::from_ulid(ulid::Ulid::from(7)),
        settings(change).expect("valid settings"),
        at(0),
    )
}

fn message(document: Value, channel: Channel) -> Message {
    let new = if channel == Channel::Call {
        NewMessage::parse_call(document)
    } else {
        NewMessage::parse(document)
    };
    let id = MessageRef::new(channel, at(0), 5);
    Message::accept(
        new.expect("a message"),
        id,
        (Id::new(at(0), 7), "GW".to_owned()),
        at(0),
        "t".to_owned(),
    )
    .0
}

fn sms(text: &str) -> Message {
    message(
        json!({"channel": "sms", "to": "+15555550100", "from": "+15555550111", "text": text}),
        Channel::Sms,
    )
}

fn pointers(problems: ValidationErrors) -> Vec<String> {
    problems
        .0
        .into_iter()
        .map(|invalid| invalid.pointer)
        .collect()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().expect("text"))
}

#[test]
fn defaults_match_the_contract() {
    let shown = Value::Object(settings(&json!({})).expect("valid").to_map(Reveal::Hints));
    let expected = json!({
        "name": "SMS gateway", "provider_id": "gw-1", "channel": "sms", "send_url": "https://gw.example.com/send",
        "api_key_hint": "ider", "secret_key_hint": "ider", "default": false, "from": null, "auth": {"type": "signed"},
        "request": null, "response": null, "callback": null,
    });
    assert_eq!(shown, expected);
}

#[test]
fn settings_round_trip_without_showing_secrets() {
    let first = settings(&json!({
        "channel": "call", "default": true, "send_url": "https://gw.example.com/bot123:AbC/{secret.api_key}",
        "auth": {"type": "header", "name": "X-Key"},
        "request": {
            "method": "PUT", "format": "form", "headers": {"x-token": "hush", "x-tenant": "{message.metadata.tenant}"},
            "body": "a={message.twiml}",
        },
        "response": {"id_pointer": "/a~1b/0"},
        "callback": {
            "id_pointer": "/id", "status_pointer": "/s", "statuses": {"done": "delivered"}, "recording_pointer": "/r",
        },
    }))
    .expect("valid");
    let written = Value::Object(first.to_map(Reveal::Full));
    let again = Settings::restore(written.clone()).expect("valid");
    assert_eq!(Value::Object(again.to_map(Reveal::Full)), written);
    assert_eq!(
        Settings::parse(first.base(&json!({})), &AllowList::default(), first.keys())
            .expect("valid")
            .name,
        "SMS gateway"
    );
    let shown = Value::Object(first.to_map(Reveal::Hints)).to_string();
    for secret in [KEYS[0], KEYS[1], "hush", "bot123"] {
        assert!(
            !shown.contains(secret) && !format!("{first:?}").contains(secret),
            "{secret}: {shown}"
        );
    }
    assert_eq!(
        first.base(&json!({"auth": {"type": "basic"}}))["auth"],
        Value::Null
    );
    assert_eq!(
        first.base(&json!({"auth": {"name": "x-other"}}))["auth"]["type"],
        "header"
    );
}

#[test]
fn blank_keys_are_rejected_but_stored_ones_load() {
    let blank = json!({"api_key": "   ", "secret_key": " ", "auth": {"type": "basic"}});
    assert_eq!(
        pointers(settings(&blank).expect_err("blank")),
        ["/api_key", "/secret_key"]
    );
    assert!(Settings::restore(document(&blank)).is_ok());
}

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "name": "", "provider_id": 1, "channel": "fax", "send_url": "http://10.0.0.1/", "api_key": "é", "secret_key": "",
        "default": "yes", "auth": {"type": "digest"}, "request": {"method": "TRACE", "x": 1},
        "response": {"id_pointer": "sid"}, "colour": "red",
    });
    assert_eq!(
        pointers(settings(&wrong).expect_err("invalid")),
        [
            "/name",
            "/provider_id",
            "/channel",
            "/send_url",
            "/auth/type",
            "/request/method",
            "/request/x",
            "/api_key",
            "/secret_key",
            "/default",
            "/response/id_pointer",
            "/colour",
        ]
    );
    for (change, pointer) in [
        (json!({"api_key": null}), "/api_key"),
        (json!({"secret_key": null}), "/secret_key"),
        (
            json!({"secret_key": null, "auth": {"type": "basic"}}),
            "/secret_key",
        ),
        (
            json!({"secret_key": null, "auth": {"type": "bearer"}, "request": {"body": "[{secret.secret_key}]"}}),
            "/secret_key",
        ),
        (json!({"secret_key": "whsec_short"}), "/secret_key"),
        (
            json!({"api_key": "a:b", "auth": {"type": "basic"}}),
            "/api_key",
        ),
        (
            json!({"api_key": null, "auth": {"type": "none"}, "request": {"body": "[{secret.api_key}]"}}),
            "/api_key",
        ),
        (json!({"auth": {"type": "none", "name": "x"}}), "/auth/name"),
        (
            json!({"send_url": "https://gw.example.com/•••"}),
            "/send_url",
        ),
        (json!({"send_url": "https://{message.to}/"}), "/send_url"),
        (
            json!({"send_url": "https://gw.example.com/{to}"}),
            "/send_url",
        ),
        (
            json!({"send_url": "https://gw.example.com/{secret.token}"}),
            "/send_url",
        ),
        (
            json!({"request": {"body": "{\"a\": {call.to}}"}}),
            "/request/body",
        ),
        (
            json!({"request": {"body": "{\"a\": {message.metadatax}}"}}),
            "/request/body",
        ),
        (json!({"request": {"body": "{"}}), "/request/body"),
        (json!({"request": {"format": "xml"}}), "/request/body"),
        (
            json!({"request": {"headers": {"X-Api-Key": "x"}}}),
            "/request/headers/X-Api-Key",
        ),
        (
            json!({"request": {"headers": {"x-a": "{event.id}"}}}),
            "/request/headers/x-a",
        ),
        (
            json!({"request": {"headers": {"webhook-id": "x"}}}),
            "/request/headers/webhook-id",
        ),
        (
            json!({"auth": {"type": "header", "name": "Host"}}),
            "/auth/name",
        ),
        (
            json!({"callback": {"id_pointer": "/a", "status_pointer": "/b"}}),
            "/callback/statuses",
        ),
        (
            json!({"callback": {"id_pointer": "/a", "status_pointer": "/b", "statuses": {"x": "seen"}}}),
            "/callback/statuses/x",
        ),
        (
            json!({"callback": {"id_pointer": "/a", "status_pointer": "/b", "statuses": {}, "recording_pointer": "/r"}}),
            "/callback/recording_pointer",
        ),
    ] {
        assert_eq!(
            pointers(settings(&change).expect_err("invalid")),
            [pointer],
            "{change}"
        );
    }
}

#[test]
fn provider_without_keys_needs_secrets() {
    for (change, status) in [
        (
            json!({"api_key": null, "secret_key": null}),
            Status::NeedsSecrets,
        ),
        (json!({"secret_key": null}), Status::NeedsSecrets),
        (
            json!({"secret_key": null, "auth": {"type": "bearer"}}),
            Status::Active,
        ),
        (
            json!({"api_key": null, "secret_key": null, "auth": {"type": "none"}}),
            Status::Active,
        ),
        (
            json!({"api_key": null, "auth": {"type": "none"}, "send_url": "https://gw.example.com/{secret.api_key}"}),
            Status::NeedsSecrets,
        ),
        (
            json!({"secret_key": null, "auth": {"type": "bearer"}, "send_url": "https://gw.example.com/{secret.secret_key}"}),
            Status::NeedsSecrets,
        ),
        (json!({}), Status::Active),
    ] {
        let settings = Settings::parse(
            document(&change),
            &AllowList::default(),
            KeyPolicy::Optional,
        )
        .expect("valid");
        assert_eq!(settings.status(), status, "{change}");
        assert_eq!(
            settings.keys() == KeyPolicy::Optional,
            status == Status::NeedsSecrets
        );
        let one = Provider::new(ProviderId::new(at(0), 1), settings, at(0));
        assert_eq!(
            choose(None, Channel::Sms, std::slice::from_ref(&one)).is_ok(),
            status == Status::Active
        );
        assert_eq!(
            request::build(&one, &sms("x"), None, at(0)).is_ok(),
            status == Status::Active,
            "{change}"
        );
    }
}

#[test]
fn default_request_is_signed_json() {
    let (one, message) = (provider(&json!({})), sms("hi"));
    let request = request::build(&one, &message, None, at(0)).expect("a request");
    let body = request.body.expect("a body");
    assert_eq!(
        serde_json::from_str::<Value>(&body).expect("JSON"),
        json!({
            "id": message.id, "provider_id": "gw-1", "channel": "sms", "to": "+15555550100", "from": "+15555550111",
            "subject": null, "text": "hi", "html": null, "metadata": {},
        })
    );
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://gw.example.com/send")
    );
    assert_eq!(header(&request.headers, "x-api-key"), KEYS[0]);
    assert_eq!(header(&request.headers, "content-type"), "application/json");
    assert_eq!(
        header(&request.headers, "webhook-id"),
        message.id.to_string()
    );
    let key = crate::signature::SigningSecret::parse(KEYS[1]).expect("of 24 characters");
    let timestamp = header(&request.headers, "webhook-timestamp");
    let signature = header(&request.headers, "webhook-signature");
    assert!(crate::signature::verifies(
        &message.id.to_string(),
        timestamp,
        body.as_bytes(),
        signature,
        &key
    ));
    assert!(
        request::build(
            &provider(&json!({"secret_key": "short"})),
            &message,
            None,
            at(0)
        )
        .is_ok()
    );
}

#[test]
fn each_auth_sets_its_header() {
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{}:{}", KEYS[0], KEYS[1]))
    );
    let bearer = format!("Bearer {}", KEYS[0]);
    for (auth, name, value) in [
        (json!({"type": "basic"}), "authorization", basic.as_str()),
        (json!({"type": "bearer"}), "authorization", &bearer),
        (
            json!({"type": "header", "name": "X-Mine"}),
            "x-mine",
            KEYS[0],
        ),
    ] {
        let one = provider(&json!({"auth": auth}));
        let request = request::build(&one, &sms("hi"), None, at(0)).expect("a request");
        assert_eq!(header(&request.headers, name), value);
        assert!(
            request.headers[name].is_sensitive()
                && !request.headers.contains_key("webhook-signature")
        );
        assert_eq!(
            Redactor::new(one.secrets())
                .whole(&format!("you sent {value}, {}", KEYS[1]))
                .matches("a-")
                .count(),
            0
        );
    }
}

#[test]
fn auth_none_sends_keys_only_in_tags() {
    let auth = json!({"type": "none"});
    let one =
        provider(&json!({"auth": auth, "send_url": "https://gw.example.com/{secret.api_key}"}));
    let request = request::build(&one, &sms("hi"), None, at(0)).expect("a request");
    let names: Vec<&str> = request
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    assert_eq!(names, ["content-type", "tieline-hops"]);
    assert_eq!(
        request.url.as_str(),
        format!("https://gw.example.com/{}", KEYS[0])
    );
    assert_eq!(one.settings.auth.to_value(), auth);
    assert_eq!(
        Redactor::new(one.secrets()).whole(&format!("you sent {}", KEYS[0])),
        "you sent •••"
    );
}

#[test]
fn missing_tags_are_listed_without_a_request() {
    let one = provider(&json!({
        "send_url": "https://gw.example.com/{message.metadata.region}/send",
        "request": {"headers": {"x-a": "{message.subject}"}, "body": "[{message.to}, {message.metadata.b}]"},
    }));
    assert!(request::build(&one, &sms("hi"), None, at(0)).is_err());
    let missing = request::missing(&one, &sms("hi"), None);
    assert_eq!(
        missing.names().collect::<Vec<_>>(),
        ["message.metadata.b", "message.metadata.region"]
    );
}

#[test]
fn provider_is_chosen_by_name_default_or_channel() {
    let make = |id: u128, name: &str, channel: &str, default: bool| Provider {
        id: ProviderId::from_ulid(ulid::Ulid::from(id)),
        ..provider(&json!({"name": name, "channel": channel, "default": default}))
    };
    let all = [
        make(1, "One", "sms", false),
        make(2, "Two", "sms", false),
        make(3, "Mail", "email", false),
    ];
    let with_default = [make(1, "One", "sms", false), make(2, "Two", "sms", true)];
    let id = all[1].id.to_string();
    for (wanted, channel, all, chosen) in [
        (Some("oNE"), Channel::Sms, all.as_slice(), Some("One")),
        (Some(id.as_str()), Channel::Sms, &all, Some("Two")),
        (Some("Three"), Channel::Sms, &all, None),
        (Some("Mail"), Channel::Sms, &all, None),
        (None, Channel::Sms, &all, None),
        (None, Channel::Email, &all, Some("Mail")),
        (None, Channel::Call, &all, None),
        (None, Channel::Sms, &with_default, Some("Two")),
        (Some("One"), Channel::Sms, &with_default, Some("One")),
    ] {
        let found = choose(wanted, channel, all)
            .map(|one| one.settings.name.as_str())
            .map_err(pointers);
        assert_eq!(
            found,
            chosen.ok_or(vec!["/provider".to_owned()]),
            "{wanted:?}"
        );
    }
}

#[test]
fn message_ids_are_read_from_responses() {
    let found = |pointer: &str, body: &str| {
        settings(&json!({"response": {"id_pointer": pointer}}))
            .expect("valid")
            .answered_id(&HeaderMap::new(), body.as_bytes())
    };
    assert_eq!(
        found(
            "/result/message_id",
            r#"{"ok":true,"result":{"message_id":42}}"#
        )
        .as_deref(),
        Some("42")
    );
    assert_eq!(found("/sid", r#"{"sid":"SM1"}"#).as_deref(), Some("SM1"));
    assert_eq!(found("/sid", "<html>"), None);
    assert_eq!(
        found("/sid", &format!(r#"{{"sid":"{}"}}"#, "x".repeat(256))),
        None
    );
    let latin1 = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=iso-8859-1"),
    )]);
    assert_eq!(
        settings(&json!({"response": {"id_pointer": "/sid"}}))
            .expect("valid")
            .answered_id(&latin1, b"{\"sid\":\"SM1\",\"to\":\"Jos\xe9\"}")
            .as_deref(),
        Some("SM1")
    );
    assert_eq!(
        settings(&json!({}))
            .expect("valid")
            .answered_id(&HeaderMap::new(), br#"{"sid":"SM1"}"#),
        None
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(
                "(type|name|body|headers|format|id_pointer|statuses|[a-z]{1,3})",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn parse_accepts_any_document(
        field in "(name|provider_id|channel|send_url|api_key|secret_key|default|auth|request|response|callback)",
        value in any_json(), text in "(https://h.example/)?\\PC{0,40}",
    ) {
        for value in [value, Value::from(text)] {
            if let Ok(settings) = settings(&json!({field.clone(): value})) {
                let written = Value::Object(settings.to_map(Reveal::Full));
                prop_assert!(Settings::restore(written).is_ok());
            }
        }
    }
}
