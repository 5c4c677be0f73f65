//! Users: create, read, update, delete.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    audit,
    id::UserId,
    scope::Scope,
    time,
    user::{Settings, User},
};
use http::{HeaderMap, StatusCode, header};
use platform::{
    clock, random,
    table::{
        credentials::LiveAdmin,
        pagination::{Page, PageRequest},
        services::StoredService,
        users::Holder,
    },
};
use serde_json::{Value, json};

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

/// Lists users, newest first.
#[utoipa::path(get, path = "/v1/users", operation_id = "listUsers", tag = "users",
    security(("token" = ["users:read"])), params(schema::ByName, schema::Paging),
    responses((status = 200, body = schema::List<schema::User>), schema::ErrorResponses))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> ApiResult<Json<Value>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.user_named(&name).await?),
        None => app.table.users(&page_request).await?,
    };
    paging
        .page(
            &app,
            items.iter().map(|holder| view(&holder.user)).collect(),
            next,
        )
        .await
        .map(Json)
}

/// Creates a user.
#[utoipa::path(post, path = "/v1/users", operation_id = "createUser", tag = "users",
    security(("token" = ["users:write"])),
    request_body = schema::UserInput,
    responses((status = 201, body = schema::User), schema::ConflictResponse, schema::ErrorResponses))]
pub async fn create(State(app): State<Arc<App>>, caller: Principal, body: JsonBody) -> ApiResult {
    let user = User::new(random::id(), Settings::parse(body.json()?)?, clock::now());
    app.table
        .create_user(&user, &caller.entry("user.created", &user.id, Vec::new()))
        .await?;
    Ok(created(
        StatusCode::CREATED,
        "/v1/users",
        &user.id,
        answer(&user),
    ))
}

/// Returns a user.
#[utoipa::path(get, path = "/v1/users/{id}", operation_id = "getUser", tag = "users",
    security(("token" = ["users:read"])),
    params(("id" = schema::UserId, Path)), responses((status = 200, body = schema::User), schema::ErrorResponses))]
pub async fn get(State(app): State<Arc<App>>, PathId(id): PathId<UserId>) -> ApiResult {
    Ok(answer(&find(&app, id).await?.user))
}

/// Updates a user.
///
/// Deactivating a user immediately disables the user's credentials and inbound URLs. Changing
/// `active` requires every scope that the user's credentials have.
#[utoipa::path(patch, path = "/v1/users/{id}", operation_id = "updateUser", tag = "users",
    security(("token" = ["users:write"])),
    params(("id" = schema::UserId, Path), schema::IfMatch), request_body = schema::UserPatch,
    responses((status = 200, body = schema::User), schema::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<UserId>,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult {
    let patch = &body.json()?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: Holder| async move {
        let old = before.user.settings.to_value();
        let mut document = old.clone();
        apply(&mut document, patch);
        let settings = Settings::parse(document)?;
        if settings.active != before.user.settings.active {
            check_switch(app, caller, &before).await?;
        }
        let fields = audit::changes(&old, &settings.to_value());
        if fields.is_empty() {
            return Ok(answer(&before.user));
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
        Ok(answer(&after))
    };
    etag::change(&headers, version, || find(app, id), write).await
}

/// Deletes a user.
///
/// Fails with 409 if the user has credentials or is assigned to a service.
#[utoipa::path(delete, path = "/v1/users/{id}", operation_id = "deleteUser", tag = "users",
    security(("token" = ["users:write"])),
    params(("id" = schema::UserId, Path), schema::IfMatch),
    responses((status = 204, description = "Deleted."), schema::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<UserId>,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |holder: Holder| async move {
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
            let id = holder.user.id;
            let of_user = |stored: &StoredService| stored.service.settings.user_id == Some(id);
            let ids = first(MAX_LISTED + 1, read, of_user)
                .await?
                .into_iter()
                .map(|stored| stored.service.id);
            return Err(Problem::in_use(
                "The user is assigned to services",
                ids,
                "Reassign or delete them first",
            )
            .into());
        }
        let entry = caller.entry("user.deleted", &holder.user.id, Vec::new());
        app.table
            .delete_user(&holder, &entry)
            .await
            .map_err(UpdateError::from)
    };
    etag::change(&headers, version, || find(app, id), write).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: UserId) -> ApiResult<Holder> {
    app.table
        .user(id)
        .await?
        .ok_or_else(|| Problem::not_found("user"))
}

fn version(holder: &Holder) -> u64 {
    holder.user.version
}

/// Returns 403 if the user's credentials have scopes that the caller lacks.
async fn check_switch(app: &App, caller: &Principal, holder: &Holder) -> Result<(), UpdateError> {
    if holder.credentials == 0 || caller.scopes.grants(Scope::Admin) {
        return Ok(());
    }
    let credentials = app.table.credentials_of(holder).await?;
    let held = credentials
        .iter()
        .filter(|credential| credential.revoked_at.is_none());
    let missing = caller.scopes.lack(
        &held
            .flat_map(|credential| credential.settings.scopes.iter())
            .collect(),
    );
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Problem::missing_scopes("The user's credentials have", &missing).into())
    }
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

fn answer(user: &User) -> Response {
    ([(header::ETAG, etag::of(user.version))], Json(view(user))).into_response()
}

/// Returns the user as clients see it.
pub(super) fn view(user: &User) -> Value {
    let mut view = user.settings.to_value();
    view["id"] = json!(user.id);
    view["created_at"] = json!(time::show_millis(user.created_at));
    view["updated_at"] = json!(time::show_millis(user.updated_at));
    view
}
