//! External providers: who carries messages and calls to their recipients.
//!
//! [`Settings`] is what an admin writes: where a provider is called, how calls authenticate and
//! look ([`request`]), where its own id stands in its answer, and how its status reports are read
//! ([`crate::callback`]). Its two keys are write-only; tags name them as `{secret.api_key}` and
//! `{secret.secret_key}`, so that one that belongs into a URL need not stand there.

pub mod auth;
mod limits;
mod origins;
pub mod request;
pub mod settings;
mod template;

use jiff::Timestamp;
use secrecy::ExposeSecret;

pub use self::{
    auth::Auth,
    limits::Limits,
    settings::{Keys, Settings},
    template::RequestTemplate,
};
use crate::{
    id::ProviderId,
    invalid::{Checked, Problems},
    mask,
    message::{Channel, Content},
    origin::SecretOrigins,
    redact::Secrets,
};

/// A provider as it is kept.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// What an admin wrote about it.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub version: u64,
    /// Which of its keys belong to another address than the present one.
    pub secret_origins: SecretOrigins,
}

/// Whether a provider can be used.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProviderStatus)]
pub enum Status {
    /// It can.
    Active,
    /// It was imported without its keys, and refuses to send.
    NeedsSecrets,
}

impl Provider {
    /// A new provider.
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

    /// With other settings.
    #[must_use]
    pub fn changed(self, settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }

    /// The secrets to mask in text that comes back from third parties: its keys first, then what
    /// headers and the URL hold.
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

    /// Fills in the provider's own sender where the client named none, and checks the message as
    /// [`Self::check_message`] does.
    ///
    /// # Errors
    /// Every field that the API would reject.
    pub fn prepare(&self, mut content: Content) -> Checked<Content> {
        content.from = content.from.or_else(|| self.settings.from.clone());
        self.check_message(&content)?;
        Ok(content)
    }

    /// Checks a message against the limits of this provider's API.
    ///
    /// # Errors
    /// Every field that the API would reject.
    pub fn check_message(&self, content: &Content) -> Checked<()> {
        let Settings { request, name, .. } = &self.settings;
        request
            .as_ref()
            .map_or(Ok(()), |request| request.limits.check(name, content))
    }
}

/// The provider that a message by `channel` goes through, out of all that there are: the one
/// `wanted` by name or id, else the channel's default, else its only one. Problems are those of the
/// field `provider`.
pub fn choose<'a>(
    wanted: Option<&str>,
    channel: Channel,
    all: &'a [Provider],
) -> Checked<&'a Provider> {
    let problem = |detail: String| Problems::here(detail).under("provider");
    let by = channel.as_str();
    let chosen = if let Some(wanted) = wanted {
        let id = wanted.parse::<ProviderId>().ok();
        let name = wanted.to_lowercase();
        let found = all.iter().find(|one| id.is_some_and(|id| one.id == id));
        let found = found.or_else(|| {
            all.iter()
                .find(|one| one.settings.name.to_lowercase() == name)
        });
        let found = found.ok_or_else(|| problem("there is no such provider".to_owned()))?;
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
            (None, None, _) => return Err(problem(format!("there is no provider for {by}"))),
            (None, Some(_), Some(_)) => {
                return Err(problem(format!(
                    "is required: there are several for {by}, and none is the default"
                )));
            }
        }
    };
    match chosen.settings.status() {
        Status::Active => Ok(chosen),
        Status::NeedsSecrets => Err(problem(
            "needs its api_key and secret_key before it can send".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
