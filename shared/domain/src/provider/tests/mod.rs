mod callback;
mod limits;
mod presets;
mod requests;
mod settings;

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
    secrets::redact::Redactor,
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
