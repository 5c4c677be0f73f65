//! Origins of a provider's stored secrets.

use serde_json::Value;

use super::{Provider, RequestTemplate, Settings};
use crate::{outgoing::header_texts, secrets::origin::StoredSecret, validation::Validated};

impl Provider {
    /// Returns the provider after `patch` changed it from `before`.
    ///
    /// # Errors
    /// Names each stored secret that would be sent to an origin it was not given for.
    pub fn patched(self, before: &Self, patch: &Value) -> Validated<Self> {
        let [from, to] = [before, &self].map(Self::origin);
        let secret_origins =
            before
                .secret_origins
                .patched(stored_secrets(&self.settings), patch, &from, &to)?;
        Ok(Self {
            secret_origins,
            ..self
        })
    }
}

fn stored_secrets(settings: &Settings) -> Vec<StoredSecret> {
    let (uses_api_key, uses_secret_key) = (settings.needs_api_key(), settings.needs_secret_key());
    let api_key = settings
        .api_key
        .iter()
        .map(|_| StoredSecret::sent_if(uses_api_key, ["api_key"]));
    let secret_key = settings
        .secret_key
        .iter()
        .map(|_| StoredSecret::sent_if(uses_secret_key, ["secret_key"]));
    let headers = settings
        .request
        .as_ref()
        .map_or(&[][..], |RequestTemplate { headers, .. }| headers);
    api_key
        .chain(secret_key)
        .chain(StoredSecret::of_headers(
            &["request", "headers"],
            header_texts(headers),
        ))
        .collect()
}
