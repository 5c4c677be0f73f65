//! Webhooks: create, read, update, delete.

mod checks;
pub mod clone;
pub mod render;
pub mod replay;
pub mod rotate_secret;
mod sample;
pub mod test;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    audit,
    id::WebhookId,
    pattern::EventType,
    secrets::origin::Origin,
    signature::SigningSecret,
    webhook::{Settings, Webhook},
};
use http::StatusCode;
use platform::{
    clock, random,
    table::pagination::{Page, PageRequest},
};
use serde_json::Value;

use self::checks::{
    check_match_limit, check_references, origin, require_send_scope, with_unknown_types,
};
use crate::{
    App, api,
    http::{
        ApiResult, Created, IfMatch, JsonBody, PathId, Tagged, Versioned,
        auth::Principal,
        found,
        patch::{apply, respell},
        query::{self, Query},
    },
};

/// Lists webhooks, newest first.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "listWebhooks", tag = "webhooks",
    security(("token" = ["webhooks:read"])),
    params(
        ("event" = Option<String>, Query, description = "Only webhooks that would receive an event of this type."),
        ("enabled" = Option<bool>, Query, description = "Only enabled (`true`) or disabled (`false`) webhooks."),
        ("label" = Option<String>, Query, description = "Only webhooks with this label."),
        api::ByName, api::Paging,
    ),
    responses((status = 200, body = api::List<api::Webhook>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Webhook>>> {
    let name = query.filter("name", query::name);
    let event = query.filter("event", |text| Ok(EventType::parse(text)?));
    let enabled = query.filter("enabled", query::boolean);
    let label = query.filter("label", |text| Ok(text.to_owned()));
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let wanted = |webhook: &Webhook| {
        let settings = &webhook.settings;
        let takes = event
            .as_ref()
            .is_none_or(|kind| settings.events.iter().any(|pattern| pattern.matches(kind)));
        // Disabled webhooks receive no events. Include them only if the client filters by
        // `enabled`.
        let enabled = enabled.or(event.as_ref().map(|_| true));
        let has_label = label
            .as_ref()
            .is_none_or(|label| settings.labels.contains(label));
        takes && has_label && enabled.is_none_or(|enabled| enabled == settings.enabled)
    };
    let app = &*app;
    let name = name.as_deref();
    let read = |page_request: PageRequest| async move {
        Ok(match name {
            Some(name) => Page::one(app.table.webhook_named(name, &app.keys).await?),
            None => app.table.webhooks(&page_request, &app.keys).await?,
        })
    };
    let Page { items, next, .. } = query::fill_page(page_request, read, wanted).await?;
    let webhooks = items.iter().map(api::Webhook::from);
    paging.page(app, webhooks, next).await
}

/// Creates a webhook.
///
/// Without a `secret`, one is generated and shown only in this response. A webhook that sends to a
/// connected service also requires the scope `services:send`.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "createWebhook", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    request_body = api::WebhookInput,
    responses((status = 201, body = api::Webhook), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Webhook>>> {
    let document = body.json()?;
    let (settings, secret) = match Settings::parse(document.clone(), &app.allow) {
        Ok(parsed) => parsed,
        Err(errors) => return Err(with_unknown_types(&app, errors.into(), &document, None).await?),
    };
    require_send_scope(&caller, &settings)?;
    check_references(&app, &settings, None).await?;
    check_match_limit(&app, &settings, None).await?;
    let (secret, shown) = secret_or_new(secret);
    let webhook = Webhook::new(random::id(), settings, secret, clock::now());
    let entry = caller.entry("webhook.created", &webhook.id, Vec::new());
    app.table
        .create_webhook(&webhook, &app.keys, &[entry])
        .await?;
    let response = to_response(&webhook, shown.as_ref());
    Ok(Created::new(
        "/v1/webhooks",
        &webhook.id,
        response.map(|view| view.with_warnings(&webhook.settings)),
    ))
}

/// Returns a webhook.
#[utoipa::path(get, path = "/v1/webhooks/{id}", operation_id = "getWebhook", tag = "webhooks",
    security(("token" = ["webhooks:read"])),
    params(("id" = api::WebhookId, Path)),
    responses((status = 200, body = api::Webhook), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Tagged<api::Webhook>> {
    Ok(to_response(&find(&app, id).await?, None))
}

/// Updates a webhook.
///
/// `null` resets a field to its default. Omitted secrets are unchanged. If the webhook moves to
/// another origin (scheme, host, port), include every secret that would be sent there. A webhook
/// that sends to a connected service also requires the scope `services:send`.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", operation_id = "updateWebhook", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    params(("id" = api::WebhookId, Path), api::IfMatch), request_body = api::WebhookPatch,
    responses((status = 200, body = api::Webhook), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<WebhookId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Webhook>> {
    let patch = body.json()?;
    let only_switches = patch
        .as_object()
        .is_some_and(|fields| fields.keys().all(|field| field == "enabled"));
    let changed = change(&app, id, &if_match, &caller, &patch, |webhook| {
        let mut document = webhook.settings.to_map();
        document.insert("secret".to_owned(), webhook.secrets.current.expose().into());
        let mut document = Value::Object(document);
        for field in ["auth", "conditions", "retry", "signing", "success_when"] {
            // A value of another kind replaces the old one: their fields don't mix.
            if !same_kind(&document[field], &patch[field]) {
                document[field] = Value::Null;
            }
        }
        // `url` and `service_id` are mutually exclusive: setting one resets the other.
        if !patch["url"].is_null() {
            (document["service_id"], document["path"]) = (Value::Null, Value::Null);
        } else if !patch["service_id"].is_null() {
            document["url"] = Value::Null;
        }
        respell(&mut document, &patch, "/headers");
        apply(&mut document, &patch);
        let (settings, secret) = Settings::parse(document, &app.allow)?;
        if !only_switches {
            require_send_scope(&caller, &settings)?;
        }
        let (secret, shown) = secret_or_new(secret);
        let mut changed = webhook.changed(settings, clock::now());
        if changed.secrets.current.expose() != secret.expose() {
            changed.secrets = domain::webhook::SigningSecrets::only(secret);
        }
        Ok((changed, shown))
    });
    let (webhook, shown) = changed.await?;
    let response = to_response(&webhook, shown.as_ref());
    Ok(response.map(|view| view.with_warnings(&webhook.settings)))
}

/// Deletes a webhook.
///
/// No further attempt starts. Queued retries are cancelled.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", operation_id = "deleteWebhook", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    params(("id" = api::WebhookId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<WebhookId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |webhook: Webhook| async move {
        let entry = caller.entry("webhook.deleted", &webhook.id, Vec::new());
        app.table.delete_webhook(&webhook, &entry).await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

/// Updates a webhook with `change`, which also returns a new secret to show, and returns both.
/// `patch` is the client's request.
pub(super) async fn change(
    app: &App,
    id: WebhookId,
    if_match: &IfMatch,
    caller: &Principal,
    patch: &Value,
    change: impl Fn(Webhook) -> ApiResult<(Webhook, Option<SigningSecret>)>,
) -> ApiResult<(Webhook, Option<SigningSecret>)> {
    let change = &change;
    let write = |before: Webhook| async move {
        let (after, shown) = match change(before.clone()) {
            Ok(changed) => changed,
            Err(problem) => {
                return Err(
                    with_unknown_types(app, problem, patch, Some(&before.settings))
                        .await?
                        .into(),
                );
            }
        };
        let to = check_references(app, &after.settings, Some(&before.settings)).await?;
        check_match_limit(app, &after.settings, Some(&before.settings)).await?;
        let from = origin(app, &before.settings)
            .await?
            .unwrap_or_else(Origin::none);
        let after = after.patched(&before, patch, [&from, &to])?;
        let fields = changed_fields(&before, &after);
        let same = after.secret_origins == before.secret_origins && after.missing == before.missing;
        if fields.is_empty() && same {
            return Ok((before, shown));
        }
        let entry = caller.entry("webhook.updated", &after.id, fields);
        app.table
            .update_webhook(&before, &after, &app.keys, &entry)
            .await?;
        Ok((after, shown))
    };
    if_match.change(|| find(app, id), write).await
}

impl Versioned for Webhook {
    fn version(&self) -> u64 {
        self.state.version
    }
}

/// Names of the changed fields, including secrets.
fn changed_fields(before: &Webhook, after: &Webhook) -> Vec<String> {
    let document = |webhook: &Webhook| {
        let mut document = webhook.settings.to_map();
        document.insert("secret".to_owned(), webhook.secrets.current.expose().into());
        Value::Object(document)
    };
    audit::changes(&document(before), &document(after))
}

/// Whether a patch changes fields of the existing value instead of replacing it: by another kind,
/// or by a condition that contains another one.
fn same_kind(before: &Value, patch: &Value) -> bool {
    let conditions = |value: &Value| {
        ["all", "any", "not", "any_of", "all_of", "field"]
            .into_iter()
            .find(|name| value.get(name).is_some())
    };
    patch
        .get("type")
        .is_none_or(|kind| before.get("type") == Some(kind))
        && conditions(patch).is_none_or(|kind| before.get(kind).is_some())
        && patch.get("where").or(patch.get("not")).is_none()
}

/// Returns the webhook with this ID.
pub(super) async fn find(app: &App, id: WebhookId) -> ApiResult<Webhook> {
    found(app.table.webhook(id, &app.keys).await?, "webhook")
}

/// Returns the given secret, or a generated one and a copy to show once.
fn secret_or_new(given: Option<SigningSecret>) -> (SigningSecret, Option<SigningSecret>) {
    given.map_or_else(
        || {
            let fresh = SigningSecret::generated(random::bytes());
            (fresh.clone(), Some(fresh))
        },
        |secret| (secret, None),
    )
}

pub(super) fn to_response(
    webhook: &Webhook,
    shown: Option<&SigningSecret>,
) -> Tagged<api::Webhook> {
    let view = api::Webhook::from(webhook).with_secret(shown);
    Tagged::new(webhook.version(), view)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patch_of_another_kind_replaces_the_value() {
        let (fixed, comparison) = (
            json!({"type": "fixed", "interval_seconds": 1}),
            json!({"field": "a", "op": "exists"}),
        );
        let elements = json!({"any_of": "a", "where": {"field": "b", "op": "exists"}});
        for (before, patch, same) in [
            (&fixed, json!({"interval_seconds": 2}), true),
            (
                &fixed,
                json!({"type": "fixed", "interval_seconds": 2}),
                true,
            ),
            (&fixed, json!({"type": "none"}), false),
            (&comparison, json!({"op": "eq", "value": 1}), true),
            (&comparison, json!({"field": "b"}), true),
            (&comparison, json!({"all": []}), false),
            (&Value::Null, json!({"field": "b"}), false),
            (&fixed, Value::Null, true),
            (&elements, json!({"any_of": "b"}), true),
            (
                &elements,
                json!({"any_of": "a", "where": {"op": "exists"}}),
                false,
            ),
        ] {
            assert_eq!(same_kind(before, &patch), same, "{before} with {patch}");
        }
    }
}
