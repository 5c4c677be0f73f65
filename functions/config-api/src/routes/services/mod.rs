//! Connected services: create, read, update, delete, replace the inbound URL.

mod checks;
mod response;
pub mod send;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    account::{self, Account},
    audit::{self, Entry},
    id::{AccountId, ServiceId},
    inbound::Key,
    service::{Service, Settings},
    webhook::Webhook,
};
use http::StatusCode;
use platform::{
    clock, random,
    table::{
        pagination::{Page, PageRequest},
        services::StoredService,
    },
};
use serde_json::{Value, json};

use self::checks::{check_header, check_origin, check_references};
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

/// Lists services, newest first.
#[utoipa::path(get, path = "/v1/services", operation_id = "listServices", tag = "services",
    security(("token" = ["services:read"])),
    params(api::ByName, api::Paging), responses((status = 200, body = api::List<api::Service>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Service>>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.service_named(&name, &app.keys).await?),
        None => app.table.services(&page_request, &app.keys).await?,
    };
    let services = items.iter().map(|stored| view(&app, stored));
    paging.page(&app, services, next).await
}

/// Creates a service using an existing or a new account.
///
/// With a `user_id`, the service gets an inbound URL. If it uses an existing account at an origin
/// (scheme, host, port) that the account does not serve yet, this requires the scope `admin`.
#[utoipa::path(post, path = "/v1/services", operation_id = "createService", tag = "services",
    security(("token" = ["services:write"])),
    request_body = api::ServiceInput,
    responses((status = 201, body = api::Service), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Service>>> {
    let fresh = random::id();
    let (settings, account) = Settings::parse(body.json()?, &app.allow, fresh)?;
    let account = account.map(|settings| Account::new(fresh, settings, clock::now()));
    check_references(&app, None, &settings, account.as_ref()).await?;
    check_origin(&app, &caller, None, &settings, account.as_ref()).await?;
    let service = Service::new(random::id(), settings, clock::now());
    let key = key(None, &service.settings);
    let stored = StoredService {
        service,
        key,
        webhooks: 0,
    };
    let entry = caller.entry("service.created", &stored.service.id, Vec::new());
    app.table
        .create_service(
            &stored,
            account.as_ref(),
            &app.keys,
            &entries(&caller, account.as_ref(), entry),
        )
        .await?;
    Ok(Created::new(
        "/v1/services",
        &stored.service.id,
        to_response(&app, &stored),
    ))
}

/// Returns a service.
#[utoipa::path(get, path = "/v1/services/{id}", operation_id = "getService", tag = "services",
    security(("token" = ["services:read"])),
    params(("id" = api::ServiceId, Path)), responses((status = 200, body = api::Service), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<ServiceId>,
) -> ApiResult<Tagged<api::Service>> {
    Ok(to_response(&app, &find(&app, id).await?))
}

/// Updates a service.
///
/// Omitted secrets are unchanged. Moving the service to an origin that its account does not serve
/// yet requires the scope `admin`, and so does moving a service that webhooks send to. Fails with
/// 409 if such a webhook sets the header of the new account's authorization itself.
#[utoipa::path(patch, path = "/v1/services/{id}", operation_id = "updateService", tag = "services",
    security(("token" = ["services:write"])),
    params(("id" = api::ServiceId, Path), api::IfMatch), request_body = api::ServicePatch,
    responses((status = 200, body = api::Service), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ServiceId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Service>> {
    let patch = &body.json()?;
    change(&app, id, &if_match, &caller, |before| {
        let mut document = before.service.settings.base(patch);
        apply(&mut document, patch);
        let fresh = random::id();
        let (settings, account) = Settings::parse(document, &app.allow, fresh)?;
        let key = key(before.key.clone(), &settings);
        let service = before.service.clone().changed(settings, clock::now());
        Ok((
            StoredService {
                service,
                key,
                ..*before
            },
            account.map(|settings| (fresh, settings)),
        ))
    })
    .await
}

/// Replaces a service's inbound URL.
///
/// The old URL stops working immediately.
#[utoipa::path(post, path = "/v1/services/{id}/rotate-url", operation_id = "rotateServiceUrl", tag = "services",
    security(("token" = ["services:write"])), params(("id" = api::ServiceId, Path), api::IfMatch),
    responses((status = 200, body = api::Service), api::ErrorResponses))]
