//! Accepts messages and calls: resolves the provider, claims the idempotency key, stores the row
//! and enqueues its send task.
//!
//! The row is stored first because a send task without a row is dropped. If a client got no
//! response and repeats the request with the same key, the claim contains the message's ID: the
//! existing row is found and its first send task is enqueued again.

use domain::{
    id::ProviderId,
    message::{Message, MessageRef, NewMessage, SendTask},
    provider::choose,
    queue_message::QueueMessage,
    validation::ValidationErrors,
};
use platform::{
    clock, random,
    table::{Written, idempotency::Claim},
};

use crate::{
    App,
    http::{
        ApiResult, Problem,
        auth::Principal,
        idempotency::{DocumentKey, key_reused, key_space},
    },
};

/// A request to send a message or trigger a call.
#[derive(Debug)]
pub struct Request {
    /// The validated request.
    pub new: NewMessage,
    /// The client's idempotency key with the request's document.
    pub key: Option<DocumentKey>,
}

/// Delay of the send task of a repeated request, in seconds. The first request may still be
/// running, or may have ended before it enqueued its task. After the delay its attempt is recorded,
/// and this task is a stale duplicate.
const REPEAT_DELAY_SECS: u32 = 60;

/// Accepts one message or call. `route` selects the space of idempotency keys.
pub async fn accept(
    app: &App,
    caller: &Principal,
    route: &str,
    request: Request,
) -> ApiResult<Message> {
    let space = &key_space(caller, route);
    let Request { mut new, key } = request;
    let provider = match provider(app, &mut new).await {
        Ok(provider) => provider,
        Err(problem) => return accepted_earlier(app, space, key).await?.ok_or(problem),
    };
    let now = clock::now();
    let id = MessageRef::new(new.channel, now, u128::from_ne_bytes(random::bytes()));
    let Some(DocumentKey {
        key_hash: hash,
        document_hash,
    }) = key
    else {
        let (row, task) = Message::accept(new, id, provider, now, random::token());
        if app.table.create_message(&row).await? == Written::ConditionFailed {
            return Err(Problem::internal(
                "the ID of a new message is already in use",
            ));
        }
        enqueue(app, &row, task, 0).await?;
        return Ok(row);
    };
    let claim = app
        .table
        .claim(space, &hash, Claim::new(id, document_hash.clone(), now))
        .await?;
    if claim.body != document_hash {
        return Err(key_reused());
    }
    let (row, _) = Message::accept(new, claim.id, provider, claim.at, random::token());
    let (row, delay_seconds) = match app.table.create_message(&row).await? {
        Written::Yes => (row, 0),
        Written::ConditionFailed => {
            let row = app.table.message(claim.id).await?;
            (
                row.ok_or_else(|| Problem::internal("an accepted message is missing"))?,
                REPEAT_DELAY_SECS,
            )
        }
    };
    ensure_enqueued(app, space, &hash, &claim, row, delay_seconds).await
}

/// Returns the message accepted earlier with this key, even if its provider no longer exists.
async fn accepted_earlier(
    app: &App,
    space: &str,
    key: Option<DocumentKey>,
) -> ApiResult<Option<Message>> {
    let Some(DocumentKey {
        key_hash: hash,
        document_hash,
    }) = key
    else {
        return Ok(None);
    };
    let Some(claim) = app.table.claimed(space, &hash).await? else {
        return Ok(None);
    };
    if claim.body != document_hash {
        return Err(key_reused());
    }
    match app.table.message(claim.id).await? {
        Some(row) => ensure_enqueued(app, space, &hash, &claim, row, REPEAT_DELAY_SECS)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Makes sure that the first send task is enqueued, and returns the row.
async fn ensure_enqueued(
    app: &App,
    space: &str,
    hash: &str,
    claim: &Claim<MessageRef>,
    row: Message,
    delay_seconds: u32,
) -> ApiResult<Message> {
    if !claim.done {
        if let Some(task) = row.task().filter(|_| row.attempts.is_empty()) {
            enqueue(app, &row, task, delay_seconds).await?;
        }
        app.table.claim_done(space, hash, claim).await?;
    }
    Ok(row)
}

/// Resolves the provider (ID and name). Completes the content and the campaign's name.
async fn provider(app: &App, new: &mut NewMessage) -> ApiResult<(ProviderId, String)> {
    let wanted = requested_provider(app, new).await?;
    let candidates = app
        .table
        .provider_candidates(wanted.as_deref(), new.channel, &app.keys)
        .await?;
    let provider = choose(wanted.as_deref(), new.channel, &candidates)?;
    new.fallback_provider_id = provider.settings.fallback_provider_id;
    new.content = provider.prepare(new.content.clone())?;
    Ok((provider.id, provider.settings.name.clone()))
}

/// The provider that the message names, else its campaign's provider.
async fn requested_provider(app: &App, new: &mut NewMessage) -> ApiResult<Option<String>> {
    let Some(id) = new.campaign_id else {
        return Ok(new.provider.clone());
    };
    let campaign = app.table.campaign(id).await?;
    let settings = campaign.map(|campaign| campaign.settings).ok_or_else(|| {
        ValidationErrors::here("must be the ID of an existing campaign").under("campaign_id")
    })?;
    let own = settings.provider(new.channel).map(|id| id.to_string());
    new.campaign = Some(settings.name);
    Ok(new.provider.clone().or(own))
}

/// Enqueues a send task. Each provider has its own message group, so that one backlog does not
/// delay the others.
async fn enqueue(app: &App, row: &Message, task: SendTask, delay_seconds: u32) -> ApiResult<()> {
    let group = Some(row.provider_id.to_string());
    Ok(app
        .deliveries
        .send_json(&QueueMessage::from(task), delay_seconds, group)
        .await?)
}
