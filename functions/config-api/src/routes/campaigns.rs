//! Campaigns: create, read, update, delete.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    audit,
    campaign::{Campaign, Settings},
    id::CampaignId,
    time,
};
use http::{HeaderMap, StatusCode, header};
use platform::{clock, random, table::pagination::Page};
use serde_json::{Value, json};

use crate::{
    App,
    http::{
        ApiResult, JsonBody, PathId, Problem,
        auth::Principal,
        created,
        etag::{self, UpdateError},
        patch::apply,
        query::{self, Query},
    },
    openapi::schema,
};

/// Lists campaigns, newest first.
#[utoipa::path(get, path = "/v1/campaigns", operation_id = "listCampaigns", tag = "campaigns",
    security(("token" = ["campaigns:read"])),
    params(schema::ByName, schema::Paging), responses((status = 200, body = schema::List<schema::Campaign>), schema::ErrorResponses))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> ApiResult<Json<Value>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.campaign_named(&name).await?),
        None => app.table.campaigns(&page_request).await?,
    };
    paging
        .page(&app, items.iter().map(view).collect(), next)
        .await
        .map(Json)
}

/// Creates a campaign.
#[utoipa::path(post, path = "/v1/campaigns", operation_id = "createCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    request_body = schema::CampaignInput,
    responses((status = 201, body = schema::Campaign), schema::ConflictResponse, schema::ErrorResponses))]
pub async fn create(State(app): State<Arc<App>>, caller: Principal, body: JsonBody) -> ApiResult {
    let campaign = Campaign::new(random::id(), Settings::parse(body.json()?)?, clock::now());
    check_providers(&app, &campaign.settings).await?;
    let entry = caller.entry("campaign.created", &campaign.id, Vec::new());
    app.table.create_campaign(&campaign, &entry).await?;
    Ok(created(
        StatusCode::CREATED,
        "/v1/campaigns",
        &campaign.id,
        answer(&campaign),
    ))
}

/// Returns a campaign.
#[utoipa::path(get, path = "/v1/campaigns/{id}", operation_id = "getCampaign", tag = "campaigns",
    security(("token" = ["campaigns:read"])),
    params(("id" = schema::CampaignId, Path)), responses((status = 200, body = schema::Campaign), schema::ErrorResponses))]
pub async fn get(State(app): State<Arc<App>>, PathId(id): PathId<CampaignId>) -> ApiResult {
    Ok(answer(&find(&app, id).await?))
}

/// Updates a campaign.
#[utoipa::path(patch, path = "/v1/campaigns/{id}", operation_id = "updateCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    params(("id" = schema::CampaignId, Path), schema::IfMatch), request_body = schema::CampaignPatch,
    responses((status = 200, body = schema::Campaign), schema::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CampaignId>,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult {
    let patch = &body.json()?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: Campaign| async move {
        let old = Value::Object(before.settings.to_map());
        let mut document = old.clone();
        apply(&mut document, patch);
        let settings = Settings::parse(document)?;
        check_providers(app, &settings).await?;
        let fields = audit::changes(&old, &Value::Object(settings.to_map()));
        if fields.is_empty() {
            return Ok(answer(&before));
        }
        let after = before.clone().changed(settings, clock::now());
        app.table
            .update_campaign(
                &before,
                &after,
                &caller.entry("campaign.updated", &after.id, fields),
            )
            .await?;
        Ok(answer(&after))
    };
    etag::change(&headers, version, || find(app, id), write).await
}

/// Deletes a campaign.
///
/// Its providers are not deleted.
#[utoipa::path(delete, path = "/v1/campaigns/{id}", operation_id = "deleteCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    params(("id" = schema::CampaignId, Path), schema::IfMatch),
    responses((status = 204, description = "Deleted."), schema::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CampaignId>,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |campaign: Campaign| async move {
        let entry = caller.entry("campaign.deleted", &campaign.id, Vec::new());
        app.table
            .delete_campaign(&campaign, &entry)
            .await
            .map_err(UpdateError::from)
    };
    etag::change(&headers, version, || find(app, id), write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the campaign with this ID.
pub(super) async fn find(app: &App, id: CampaignId) -> ApiResult<Campaign> {
    app.table
        .campaign(id)
        .await?
        .ok_or_else(|| Problem::not_found("campaign"))
}

/// Rejects providers that don't exist or serve another channel.
async fn check_providers(app: &App, settings: &Settings) -> ApiResult<()> {
    let ids: Vec<_> = settings.providers().collect();
    let found = app.table.providers_of(&ids, &app.keys).await?;
    Ok(settings.check(|id| {
        found
            .get(&id)
            .map(|stored| stored.provider.settings.channel)
    })?)
}

fn version(campaign: &Campaign) -> u64 {
    campaign.version
}

fn answer(campaign: &Campaign) -> Response {
    (
        [(header::ETAG, etag::of(campaign.version))],
        Json(view(campaign)),
    )
        .into_response()
}

fn view(campaign: &Campaign) -> Value {
    let Campaign {
        id,
        settings,
        created_at,
        updated_at,
        version: _,
    } = campaign;
    let mut view = Value::Object(settings.to_map());
    view["id"] = json!(id);
    view["created_at"] = json!(time::show_millis(*created_at));
    view["updated_at"] = json!(time::show_millis(*updated_at));
    view
}
