//! Messages by SMS, e-mail and chatbot: send, list, read.

pub mod cancel;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    id::{CampaignId, MessageId, ProviderId},
    message::{Channel, Message, MessageRef, NewMessage, Status},
    validation::{Validated, ValidationErrors},
};
use http::HeaderMap;
use platform::table::{
    messages::MessageList,
    pagination::{Page, PageRequest},
};
use serde_json::Value;

use crate::{
    App,
    accept_message::{self, Request},
    api,
    http::{
        ApiResult, Created, JsonBody, PathId, Tagged,
        auth::Principal,
        found,
        idempotency::header_key,
        query::{self, Query},
        time_range::time_range,
    },
};

const ROUTE: &str = "messages";

/// Lists messages, newest first.
///
/// Filtered pages may be shorter than `limit`.
#[utoipa::path(get, path = "/v1/messages", operation_id = "listMessages", tag = "messages",
    security(("token" = ["messages:read"])),
    params(
        ("channel" = Option<api::MessageChannel>, Query, description = "Only messages on this channel."),
        ("status" = Option<api::MessageStatus>, Query, description = "Only with this status."),
        ("to" = Option<String>, Query, description = "Only messages to this recipient."),
        ("campaign_id" = Option<String>, Query, description = "Only messages of this campaign."),
        ("provider_id" = Option<String>, Query, description = "Only those whose provider has this ID: the provider that has the message now, after a fallback."),
        ("since" = Option<String>, Query, description = "Only accepted at or after this RFC 3339 time."),
        ("until" = Option<String>, Query, description = "Only accepted at or before this RFC 3339 time."),
        api::Paging,
    ),
    responses((status = 200, body = api::List<api::Message>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Message>>> {
    let channel = query.filter("channel", query::choice(&NewMessage::CHANNELS));
    let campaign = query.filter("campaign_id", |text| Ok(text.parse::<CampaignId>()?));
    let wanted = |row: &Message| {
        channel.is_none_or(|channel| row.channel == channel)
            && campaign.is_none_or(|campaign| row.campaign_id == Some(campaign))
    };
    page(&app, MessageList::Messages, query, wanted).await
}

/// Sends a message through a provider.
///
/// Returns 202 once the message is stored. Use GET to follow its status.
#[utoipa::path(post, path = "/v1/messages", operation_id = "sendMessage", tag = "messages",
    security(("token" = ["messages:send"])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters. A repeated request within 24 hours returns the ID of the first.")),
    request_body = api::MessageInput,
    responses((status = 202, body = api::Message), api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult<Created<Json<api::Message>>> {
    send(&app, &caller, ROUTE, &headers, body, NewMessage::parse).await
}

/// Returns a message with its attempts.
#[utoipa::path(get, path = "/v1/messages/{id}", operation_id = "getMessage", tag = "messages",
    security(("token" = ["messages:read"])),
    params(("id" = api::MessageId, Path)), responses((status = 200, body = api::MessageWithAttempts), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<MessageId>,
) -> ApiResult<Tagged<api::MessageWithAttempts>> {
    read(&app, MessageRef::Message(id), "message").await
}

/// Accepts a request to send a message or trigger a call.
pub(super) async fn send<T: for<'a> From<&'a Message>>(
    app: &App,
    caller: &Principal,
    route: &str,
    headers: &HeaderMap,
    body: JsonBody,
    parse: impl Fn(Value) -> Validated<NewMessage>,
) -> ApiResult<Created<Json<T>>> {
    let document = body.json()?;
    let key = header_key(headers).map(|key| key.map(|key| key.for_document(&document)));
    let (key, new) = ValidationErrors::both(key, parse(document))?;
    let new = NewMessage {
        hops: caller.hops,
        ..new
    };
    let row = accept_message::accept(app, caller, route, Request { new, key }).await?;
    let list = format!("/v1/{route}");
    Ok(Created::new(&list, &row.id, Json(T::from(&row))).accepted())
}

/// Returns a page of messages or calls that match `wanted` and the common filters. The caller has
/// read the other filters from the query.
pub(super) async fn page<T: for<'a> From<&'a Message>>(
    app: &App,
    kind: MessageList,
    mut query: Query,
    wanted: impl Fn(&Message) -> bool,
) -> ApiResult<Json<api::List<T>>> {
    let channel = if kind == MessageList::Calls {
        Channel::Call
    } else {
        Channel::Sms
    };
    let status = query
        .filter("status", query::choice(Status::all(channel)))
        .map(|status| status.by(channel));
    let to = query.filter("to", query::recipient);
    let provider = query.filter("provider_id", |text| Ok(text.parse::<ProviderId>()?));
    let range = time_range(app, &mut query);
    let paging = query.paging()?;
    let page_request = paging.page_request(app).await?;
    let read = |page_request: PageRequest| async move {
        Ok(app.table.messages(kind, range, &page_request).await?)
    };
    let wanted = |row: &Message| {
        status.is_none_or(|status| row.status.by(row.channel) == status)
            && to.as_ref().is_none_or(|to| row.content.to == *to)
            && provider.is_none_or(|provider| row.provider_id == provider)
            && wanted(row)
    };
    let Page { items, next, .. } = query::fill_page(page_request, read, wanted).await?;
    paging.page(app, items.iter().map(T::from), next).await
}

/// Returns one message or call. `what` names the kind in a 404.
pub(super) async fn read<T: for<'a> From<&'a Message>>(
    app: &App,
    id: MessageRef,
    what: &str,
) -> ApiResult<Tagged<T>> {
    let row = found(app.table.message(id).await?, what)?;
    Ok(Tagged::new(row.version, T::from(&row)))
}
