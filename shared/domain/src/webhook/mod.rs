//! Webhooks: where events go, in which shape, and what becomes of a webhook over time.
//!
//! [`Settings`] is what an admin writes, [`Webhook`] is the resource with its signing secrets and its state, and
//! [`request`] turns a webhook and an event into the HTTP request that goes out.

pub mod auth;
pub mod request;
pub mod settings;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

pub use self::{auth::Auth, settings::Settings};
use crate::{id::WebhookId, mask::MASK, signature::SigningSecret};

/// A webhook as it is kept.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What the admin wrote.
    pub settings: Settings,
    /// What requests are signed with.
    pub secrets: SigningSecrets,
    /// What happened to it.
    pub state: State,
}

/// The signing secret and, for a while after a rotation, the one before it.
#[derive(Debug, Clone)]
pub struct SigningSecrets {
    /// The secret in force.
    pub current: SigningSecret,
    /// The one before, and when it ends.
    pub previous: Option<(SigningSecret, Timestamp)>,
}

impl SigningSecrets {
    /// Only this one.
    pub fn only(current: SigningSecret) -> Self {
        Self { current, previous: None }
    }

    /// `fresh` from `now` on, with the current one beside it for `overlap`.
    #[must_use]
    pub fn rotated(self, fresh: SigningSecret, overlap: SignedDuration, now: Timestamp) -> Self {
        let until = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        Self { current: fresh, previous: (until > now).then_some((self.current, until)) }
    }

    /// Those that sign a request at `now`, the current one first.
    pub fn at(&self, now: Timestamp) -> Vec<&SigningSecret> {
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous).collect()
    }
}

/// What changes about a webhook without its settings changing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When it was made.
    pub created_at: Timestamp,
    /// When an admin, or a disabling, last changed it.
    pub updated_at: Timestamp,
    /// Counts the changes: a change names the version that it saw, so that none is overwritten unseen.
    pub version: u64,
    /// Why it was disabled, when it was not an admin who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// When it was last disabled. Deliveries queued until then are cancelled for good, also once it is enabled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Since when no delivery has succeeded, once one has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
}

/// Why Tieline disabled a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// The receiver answered 410 Gone.
    Gone,
    /// Days of failures without one success.
    Failing,
}

impl Webhook {
    /// A new webhook.
    pub fn new(id: WebhookId, settings: Settings, secret: SigningSecret, now: Timestamp) -> Self {
        let stopped_at = (!settings.enabled).then_some(now);
        let state = State {
            created_at: now,
            updated_at: now,
            version: 1,
            disabled_reason: None,
            stopped_at,
            failing_since: None,
        };
        Self { id, settings, secrets: SigningSecrets::only(secret), state }
    }

    /// The webhook with other settings. Switching it off notes the time; switching it on clears what was wrong.
    #[must_use]
    pub fn changed(self, settings: Settings, now: Timestamp) -> Self {
        let state = match (self.settings.enabled, settings.enabled) {
            (true, false) => State { stopped_at: Some(now), ..self.state },
            (false, true) => State { disabled_reason: None, failing_since: None, ..self.state },
            _ => self.state,
        };
        Self { settings, state, ..self }.touched(now)
    }

    /// The webhook, switched off by Tieline.
    #[must_use]
    pub fn disabled(mut self, reason: DisabledReason, now: Timestamp) -> Self {
        self.settings.enabled = false;
        self.state.stopped_at = Some(now);
        self.state.disabled_reason = Some(reason);
        self.touched(now)
    }

    /// The webhook as changed at `now`, one version on.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.state.updated_at = now;
        self.state.version += 1;
        self
    }

    /// `text` with every secret of this webhook masked: third parties echo what they were sent.
    pub fn redact(&self, text: &str) -> String {
        let signing = self.secrets.previous.iter().map(|(secret, _)| secret).chain([&self.secrets.current]);
        let mut secrets: Vec<&str> = signing.map(SigningSecret::expose).collect();
        secrets.extend(self.settings.secrets.values().map(ExposeSecret::expose_secret));
        let authorization = self.settings.auth.header().map(|(_, value)| value);
        secrets.extend(authorization.as_ref().map(ExposeSecret::expose_secret));
        secrets.extend(self.settings.auth.secret().map(ExposeSecret::expose_secret));
        // The longest first: one secret may hold another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
            .iter()
            .filter(|secret| secret.len() >= 4)
            .fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

#[cfg(test)]
mod tests;
