//! Imports a campaign that was exported from another deployment.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    campaign::{
        Campaign, Import, Plan,
        import::{Entry, ImportError},
    },
    provider::Provider,
    scope::Scope,
    secrets::origin::Origin,
};
use platform::{
    clock, random,
    table::{WriteError, providers::StoredProvider},
};

use super::MAX_ATTEMPTS;
use crate::{
    App, api,
    http::{ApiResult, JsonBody, Problem, auth::Principal},
    routes::{account_origins, providers::key},
};

/// Imports a bundle.
///
/// The import is atomic. An import that creates providers also requires the scope
/// `providers:write`. Accounts that the bundle names must exist; naming them requires
/// `services:read`, and using one at an origin (scheme, host, port) that it does not serve yet
/// `admin`.
#[utoipa::path(post, path = "/v1/campaigns/import", operation_id = "importCampaign", tag = "campaigns",
    security(("token" = ["campaigns:write"])),
    request_body = api::ImportInput, responses((status = 200, body = api::ImportReport), api::ConflictResponse, api::ErrorResponses))]
pub async fn import(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<Json<api::ImportReport>> {
    let import = Import::parse(body.json()?, &app.allow)?;
    let names = import.names();
    if !names.accounts.is_empty() {
        caller.require_scope(Scope::ServicesRead)?;
    }
    for _ in 0..MAX_ATTEMPTS {
        let existing = app.table.resources_named(&names, &app.keys).await?;
        let plan = import
            .clone()
            .plan(&existing, (random::id(), [random::id(), random::id()]))
            .map_err(problem)?;
        if !plan.providers.is_empty() {
            caller.require_scope(Scope::ProvidersWrite)?;
        }
        for (_, settings) in &plan.providers {
            if let Some(account) = settings.auth.account() {
                let origin = Origin::of(settings.send_url.origin_url());
                account_origins::check(&app, &caller, account, &origin).await?;
            }
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
        ImportError::Malformed(problems) => problems.into(),
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
