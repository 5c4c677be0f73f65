//! Campaigns: create, read, update, delete.

pub mod export;
pub mod import;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    audit,
    campaign::{Campaign, Settings},
    id::CampaignId,
};
use http::StatusCode;
use platform::{clock, random, table::pagination::Page};
use serde_json::Value;

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

/// Maximum attempts of an export or import that conflicts with concurrent changes.
const MAX_ATTEMPTS: usize = 5;

/// Lists campaigns, newest first.
#[utoipa::path(get, path = "/v1/campaigns", operation_id = "listCampaigns", tag = "campaigns",
    security(("token" = ["campaigns:read"])),
    params(api::ByName, api::Paging), responses((status = 200, body = api::List<api::Campaign>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Campaign>>> {
    let name = query.filter("name", query::name);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let Page { items, next, .. } = match name {
        Some(name) => Page::one(app.table.campaign_named(&name).await?),
        None => app.table.campaigns(&page_request).await?,
    };
    let campaigns = items.iter().map(api::Campaign::from);
    paging.page(&app, campaigns, next).await
}

/// Creates a campaign.
#[utoipa::path(post, path = "/v1/campaigns", operation_id = "createCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    request_body = api::CampaignInput,
    responses((status = 201, body = api::Campaign), api::ConflictResponse, api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Campaign>>> {
    let campaign = Campaign::new(random::id(), Settings::parse(body.json()?)?, clock::now());
    check_providers(&app, &campaign.settings).await?;
    let entry = caller.entry("campaign.created", &campaign.id, Vec::new());
    app.table.create_campaign(&campaign, &entry).await?;
    Ok(Created::new(
        "/v1/campaigns",
        &campaign.id,
        to_response(&campaign),
    ))
}

/// Returns a campaign.
#[utoipa::path(get, path = "/v1/campaigns/{id}", operation_id = "getCampaign", tag = "campaigns",
    security(("token" = ["campaigns:read"])),
    params(("id" = api::CampaignId, Path)), responses((status = 200, body = api::Campaign), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CampaignId>,
) -> ApiResult<Tagged<api::Campaign>> {
    Ok(to_response(&find(&app, id).await?))
}

/// Updates a campaign.
#[utoipa::path(patch, path = "/v1/campaigns/{id}", operation_id = "updateCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    params(("id" = api::CampaignId, Path), api::IfMatch), request_body = api::CampaignPatch,
    responses((status = 200, body = api::Campaign), api::ErrorResponses))]
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CampaignId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Campaign>> {
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
            return Ok(to_response(&before));
        }
        let after = before.clone().changed(settings, clock::now());
        app.table
            .update_campaign(
                &before,
                &after,
                &caller.entry("campaign.updated", &after.id, fields),
            )
            .await?;
        Ok(to_response(&after))
    };
    if_match.change(|| find(app, id), write).await
}

/// Deletes a campaign.
///
/// Its providers are not deleted.
#[utoipa::path(delete, path = "/v1/campaigns/{id}", operation_id = "deleteCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    params(("id" = api::CampaignId, Path), api::IfMatch),
    responses((status = 204, description = "Deleted."), api::ErrorResponses))]
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CampaignId>,
    if_match: IfMatch,
) -> ApiResult<StatusCode> {
    let (app, id, caller) = (&*app, id, &caller);
    let write = |campaign: Campaign| async move {
        let entry = caller.entry("campaign.deleted", &campaign.id, Vec::new());
        app.table.delete_campaign(&campaign, &entry).await?;
        Ok(())
    };
    if_match.delete(|| find(app, id), write).await
}

/// Returns the campaign with this ID.
pub(super) async fn find(app: &App, id: CampaignId) -> ApiResult<Campaign> {
    found(app.table.campaign(id).await?, "campaign")
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

impl Versioned for Campaign {
    fn version(&self) -> u64 {
        self.version
    }
}

fn to_response(campaign: &Campaign) -> Tagged<api::Campaign> {
    Tagged::new(campaign.version, campaign.into())
}
