//! Event types: the built-in ones and one's own.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    event, event_type,
    invalid::{Checked, Fields, Problems, string},
    pattern::EventType,
};
use http::StatusCode;
use platform::{
    clock,
    table::{Written, event_types::CustomType, events::MOST_MATCHES},
};
use serde_json::{Value, json};

use crate::{
    App,
    http::{Answer, Document, Problem, access::Caller, query::Query},
    openapi::schema,
};

/// Lists event types: custom types (newest first), then built-in types.
#[utoipa::path(get, path = "/v1/event-types", operation_id = "listEventTypes", tag = "event types",
    security(("token" = ["events:read"])),
    params(schema::Paging),
    responses((status = 200, body = schema::List<schema::EventType>), schema::Refused))]
pub async fn list(State(app): State<Arc<App>>, query: Query) -> Answer<Json<Value>> {
    let paging = query.paging()?;
    let mut slice = paging.slice(&app).await?;
    let catalogue = event_type::catalogue();
    // The cursor is where one's own types go on, or how many of the built-in ones were shown.
    let shown: Option<usize> = slice.after.as_deref().and_then(|after| after.strip_prefix('#')?.parse().ok());
    let mut data = Vec::new();
    if shown.is_none() {
        let own = app.table.event_types(&slice).await?;
        data.extend(own.items.iter().map(view));
        if own.next.is_some() {
            return paging.page(&app, data, own.next).await.map(Json);
        }
    }
    slice.limit -= data.len();
    let from = shown.unwrap_or(0);
    let to = catalogue.len().min(from + slice.limit);
    data.extend(catalogue[from..to].iter().map(|known| {
        json!({"name": known.name, "description": known.description, "example": known.example, "built_in": true})
    }));
    let next = (to < catalogue.len()).then(|| format!("#{to}"));
    paging.page(&app, data, next).await.map(Json)
}

/// Creates a custom event type.
#[utoipa::path(post, path = "/v1/event-types", operation_id = "createEventType", tag = "event types",
    security(("token" = ["events:write"])),
    request_body = schema::EventTypeInput,
    responses((status = 201, body = schema::EventType), schema::Conflict, schema::Refused))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Document,
) -> Answer<Response> {
    let new = parse(body.required()?)?;
    let taken = || Problem::conflict("There is an event type of this name");
    if event_type::find(new.name.as_str()).is_some() {
        return Err(taken());
    }
    if app.table.most_subscribers(std::slice::from_ref(&new.name)).await? > MOST_MATCHES {
        return Err(Problem::conflict("More than 1,000 webhooks, the most there can be, would get such events"));
    }
    let entry = caller.entry("event_type.created", &new.name, Vec::new());
    match app.table.create_event_type(&new, &entry).await? {
        Written::Yes => Ok((StatusCode::CREATED, Json(view(&new))).into_response()),
        Written::Refused => Err(taken()),
    }
}

pub(crate) fn parse(value: Value) -> Checked<CustomType> {
    let mut fields = Fields::of(value)?;
    let name = fields.required("name", name);
    let description = fields.defaulted("description", None, |value| description(value).map(Some));
    let example =
        fields.defaulted("example", None, |value| event::object(value).map(|map| Some(Value::from(map).to_string())));
    let parsed = name.zip(description).zip(example);
    let created_at = clock::now();
    fields.finish(parsed.map(|((name, description), example)| CustomType { name, description, example, created_at }))
}

/// A name outside the namespaces that Tieline publishes in.
fn name(value: Value) -> Checked<EventType> {
    let name = EventType::parse(&string(value)?)?;
    if name.is_reserved() && event_type::find(name.as_str()).is_none() {
        return Err(Problems::here("is in a namespace that Tieline publishes in: choose another first word"));
    }
    Ok(name)
}

fn description(value: Value) -> Checked<String> {
    let text = string(value)?;
    if text.chars().count() > 1000 {
        return Err(Problems::here("must have at most 1,000 characters"));
    }
    Ok(text)
}

fn view(own: &CustomType) -> Value {
    let example: Option<Value> = own.example.as_deref().and_then(|text| serde_json::from_str(text).ok());
    json!({
        "name": own.name,
        "description": own.description,
        "example": example,
        "built_in": false,
        "created_at": own.created_at,
    })
}