pub async fn rotate_url(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ServiceId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Service>> {
    body.empty()?;
    change(&app, id, &if_match, &caller, |before| {
        let settings = before.service.settings.clone();
        if settings.user_id.is_none() {
            return Err(Problem::conflict(
                "The service has no inbound URL because it has no user.",
            ));
        }
        let key = key(None, &settings);
        let service = before.service.clone().changed(settings, clock::now());
        Ok((
            StoredService {
                service,
                key,
                ..*before
            },
            None,
        ))
    })
    .await
}

/// Deletes a service.
///
/// Fails with 409 if a webhook sends to it. Its inbound URL stops working.
#[utoipa::path(delete, path = "/v1/services/{id}", operation_id = "deleteService", tag = "services",
    security(("token" = ["services:write"])),
    params(("id" = api::ServiceId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ServiceId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |stored: StoredService| async move {
        if stored.webhooks > 0 {
            let read = |page_request: PageRequest| async move {
                Ok(app.table.webhooks(&page_request, &app.keys).await?)
            };
            let to_service = |webhook: &Webhook| {
                (webhook.settings.destination.service() == Some(id)).then_some(webhook.id)
            };
            let (why, remedy) = (
                "Webhooks send to the service",
                "Change or delete them first",
            );
            return Err(query::in_use(why, remedy, read, to_service).await?.into());
        }
        let entry = caller.entry("service.deleted", &stored.service.id, Vec::new());
        app.table.delete_service(&stored, &app.keys, entry).await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

/// Updates a service with `change`, which can also return a new account to create.
async fn change(
    app: &App,
    id: ServiceId,
    if_match: &IfMatch,
    caller: &Principal,
    change: impl Fn(
        &StoredService,
    ) -> ApiResult<(StoredService, Option<(AccountId, account::Settings)>)>,
) -> ApiResult<Tagged<api::Service>> {
    let change = &change;
    let write = |before: StoredService| async move {
        let (after, account) = change(&before)?;
        let account = account.map(|(id, settings)| Account::new(id, settings, clock::now()));
        check_references(
            app,
            Some(&before.service.settings),
            &after.service.settings,
            account.as_ref(),
        )
        .await?;
        check_origin(
            app,
            caller,
            Some(&before),
            &after.service.settings,
            account.as_ref(),
        )
        .await?;
        check_header(app, &before, &after.service.settings, account.as_ref()).await?;
        let fields = changed_fields(&before, &after);
        if fields.is_empty() {
            return Ok(to_response(app, &before));
        }
        let entry = caller.entry("service.updated", &after.service.id, fields);
        let entries = entries(caller, account.as_ref(), entry);
        app.table
            .update_service(&before, &after, account.as_ref(), &app.keys, &entries)
            .await?;
        Ok(to_response(app, &after))
    };
    if_match.change(|| find(app, id), write).await
}

/// Returns the audit entries of a change, including the creation of a new account.
fn entries(caller: &Principal, account: Option<&Account>, entry: Entry) -> Vec<Entry> {
    let account = account.map(|account| caller.entry("account.created", &account.id, Vec::new()));
    account.into_iter().chain([entry]).collect()
}

/// Returns the existing or a new inbound key, or `None` without a user.
fn key(previous: Option<Key>, settings: &Settings) -> Option<Key> {
    let user = settings.user_id?;
    Some(previous.unwrap_or_else(|| Key::new(&random::token(), user)))
}

fn changed_fields(before: &StoredService, after: &StoredService) -> Vec<String> {
    let document = |stored: &StoredService| {
        let mut map = stored.service.settings.to_map();
        map.insert(
            "webhook_url".to_owned(),
            json!(stored.key.as_ref().map(Key::expose)),
        );
        Value::Object(map)
    };
    audit::changes(&document(before), &document(after))
}

/// Returns the service with this ID.
pub(super) async fn find(app: &App, id: ServiceId) -> ApiResult<StoredService> {
    found(app.table.service(id, &app.keys).await?, "service")
}

impl Versioned for StoredService {
    fn version(&self) -> u64 {
        self.service.version
    }
}

fn to_response(app: &App, stored: &StoredService) -> Tagged<api::Service> {
    Tagged::new(stored.version(), view(app, stored))
}

fn view(app: &App, stored: &StoredService) -> api::Service {
    let key = stored.key.as_ref();
    let webhook_url = key.map(|key| format!("{}/in/{}", app.public_url, key.expose()));
    api::Service::new(&stored.service, webhook_url)
}
