//! Fields that conditions can use: an event's data, and metadata of the event and the webhook.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    event::Event,
    id::WebhookId,
    path::Path,
    time,
    validation::{Validated, ValidationErrors},
};

/// What a condition is evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The value that paths lead into.
    root: &'a Value,
    /// Whether `root` is the data of the event.
    is_data: bool,
    /// The event as seen by one webhook. None for a value that is not of an event.
    event: Option<SeenEvent<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct SeenEvent<'a> {
    event: &'a Event,
    webhook: WebhookId,
    webhook_name: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// An event as seen by a webhook. `webhook_name` is `None` for old subscriptions that were
    /// stored without it.
    pub fn of_event(event: &'a Event, webhook: WebhookId, webhook_name: Option<&'a str>) -> Self {
        Self {
            root: &event.data,
            is_data: true,
            event: Some(SeenEvent {
                event,
                webhook,
                webhook_name,
            }),
        }
    }

    /// A value that is not of an event.
    pub(crate) fn of_value(value: &'a Value) -> Self {
        Self {
            root: value,
            is_data: false,
            event: None,
        }
    }

    /// An element of an array of this subject.
    pub(super) fn element<'b>(&self, element: &'b Value) -> Subject<'b>
    where
        'a: 'b,
    {
        Subject {
            root: element,
            is_data: false,
            event: self.event,
        }
    }
}

/// Field of a comparison. The prefixes `event.` and `webhook.` take precedence over the data.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A path into the event's `data`.
    Data(Path),
    /// A metadata field.
    Fact(Fact),
    /// The element of an array that the condition applies to.
    Element,
}

/// A metadata field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its field")]
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

/// Names from the envelope. Used if the data has no such field.
const ENVELOPE: [(&str, Fact); 3] = [
    ("id", Fact::EventId),
    ("type", Fact::EventType),
    ("timestamp", Fact::EventTimestamp),
];

/// The metadata field that the path names, if any.
fn fact(path: &Path) -> Option<Fact> {
    let found = FACTS.iter().find(|(name, _)| *name == path.as_str());
    found.map(|(_, fact)| *fact)
}

/// Parses a path that is not that of a secret.
fn not_secret(text: &str) -> Validated<Path> {
    let path = Path::parse(text)?;
    match path.steps() {
        [root, _, ..] if root == "secret" => Err(ValidationErrors::here(
            "can't be a secret: conditions use the event's data",
        )),
        _ => Ok(path),
    }
}

impl Field {
    /// Parses the field of a new condition on events.
    pub(super) fn parse(text: &str) -> Validated<Self> {
        let path = not_secret(text)?;
        match path.steps() {
            [root, _, ..] if (root == "event" || root == "webhook") && fact(&path).is_none() => {
                let known: Vec<String> = (FACTS.iter().map(|(name, _)| *name))
                    .filter(|name| name.starts_with(root))
                    .map(|name| format!("`{name}`"))
                    .collect();
                Err(ValidationErrors::here(format!(
                    "is unknown: `{root}.` must be followed by one of {}",
                    known.join(", ")
                )))
            }
            _ => Ok(Self::of(path)),
        }
    }

    /// Parses the field of a new condition on documents.
    pub(super) fn parse_for_documents(text: &str) -> Validated<Self> {
        Ok(Self::of(not_secret(text)?))
    }

    /// Loads the field of a stored condition. Old ones may use `event.x` or `secret.x` for fields
    /// of the data.
    pub(super) fn restore(text: &str) -> Validated<Self> {
        Ok(Self::of(Path::parse(text)?))
    }

    fn of(path: Path) -> Self {
        fact(&path).map_or(Self::Data(path), Self::Fact)
    }

    /// The field's path in its shortest spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Data(path) => path.as_str(),
            Self::Element => "",
            Self::Fact(fact) => FACTS
                .iter()
                .find(|(_, known)| known == fact)
                .map_or("", |(name, _)| name),
        }
    }

    /// Value of the field; `None` if it is missing.
    pub(super) fn find<'a>(&self, subject: &Subject<'a>) -> Option<Cow<'a, Value>> {
        let fact = match self {
            Self::Element => return Some(Cow::Borrowed(subject.root)),
            Self::Data(path) if !subject.is_data => {
                return path.find(subject.root).map(Cow::Borrowed);
            }
            Self::Data(path) => match path.find_in_event(subject.root) {
                Some(value) => return Some(Cow::Borrowed(value)),
                None => ENVELOPE.iter().find(|(name, _)| *name == path.as_str())?.1,
            },
            // What is not of an event has no such facts, but may have such fields.
            Self::Fact(_) if subject.event.is_none() => {
                let path = Path::parse(self.as_str()).ok()?;
                return path.find(subject.root).map(Cow::Borrowed);
            }
            Self::Fact(fact) => *fact,
        };
        let SeenEvent {
            event,
            webhook,
            webhook_name,
        } = subject.event?;
        let text = match fact {
            Fact::EventId => event.id.to_string(),
            Fact::EventType => event.kind.to_string(),
            Fact::EventTimestamp => time::show_event(event.timestamp),
            Fact::WebhookId => webhook.to_string(),
            Fact::WebhookName => webhook_name?.to_owned(),
        };
        Some(Cow::Owned(Value::String(text)))
    }
}
