mod choices;
mod clones;
mod preview;
mod requests;
mod settings;
mod state;
mod templates;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{request, *};
use crate::{
    egress_policy::AllowList,
    event::Event,
    id::EventId,
    pattern::EventType,
    template::{RenderError, UrlTemplate},
    validation::ValidationErrors,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

fn minimal() -> Value {
    json!({"name": "CRM", "url": "https://example.com/hook", "events": ["message"]})
}

fn with(change: &Value) -> Value {
    let mut document = minimal();
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    document
}

fn settings(change: &Value) -> Result<Settings, ValidationErrors> {
    Settings::parse(with(change), &AllowList::default()).map(|(settings, _)| settings)
}

fn webhook(change: &Value) -> Webhook {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    Webhook::new(
        WebhookId::new(at(0), 1),
        settings(change).expect("valid settings"),
        secret,
        at(0),
    )
}

fn event(data: Value) -> Event {
    let kind = EventType::parse("message").expect("an event type");
    Event {
        id: EventId::new(at(0), 2),
        kind,
        timestamp: at(0),
        data,
        hops: 0,
    }
}

fn address(webhook: &Webhook) -> UrlTemplate {
    webhook
        .settings
        .destination
        .address(None)
        .expect("a URL")
        .into_owned()
}

fn built(
    webhook: &Webhook,
    event: &Event,
    now: Timestamp,
) -> Result<crate::outgoing::Request, RenderError> {
    request::build(webhook, &address(webhook), event, now)
}

fn pointers(errors: ValidationErrors) -> Vec<String> {
    errors
        .0
        .into_iter()
        .map(|problem| problem.pointer)
        .collect()
}

fn pointers_of(change: &Value) -> Vec<String> {
    settings(change).err().map_or_else(Vec::new, pointers)
}
