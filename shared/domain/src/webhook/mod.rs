//! Webhooks: where events go, in which shape, and what becomes of a webhook over time.
//!
//! [`Settings`] is what an admin writes, [`Webhook`] is the resource with its signing secrets and
//! its state, and [`request`] turns a webhook and an event into the HTTP request that goes out.

pub mod auth;
mod checks;
pub mod destination;
pub mod health;
mod origins;
pub mod request;
mod secrets;
pub mod settings;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::{auth::Auth, destination::Destination, health::Health, settings::Settings};
use crate::{
    delivery::{Failure, Outcome, derived_event_id},
    event::Event,
    id::WebhookId,
    origin::SecretOrigins,
    overlap::{self, TooMany},
    pattern::EventType,
    redact::Secrets,
    signature::SigningSecret,
    time,
};

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
    /// Which of its secrets belong to another address than the present one.
    pub secret_origins: SecretOrigins,
}

/// The signing secret and, for their overlaps after rotations, those before it.
#[derive(Debug, Clone)]
pub struct SigningSecrets {
    /// The secret in force.
    pub current: SigningSecret,
    /// Rotated secrets, the latest first, each with the end of its overlap.
    pub previous: Vec<(SigningSecret, Timestamp)>,
}

impl SigningSecrets {
    /// Only this one.
    pub fn only(current: SigningSecret) -> Self {
        Self {
            current,
            previous: Vec::new(),
        }
    }

    /// `fresh` from `now` on, with the current one beside it for `overlap`. Earlier ones keep their
    /// own overlaps, unless there is none this time: then all of them end at once.
    pub fn rotated(
        self,
        fresh: SigningSecret,
        overlap: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, TooMany> {
        let previous = overlap::rotated(self.previous, self.current, overlap, now)?;
        Ok(Self {
            current: fresh,
            previous,
        })
    }

    /// Those that sign a request at `now`, the current one first.
    pub fn at(&self, now: Timestamp) -> Vec<&SigningSecret> {
        let previous = self
            .previous
            .iter()
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret);
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
    /// Counts the changes: a change names the version that it saw, so that none is overwritten
    /// unseen.
    pub version: u64,
    /// Why it was disabled, when it was not an admin who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// When it was last disabled. Deliveries queued until then are cancelled for good, also once it
    /// is enabled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// What is wrong with it, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Which line calls wait in that its rate limit holds back.
    #[serde(default)]
    pub line: Line,
}

/// The line of the calls that a rate limit holds back: it begins when the limit changes or the
/// webhook is enabled, and calls that wait in an earlier one have to ask anew. In microseconds
/// since the epoch; 0 for the first line of a webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line(i64);

impl Line {
    /// When it began, in microseconds since the epoch.
    pub fn since(self) -> i64 {
        self.0
    }
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
        }
    }

    /// The webhook with other settings. Disabling records the time; enabling clears what was wrong.
    /// Enabling and a change of the rate limit begin another line.
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

    /// The secrets to mask in text that comes back from third parties.
    pub fn secrets(&self) -> Secrets {
        secrets::secrets(self)
    }

    /// Why an attempt that ended with `outcome` at `now` is the webhook's last, where it is.
    pub fn stopped_by(&self, outcome: &Outcome, now: Timestamp) -> Option<DisabledReason> {
        let beyond_hope = || {
            self.state
                .health
                .as_ref()
                .is_some_and(|health| health.is_beyond_hope(now))
        };
        match outcome {
            Outcome::Failed(Failure::Status { code: 410, .. }) => Some(DisabledReason::Gone),
            Outcome::Failed(_) => beyond_hope().then_some(DisabledReason::Failing),
            Outcome::Delivered { .. } | Outcome::Blocked { .. } => None,
        }
    }

    /// The event that warns of its failures, made at `now`: one for each time that it begins to
    /// fail, however often it is made.
    pub fn failing_event(&self, health: &Health, now: Timestamp) -> Event {
        let (kind, since) = (EventType::webhook_failing(), health.failing_since);
        Event {
            id: derived_event_id(
                &kind,
                &format!("{}|{since}", self.id),
                listed_at(health.warning_due(), now),
            ),
            kind,
            timestamp: health.warning_due(),
            data: json!({"webhook_id": self.id, "webhook_name": self.settings.name, "failing_since": time::show_millis(since)}),
            hops: 0,
        }
    }

    /// The event that tells of its disabling: one for each, however often it is made. `None` when
    /// Tieline did not do it.
    pub fn disabled_event(&self) -> Option<Event> {
        let (reason, stopped_at) = self.state.disabled_reason.zip(self.state.stopped_at)?;
        let kind = EventType::webhook_disabled();
        Some(Event {
            id: derived_event_id(&kind, &format!("{}|{stopped_at}", self.id), stopped_at),
            kind,
            timestamp: stopped_at,
            data: json!({"webhook_id": self.id, "webhook_name": self.settings.name, "reason": reason}),
            hops: 0,
        })
    }
}

/// How old an event that is made may look: lists go back for as long as events are kept, which is
/// longer.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The time that the ID of an event for `due` has: where that is long past, the start of the day of
/// `now`.
fn listed_at(due: Timestamp, now: Timestamp) -> Timestamp {
    let day = now.as_second().div_euclid(86_400) * 86_400;
    if now.duration_since(due) <= MAX_AGE {
        due
    } else {
        Timestamp::from_second(day).unwrap_or(due)
    }
}

#[cfg(test)]
mod tests;
