//! External providers that send messages and calls to their recipients.
//!
//! [`Settings`] is what an admin writes: the provider's URL, authentication and form of its
//! requests ([`request`]), the position of its own ID in a response, and how its status reports are
//! parsed ([`crate::callback`]). Its two keys are write-only. Tags refer to them as
//! `{secret.api_key}` and `{secret.secret_key}`, so that a key that is part of a URL does not have
//! to be written there.

pub mod auth;
pub mod fallback;
mod keys;
mod limits;
mod origins;
mod reports;
pub mod request;
mod response;
pub mod settings;
mod template;

use jiff::Timestamp;
use secrecy::ExposeSecret;

pub use self::{
    auth::Auth,
    limits::Limits,
    response::ResponseSettings,
    settings::{KeyPolicy, Settings},
    template::RequestTemplate,
};
use crate::{
    account::Authorization,
    id::ProviderId,
    message::{Channel, Content},
    secrets::{
        mask,
        origin::{Origin, SecretOrigins},
        redact::Secrets,
    },
    template::filtered_secrets,
    validation::{Validated, ValidationErrors},
};

/// A stored provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Provider ID.
    pub id: ProviderId,
    /// Settings written by the admin.
    pub settings: Settings,
    /// Creation time.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Version for optimistic locking.
    pub version: u64,
    /// Origins of keys that were given for another origin than the current one.
    pub secret_origins: SecretOrigins,
}

/// Whether a provider can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It can send.
    Active,
    /// It was imported without its secrets and can't send.
    NeedsSecrets,
}

impl Provider {
    /// Creates a provider at `now`, with version 1.
    pub fn new(id: ProviderId, settings: Settings, now: Timestamp) -> Self {
        let secret_origins = SecretOrigins::default();
        Self {
            id,
            settings,
            created_at: now,
            updated_at: now,
            version: 1,
            secret_origins,
        }
    }

    /// Returns the provider with other settings.
    #[must_use]
    pub fn changed(self, settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }

    /// Secrets to mask in text from third parties: its keys first, then secrets in headers and the
    /// URL.
    pub fn secrets(&self) -> Secrets {
        let Settings {
            api_key,
            secret_key,
            auth,
            send_url,
            request,
            ..
        } = &self.settings;
        let mut found = Secrets::default();
        [api_key, secret_key]
            .into_iter()
            .flatten()
            .for_each(|key| found.add(key.expose_secret()));
        if let Some((_, secret)) = self.settings.verification().secret() {
            found.add(secret);
        }
        let keys = request::secrets(&self.settings);
        for text in filtered_secrets(self.settings.tags(), &keys) {
            found.add(&text);
        }
        if let Some(value) = auth.header_value(api_key.as_ref(), secret_key.as_ref()) {
            found.add_header(value.expose_secret());
        }
        let headers = request.iter().flat_map(|request| &request.headers);
        let hidden: Vec<String> = headers
            .flat_map(|(name, value)| mask::header_secrets(name.as_str(), value.as_str()))
            .collect();
        for part in &hidden {
            found.add_header(part);
        }
        found.add_url(send_url.as_str());
        for part in &hidden {
            found.add_header_parts(part);
        }
        found
    }

    /// Origin that its requests are sent to.
    pub fn origin(&self) -> Origin {
        Origin::of(self.settings.send_url.origin_url())
    }

    /// Adds the provider's default sender if the client named none, and validates the message like
    /// [`Self::check_message`].
    ///
    /// # Errors
    /// Lists every field that the provider's API would reject.
    pub fn prepare(&self, mut content: Content) -> Validated<Content> {
        content.from = content.from.or_else(|| self.settings.from.clone());
        self.check_message(&content)?;
        Ok(content)
    }

    /// Validates a message against the limits of this provider's API.
    ///
    /// # Errors
    /// Lists every field that the provider's API would reject.
    pub fn check_message(&self, content: &Content) -> Validated<()> {
        let Settings { request, name, .. } = &self.settings;
        request
            .as_ref()
            .map_or(Ok(()), |request| request.limits.check(name, content))
    }
}

impl Settings {
    /// Validates that no header of the requests is also set by the account that authenticates them.
    ///
    /// # Errors
    /// Reports the header.
    pub fn check_account(&self, authorization: &Authorization) -> Validated<()> {
        let Some(header) = authorization.header_name() else {
            return Ok(());
        };
        let mut headers = self.request.iter().flat_map(|request| &request.headers);
        let Some((name, _)) = headers.find(|(name, _)| *name == header) else {
            return Ok(());
        };
        let error = ValidationErrors::here("is already set by the provider's account");
        Err(error.under(name.as_str()).under("headers").under("request"))
    }
}

/// Selects the provider of a message by `channel`: the one named by `wanted` (name or ID),
/// otherwise the channel's default, otherwise its only one.
///
/// # Errors
/// Errors refer to the field `provider`.
pub fn choose<'a>(
    wanted: Option<&str>,
    channel: Channel,
    all: &'a [Provider],
) -> Validated<&'a Provider> {
    let problem = |detail: String| ValidationErrors::here(detail).under("provider");
    let by = channel.as_str();
    let chosen = if let Some(wanted) = wanted {
        let id = wanted.parse::<ProviderId>().ok();
        let name = wanted.to_lowercase();
        let found = all.iter().find(|one| id.is_some_and(|id| one.id == id));
        let found = found.or_else(|| {
            all.iter()
                .find(|one| one.settings.name.to_lowercase() == name)
        });
        let found = found.ok_or_else(|| problem("the provider does not exist".to_owned()))?;
        if found.settings.channel != channel {
            let detail = format!(
                "is a provider for {}, not for {by}",
                found.settings.channel.as_str()
            );
            return Err(problem(detail));
        }
        found
    } else {
        let mut able = all.iter().filter(|one| one.settings.channel == channel);
        match (
            all.iter()
                .find(|one| one.settings.channel == channel && one.settings.default),
            able.next(),
            able.next(),
        ) {
            (Some(default), ..) => default,
            (None, Some(only), None) => only,
            (None, None, _) => return Err(problem(format!("no provider is configured for {by}"))),
            (None, Some(_), Some(_)) => {
                return Err(problem(format!(
                    "is required: there are several providers for {by} and none is the default"
                )));
            }
        }
    };
    match chosen.settings.status() {
        Status::Active => Ok(chosen),
        Status::NeedsSecrets => {
            let missing = chosen.settings.missing_secrets().join(", ");
            Err(problem(format!("can't send, because it lacks {missing}")))
        }
    }
}

#[cfg(test)]
mod tests;
