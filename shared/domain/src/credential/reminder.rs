//! Rotation reminders: seven days before a credential is due, on the due date, and every seven days
//! after that.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Credential, Status};
use crate::{
    event::{Event, derived_id},
    pattern::EventType,
    time,
};

/// Interval between reminders, and between the first one and the due date.
pub const REMINDER_INTERVAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Position of a reminder in the sequence: −1 is the one before the due date, 0 the due date, 1 a
/// week after it, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reminder(i64);

impl Credential {
    /// The reminder due at `now`. Of several missed ones, only the last. `None` if it was already
    /// sent, if it is too early, or if the credential has ended.
    pub fn reminder(&self, now: Timestamp) -> Option<Reminder> {
        let stage = now
            .duration_since(self.rotation_due_at())
            .as_secs()
            .div_euclid(REMINDER_INTERVAL.as_secs());
        let due = Reminder(stage);
        let open = stage >= -1 && self.reminded.is_none_or(|sent| sent < due);
        (open && self.status(now) == Status::Active).then_some(due)
    }

    /// When the next reminder is due, considering those already sent.
    pub fn next_reminder_at(&self) -> Timestamp {
        let stage = self
            .reminded
            .map_or(-1, |Reminder(sent)| sent.saturating_add(1));
        let offset = REMINDER_INTERVAL
            .checked_mul(i32::try_from(stage).unwrap_or(i32::MAX))
            .unwrap_or(SignedDuration::MAX);
        self.rotation_due_at()
            .checked_add(offset)
            .unwrap_or(Timestamp::MAX)
    }

    /// The event of a reminder, as of `now`.
    ///
    /// Its ID derives from the credential, the stage and the due date, so that a repeat is the same
    /// event. Lists are ordered by the time in an ID, so it is neither before the current token nor
    /// after `clock`, the real time, which `now` may be ahead of.
    pub fn reminder_event(&self, reminder: Reminder, now: Timestamp, clock: Timestamp) -> Event {
        let due_at = self.rotation_due_at();
        let Reminder(stage) = reminder;
        let kind = if stage < 0 {
            EventType::rotation_due_soon()
        } else {
            EventType::rotation_due()
        };
        let planned = due_at.checked_add(
            REMINDER_INTERVAL
                .checked_mul(i32::try_from(stage).unwrap_or(0))
                .unwrap_or_default(),
        );
        let at = planned
            .unwrap_or(due_at)
            .max(self.rotated_at.unwrap_or(self.created_at))
            .min(clock);
        Event {
            id: derived_id(&kind, &format!("{}|{stage}|{due_at}", self.id), at),
            kind,
            timestamp: now,
            data: json!({
                "credential_id": self.id,
                "description": self.settings.description,
                "user_id": self.settings.user_id,
                "rotation_due_at": time::show_millis(due_at),
                "days_overdue": now.duration_since(due_at).as_hours().div_euclid(24).max(0),
            }),
            hops: 0,
        }
    }

    /// Returns the credential after a reminder was sent.
    #[must_use]
    pub fn reminded(self, reminder: Reminder) -> Self {
        Self {
            reminded: Some(reminder),
            version: self.version + 1,
            ..self
        }
    }
}
