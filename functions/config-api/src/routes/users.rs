//! Users: create, read, update, delete.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    audit,
    id::UserId,
    scope::Scope,
    user::{Settings, User},
};
use http::StatusCode;
use platform::{
    clock, random,
    table::{
        credentials::LiveAdmin,
        pagination::{Page, PageRequest},
        services::StoredService,
        users::StoredUser,
    },
};

use crate::{
    App, api,
    http::{
        ApiResult, Created, IfMatch, JsonBody, PathId, Problem, Tagged, UpdateError, Versioned,
        auth::Principal,
        found,
        patch::apply,
        query::{self, Query},
    },
};

/// Lists users, newest first.
#[utoipa::path(get, path = "/v1/users", operation_id = "listUsers", tag = "users",
    security(("token" = ["users:read"])), params(api::ByName, api::Paging),
    responses((status = 200, body = api::List<api::User>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::User>>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.user_named(&name).await?),
        None => app.table.users(&page_request).await?,
    };
    let users = items.iter().map(|holder| api::User::from(&holder.user));
    paging.page(&app, users, next).await
}

/// Creates a user.
#[utoipa::path(post, path = "/v1/users", operation_id = "createUser", tag = "users",
    security(("token" = ["users:write"])),
    request_body = api::UserInput,
    responses((status = 201, body = api::User), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::User>>> {
    let user = User::new(random::id(), Settings::parse(body.json()?)?, clock::now());
    app.table
        .create_user(&user, &caller.entry("user.created", &user.id, Vec::new()))
        .await?;
    Ok(Created::new("/v1/users", &user.id, to_response(&user)))
}

/// Returns a user.
#[utoipa::path(get, path = "/v1/users/{id}", operation_id = "getUser", tag = "users",
    security(("token" = ["users:read"])),
    params(("id" = api::UserId, Path)), responses((status = 200, body = api::User), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<UserId>,
) -> ApiResult<Tagged<api::User>> {
    Ok(to_response(&find(&app, id).await?.user))
}

/// Updates a user.
///
/// Deactivating a user immediately disables the user's credentials and inbound URLs. Changing
/// `active` requires every scope that the user's credentials have.
#[utoipa::path(patch, path = "/v1/users/{id}", operation_id = "updateUser", tag = "users",
    security(("token" = ["users:write"])),
    params(("id" = api::UserId, Path), api::IfMatch), request_body = api::UserPatch,
    responses((status = 200, body = api::User), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<UserId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::User>> {
    let patch = &body.json()?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: StoredUser| async move {
        let old = before.user.settings.to_value();
        let mut document = old.clone();
        apply(&mut document, patch);
        let settings = Settings::parse(document)?;
        if settings.active != before.user.settings.active {
            check_switch(app, caller, &before).await?;
        }
        let fields = audit::changes(&old, &settings.to_value());
        if fields.is_empty() {
            return Ok(to_response(&before.user));
        }
        let stops = before.user.settings.active && !settings.active;
        let other = if stops {
            Some(other_admin(app, before.user.id).await?)
        } else {
            None
        };
        let after = before.user.clone().changed(settings, clock::now());
        app.table
            .update_user(
                &before,
                &after,
                other,
                &caller.entry("user.updated", &after.id, fields),
            )
            .await?;
        Ok(to_response(&after))
    };
    if_match.change(|| find(app, id), write).await
}

/// Deletes a user.
///
/// Fails with 409 if the user has credentials or is assigned to a service.
#[utoipa::path(delete, path = "/v1/users/{id}", operation_id = "deleteUser", tag = "users",
    security(("token" = ["users:write"])),
    params(("id" = api::UserId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<UserId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |holder: StoredUser| async move {
        if holder.credentials > 0 {
            let ids = app
                .table
                .credentials_of(&holder)
                .await?
                .into_iter()
                .map(|credential| credential.id);
            return Err(
                Problem::in_use("The user has credentials", ids, "Delete them first").into(),
            );
        }
        if holder.services > 0 {
            let read = |page_request: PageRequest| async move {
                Ok(app.table.services(&page_request, &app.keys).await?)
            };
            let of_user = |stored: &StoredService| {
                let service = &stored.service;
                (service.settings.user_id == Some(id)).then_some(service.id)
            };
            let why = "The user is assigned to services";
            let remedy = "Reassign or delete them first";
            return Err(query::in_use(why, remedy, read, of_user).await?.into());
        }
        let entry = caller.entry("user.deleted", &holder.user.id, Vec::new());
        app.table.delete_user(&holder, &entry).await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

async fn find(app: &App, id: UserId) -> ApiResult<StoredUser> {
    found(app.table.user(id).await?, "user")
}

impl Versioned for StoredUser {
    fn version(&self) -> u64 {
        self.user.version
    }
}

/// Returns 403 if the user's credentials have scopes that the caller lacks.
async fn check_switch(
    app: &App,
    caller: &Principal,
    holder: &StoredUser,
) -> Result<(), UpdateError> {
    if holder.credentials == 0 || caller.scopes.grants(Scope::Admin) {
        return Ok(());
    }
    let credentials = app.table.credentials_of(holder).await?;
    let held = credentials
        .iter()
        .filter(|credential| credential.revoked_at.is_none());
    let scopes = held.flat_map(|credential| credential.settings.scopes.iter());
    Ok(caller.require_all(&scopes.collect(), "The user's credentials have")?)
}

/// Returns an admin credential of another user, or 409 if there is none. Required even if the user
/// has none now: one of the user's credentials may become an admin credential concurrently.
async fn other_admin(app: &App, user: UserId) -> ApiResult<LiveAdmin> {
    let other = app
        .table
        .another_admin(|credential| credential.settings.user_id == user)
        .await?;
    other.ok_or_else(|| {
        Problem::conflict("The user has the last active admin credential that never expires. Create another one first.")
    })
}

fn to_response(user: &User) -> Tagged<api::User> {
    Tagged::new(user.version, user.into())
}
