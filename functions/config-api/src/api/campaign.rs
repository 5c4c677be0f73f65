//! Campaigns and their export bundles.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::{
    campaign::{self, import},
    id::AccountId,
    provider,
    time::show_millis,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BundledProvider;

#[derive(Debug, ToSchema)]
pub struct CampaignInput {
    /// Unique, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The provider for the campaign's SMS.
    pub sms_provider_id: Option<String>,
    /// The provider for the campaign's e-mails.
    pub email_provider_id: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
}

/// Fields of a campaign to change (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct CampaignPatch(pub CampaignInput);

#[derive(Debug, Serialize, ToSchema)]
pub struct Campaign {
    pub id: String,
    pub name: String,
    pub sms_provider_id: Option<String>,
    pub email_provider_id: Option<String>,
    pub description: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl From<&campaign::Campaign> for Campaign {
    fn from(campaign: &campaign::Campaign) -> Self {
        let campaign::Settings {
            name,
            sms_provider_id,
            email_provider_id,
            description,
        } = &campaign.settings;
        Self {
            id: campaign.id.to_string(),
            name: name.clone(),
            sms_provider_id: sms_provider_id.map(|id| id.to_string()),
            email_provider_id: email_provider_id.map(|id| id.to_string()),
            description: description.clone(),
            created_at: show_millis(campaign.created_at),
            updated_at: show_millis(campaign.updated_at),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Bundle {
    #[schema(example = "tieline.campaign/1")]
    #[schema(value_type = String)]
    pub format: &'static str,
    pub campaign: BundledCampaign,
    /// The campaign's providers, without keys, `default` and `fallback_provider_id`. Values that look like secrets in URLs
    /// and headers are masked (`•••`). Replace them before importing. `auth` names an account, which
    /// must exist where the bundle is imported: `{"type": "account", "account": "<name>"}`.
    #[schema(value_type = Vec<BTreeMap<String, serde_json::Value>>, max_items = 2)]
    pub providers: Vec<BundledProvider>,
}

/// A campaign that refers to its providers by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BundleCampaign)]
pub struct BundledCampaign {
    pub name: String,
    pub description: Option<String>,
    pub sms_provider: Option<String>,
    pub email_provider: Option<String>,
}

impl Bundle {
    /// The bundle of a campaign and the providers that it uses. `accounts` has the names of their
    /// accounts.
    pub fn of(
        campaign: &campaign::Settings,
        providers: &[provider::Provider],
        accounts: &BTreeMap<AccountId, String>,
    ) -> Self {
        let find = |id| {
            providers
                .iter()
                .find(|provider| Some(provider.id) == id)
                .map(|provider| &provider.settings)
        };
        let (sms, email) = (
            find(campaign.sms_provider_id),
            find(campaign.email_provider_id),
        );
        Self {
            format: campaign::FORMAT,
            campaign: BundledCampaign {
                name: campaign.name.clone(),
                description: campaign.description.clone(),
                sms_provider: sms.map(|provider| provider.name.clone()),
                email_provider: email.map(|provider| provider.name.clone()),
            },
            providers: [sms, email]
                .into_iter()
                .flatten()
                .map(|settings| {
                    let account = settings.auth.account();
                    let account = account.and_then(|id| accounts.get(&id).cloned());
                    BundledProvider::new(settings, account)
                })
                .collect(),
        }
    }
}

/// What an import did, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportReport {
    /// Created under their own names.
    pub created: Vec<ImportEntry>,
    /// Existing resources that are used unchanged.
    pub reused: Vec<ImportEntry>,
    /// Created under other names.
    pub renamed: Vec<ImportEntry>,
}

/// A resource in an import report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportEntry {
    /// `campaign` or `provider`.
    #[schema(value_type = String)]
    pub r#type: &'static str,
    /// ID; null if a dry run would create it.
    pub id: Option<String>,
    /// Name in this deployment.
    pub name: String,
}

impl From<import::Report> for ImportReport {
    fn from(report: import::Report) -> Self {
        let entries = |entries: Vec<import::Entry>| {
            let entry = |import::Entry { kind, id, name }| ImportEntry {
                r#type: kind,
                id,
                name,
            };
            entries.into_iter().map(entry).collect()
        };
        Self {
            created: entries(report.created),
            reused: entries(report.reused),
            renamed: entries(report.renamed),
        }
    }
}

#[derive(Debug, ToSchema)]
pub struct ImportInput {
    pub bundle: Bundle,
    /// What to do if a name already exists: `reuse` keeps the existing resource unchanged, `rename`
    /// creates the resource under another name, and `fail` rejects the import.
    #[schema(default = "fail")]
    pub on_conflict: Option<OnConflict>,
    /// Keys of the bundle's providers, by their names in the bundle. Providers without their secrets
    /// get the status `needs_secrets`.
    pub secrets: Option<BTreeMap<String, ProviderKeys>>,
    /// Report what the import would do, without changing anything.
    #[schema(default = false)]
    pub dry_run: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    Reuse,
    Rename,
    Fail,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct ProviderKeys {
    pub api_key: Option<String>,
    pub secret_key: Option<String>,
    /// Secret of the provider's `callback.verification`: its `secret`, `password` or `value`.
    pub verification_secret: Option<String>,
}
