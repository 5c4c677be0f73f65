//! Cancels a queued message.

use std::sync::Arc;

use axum::extract::State;
use domain::{
    id::MessageId,
    message::{Message, MessageRef},
};
use platform::{
    clock,
    queue::{OutgoingMessage, QueueError, ascii_json},
    table::{WriteError, Written},
};

use crate::{
    App, api,
    http::{ApiResult, JsonBody, PathId, Problem, Tagged, found},
};

/// Cancels a queued message.
///
/// Its status becomes `failed` with the error `cancelled`, and no further attempt starts. An
/// attempt in progress may still succeed; the message then becomes `sent`. If the provider reports
/// on the message, it was sent after all, and its status follows the report. Only `queued` messages
/// can be cancelled (otherwise 409).
#[utoipa::path(post, path = "/v1/messages/{id}/cancel", operation_id = "cancelMessage", tag = "messages",
    security(("token" = ["messages:send"])), params(("id" = api::MessageId, Path)),
    responses((status = 200, body = api::MessageWithAttempts), api::ConflictResponse, api::ErrorResponses))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    PathId(id): PathId<MessageId>,
    body: JsonBody,
) -> ApiResult<Tagged<api::MessageWithAttempts>> {
    body.empty()?;
    for _ in 0..MAX_ATTEMPTS {
        let row = found(app.table.message(MessageRef::Message(id)).await?, "message")?;
        let Some(cancelled) = row.cancelled(clock::now()) else {
            // The request that cancelled it may have ended before it published the event.
            // Publishing again is safe: the event has the same ID.
            if row.is_cancelled() {
                emit_events(&app, &row).await?;
            }
            let detail = format!(
                "Message {id} is {}. Only queued messages can be cancelled.",
                row.status.as_str()
            );
            return Err(Problem::conflict(detail));
        };
        if app.table.update_message(&cancelled, &row).await? == Written::Yes {
            emit_events(&app, &cancelled).await?;
            return Ok(Tagged::new(cancelled.version, (&cancelled).into()));
        }
    }
    Err(WriteError::Changed.into())
}

/// Publishes the events of the message's status changes.
async fn emit_events(app: &App, row: &Message) -> ApiResult<()> {
    let messages = row
        .events()
        .iter()
        .map(ascii_json)
        .collect::<Result<Vec<_>, _>>()?;
    let outgoing = messages
        .into_iter()
        .map(|body| OutgoingMessage {
            body,
            delay_seconds: 0,
            group: None,
        })
        .collect();
    Ok(app
        .events
        .send_all(outgoing)
        .await
        .map_err(QueueError::from)?)
}

/// Maximum attempts to cancel a message that changes concurrently.
const MAX_ATTEMPTS: usize = 5;
