//! Accepting messages and calls: find the provider, claim the idempotency key, write the row, queue its errand.
//!
//! The row comes before the errand, which means nothing without it. Whoever got no answer may come again with the same key:
//! the claim holds the message's id, so that the same row is found and its first errand queued once more.

use domain::{
    invalid::Problems,
    message::{Channel, Errand, Message, MessageRef, NewMessage},
    provider::choose,
};
use platform::{
    clock,
    queue::{Outgoing, ascii_json},
    random,
    table::{Written, claims::Claim},
};
use serde_json::Value;

use crate::{
    App,
    http::{Answer, Problem},
    publish::{IdempotencyKey, digest, other_body},
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

/// Accepts one message or call on behalf of `route`.
pub async fn accept(app: &App, route: &str, request: Request) -> Answer<Message> {
    let Request { new, key, document } = request;
    let wanted = wanted(app, &new).await?;
    let wanted = wanted.as_deref();
    let candidates = app.table.candidates(wanted, new.channel, &app.keys).await?;
    let provider = choose(wanted, new.channel, &candidates)?;
    let provider = (provider.id, provider.settings.name.clone());
    let (id, now) = (id(new.channel), clock::now());
    let Some(key) = key else {
        let (row, errand) = Message::accept(new, id, provider, now, random::token());
        if app.table.create_message(&row).await? == Written::Refused {
            return Err(Problem::internal("the id of a new message is taken"));
        }
        queue(app, &row, &errand).await?;
        return Ok(row);
    };
    let (hash, body) = (key.hash(), digest(&document.to_string()));
    let claim = app.table.claim(route, &hash, Claim::new(id, body.clone(), now)).await?;
    if claim.body != body {
        return Err(other_body());
    }
    let (fresh, errand) = Message::accept(new, claim.id, provider, claim.at, random::token());
    let (row, errand) = match app.table.create_message(&fresh).await? {
        Written::Yes => (fresh, Some(errand)),
        Written::Refused => {
            let row = app.table.message(claim.id).await?.ok_or_else(|| Problem::internal("a message is gone"))?;
            let errand = row.errand().filter(|_| !claim.done && row.attempts.is_empty());
            (row, errand)
        }
    };
    if let Some(errand) = errand {
        queue(app, &row, &errand).await?;
    }
    if !claim.done {
        app.table.claim_done(route, &hash, &claim).await?;
    }
    Ok(row)
}

/// The provider that the message asks for, else the one of its campaign.
async fn wanted(app: &App, new: &NewMessage) -> Answer<Option<String>> {
    let Some(id) = new.campaign_id else { return Ok(new.provider.clone()) };
    let campaign = app.table.campaign(id).await?;
    let campaign = campaign.ok_or_else(|| Problems::here("there is no such campaign").under("campaign_id"))?;
    let own = || campaign.settings.provider(new.channel).map(|id| id.to_string());
    Ok(new.provider.clone().or_else(own))
}

fn id(channel: Channel) -> MessageRef {
    match channel {
        Channel::Call => MessageRef::Call(random::id()),
        Channel::Sms | Channel::Email | Channel::Chatbot => MessageRef::Message(random::id()),
    }
}

/// Queues an errand. Each provider has a group of its own: one with a backlog does not hold up the others.
async fn queue(app: &App, row: &Message, errand: &Errand) -> Answer<()> {
    let group = Some(row.provider_id.to_string());
    Ok(app.deliveries.send(Outgoing { body: ascii_json(errand)?, delay_seconds: 0, group }).await?)
}
