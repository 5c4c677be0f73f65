//! Providers of messages and calls: create, read, update, delete, test.

mod checks;
pub mod test;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    audit,
    campaign::Campaign,
    id::ProviderId,
    inbound::Key,
    message::Channel,
    provider::{KeyPolicy, Provider, Settings},
    validation::{Validated, ValidationErrors},
};
use http::StatusCode;
use platform::{
    clock, provider_client, random,
    table::{
        pagination::{Page, PageRequest},
        providers::StoredProvider,
    },
};
use serde_json::Value;

use self::checks::{check_account, check_fallback, check_not_a_fallback};
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

/// Lists providers, newest first.
///
/// Filtered pages may be shorter than `limit`.
#[utoipa::path(get, path = "/v1/providers", operation_id = "listProviders", tag = "providers",
    security(("token" = ["providers:read"])),
    params(("channel" = Option<api::Channel>, Query, description = "Only providers for this channel."), api::ByName, api::Paging),
    responses((status = 200, body = api::List<api::Provider>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Provider>>> {
    let name = query.filter("name", query::name);
    let channel = query.filter("channel", query::choice(&Channel::ALL));
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let app = &*app;
    let name = name.as_deref();
    let read = |page_request: PageRequest| async move {
        Ok(match name {
            Some(name) => Page::one(app.table.provider_named(name, &app.keys).await?),
            None => app.table.providers(&page_request, &app.keys).await?,
        })
    };
    let wanted = |stored: &StoredProvider| {
        channel.is_none_or(|channel| stored.provider.settings.channel == channel)
    };
    let Page { items, next, .. } = query::fill_page(page_request, read, wanted).await?;
    let providers = items.iter().map(|stored| view(app, stored));
    paging.page(app, providers, next).await
}

/// Creates a provider.
///
/// If `default` is true, it replaces the channel's current default. With `auth` of type `account`, an
/// origin (scheme, host, port) that the account does not serve yet requires the scope `admin`.
#[utoipa::path(post, path = "/v1/providers", operation_id = "createProvider", tag = "providers",
    security(("token" = ["providers:write"])),
    request_body = api::ProviderInput,
    responses((status = 201, body = api::Provider), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Provider>>> {
    let settings = Settings::parse(body.json()?, &app.allow, KeyPolicy::Required)?;
    let key = key(None, &settings);
    let stored = StoredProvider {
        provider: Provider::new(random::id(), settings, clock::now()),
        key,
        campaigns: 0,
    };
    check_fallback(&app, None, &stored.provider).await?;
    check_account(&app, &caller, None, &stored.provider).await?;
    let entry = caller.entry("provider.created", &stored.provider.id, Vec::new());
    app.table
        .create_provider(&stored, &app.keys, &entry, |previous| {
            default_removed(&caller, previous)
        })
        .await?;
    Ok(Created::new(
        "/v1/providers",
        &stored.provider.id,
        with_warnings(&app, &stored),
    ))
}

/// Returns a provider.
#[utoipa::path(get, path = "/v1/providers/{id}", operation_id = "getProvider", tag = "providers",
    security(("token" = ["providers:read"])),
    params(("id" = api::ProviderId, Path)), responses((status = 200, body = api::Provider), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<ProviderId>,
) -> ApiResult<Tagged<api::Provider>> {
    Ok(to_response(&app, &find(&app, id).await?))
}

/// Updates a provider.
///
/// Omitted keys are unchanged. `channel` can't be changed. If `send_url` moves to another origin
/// (scheme, host, port), include every secret that would be sent there. If an account authenticates
/// requests, an origin that it does not serve yet requires the scope `admin`.
#[utoipa::path(patch, path = "/v1/providers/{id}", operation_id = "updateProvider", tag = "providers",
    security(("token" = ["providers:write"])),
    params(("id" = api::ProviderId, Path), api::IfMatch), request_body = api::ProviderPatch,
    responses((status = 200, body = api::Provider), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ProviderId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Provider>> {
    let patch = &body.json()?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: StoredProvider| async move {
        let previous = &before.provider.settings;
        let old = Value::Object(previous.to_map());
        let mut document = previous.base(patch);
        respell(&mut document, patch, "/request/headers");
        apply(&mut document, patch);
        let channel = check_channel(&old["channel"], &document["channel"]);
        let parsed = Settings::parse(document, &app.allow, previous.keys());
        let settings = with_channel(parsed, channel)?;
        let fields = audit::changes(&old, &Value::Object(settings.to_map()));
        let key = key(before.key.clone(), &settings);
        let provider = before
            .provider
            .clone()
            .changed(settings, clock::now())
            .patched(&before.provider, patch)?;
        if fields.is_empty() && provider.secret_origins == before.provider.secret_origins {
            return Ok(with_warnings(app, &before));
        }
        check_fallback(app, Some(&before.provider), &provider).await?;
        check_account(app, caller, Some(&before.provider), &provider).await?;
        let after = StoredProvider {
            provider,
            key,
            ..before
        };
        let entry = caller.entry("provider.updated", &after.provider.id, fields);
        let moved = |previous| default_removed(caller, previous);
        app.table
            .update_provider(&before, &after, &app.keys, &entry, moved)
            .await?;
        Ok(with_warnings(app, &after))
    };
    if_match.change(|| find(app, id), write).await
}

fn check_channel(before: &Value, after: &Value) -> Validated<()> {
    if before == after {
        return Ok(());
    }
    Err(ValidationErrors::here("can't be changed. Create another provider").under("channel"))
}

/// Adds a change of the channel to the other errors, unless the new channel is itself invalid.
fn with_channel(parsed: Validated<Settings>, channel: Validated<()>) -> Validated<Settings> {
    let Err(change) = channel else {
        return parsed;
    };
    let mut errors = parsed.err().unwrap_or(ValidationErrors(Vec::new()));
    if errors.0.iter().all(|error| error.pointer != "/channel") {
        errors.0.extend(change.0);
    }
    Err(errors)
}

/// Deletes a provider.
///
/// Fails with 409 if a campaign uses it, or if it is the fallback of another provider. Queued
/// messages go on at its own fallback or fail, and its callback URL stops working.
#[utoipa::path(delete, path = "/v1/providers/{id}", operation_id = "deleteProvider", tag = "providers",
    security(("token" = ["providers:write"])),
    params(("id" = api::ProviderId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ProviderId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |stored: StoredProvider| async move {
        if stored.campaigns > 0 {
            let read = |page_request: PageRequest| async move {
                Ok(app.table.campaigns(&page_request).await?)
            };
            let by_provider = |campaign: &Campaign| {
                let mut used = campaign.settings.providers();
                used.any(|used| used == id).then_some(campaign.id)
            };
            let (why, remedy) = ("Campaigns use the provider", "Change or delete them first");
            return Err(query::in_use(why, remedy, read, by_provider).await?.into());
        }
        check_not_a_fallback(app, &stored.provider).await?;
        let entry = caller.entry("provider.deleted", &stored.provider.id, Vec::new());
        app.table
            .delete_provider(&stored, &app.keys, &entry)
            .await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

/// Returns the existing or a new inbound key, or `None` without a callback URL.
pub(super) fn key(previous: Option<Key>, settings: &Settings) -> Option<Key> {
    let new = || Key::of_provider([&random::token(), &random::token()]);
    settings
        .has_callback_url()
        .then(|| previous.unwrap_or_else(new))
}

/// The audit entry of the provider that is no longer the default.
fn default_removed(caller: &Principal, previous: ProviderId) -> audit::Entry {
    caller.entry("provider.updated", &previous, vec!["default".to_owned()])
}

async fn find(app: &App, id: ProviderId) -> ApiResult<StoredProvider> {
    found(app.table.provider(id, &app.keys).await?, "provider")
}

impl Versioned for StoredProvider {
    fn version(&self) -> u64 {
        self.provider.version
    }
}

fn to_response(app: &App, stored: &StoredProvider) -> Tagged<api::Provider> {
    Tagged::new(stored.version(), view(app, stored))
}

/// The response to a request that created or updated the provider.
fn with_warnings(app: &App, stored: &StoredProvider) -> Tagged<api::Provider> {
    to_response(app, stored).map(|view| view.with_warnings(&stored.provider.settings))
}

fn view(app: &App, stored: &StoredProvider) -> api::Provider {
    let callback_url = provider_client::callback_url(&app.public_url, stored);
    api::Provider::new(&stored.provider, callback_url)
}
