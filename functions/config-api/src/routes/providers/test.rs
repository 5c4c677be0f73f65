//! Sends a test message or call through a provider.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    event::object,
    id::ProviderId,
    message::{Channel, Message, MessageRef, NewMessage},
    provider::{Provider, choose},
    scope::Scope,
    validation::{Validated, ValidationErrors},
};
use platform::{
    clock,
    oauth::Tokens,
    provider_client::{self, Connection},
    random,
};
use serde_json::{Value, json};

use super::find;
use crate::{
    App, api,
    http::{ApiResult, JsonBody, PathId, auth::Principal},
};

/// Sends a test message or call through a provider and returns the response.
///
/// The message is neither stored nor retried. Also requires the scope `messages:send`, or
/// `calls:trigger` for a call provider.
#[utoipa::path(post, path = "/v1/providers/{id}/test", operation_id = "testProvider", tag = "providers",
    security(("token" = ["providers:write"])),
    params(("id" = api::ProviderId, Path)), request_body = api::ProviderTest,
    responses((status = 200, body = api::Tested), api::ErrorResponses))]
pub async fn test(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ProviderId>,
    body: JsonBody,
) -> ApiResult<Json<api::Tested>> {
    let body = body.json()?;
    let stored = find(&app, id).await?;
    let Provider { id, settings, .. } = &stored.provider;
    let sends = if settings.channel == Channel::Call {
        Scope::CallsTrigger
    } else {
        Scope::MessagesSend
    };
    caller.require_scope(sends)?;
    let mut new = sample(settings.channel, body)?;
    new.content = stored.provider.prepare(new.content)?;
    // Rejects providers without keys.
    choose(
        Some(&id.to_string()),
        settings.channel,
        std::slice::from_ref(&stored.provider),
    )?;
    app.table
        .record_audit(&caller.entry("provider.tested", id, Vec::new()))
        .await?;
    let now = clock::now();
    let message = MessageRef::new(settings.channel, now, u128::from_ne_bytes(random::bytes()));
    let new = NewMessage {
        hops: caller.hops,
        ..new
    };
    let (message, _) = Message::accept(
        new,
        message,
        (*id, settings.name.clone()),
        now,
        random::token(),
    );
    let connection = Connection::of(&stored, &app.table, &app.keys).await?;
    let tokens = Tokens {
        table: &app.table,
        keys: &app.keys,
        egress: &app.egress,
        hops: message.hops,
    };
    let ready = async |_| Ok(());
    let sent = provider_client::send(tokens, &connection, &app.public_url, &message, 1, ready);
    let completed_attempt = sent.await?;
    let attempt = api::Attempt::from(completed_attempt.attempt);
    Ok(Json(api::Tested {
        attempt: attempt.through(*id, &settings.name),
    }))
}

/// Returns the message of a test. Only the recipient is required; the rest has defaults.
fn sample(channel: Channel, body: Value) -> Validated<NewMessage> {
    let mut document = object(body)?;
    let foreign = ["channel", "provider", "campaign_id"]
        .into_iter()
        .filter(|name| document.contains_key(*name));
    let foreign: Vec<_> = foreign
        .flat_map(|name| ValidationErrors::here("is not a known field").under(name).0)
        .collect();
    if channel == Channel::Email {
        document
            .entry("subject")
            .or_insert_with(|| json!("Test from Tieline"));
    }
    if ["html", "url", "template"]
        .iter()
        .all(|name| !document.contains_key(*name))
    {
        document
            .entry("text")
            .or_insert_with(|| json!("This is a test from Tieline."));
    }
    let parsed = if channel == Channel::Call {
        NewMessage::parse_call(document.into())
    } else {
        document.insert("channel".to_owned(), json!(channel));
        NewMessage::parse(document.into())
    };
    if foreign.is_empty() {
        return parsed;
    }
    let mut problems = parsed.err().map_or_else(Vec::new, |problems| problems.0);
    problems.retain(|problem| !foreign.iter().any(|other| other.pointer == problem.pointer));
    problems.extend(foreign);
    Err(ValidationErrors(problems))
}
