//! Accounts of connected services and providers: create, read, update, delete, test.

pub mod test;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    account::{Account, Settings},
    audit,
    id::AccountId,
};
use http::StatusCode;
use platform::{
    clock, random,
    table::{
        accounts::StoredAccount,
        pagination::{Page, PageRequest},
        providers::StoredProvider,
        services::StoredService,
    },
};
use serde_json::Value;

use super::account_header;
use crate::{
    App, api,
    http::{
        ApiResult, Created, IfMatch, JsonBody, PathId, Tagged, Versioned,
        auth::Principal,
        found,
        patch::apply,
        query::{self, Query},
    },
};

/// Lists accounts, newest first.
#[utoipa::path(get, path = "/v1/accounts", operation_id = "listAccounts", tag = "accounts",
    security(("token" = ["services:read"])),
    params(api::ByName, api::Paging), responses((status = 200, body = api::List<api::Account>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Account>>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.account_named(&name, &app.keys).await?),
        None => app.table.accounts(&page_request, &app.keys).await?,
    };
    let accounts = items.iter().map(|used| api::Account::from(&used.account));
    paging.page(&app, accounts, next).await
}

/// Creates an account.
#[utoipa::path(post, path = "/v1/accounts", operation_id = "createAccount", tag = "accounts",
    security(("token" = ["services:write"])),
    request_body = api::AccountInput,
    responses((status = 201, body = api::Account), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Account>>> {
    let account = Account::new(
        random::id(),
        Settings::parse(body.json()?, &app.allow)?,
        clock::now(),
    );
    let entry = caller.entry("account.created", &account.id, Vec::new());
    app.table
        .create_account(&account, &app.keys, &entry)
        .await?;
    Ok(Created::new(
        "/v1/accounts",
        &account.id,
        to_response(&account),
    ))
}

/// Returns an account.
#[utoipa::path(get, path = "/v1/accounts/{id}", operation_id = "getAccount", tag = "accounts",
    security(("token" = ["services:read"])),
    params(("id" = api::AccountId, Path)), responses((status = 200, body = api::Account), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<Tagged<api::Account>> {
    Ok(to_response(&find(&app, id).await?.account))
}

/// Updates an account.
///
/// Omitted secrets are unchanged. If `token_url` moves to another origin (scheme, host, port),
/// include every secret that would be sent there. Fails with 409 if a webhook that sends to one of
/// the account's services, or a provider that uses the account, sets the new authorization's header
/// itself.
#[utoipa::path(patch, path = "/v1/accounts/{id}", operation_id = "updateAccount", tag = "accounts",
    security(("token" = ["services:write"])),
    params(("id" = api::AccountId, Path), api::IfMatch), request_body = api::AccountPatch,
    responses((status = 200, body = api::Account), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<AccountId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Account>> {
    let patch = &body.json()?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: StoredAccount| async move {
        let old = Value::Object(before.account.settings.to_map());
        let mut document = before.account.settings.base(patch);
        apply(&mut document, patch);
        let settings = Settings::parse(document, &app.allow)?;
        let fields = audit::changes(&old, &Value::Object(settings.to_map()));
        let after = before
            .account
            .clone()
            .changed(settings, clock::now())
            .patched(&before.account, patch)?;
        if fields.is_empty() {
            return Ok(to_response(&before.account));
        }
        check_header(app, &before, &after).await?;
        let entry = caller.entry("account.updated", &after.id, fields);
        app.table
            .update_account(&before, &after, &app.keys, &entry)
            .await?;
        Ok(to_response(&after))
    };
    if_match.change(|| find(app, id), write).await
}

/// Deletes an account.
///
/// Fails with 409 if a service or provider uses it.
#[utoipa::path(delete, path = "/v1/accounts/{id}", operation_id = "deleteAccount", tag = "accounts",
    security(("token" = ["services:write"])),
    params(("id" = api::AccountId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<AccountId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |used: StoredAccount| async move {
        if used.uses.services > 0 {
            let read = |page_request: PageRequest| async move {
                Ok(app.table.services(&page_request, &app.keys).await?)
            };
            let of_account = |stored: &StoredService| {
                let service = &stored.service;
                (service.settings.account_id == id).then_some(service.id)
            };
            let (why, remedy) = ("Services use the account", "Delete them first");
            return Err(query::in_use(why, remedy, read, of_account).await?.into());
        }
        if used.uses.providers > 0 {
            let read = |page_request: PageRequest| async move {
                Ok(app.table.providers(&page_request, &app.keys).await?)
            };
            let of_account = |stored: &StoredProvider| {
                let provider = &stored.provider;
                (provider.settings.auth.account() == Some(id)).then_some(provider.id)
            };
            let (why, remedy) = ("Providers use the account", "Change or delete them first");
            return Err(query::in_use(why, remedy, read, of_account).await?.into());
        }
        let entry = caller.entry("account.deleted", &used.account.id, Vec::new());
        app.table.delete_account(&used.account, &entry).await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

/// Returns 409 if a webhook of one of the account's services, or a provider, sets the account's new
/// header.
async fn check_header(app: &App, before: &StoredAccount, after: &Account) -> ApiResult<()> {
    let (old, new) = (
        &before.account.settings.authorization,
        &after.settings.authorization,
    );
    if old.header_name() == new.header_name() {
        return Ok(());
    }
    if before.uses.services > 0 {
        let services = account_header::services(app, after.id).await?;
        account_header::check(app, &services, old, new).await?;
    }
    if before.uses.providers > 0 {
        account_header::check_providers(app, after.id, new).await?;
    }
    Ok(())
}

async fn find(app: &App, id: AccountId) -> ApiResult<StoredAccount> {
    found(app.table.account(id, &app.keys).await?, "account")
}

impl Versioned for StoredAccount {
    fn version(&self) -> u64 {
        self.account.version
    }
}

fn to_response(account: &Account) -> Tagged<api::Account> {
    Tagged::new(account.version, account.into())
}
