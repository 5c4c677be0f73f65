//! Integration credentials: create, read, update, rotate, revoke, delete. Only the response that
//! creates a token contains it.

pub mod revoke;
pub mod rotate;

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use domain::{
    audit,
    credential::{Credential, Settings, Status, TokenMark, reminder},
    id::CredentialId,
    scope::Scope,
    token::Token,
    validation::ValidationErrors,
};
use http::StatusCode;
use jiff::Timestamp;
use platform::{
    clock, random,
    table::{
        credentials::LiveAdmin,
        pagination::{Page, PageRequest},
    },
};

use crate::{
    App, api,
    http::{
        ApiResult, Created, IfMatch, JsonBody, PathId, Problem, Tagged, Versioned,
        auth::Principal,
        found,
        patch::apply,
        query::{self, Query},
    },
};

/// Lists credentials.
///
/// Sorted newest first, or with `rotation` most urgent first.
#[utoipa::path(get, path = "/v1/credentials", operation_id = "listCredentials", tag = "credentials",
    security(("token" = ["credentials:read"])),
    params(
        ("status" = Option<api::CredentialStatus>, Query, description = "Only with this status."),
        ("rotation" = Option<api::Rotation>, Query, description = "Only credentials whose rotation is overdue, or due within 7 days."),
        api::Paging,
    ),
    responses((status = 200, body = api::List<api::Credential>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Credential>>> {
    let status = query.filter("status", query::choice(&Status::ALL));
    let rotation = query.filter(
        "rotation",
        query::choice(&[("overdue", Rotation::Overdue), ("due_soon", Rotation::Soon)]),
    );
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let now = clock::now();
    let wanted = |credential: &Credential| {
        status.is_none_or(|status| credential.status(now) == status)
            && rotation.is_none_or(|rotation| rotation.includes(credential, now))
    };
    let app = &*app;
    let read = |page_request: PageRequest| async move {
        Ok(match rotation {
            None => app.table.credentials(&page_request).await?,
            // Credentials that are overdue or due within a week have their next reminder within a
            // week.
            Some(_) => {
                app.table
                    .reminders(
                        now.checked_add(reminder::REMINDER_INTERVAL).unwrap_or(now),
                        &page_request,
                    )
                    .await?
            }
        })
    };
    let Page { items, next, .. } = query::fill_page(page_request, read, wanted).await?;
    let uses = app.table.last_uses(&items).await?;
    let data = items.iter().map(|credential| view(credential, &uses, now));
    paging.page(app, data, next).await
}

/// Creates a credential.
///
/// The response contains the `token`. It is shown only once. You can grant only scopes that you
/// have. Creating a credential for another user also requires the scope `users:write`.
#[utoipa::path(post, path = "/v1/credentials", operation_id = "createCredential", tag = "credentials",
    security(("token" = ["credentials:write"])),
    request_body = api::CredentialInput,
    responses((status = 201, body = api::Credential), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Credential>>> {
    let now = clock::now();
    let settings = Settings::parse(body.json()?, caller.user, now)?;
    require_scopes(&caller, &settings)?;
    // A credential of another user would outlive the caller's own user.
    if settings.user_id != caller.user {
        caller.require_scope(Scope::UsersWrite)?;
    }
    let holder = app
        .table
        .user(settings.user_id)
        .await?
        .filter(|holder| holder.user.settings.active);
    if holder.is_none() {
        return Err(ValidationErrors::here("must be the ID of an active user")
            .under("user_id")
            .into());
    }
    let (token, mark) = new_token(&app).await?;
    let credential = Credential::new(random::id(), settings, mark, Some(caller.user), now);
    let entry = caller.entry("credential.created", &credential.id, Vec::new());
    app.table
        .create_credential(&credential, now, &entry)
        .await?;
    Ok(Created::new(
        "/v1/credentials",
        &credential.id,
        to_response(&app, &credential, Some(&token)).await?,
    ))
}

/// Returns a credential, without its token.
#[utoipa::path(get, path = "/v1/credentials/{id}", operation_id = "getCredential", tag = "credentials",
    security(("token" = ["credentials:read"])),
    params(("id" = api::CredentialId, Path)), responses((status = 200, body = api::Credential), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CredentialId>,
) -> ApiResult<Tagged<api::Credential>> {
    to_response(&app, &find(&app, id).await?, None).await
}

/// Updates a credential.
///
/// Requires every scope that the credential has or is granted.
#[utoipa::path(patch, path = "/v1/credentials/{id}", operation_id = "updateCredential", tag = "credentials",
    security(("token" = ["credentials:write"])),
    params(("id" = api::CredentialId, Path), api::IfMatch), request_body = api::CredentialPatch,
    responses((status = 200, body = api::Credential), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CredentialId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Credential>> {
    let patch = &body.json()?;
    change(
        &app,
        id,
        &if_match,
        &caller,
        "credential.updated",
        |before, now| {
            let mut document = before.settings.to_value();
            apply(&mut document, patch);
            let settings = before.settings.patched(document, now)?;
            require_scopes(&caller, &settings)?;
            Ok(if settings == before.settings {
                before
            } else {
                before.changed(settings)
            })
        },
    )
    .await
}

/// Deletes a credential.
///
/// Its tokens stop working immediately.
#[utoipa::path(delete, path = "/v1/credentials/{id}", operation_id = "deleteCredential", tag = "credentials",
    security(("token" = ["credentials:write"])), params(("id" = api::CredentialId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CredentialId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |credential: Credential| async move {
        let now = clock::now();
        require_scopes(caller, &credential.settings)?;
        let other = other_admin(app, &credential, None).await?;
        let entry = caller.entry("credential.deleted", &credential.id, Vec::new());
        app.table
            .delete_credential(&credential, other, now, &entry)
            .await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

/// Updates a credential with `change`.
async fn change(
    app: &App,
    id: CredentialId,
    if_match: &IfMatch,
    caller: &Principal,
    action: &str,
    change: impl Fn(Credential, Timestamp) -> ApiResult<Credential>,
) -> ApiResult<Tagged<api::Credential>> {
    let change = &change;
    let write = |before: Credential| async move {
        let now = clock::now();
        require_scopes(caller, &before.settings)?;
        let last_used_at = app
            .table
            .last_uses(std::slice::from_ref(&before))
            .await?
            .remove(&before.id);
        let after = change(before.clone(), now)?;
        if after.version == before.version {
            // No change: nothing to write or audit.
            return Ok(to_response(app, &before, None).await?);
        }
        let after = Credential {
            last_used_at,
            ..after
        };
        let other = other_admin(app, &before, Some(&after)).await?;
        let fields = audit::changes(&before.settings.to_value(), &after.settings.to_value());
        let entry = caller.entry(action, &after.id, fields);
        app.table
            .update_credential(&before, &after, other, now, Some(&entry))
            .await?;
        Ok(to_response(app, &after, None).await?)
    };
    if_match.change(|| find(app, id), write).await
}

async fn find(app: &App, id: CredentialId) -> ApiResult<Credential> {
    found(app.table.credential(id).await?, "credential")
}

impl Versioned for Credential {
    fn version(&self) -> u64 {
        self.version
    }
}

/// Returns 403 if the credential has scopes that the caller lacks.
fn require_scopes(caller: &Principal, settings: &Settings) -> ApiResult<()> {
    caller.require_all(&settings.scopes, "The credential has")
}

/// If the change removes an admin credential that never expires, returns another one, or 409 if
/// there is none.
async fn other_admin(
    app: &App,
    before: &Credential,
    after: Option<&Credential>,
) -> ApiResult<Option<LiveAdmin>> {
    if !before.is_permanent_admin() || after.is_some_and(Credential::is_permanent_admin) {
        return Ok(None);
    }
    let other = app
        .table
        .another_admin(|credential| credential.id == before.id)
        .await?;
    other
        .map(Some)
        .ok_or_else(|| Problem::conflict("This is the last active admin credential that never expires. Create another one first."))
}

/// Generates a token. Returns it with the hash and hint to store.
async fn new_token(app: &App) -> ApiResult<(Token, TokenMark)> {
    let token = Token::from_random(random::bytes());
    let hash = app.keys.get().await?.token_key(token.expose());
    let mark = TokenMark {
        hash,
        hint: token.hint().to_owned(),
    };
    Ok((token, mark))
}

#[derive(Debug, Clone, Copy)]
enum Rotation {
    Overdue,
    Soon,
}

impl Rotation {
    fn includes(self, credential: &Credential, now: Timestamp) -> bool {
        let active = credential.status(now) == Status::Active;
        match self {
            Self::Overdue => credential.is_overdue(now),
            Self::Soon => {
                let left = credential.rotation_due_at().duration_since(now);
                active && left.is_positive() && left <= reminder::REMINDER_INTERVAL
            }
        }
    }
}

async fn to_response(
    app: &App,
    credential: &Credential,
    token: Option<&Token>,
) -> ApiResult<Tagged<api::Credential>> {
    let uses = app
        .table
        .last_uses(std::slice::from_ref(credential))
        .await?;
    let shown = api::Credential {
        token: token.map(|token| token.expose().to_owned()),
        ..view(credential, &uses, clock::now())
    };
    Ok(Tagged::new(credential.version, shown))
}

fn view(
    credential: &Credential,
    uses: &HashMap<CredentialId, Timestamp>,
    now: Timestamp,
) -> api::Credential {
    api::Credential::at(now, credential, uses.get(&credential.id).copied())
}
