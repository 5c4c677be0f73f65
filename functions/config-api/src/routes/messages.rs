//! Messages by SMS, e-mail and chatbot: send, list, read.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    id::MessageId,
    invalid::{Checked, Problems},
    message::{Channel, Message, MessageRef, NewMessage, Status},
};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use platform::{
    clock,
    table::{
        messages::Kind,
        walk::{Page, Slice, Span},
    },
};
use serde_json::{Value, json};

use super::events::header_key;
use crate::{
    App,
    http::{
        Answer, Document, Problem,
        access::Caller,
        etag, made,
        query::{self, Query},
    },
    openapi::schema,
    outbox::{self, Request},
};

const ROUTE: &str = "messages";

/// Lists messages, newest first.
///
/// A filtered page may be short.
#[utoipa::path(get, path = "/v1/messages", operation_id = "listMessages", tag = "messages",
    security(("token" = ["messages:read"])),
    params(
        ("channel" = Option<schema::MessageChannel>, Query, description = "Only by this channel"),
        ("status" = Option<Status>, Query, description = "Only with this status"),
        schema::Paging,
    ),
    responses((status = 200, body = schema::List<schema::Message>), schema::Refused))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> Answer<Json<Value>> {
    let channel = query.filter("channel", query::choice(&NewMessage::CHANNELS));
    page(&app, Kind::Messages, channel, query).await.map(Json)
}

/// Sends a message through a provider.
///
/// Returns 202 once the message is stored. Use `GET` to follow its status.
#[utoipa::path(post, path = "/v1/messages", operation_id = "sendMessage", tag = "messages",
    security(("token" = ["messages:send"])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters: a repeat within 24 hours gives the first answer's id")),
    request_body = schema::MessageInput,
    responses((status = 202, body = schema::Message), schema::Refused))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Document,
) -> Answer {
    send(&app, &caller, ROUTE, &headers, body, NewMessage::parse).await
}

/// Returns a message with its attempts.
#[utoipa::path(get, path = "/v1/messages/{id}", operation_id = "getMessage", tag = "messages",
    security(("token" = ["messages:read"])),
    params(("id" = schema::MessageId, Path)), responses((status = 200, body = schema::MessageWithAttempts), schema::Refused))]
pub async fn get(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let id: MessageId = id.parse().map_err(|_| Problem::not_found("message"))?;
    answer(&app, MessageRef::Message(id), "message").await
}

/// Accepts what a request asks to send.
pub(super) async fn send(
    app: &App,
    caller: &Caller,
    route: &str,
    headers: &HeaderMap,
    body: Document,
    parse: impl Fn(Value) -> Checked<NewMessage>,
) -> Answer {
    let document = body.required()?;
    let (key, new) = match (header_key(headers), parse(document.clone())) {
        (Ok(key), Ok(new)) => (key, new),
        (key, new) => {
            let problems = [key.err(), new.err()].into_iter().flatten().flat_map(|problems| problems.0).collect();
            return Err(Problems(problems).into());
        }
    };
    let new = NewMessage { hops: caller.hops, ..new };
    let row = outbox::accept(app, caller, route, Request { new, key, document }).await?;
    Ok(made(StatusCode::ACCEPTED, &format!("/v1/{route}"), &row.id, Json(row.to_map())))
}

/// A page of messages or calls; the query has been asked for what only one of them has.
pub(super) async fn page(app: &App, kind: Kind, channel: Option<Channel>, mut query: Query) -> Answer<Value> {
    let status = query.filter("status", query::choice(&Status::ALL));
    let paging = query.paging()?;
    let slice = paging.slice(app).await?;
    let until = clock::now();
    let span = Span { since: until.checked_sub(app.table.retention()).unwrap_or(Timestamp::UNIX_EPOCH), until };
    let read = |slice: Slice| async move { Ok(app.table.messages(kind, span, &slice).await?) };
    let wanted = |row: &Message| {
        channel.is_none_or(|channel| row.channel == channel) && status.is_none_or(|status| row.status == status)
    };
    let Page { items, next, .. } = query::filled(slice, read, wanted).await?;
    paging.page(app, items.iter().map(Message::to_map).collect(), next).await
}

/// One message or call, as `what`.
pub(super) async fn answer(app: &App, id: MessageRef, what: &str) -> Answer {
    let row = app.table.message(id).await?.ok_or_else(|| Problem::not_found(what))?;
    Ok(shown(&row))
}

fn shown(row: &Message) -> Response {
    let mut view = row.to_map();
    view.insert("attempts".to_owned(), json!(row.attempts));
    view.insert("next_attempt_at".to_owned(), json!(row.awaited.as_ref().map(|awaited| awaited.due_at)));
    ([(header::ETAG, etag::of(row.version))], Json(view)).into_response()
}
