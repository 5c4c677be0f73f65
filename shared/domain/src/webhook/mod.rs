//! Webhooks: their settings, state and requests.
//!
//! [`Settings`] is what an admin writes. [`Webhook`] is the resource with its signing secrets and
//! state. [`request`] builds the HTTP request for an event.

pub mod auth;
mod checks;
pub mod delay;
pub mod destination;
pub mod health;
mod missing;
mod named_secrets;
mod origins;
pub mod request;
mod secrets;
pub mod settings;
mod signing;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::health::DisabledReason;
pub use self::{
    auth::Auth, delay::Delay, destination::Destination, health::Health, missing::MissingSecrets,
    settings::Settings, signing::Signing,
};
use crate::{
    attempt::{Failure, Outcome},
    event::{Event, derived_id},
    id::WebhookId,
    overlap::{self, TooManyOverlaps},
    pattern::EventType,
    secrets::{origin::SecretOrigins, redact::Secrets},
    signature::SigningSecret,
    time,
    validation::Validated,
};

/// A stored webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Webhook ID.
    pub id: WebhookId,
    /// Settings written by the admin.
    pub settings: Settings,
    /// Signing secrets.
    pub secrets: SigningSecrets,
    /// State that is not part of the settings.
    pub state: State,
    /// Origins of secrets that were given for another origin than the current one.
    pub secret_origins: SecretOrigins,
    /// Secrets that it lacks. While there are some, it can't be enabled.
    pub missing: MissingSecrets,
}

/// Whether a webhook sends deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Active,
    /// It was disabled.
    Disabled,
    /// It is disabled and was cloned without its secrets.
    NeedsSecrets,
}

/// The current signing secret, and earlier ones during their overlap after a rotation.
#[derive(Debug, Clone)]
pub struct SigningSecrets {
    /// The secret in force.
    pub current: SigningSecret,
    /// Rotated secrets, latest first, each with the end of its overlap.
    pub previous: Vec<(SigningSecret, Timestamp)>,
}

impl SigningSecrets {
    /// Signing secrets without overlap.
    pub fn only(current: SigningSecret) -> Self {
        Self {
            current,
            previous: Vec::new(),
        }
    }

    /// Makes `fresh` the current secret from `now` on. The old one stays valid for `overlap`.
    /// Earlier ones keep their own overlap, unless `overlap` is zero, which ends all of them
    /// immediately.
    ///
    /// # Errors
    /// Fails if too many secrets are still in their overlap.
    pub fn rotated(
        self,
        fresh: SigningSecret,
        overlap: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, TooManyOverlaps> {
        let previous = overlap::rotated(self.previous, self.current, overlap, now)?;
        Ok(Self {
            current: fresh,
            previous,
        })
    }

    /// Secrets that sign a request at `now`, the current one first.
    pub fn at(&self, now: Timestamp) -> Vec<&SigningSecret> {
        let previous = self
            .previous
            .iter()
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous).collect()
    }
}

/// Webhook state that changes without a change of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Creation time.
    pub created_at: Timestamp,
    /// When an admin changed it or Tieline disabled it.
    pub updated_at: Timestamp,
    /// Version for optimistic locking. Every write names the version it read.
    pub version: u64,
    /// Why Tieline disabled it; `None` if an admin did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// When it was last disabled. Deliveries queued up to then stay cancelled even after it is
    /// enabled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Health; `None` while it is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Current line for deliveries above the rate limit.
    #[serde(default)]
    pub line: Line,
}

/// Start of the line for deliveries above the rate limit, in microseconds since the epoch; 0 for a
/// webhook's first line. A new line starts when the limit changes or the webhook is enabled.
/// Deliveries in an earlier line have to request a new place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line(i64);

impl Line {
    /// Start of the line, in microseconds since the epoch.
    pub fn since(self) -> i64 {
        self.0
    }
}

impl Webhook {
    /// Creates a webhook at `now`, with version 1.
    pub fn new(id: WebhookId, settings: Settings, secret: SigningSecret, now: Timestamp) -> Self {
        let stopped_at = (!settings.enabled).then_some(now);
        let state = State {
            created_at: now,
            updated_at: now,
            version: 1,
            disabled_reason: None,
            stopped_at,
            health: None,
            line: Line::default(),
        };
        let secrets = SigningSecrets::only(secret);
        Self {
            id,
            settings,
            secrets,
            state,
            secret_origins: SecretOrigins::default(),
            missing: MissingSecrets::default(),
        }
    }

