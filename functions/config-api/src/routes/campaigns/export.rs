//! Exports a campaign, to copy it to another deployment.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use domain::{
    id::{AccountId, CampaignId},
    provider::Provider,
    scope::Scope,
};

use super::{MAX_ATTEMPTS, find};
use crate::{
    App, api,
    http::{ApiResult, PathId, Problem, auth::Principal},
};

/// Exports a campaign and its providers as a bundle, without secrets.
///
/// Exporting a campaign that has providers also requires the scope `providers:read`, and
/// `services:read` if an account authenticates one of them. The bundle refers to accounts by name.
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
            if let Some(accounts) = account_names(&app, &caller, &providers).await? {
                return Ok(Json(api::Bundle::of(&campaign, &providers, &accounts)));
            }
        }
    }
    Err(Problem::internal(format!(
        "the providers of {id} don't exist"
    )))
}

/// Names of the accounts of these providers. `None` if one is missing, because a provider has changed
/// since it was read.
async fn account_names(
    app: &App,
    caller: &Principal,
    providers: &[Provider],
) -> ApiResult<Option<BTreeMap<AccountId, String>>> {
    let mut names = BTreeMap::new();
    for id in providers
        .iter()
        .filter_map(|provider| provider.settings.auth.account())
    {
        caller.require_scope(Scope::ServicesRead)?;
        let Some(used) = app.table.account(id, &app.keys).await? else {
            return Ok(None);
        };
        names.insert(id, used.account.settings.name);
    }
    Ok(Some(names))
}
