//! Exports a campaign, to copy it to another deployment.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{id::CampaignId, provider::Provider, scope::Scope};

use super::{MAX_ATTEMPTS, find};
use crate::{
    App, api,
    http::{ApiResult, PathId, Problem, auth::Principal},
};

/// Exports a campaign and its providers as a bundle, without secrets.
///
/// Exporting a campaign that has providers also requires the scope `providers:read`.
#[utoipa::path(get, path = "/v1/campaigns/{id}/export", operation_id = "exportCampaign", tag = "campaigns",
    security(("token" = ["campaigns:read"])),
    params(("id" = api::CampaignId, Path)), responses((status = 200, body = api::Bundle), api::ErrorResponses))]
pub async fn export(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CampaignId>,
) -> ApiResult<Json<api::Bundle>> {
    // A provider in use can't be deleted. If one is missing, the campaign has been changed: read it
    // again.
    for _ in 0..MAX_ATTEMPTS {
        let campaign = find(&app, id).await?.settings;
        let ids: Vec<_> = campaign.providers().collect();
        if !ids.is_empty() {
            caller.require_scope(Scope::ProvidersRead)?;
        }
        let found = app.table.providers_of(&ids, &app.keys).await?;
        if found.len() == ids.len() {
            let providers: Vec<Provider> =
                found.into_values().map(|stored| stored.provider).collect();
            return Ok(Json(api::Bundle::of(&campaign, &providers)));
        }
    }
    Err(Problem::internal(format!(
        "the providers of {id} don't exist"
    )))
}
