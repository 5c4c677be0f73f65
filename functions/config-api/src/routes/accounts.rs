//! Accounts of connected services: create, read, update, delete.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    account::{Account, Settings},
    audit,
    id::AccountId,
    secrets::Reveal,
    time,
};
use http::{HeaderMap, StatusCode, header};
use platform::{
    clock, random,
    table::{
        accounts::Used,
        pagination::{Page, PageRequest},
        services::StoredService,
    },
};
use serde_json::{Value, json};

use super::account_header;
use crate::{
    App,
    http::{
        ApiResult, JsonBody, PathId, Problem,
        auth::Principal,
        created,
        etag::{self, UpdateError},
        patch::apply,
        problem::MAX_LISTED,
        query::{self, Query, first},
    },
    openapi::schema,
};

/// Lists accounts, newest first.
#[utoipa::path(get, path = "/v1/accounts", operation_id = "listAccounts", tag = "accounts",
    security(("token" = ["services:read"])),
    params(schema::ByName, schema::Paging), responses((status = 200, body = schema::List<schema::Account>), schema::ErrorResponses))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> ApiResult<Json<Value>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.account_named(&name, &app.keys).await?),
        None => app.table.accounts(&page_request, &app.keys).await?,
    };
    paging
        .page(
            &app,
            items.iter().map(|used| view(&used.account)).collect(),
            next,
        )
        .await
        .map(Json)
}

/// Creates an account.
#[utoipa::path(post, path = "/v1/accounts", operation_id = "createAccount", tag = "accounts",
    security(("token" = ["services:write"])),
    request_body = schema::AccountInput,
    responses((status = 201, body = schema::Account), schema::ConflictResponse, schema::ErrorResponses))]
pub async fn create(State(app): State<Arc<App>>, caller: Principal, body: JsonBody) -> ApiResult {
    let account = Account::new(
        random::id(),
        Settings::parse(body.json()?, &app.allow)?,
        clock::now(),
    );
    let entry = caller.entry("account.created", &account.id, Vec::new());
    app.table
        .create_account(&account, &app.keys, &entry)
        .await?;
    Ok(created(
        StatusCode::CREATED,
        "/v1/accounts",
        &account.id,
        answer(&account),
    ))
}

/// Returns an account.
#[utoipa::path(get, path = "/v1/accounts/{id}", operation_id = "getAccount", tag = "accounts",
    security(("token" = ["services:read"])),
    params(("id" = schema::AccountId, Path)), responses((status = 200, body = schema::Account), schema::ErrorResponses))]
pub async fn get(State(app): State<Arc<App>>, PathId(id): PathId<AccountId>) -> ApiResult {
    Ok(answer(&find(&app, id).await?.account))
}

/// Updates an account.
///
/// Omitted secrets are unchanged. If `token_url` moves to another origin (scheme, host, port),
/// include every secret that would be sent there. Fails with 409 if a webhook that sends to one of
/// the account's services sets the new authorization's header itself.
#[utoipa::path(patch, path = "/v1/accounts/{id}", operation_id = "updateAccount", tag = "accounts",
    security(("token" = ["services:write"])),
    params(("id" = schema::AccountId, Path), schema::IfMatch), request_body = schema::AccountPatch,
    responses((status = 200, body = schema::Account), schema::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<AccountId>,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult {
    let patch = &body.json()?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: Used| async move {
        let old = Value::Object(before.account.settings.to_map(Reveal::Full));
        let mut document = before.account.settings.base(patch);
        apply(&mut document, patch);
        let settings = Settings::parse(document, &app.allow)?;
        let fields = audit::changes(&old, &Value::Object(settings.to_map(Reveal::Full)));
        let after = before
            .account
            .clone()
            .changed(settings, clock::now())
            .patched(&before.account, patch)?;
        if fields.is_empty() {
            return Ok(answer(&before.account));
        }
        check_header(app, &before, &after).await?;
        let entry = caller.entry("account.updated", &after.id, fields);
        app.table
            .update_account(&before, &after, &app.keys, &entry)
            .await?;
        Ok(answer(&after))
    };
    etag::change(&headers, version, || find(app, id), write).await
}

/// Deletes an account.
///
/// Fails with 409 if a service uses it.
#[utoipa::path(delete, path = "/v1/accounts/{id}", operation_id = "deleteAccount", tag = "accounts",
    security(("token" = ["services:write"])),
    params(("id" = schema::AccountId, Path), schema::IfMatch),
    responses((status = 204, description = "Deleted."), schema::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<AccountId>,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |used: Used| async move {
        if used.services > 0 {
            let read = |page_request: PageRequest| async move {
                Ok(app.table.services(&page_request, &app.keys).await?)
            };
            let id = used.account.id;
            let of_account = |stored: &StoredService| stored.service.settings.account_id == id;
            let ids = first(MAX_LISTED + 1, read, of_account)
                .await?
                .into_iter()
                .map(|stored| stored.service.id);
            return Err(
                Problem::in_use("Services use the account", ids, "Delete them first").into(),
            );
        }
        let entry = caller.entry("account.deleted", &used.account.id, Vec::new());
        app.table
            .delete_account(&used.account, &entry)
            .await
            .map_err(UpdateError::from)
    };
    etag::change(&headers, version, || find(app, id), write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns 409 if a webhook of one of the account's services sets the account's new header.
async fn check_header(app: &App, before: &Used, after: &Account) -> ApiResult<()> {
    let (old, new) = (
        &before.account.settings.authorization,
        &after.settings.authorization,
    );
    if before.services == 0 || old.header_name() == new.header_name() {
        return Ok(());
    }
    let services = account_header::services(app, after.id).await?;
    account_header::check(app, &services, old, new).await
}

async fn find(app: &App, id: AccountId) -> ApiResult<Used> {
    app.table
        .account(id, &app.keys)
        .await?
        .ok_or_else(|| Problem::not_found("account"))
}

fn version(used: &Used) -> u64 {
    used.account.version
}

fn answer(account: &Account) -> Response {
    (
        [(header::ETAG, etag::of(account.version))],
        Json(view(account)),
    )
        .into_response()
}

fn view(account: &Account) -> Value {
    let Account {
        id,
        settings,
        created_at,
        updated_at,
        version: _,
    } = account;
    let mut view = Value::Object(settings.to_map(Reveal::Hints));
    view["id"] = json!(id);
    view["created_at"] = json!(time::show_millis(*created_at));
    view["updated_at"] = json!(time::show_millis(*updated_at));
    view
}
