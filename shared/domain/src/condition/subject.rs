//! What conditions look at: an event's data, and facts about the event and the webhook.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    event::Event,
    id::WebhookId,
    invalid::{Checked, Problems},
    path::Path,
    time,
};

/// An event as one webhook sees it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The event.
    pub event: &'a Event,
    /// The webhook's id.
    pub webhook: WebhookId,
    /// The webhook's name. Subscriptions that were stored without it have none.
    pub webhook_name: Option<&'a str>,
}

/// The field that a comparison looks at. `event.` and `webhook.` always mean these, whatever the
/// data holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A path into the event's `data`.
    Data(Path),
    /// A fact.
    Fact(Fact),
}

/// A field beside the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a field of that name")]
pub enum Fact {
    EventId,
    EventType,
    EventTimestamp,
    WebhookId,
    WebhookName,
}

const FACTS: [(&str, Fact); 5] = [
    ("event.id", Fact::EventId),
    ("event.type", Fact::EventType),
    ("event.timestamp", Fact::EventTimestamp),
    ("webhook.id", Fact::WebhookId),
    ("webhook.name", Fact::WebhookName),
];

/// The envelope's own names. They count where the data has no such field.
const ENVELOPE: [(&str, Fact); 3] = [
    ("id", Fact::EventId),
    ("type", Fact::EventType),
    ("timestamp", Fact::EventTimestamp),
];

impl Field {
    /// Reads a field of a new condition.
    pub(super) fn parse(text: &str) -> Checked<Self> {
        let field = Self::restore(text)?;
        match text.split_once('.') {
            Some(("secret", _)) => Err(Problems::here(
                "can't be a secret: conditions look at the event's data",
            )),
            Some((root @ ("event" | "webhook"), _)) if matches!(field, Self::Data(_)) => {
                let known: Vec<String> = (FACTS.iter().map(|(name, _)| *name))
                    .filter(|name| name.starts_with(root))
                    .map(|name| format!("`{name}`"))
                    .collect();
                Err(Problems::here(format!(
                    "is not known: `{root}.` is followed by one of {}",
                    known.join(", ")
                )))
            }
            _ => Ok(field),
        }
    }

    /// Reads a field of a stored condition. Older ones may name `event.x` or `secret.x` of the
    /// data.
    pub(super) fn restore(text: &str) -> Checked<Self> {
        let fact = FACTS.iter().find(|(name, _)| *name == text);
        fact.map_or_else(
            || Ok(Self::Data(Path::parse(text)?)),
            |(_, fact)| Ok(Self::Fact(*fact)),
        )
    }

    /// The field as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Data(path) => path.as_str(),
            Self::Fact(fact) => FACTS
                .iter()
                .find(|(_, known)| known == fact)
                .map_or("", |(name, _)| name),
        }
    }

    /// The value of the field; `None` when it is missing.
    pub(super) fn find<'a>(&self, subject: &Subject<'a>) -> Option<Cow<'a, Value>> {
        let Subject {
            event,
            webhook,
            webhook_name,
        } = subject;
        let fact = match self {
            Self::Data(path) => match path.find_in_event(&event.data) {
                Some(value) => return Some(Cow::Borrowed(value)),
                None => ENVELOPE.iter().find(|(name, _)| *name == path.as_str())?.1,
            },
            Self::Fact(fact) => *fact,
        };
        let text = match fact {
            Fact::EventId => event.id.to_string(),
            Fact::EventType => event.kind.to_string(),
            Fact::EventTimestamp => time::show(event.timestamp),
            Fact::WebhookId => webhook.to_string(),
            Fact::WebhookName => (*webhook_name)?.to_owned(),
        };
        Some(Cow::Owned(Value::String(text)))
    }
}
