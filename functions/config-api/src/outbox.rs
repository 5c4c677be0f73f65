//! Accepting messages and calls: find the provider, claim the idempotency key, write the row, queue
//! its errand.
//!
//! The row comes before the errand, which means nothing without it. Whoever got no answer may come
//! again with the same key: the claim holds the message's id, so that the same row is found and its
//! first errand queued once more.

use domain::{
    id::ProviderId,
    invalid::Problems,
    message::{Content, Errand, Message, MessageRef, NewMessage},
    provider::choose,
};
use platform::{
    clock, random,
    table::{Written, claims::Claim},
};
use serde_json::Value;

use crate::{
    App,
    http::{Answer, Problem, access::Caller},
    publish::{IdempotencyKey, digest, key_space, other_body},
};

/// A message to send.
#[derive(Debug)]
pub struct Request {
    /// What the client gave.
    pub new: NewMessage,
    /// What makes a repeat of this request one.
    pub key: Option<IdempotencyKey>,
    /// The message's document: a repeat must have the same.
    pub document: Value,
}

/// Seconds that the errand of a repeated request waits: the first request may be at work still, or
/// have ended before it queued its own. By then that one's attempt is on record, and this errand a
/// stale copy.
const REPEATED_DELAY: u32 = 60;

/// Accepts one message or call on behalf of `route`.
pub async fn accept(app: &App, caller: &Caller, route: &str, request: Request) -> Answer<Message> {
    let space = &key_space(caller, route);
    let Request {
        mut new,
        key,
        document,
    } = request;
    let key = key.map(|key| (key.hash(), digest(&document.to_string())));
    let provider = match provider(app, &new).await {
        Ok((provider, content)) => {
            new.content = content;
            provider
        }
        Err(problem) => return earlier(app, space, key).await?.ok_or(problem),
    };
    let now = clock::now();
    let id = MessageRef::new(new.channel, now, u128::from_ne_bytes(random::bytes()));
    let Some((hash, body)) = key else {
        let (row, errand) = Message::accept(new, id, provider, now, random::token());
        if app.table.create_message(&row).await? == Written::Refused {
            return Err(Problem::internal(
                "the ID of a new message is already in use",
            ));
        }
        queue(app, &row, &errand, 0).await?;
        return Ok(row);
    };
    let claim = app
        .table
        .claim(space, &hash, Claim::new(id, body.clone(), now))
        .await?;
    if claim.body != body {
        return Err(other_body());
    }
    let (row, _) = Message::accept(new, claim.id, provider, claim.at, random::token());
    let (row, delay_seconds) = match app.table.create_message(&row).await? {
        Written::Yes => (row, 0),
        Written::Refused => {
            let row = app.table.message(claim.id).await?;
            (
                row.ok_or_else(|| Problem::internal("an accepted message is missing"))?,
                REPEATED_DELAY,
            )
        }
    };
    queued(app, space, &hash, &claim, row, delay_seconds).await
}

/// What was accepted under this key, which comes with the hash of its body: it stays so, whatever
/// became of its provider.
async fn earlier(app: &App, space: &str, key: Option<(String, String)>) -> Answer<Option<Message>> {
    let Some((hash, body)) = key else {
        return Ok(None);
    };
    let Some(claim) = app.table.claimed(space, &hash).await? else {
        return Ok(None);
    };
    if claim.body != body {
        return Err(other_body());
    }
    match app.table.message(claim.id).await? {
        Some(row) => queued(app, space, &hash, &claim, row, REPEATED_DELAY)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// The row, once its first errand is on the queue for sure.
async fn queued(
    app: &App,
    space: &str,
    hash: &str,
    claim: &Claim<MessageRef>,
    row: Message,
    delay_seconds: u32,
) -> Answer<Message> {
    if !claim.done {
        if let Some(errand) = row.errand().filter(|_| row.attempts.is_empty()) {
            queue(app, &row, &errand, delay_seconds).await?;
        }
        app.table.claim_done(space, hash, claim).await?;
    }
    Ok(row)
}

/// The provider that is to send it, by its id and its name, and what it is to send.
async fn provider(app: &App, new: &NewMessage) -> Answer<((ProviderId, String), Content)> {
    let wanted = wanted(app, new).await?;
    let candidates = app
        .table
        .candidates(wanted.as_deref(), new.channel, &app.keys)
        .await?;
    let provider = choose(wanted.as_deref(), new.channel, &candidates)?;
    let content = provider.prepare(new.content.clone())?;
    Ok(((provider.id, provider.settings.name.clone()), content))
}

/// The provider that the message asks for, else the one of its campaign.
async fn wanted(app: &App, new: &NewMessage) -> Answer<Option<String>> {
    let Some(id) = new.campaign_id else {
        return Ok(new.provider.clone());
    };
    let campaign = app.table.campaign(id).await?;
    let campaign = campaign.ok_or_else(|| {
        Problems::here("must be the ID of an existing campaign").under("campaign_id")
    })?;
    let own = || {
        campaign
            .settings
            .provider(new.channel)
            .map(|id| id.to_string())
    };
    Ok(new.provider.clone().or_else(own))
}

/// Queues an errand. Each provider has a group of its own: one with a backlog does not hold up the
/// others.
async fn queue(app: &App, row: &Message, errand: &Errand, delay_seconds: u32) -> Answer<()> {
    let group = Some(row.provider_id.to_string());
    Ok(app
        .deliveries
        .send_json(errand, delay_seconds, group)
        .await?)
}
