//! Campaigns, and the bundles that they travel in.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, ToSchema)]
pub struct CampaignInput {
    /// Unique without regard to case.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Who carries its SMS.
    pub sms_provider_id: Option<String>,
    /// Who carries its e-mails.
    pub email_provider_id: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
}

/// Any of a campaign's fields (RFC 7396).
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
    /// Those that the campaign names, as they are written, without their keys and without
    /// `default`. What looks like a secret in a URL or header is masked (`•••`), and is to be
    /// written into the bundle before it is imported.
    #[schema(max_items = 2)]
    pub providers: Vec<BTreeMap<String, Value>>,
}

/// It names its providers by their names.
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
    /// What to do where a name is taken: take what has it as it is, create under another name, or
    /// refuse all of it.
    #[schema(default = "fail")]
    pub on_conflict: Option<OnConflict>,
    /// The keys of the bundle's providers, by their names there. One without its keys has the
    /// status `needs_secrets`.
    pub secrets: Option<BTreeMap<String, ProviderKeys>>,
    /// Only tell what would be done.
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