    /// Returns a disabled webhook with the settings of this one, but without its secrets.
    ///
    /// # Errors
    /// If the URL or path becomes too long.
    pub fn cloned_as(
        &self,
        name: String,
        id: WebhookId,
        secret: SigningSecret,
        now: Timestamp,
    ) -> Validated<Self> {
        let (settings, missing) = self.settings.without_secrets()?;
        let settings = Settings {
            name,
            enabled: false,
            ..settings
        };
        Ok(Self {
            missing,
            ..Self::new(id, settings, secret, now)
        })
    }

    /// Whether it sends deliveries.
    pub fn status(&self) -> Status {
        if !self.missing.is_empty() {
            Status::NeedsSecrets
        } else if self.settings.enabled {
            Status::Active
        } else {
            Status::Disabled
        }
    }

    /// Returns the webhook with other settings. Disabling records the time; enabling clears health
    /// and reason. Enabling and a change of the rate limit start a new line.
    #[must_use]
    pub fn changed(mut self, settings: Settings, now: Timestamp) -> Self {
        let enabled = settings.enabled && !self.settings.enabled;
        if enabled || settings.rate_limit_per_second != self.settings.rate_limit_per_second {
            self.state.line = Line(now.as_microsecond());
        }
        let state = match (self.settings.enabled, settings.enabled) {
            (true, false) => State {
                stopped_at: Some(now),
                ..self.state
            },
            (false, true) => State {
                disabled_reason: None,
                health: None,
                ..self.state
            },
            _ => self.state,
        };
        Self {
            settings,
            state,
            ..self
        }
        .touched(now)
    }

    /// Returns the webhook disabled by Tieline.
    #[must_use]
    pub fn disabled(mut self, reason: DisabledReason, now: Timestamp) -> Self {
        self.settings.enabled = false;
        self.state.stopped_at = Some(now);
        self.state.disabled_reason = Some(reason);
        self.touched(now)
    }

    /// Returns the webhook with an incremented version, changed at `now`.
    #[must_use]
    pub fn touched(mut self, now: Timestamp) -> Self {
        self.state.updated_at = now;
        self.state.version += 1;
        self
    }

    /// Secrets to mask in text from third parties.
    pub fn secrets(&self) -> Secrets {
        secrets::secrets(self)
    }

    /// Reason to disable the webhook after an attempt that ended at `now`, if any.
    pub fn stopped_by(&self, outcome: &Outcome, now: Timestamp) -> Option<DisabledReason> {
        let should_disable = || {
            self.state
                .health
                .as_ref()
                .is_some_and(|health| health.should_disable(now))
        };
        match outcome {
            Outcome::Failed(Failure::Status { code: 410, .. }) => Some(DisabledReason::Gone),
            Outcome::Failed(_) => should_disable().then_some(DisabledReason::Failing),
            Outcome::Delivered { .. } | Outcome::Blocked { .. } => None,
        }
    }

    /// The event `webhook.failing`, created at `now`. Its ID derives from the start of the
    /// failures, so that repeats have the same ID.
    pub fn failing_event(&self, health: &Health, now: Timestamp) -> Event {
        let (kind, since) = (EventType::webhook_failing(), health.failing_since);
        Event {
            id: derived_id(
                &kind,
                &format!("{}|{since}", self.id),
                event_id_time(health.warning_due(), now),
            ),
            kind,
            timestamp: health.warning_due(),
            data: json!({"webhook_id": self.id, "webhook_name": self.settings.name, "failing_since": time::show_millis(since)}),
            hops: 0,
        }
    }

    /// The event `webhook.disabled`; repeats have the same ID. `None` if Tieline did not disable
    /// the webhook.
    pub fn disabled_event(&self) -> Option<Event> {
        let (reason, stopped_at) = self.state.disabled_reason.zip(self.state.stopped_at)?;
        let kind = EventType::webhook_disabled();
        Some(Event {
            id: derived_id(&kind, &format!("{}|{stopped_at}", self.id), stopped_at),
            kind,
            timestamp: stopped_at,
            data: json!({"webhook_id": self.id, "webhook_name": self.settings.name, "reason": reason}),
            hops: 0,
        })
    }
}

/// Maximum age of a created event's ID. Event retention is longer, so that lists still include it.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Time for the ID of an event that was due at `due`. If that is long past, the start of the day of
/// `now`.
fn event_id_time(due: Timestamp, now: Timestamp) -> Timestamp {
    let day = now.as_second().div_euclid(86_400) * 86_400;
    if now.duration_since(due) <= MAX_AGE {
        due
    } else {
        Timestamp::from_second(day).unwrap_or(due)
    }
}

#[cfg(test)]
mod tests;
