//! Export and import of campaigns, to copy them to another deployment.
//!
//! Bundles contain providers. Exporting a campaign that has providers therefore also requires
//! `providers:read`, and an import that creates providers also requires `providers:write`.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    campaign::{
        Campaign, Import, Plan,
        import::{Entry, ImportError},
    },
    id::CampaignId,
    provider::Provider,
    scope::Scope,
};
use platform::{
    clock, random,
    table::{WriteError, providers::StoredProvider},
};

use super::{campaigns::find, providers::key};
use crate::{
    App, api,
    http::{ApiResult, JsonBody, PathId, Problem, auth::Principal},
};

/// Maximum attempts of an export or import that conflicts with concurrent changes.
const MAX_ATTEMPTS: usize = 5;

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

/// Imports a bundle.
///
/// The import is atomic. An import that creates providers also requires the scope
/// `providers:write`.
#[utoipa::path(post, path = "/v1/campaigns/import", operation_id = "importCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    request_body = api::ImportInput, responses((status = 200, body = api::ImportReport), api::ConflictResponse, api::ErrorResponses))]
pub async fn import(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Json<api::ImportReport>> {
    let import = Import::parse(body.json()?, &app.allow)?;
    for _ in 0..MAX_ATTEMPTS {
        let existing = app.table.existing(&import.names(), &app.keys).await?;
        let plan = import
            .clone()
            .plan(&existing, (random::id(), [random::id(), random::id()]))
            .map_err(problem)?;
        if !plan.providers.is_empty() {
            caller.require_scope(Scope::ProvidersWrite)?;
        }
        if import.dry_run {
            return Ok(Json(plan.report.into()));
        }
        match write(&app, &caller, &plan).await {
            // A name or a provider has changed since the lookup: plan again.
            Err(WriteError::Changed) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(Json(plan.report.into())),
        }
    }
    Err(WriteError::Changed.into())
}

async fn write(app: &App, caller: &Principal, plan: &Plan) -> Result<(), WriteError> {
    let now = clock::now();
    let campaign = plan
        .campaign
        .clone()
        .map(|(id, settings)| Campaign::new(id, settings, now));
    let named = |id| {
        campaign
            .iter()
            .flat_map(|campaign| campaign.settings.providers())
            .any(|named| named == id)
    };
    let stored = |(id, settings): &(_, domain::provider::Settings)| StoredProvider {
        provider: Provider::new(*id, settings.clone(), now),
        key: key(None, settings),
        campaigns: u32::from(named(*id)),
    };
    let providers: Vec<StoredProvider> = plan.providers.iter().map(stored).collect();
    let created = providers
        .iter()
        .map(|stored| caller.entry("provider.created", &stored.provider.id, Vec::new()));
    let campaigns = campaign
        .iter()
        .map(|campaign| caller.entry("campaign.created", &campaign.id, Vec::new()));
    let entries: Vec<_> = created.chain(campaigns).collect();
    app.table
        .import(campaign.as_ref(), &providers, &app.keys, &entries)
        .await
}

fn problem(refused: ImportError) -> Problem {
    match refused {
        ImportError::Invalid(problems) => problems.into(),
        ImportError::Taken(entries) => {
            let entry = |entry: &Entry| {
                let id = entry
                    .id
                    .as_deref()
                    .map(|id| format!(" ({id})"))
                    .unwrap_or_default();
                format!("{} \"{}\"{id}", entry.kind, entry.name)
            };
            let names: Vec<String> = entries.iter().map(entry).collect();
            Problem::conflict(format!(
                "Names already in use: {}. Nothing was imported.",
                names.join(", ")
            ))
        }
    }
}
