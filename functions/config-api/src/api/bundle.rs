//! Providers in bundles.

use domain::{callback::CallbackSettings, provider};
use serde::Serialize;
use serde_json::Value;

use super::{ProviderAuth, provider::SharedSettings};

/// The settings of a provider that bundles contain: without keys and `default`.
#[derive(Debug, Serialize)]
pub struct BundledProvider {
    auth: BundledAuth,
    callback: Option<Value>,
    #[serde(flatten)]
    settings: SharedSettings,
}

/// How the requests of a provider in a bundle authenticate.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum BundledAuth {
    Account(BundledAccount),
    Other(ProviderAuth),
}

/// An account, by name: IDs differ between deployments.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "account")]
struct BundledAccount {
    account: String,
}

impl BundledProvider {
    /// The provider's settings. `account` is the name of the account that authenticates its
    /// requests, if one does.
    pub fn new(settings: &provider::Settings, account: Option<String>) -> Self {
        let auth = match account {
            Some(account) => BundledAuth::Account(BundledAccount { account }),
            None => BundledAuth::Other((&settings.auth).into()),
        };
        Self {
            auth,
            callback: settings.callback.as_ref().map(CallbackSettings::public),
            settings: settings.into(),
        }
    }
}
