//! Event types, built-in and custom.

mod input;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    audit, event_type,
    pattern::{EventType, Pattern},
};
use http::StatusCode;
use platform::table::{
    event_types::{self as stored, CustomType, MAX_TYPES},
    events::MAX_MATCHES,
    webhooks::Role,
};

pub(crate) use self::input::parse;
use self::input::{document, patched};
use crate::{
    App, api,
    http::{
        ApiResult, Created, IfMatch, JsonBody, Problem, Tagged, Versioned, auth::Principal, found,
        query::Query,
    },
};

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
        // A type may have become a built-in one in a later release.
        let own_only = own.items.into_iter();
        let own_only = own_only.filter(|own| event_type::find(own.name.as_str()).is_none());
        data.extend(own_only.map(api::EventType::from));
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
    let kinds = std::slice::from_ref(&new.name);
    let subscribers = app.table.most_webhooks(kinds, Role::Subscription).await?;
    if subscribers > MAX_MATCHES {
        return Err(Problem::conflict(
            "More than 1,000 webhooks would receive this type, which is the maximum.",
        ));
    }
    let entry = caller.entry("event_type.created", &new.name, Vec::new());
    match app.table.create_event_type(&new, &entry).await? {
        stored::Created::Yes => Ok(Created::new(
            "/v1/event-types",
            &new.name,
            to_response(&new),
        )),
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
    Ok(to_response(&find(&app, &name).await?))
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
            return Ok(to_response(&before));
        }
        let entry = caller.entry("event_type.updated", &after.name, fields);
        app.table.update_event_type(&before, &after, &entry).await?;
        Ok(to_response(&after))
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
        let webhooks = app.table.users_of(&pattern).await?;
        if !webhooks.is_empty() {
            let remedy = "Remove the type from their `events` and `unless` first";
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

/// Returns the custom type with this name. Returns 409 for built-in types, which can't be changed.
async fn find(app: &App, name: &str) -> ApiResult<CustomType> {
    let name = EventType::parse(name).map_err(|_| Problem::not_found("event type"))?;
    let own = app.table.event_type(&name).await?;
    if own.is_none() && event_type::find(name.as_str()).is_some() {
        return Err(Problem::conflict(
            "Built-in event types can't be changed or deleted.",
        ));
    }
    found(own, "event type")
}

impl Versioned for CustomType {
    fn version(&self) -> u64 {
        self.version
    }
}

fn to_response(own: &CustomType) -> Tagged<api::EventType> {
    Tagged::new(own.version, own.clone().into())
}
