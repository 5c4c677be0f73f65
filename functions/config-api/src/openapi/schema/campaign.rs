//! Campaigns and their export bundles.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

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

#[derive(Debug, ToSchema)]
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

#[derive(Debug, ToSchema)]
pub struct Bundle {
    #[schema(example = "tieline.campaign/1")]
    pub format: String,
    pub campaign: BundledCampaign,
    /// The campaign's providers, without keys and `default`. Values that look like secrets in URLs
    /// and headers are masked (`•••`). Replace them before importing.
    #[schema(max_items = 2)]
    pub providers: Vec<BTreeMap<String, Value>>,
}

/// A campaign that refers to its providers by name.
#[derive(Debug, ToSchema)]
#[schema(as = BundleCampaign)]
pub struct BundledCampaign {
    pub name: String,
    pub description: Option<String>,
    pub sms_provider: Option<String>,
    pub email_provider: Option<String>,
}

#[derive(Debug, ToSchema)]
pub struct ImportInput {
    pub bundle: Bundle,
    /// What to do if a name already exists: `reuse` keeps the existing resource unchanged, `rename`
    /// creates the resource under another name, and `fail` rejects the import.
    #[schema(default = "fail")]
    pub on_conflict: Option<OnConflict>,
    /// Keys of the bundle's providers, by their names in the bundle. Providers without keys get the
    /// status `needs_secrets`.
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
}
