//! Event types, built-in and custom.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    audit, event, event_type,
    pattern::{EventType, Pattern},
    validation::{FieldReader, Validated, ValidationErrors, string},
};
use http::StatusCode;
use platform::{
    clock,
    table::{
        event_types::{self as stored, CustomType, MAX_TYPES},
        events::MAX_MATCHES,
    },
};
use serde_json::{Value, json};

use crate::{
    App, api,
    http::{
        ApiResult, Created, IfMatch, JsonBody, Problem, Tagged, Versioned, auth::Principal,
        patch::apply, query::Query,
    },
};

/// Maximum size of a custom type's example, in bytes of JSON. A page contains up to 100.
const MAX_EXAMPLE: usize = 16 * 1024;

/// Lists event types: custom types (newest first), then built-in types.
#[utoipa::path(get, path = "/v1/event-types", operation_id = "listEventTypes", tag = "event types",
    security(("token" = ["events:read"])),
    params(api::Paging),
    responses((status = 200, body = api::List<api::EventType>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    query: Query,
) -> ApiResult<Json<api::List<api::EventType>>> {
    let paging = query.paging()?;
    let mut page_request = paging.page_request(&app).await?;
    let catalogue = event_type::catalogue();
    // The cursor is the position among custom types, or the number of built-in types already
    // returned.
    let shown: Option<usize> = page_request
        .after
        .as_deref()
        .and_then(|after| after.strip_prefix('#')?.parse().ok());
    let mut data = Vec::new();
    if shown.is_none() {
        let own = app.table.event_types(&page_request).await?;
        data.extend(own.items.into_iter().map(api::EventType::from));
        if own.next.is_some() {
            return paging.page(&app, data, own.next).await;
        }
    }
    page_request.limit -= data.len();
    let from = shown.unwrap_or(0);
    let to = catalogue.len().min(from + page_request.limit);
    data.extend(catalogue[from..to].iter().map(api::EventType::from));
    let next = (to < catalogue.len()).then(|| format!("#{to}"));
    paging.page(&app, data, next).await
}

/// Creates a custom event type.
#[utoipa::path(post, path = "/v1/event-types", operation_id = "createEventType", tag = "event types",
    security(("token" = ["events:write"])),
    request_body = api::EventTypeInput,
    responses((status = 201, body = api::EventType), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::EventType>>> {
    let new = parse(body.json()?)?;
    let taken = || Problem::conflict("An event type with this name already exists.");
    if event_type::find(new.name.as_str()).is_some() {
        return Err(taken());
    }
    if app
        .table
        .most_subscribers(std::slice::from_ref(&new.name))
        .await?
        > MAX_MATCHES
    {
        return Err(Problem::conflict(
            "More than 1,000 webhooks would receive this type, which is the maximum.",
        ));
    }
    let entry = caller.entry("event_type.created", &new.name, Vec::new());
    match app.table.create_event_type(&new, &entry).await? {
        stored::Created::Yes => Ok(Created::new("/v1/event-types", &new.name, answer(&new))),
        stored::Created::Taken => Err(taken()),
        stored::Created::Full => Err(Problem::conflict(format!(
            "There are already {MAX_TYPES} custom event types, which is the maximum. Delete one first."
        ))),
    }
}

/// Returns an event type, custom or built in.
#[utoipa::path(get, path = "/v1/event-types/{name}", operation_id = "getEventType", tag = "event types",
    security(("token" = ["events:read"])),
    params(("name" = String, Path, description = "The name of the event type.")),
    responses((status = 200, body = api::EventType), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> ApiResult<Tagged<api::EventType>> {
    if let Some(known) = event_type::find(&name) {
        return Ok(Tagged::hashed(known.into()));
    }
    Ok(answer(&find(&app, &name).await?))
}

/// Updates the description or the example of a custom event type.
///
/// A JSON merge patch (RFC 7396). The name can't be changed.
#[utoipa::path(patch, path = "/v1/event-types/{name}", operation_id = "updateEventType", tag = "event types",
    security(("token" = ["events:write"])),
    params(("name" = String, Path, description = "The name of the event type."), api::IfMatch),
    request_body = api::EventTypePatch,
    responses((status = 200, body = api::EventType), api::ConflictResponse, api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    Path(name): Path<String>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::EventType>> {
    let patch = &body.json()?;
    let (app, name, caller) = (&*app, name.as_str(), &caller);
    let write = |before: CustomType| async move {
        let after = patched(&before, patch)?;
        let fields = audit::changes(&document(&before), &document(&after));
        if fields.is_empty() {
            return Ok(answer(&before));
        }
        let entry = caller.entry("event_type.updated", &after.name, fields);
        app.table.update_event_type(&before, &after, &entry).await?;
        Ok(answer(&after))
    };
    if_match.change(|| find(app, name), write).await
}

/// Deletes a custom event type.
///
/// Fails with 409 if enabled webhooks subscribe to it by name. Events already published are still
/// delivered.
#[utoipa::path(delete, path = "/v1/event-types/{name}", operation_id = "deleteEventType", tag = "event types",
    security(("token" = ["events:write"])),
    params(("name" = String, Path, description = "The name of the event type."), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ConflictResponse, api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    Path(name): Path<String>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, name, caller) = (&*app, name.as_str(), &caller);
    let write = |own: CustomType| async move {
        let pattern = Pattern::parse(own.name.as_str()).map_err(Problem::internal)?;
        let webhooks = app.table.subscribed_to(&pattern).await?;
        if !webhooks.is_empty() {
            let remedy = "Remove the type from their `events` first";
            return Err(
                Problem::in_use("Webhooks subscribe to the type", webhooks.iter(), remedy).into(),
            );
        }
        let entry = caller.entry("event_type.deleted", &own.name, Vec::new());
        app.table.delete_event_type(&own, &entry).await?;
        Ok(())
    };
    if_match.delete(|| find(app, name), write).await
}

/// Whether events of this type can be published.
pub(crate) async fn is_known(app: &App, kind: &EventType) -> ApiResult<bool> {
    Ok(event_type::find(kind.as_str()).is_some() || app.table.event_type(kind).await?.is_some())
}

/// Names of the custom types, loaded on first use.
#[derive(Debug, Default)]
pub struct Names(Option<Vec<EventType>>);

impl Names {
    async fn get(&mut self, app: &App) -> ApiResult<&[EventType]> {
        let names = match self.0.take() {
            Some(names) => names,
            None => app.table.event_type_names().await?,
        };
        Ok(self.0.insert(names))
    }
}

/// Returns the error for an unknown type, with a suggestion.
pub(crate) async fn unknown(
    app: &App,
    kind: &EventType,
    names: &mut Names,
) -> ApiResult<ValidationErrors> {
    let own = names.get(app).await?;
    let known = event_type::catalogue()
        .iter()
        .map(|known| known.name)
        .chain(own.iter().map(EventType::as_str));
    let meant = event_type::closest(kind.as_str(), known);
    let meant = meant
        .map(|name| format!(" Did you mean `{name}`?"))
        .unwrap_or_default();
    let create = "Create a custom type with `POST /v1/event-types`";
    Ok(ValidationErrors::here(format!(
        "is not a known event type.{meant} {create}, or list all with `GET /v1/event-types`."
    )))
}

/// Returns the custom type with this name. Returns 409 for built-in types, which can't be changed.
async fn find(app: &App, name: &str) -> ApiResult<CustomType> {
    if event_type::find(name).is_some() {
        return Err(Problem::conflict(
            "Built-in event types can't be changed or deleted.",
        ));
    }
    let name = EventType::parse(name).map_err(|_| Problem::not_found("event type"))?;
    app.table
        .event_type(&name)
        .await?
        .ok_or_else(|| Problem::not_found("event type"))
}

pub(crate) fn parse(value: Value) -> Validated<CustomType> {
    let mut fields = FieldReader::of(value)?;
    let name = fields.required("name", name);
    let description = fields.defaulted("description", None, |value| description(value).map(Some));
    let example = fields.defaulted("example", None, |value| example(value).map(Some));
    let parsed = name.zip(description).zip(example);
    let created_at = clock::now();
    let new = |((name, description), example)| CustomType {
        name,
        description,
        example,
        created_at,
        version: 1,
    };
    fields.finish(parsed.map(new))
}

/// Applies a merge patch. Fields that it does not change may have been saved under older rules and
/// are not validated.
fn patched(before: &CustomType, patch: &Value) -> Validated<CustomType> {
    let old = document(before);
    let mut new = old.clone();
    apply(&mut new, patch);
    let is_old = |field: &str, value: &Value| *value == old[field];
    let mut fields = FieldReader::of(new)?;
    let name = fields.required("name", |value| {
        if is_old("name", &value) {
            Ok(())
        } else {
            Err(ValidationErrors::here(
                "can't be changed. Create another event type",
            ))
        }
    });
    let description = fields.defaulted("description", None, |value| {
        if is_old("description", &value) {
            return Ok(before.description.clone());
        }
        description(value).map(Some)
    });
    let example = fields.defaulted("example", None, |value| {
        if is_old("example", &value) {
            return Ok(before.example.clone());
        }
        example(value).map(Some)
    });
    let parsed = name.and(description.zip(example));
    fields.finish(parsed.map(|(description, example)| CustomType {
        description,
        example,
        version: before.version + 1,
        ..before.clone()
    }))
}

/// Parses a name outside the reserved namespaces.
fn name(value: Value) -> Validated<EventType> {
    let name = EventType::parse(&string(value)?)?;
    if name.is_reserved() && event_type::find(name.as_str()).is_none() {
        return Err(ValidationErrors::here(
            "is in a namespace that is reserved for Tieline's own events. Choose another first word",
        ));
    }
    Ok(name)
}

fn description(value: Value) -> Validated<String> {
    let text = string(value)?;
    if text.chars().count() > 1000 {
        return Err(ValidationErrors::here("must have at most 1,000 characters"));
    }
    Ok(text)
}

/// Parses the example into JSON text.
fn example(value: Value) -> Validated<String> {
    let text = Value::from(event::object(value)?).to_string();
    if text.len() > MAX_EXAMPLE {
        return Err(ValidationErrors::here(format!(
            "must have at most {MAX_EXAMPLE} bytes as JSON"
        )));
    }
    Ok(text)
}

impl Versioned for CustomType {
    fn version(&self) -> u64 {
        self.version
    }
}

fn answer(own: &CustomType) -> Tagged<api::EventType> {
    Tagged::new(own.version, own.clone().into())
}

/// The fields of a type that clients can set.
fn document(own: &CustomType) -> Value {
    let example: Option<Value> = own
        .example
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    json!({"name": own.name, "description": own.description, "example": example})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_validates_only_what_it_changes() {
        // Each field breaks a rule of today.
        let before = CustomType {
            name: EventType::parse("ticket.own").expect("a name"),
            description: Some("x".repeat(1_001)),
            example: Some(json!({"a": "x".repeat(MAX_EXAMPLE)}).to_string()),
            created_at: clock::now(),
            version: 3,
        };
        for (patch, changed) in [
            (json!({}), [false, false]),
            (json!({"name": "ticket.own"}), [false, false]),
            (json!({"description": "y"}), [true, false]),
            (json!({"description": null}), [true, false]),
            (json!({"example": {"a": 1}}), [false, true]),
            (json!({"example": null}), [false, true]),
        ] {
            let after = patched(&before, &patch).expect("valid");
            assert_eq!(
                [
                    after.description != before.description,
                    after.example != before.example
                ],
                changed,
                "{patch}"
            );
            assert_eq!((&after.name, after.version), (&before.name, 4));
        }
    }

    #[test]
    fn patch_reports_every_error() {
        let before = parse(json!({"name": "own.type", "example": {"a": 1}})).expect("valid");
        for (patch, expected) in [
            (
                json!({"name": "own.other", "bogus": 1, "description": 2, "example": 3}),
                vec!["/bogus", "/description", "/example", "/name"],
            ),
            (
                json!({"name": null, "bogus": null}),
                vec!["/bogus", "/name"],
            ),
            (json!([]), vec![""]),
        ] {
            let errors = patched(&before, &patch).expect_err("invalid").0;
            let mut pointers: Vec<_> = errors.iter().map(|error| &*error.pointer).collect();
            pointers.sort_unstable();
            assert_eq!(pointers, expected, "{patch}");
        }
    }
}
