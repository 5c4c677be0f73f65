//! Origins of a webhook's stored secrets.

use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Auth, Settings, Webhook, signing::Signing};
use crate::{
    outgoing::header_texts,
    secrets::{
        mask,
        origin::{Origin, StoredSecret},
    },
    validation::{Validated, ValidationErrors},
};

impl Webhook {
    /// Returns the webhook after `patch` changed it from `before`. Requests went to the origin
    /// `from` and now go to `to`.
    ///
    /// # Errors
    /// Names each stored secret that would be sent to an origin it was not given for, and each
    /// missing one if the webhook is enabled.
    pub fn patched(
        self,
        before: &Self,
        patch: &Value,
        [from, to]: [&Origin; 2],
    ) -> Validated<Self> {
        let same_secret = self.secrets.current.expose() == before.secrets.current.expose();
        let sends_it = matches!(self.settings.signing, Signing::Header(_));
        let signing = same_secret.then(|| StoredSecret::sent_if(sends_it, ["secret"]));
        let missing = before.missing.patched(&self.settings, patch);
        let stored = stored_secrets(&self.settings).filter(|secret| !missing.contains(secret));
        let secret_origins = before
            .secret_origins
            .patched(stored.chain(signing), patch, from, to);
        let complete = if self.settings.enabled {
            missing.check()
        } else {
            Ok(())
        };
        let (secret_origins, ()) = ValidationErrors::both(secret_origins, complete)?;
        Ok(Self {
            secret_origins,
            missing,
            ..self
        })
    }
}

/// Every field that contains a secret, apart from the signing secret.
pub(super) fn secret_fields(settings: &Settings) -> impl Iterator<Item = StoredSecret> {
    let url = match settings.destination.template() {
        ("url", url) => !mask::url_secrets(url.as_str()).is_empty(),
        _ => false,
    };
    let url = url.then(|| StoredSecret::sent(["url"]));
    stored_secrets(settings).chain(url)
}

fn stored_secrets(settings: &Settings) -> impl Iterator<Item = StoredSecret> {
    let auth = match &settings.auth {
        Auth::Basic { password, .. } if password.expose_secret().is_empty() => None,
        Auth::None => None,
        Auth::Basic { .. } => Some(StoredSecret::sent(["auth", "password"])),
        Auth::Bearer(_) => Some(StoredSecret::sent(["auth", "token"])),
        Auth::ApiKey { .. } => Some(StoredSecret::sent(["auth", "value"])),
    };
    let named = settings.secrets.keys().map(|name| {
        let tag = format!("secret.{name}");
        StoredSecret::sent_if(
            settings.tags().any(|used| used.path.as_str() == tag),
            ["secrets", name],
        )
    });
    let headers = StoredSecret::of_headers(&["headers"], header_texts(&settings.headers));
    // A patch of `url` replaces it completely; a path stays when the service changes.
    let path = settings
        .destination
        .service()
        .map(|_| settings.destination.as_str());
    let path = path
        .filter(|path| !mask::url_secrets(path).is_empty())
        .map(|_| StoredSecret::sent(["path"]));
    auth.into_iter().chain(named).chain(headers).chain(path)
}
