//! The event of a test or preview.

use domain::{
    event::{Event, NewEvent},
    event_type,
    pattern::EventType,
    validation::Validated,
    webhook::Webhook,
};
use platform::{clock, random};
use serde_json::{Value, json};

use crate::{
    App,
    http::{ApiResult, Problem},
    known_types,
};

/// The event of a test or preview. `data` is optional.
pub(super) struct Given {
    pub(super) event: NewEvent,
    has_data: bool,
}

impl Given {
    pub(super) fn parse(mut value: Value) -> Validated<Self> {
        let has_data = !value["data"].is_null();
        if let (false, Value::Object(map)) = (has_data, &mut value) {
            map.insert("data".to_owned(), json!({}));
        }
        Ok(Self {
            event: NewEvent::parse(value)?,
            has_data,
        })
    }
}

/// Returns the given event, with its type's example if it has no data; otherwise a sample of the
/// first type that the webhook subscribes to.
pub(super) async fn event(app: &App, webhook: &Webhook, given: Option<Given>) -> ApiResult<Event> {
    let now = clock::now();
    match given {
        Some(Given {
            event,
            has_data: true,
        }) => Ok(event.accept(random::id(), now)),
        Some(Given {
            event,
            has_data: false,
        }) => {
            let data = example(app, &event.kind).await?;
            Ok(Event {
                data,
                ..event.accept(random::id(), now)
            })
        }
        None => {
            let kind = wanted(app, webhook).await?;
            let data = example(app, &kind).await?;
            Ok(Event {
                id: random::id(),
                kind,
                timestamp: now,
                data,
                hops: 0,
            })
        }
    }
}

/// Returns the first event type that the webhook's patterns match.
async fn wanted(app: &App, webhook: &Webhook) -> ApiResult<EventType> {
    for pattern in &webhook.settings.events {
        for known in event_type::catalogue() {
            let kind = EventType::parse(known.name).map_err(Problem::internal)?;
            if pattern.matches(&kind) {
                return Ok(kind);
            }
        }
        if let Some(kind) = pattern.exact()
            && known_types::is_known(app, &kind).await?
        {
            return Ok(kind);
        }
    }
    EventType::parse("message").map_err(Problem::internal)
}

/// Returns a type's example of `data`, or an empty object if it has none.
async fn example(app: &App, kind: &EventType) -> ApiResult<Value> {
    if let Some(known) = event_type::catalogue()
        .iter()
        .find(|known| known.name == kind.as_str())
    {
        return Ok(known.example.clone());
    }
    let example = app
        .table
        .event_type(kind)
        .await?
        .and_then(|own| own.example);
    let data = example.and_then(|text| serde_json::from_str(&text).ok());
    Ok(data.unwrap_or_else(|| json!({})))
}
