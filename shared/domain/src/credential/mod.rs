//! Integration credentials: scoped tokens with an owner, a rotation period and an optional expiry.
//!
//! Tokens are not stored. A token's keyed hash is the key of its [`Grant`]. [`reminder`] decides
//! when to publish rotation reminders.

pub(crate) mod allowed_ips;
pub mod grant;
pub mod reminder;
mod status;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

pub use self::{allowed_ips::AllowedIps, grant::Grant, reminder::Reminder, status::Status};
use crate::{
    event::timestamp,
    id::{CredentialId, UserId},
    overlap::{self, TooManyOverlaps},
    scope::{Scope, Scopes},
    time,
    validation::{FieldReader, Validated, ValidationErrors, string, whole},
};

/// A stored credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Credential ID.
    pub id: CredentialId,
    /// Settings written by the admin.
    #[serde(flatten)]
    pub settings: Settings,
    /// Last characters of the token.
    pub token_hint: String,
    /// Keyed hash of the current token; `None` once it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Keyed hashes of rotated tokens, latest first, each with the end of its overlap.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "previous"
    )]
    pub previous: Vec<(String, Timestamp)>,
    /// Creation time.
    pub created_at: Timestamp,
    /// User who created it; `None` for the first admin's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UserId>,
    /// When its token was last rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When a rotated token was last used. Grants store the last use of current tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// The last reminder of this rotation period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<Reminder>,
    /// Version for optimistic locking.
    pub version: u64,
}

/// Deserializes rotated tokens: a list, or the single one in older rows.
fn previous<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Timestamp)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        One { token: String, until: Timestamp },
        Many(Vec<(String, Timestamp)>),
    }
    Ok(match Stored::deserialize(deserializer)? {
        Stored::One { token, until } => vec![(token, until)],
        Stored::Many(many) => many,
    })
}

/// Settings of a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Purpose; 1 to 200 characters.
    pub description: String,
    /// Granted scopes.
    pub scopes: Scopes,
    /// Owner.
    pub user_id: UserId,
    /// When it expires. Rows name it `ends_at`, as `expires_at` is their TTL.
    #[serde(rename = "ends_at", default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Days after which the token should be rotated.
    pub rotate_after_days: u32,
    /// Source addresses from which it may be used.
    #[serde(default, skip_serializing_if = "AllowedIps::is_empty")]
    pub allowed_ips: AllowedIps,
}

/// Default rotation period, in days.
pub const ROTATE_AFTER_DAYS: u32 = 90;

impl Settings {
    /// Parses the settings of a new credential. The owner defaults to `caller`. `expires_at` must
    /// be after `now`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, caller: UserId, now: Timestamp) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let user_id = fields.defaulted("user_id", caller, |value| Ok(string(value)?.parse()?));
        Self::take(fields, user_id, |end| end > now)
    }

    /// Parses settings after a merge patch. The owner can't change, and an expiry in the past may
    /// stay.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn patched(&self, value: Value, now: Timestamp) -> Validated<Self> {
        let fields = FieldReader::of(value)?;
        Self::take(fields, Some(self.user_id), |end| {
            end > now || Some(end) == self.expires_at
        })
    }

    fn take(
        mut fields: FieldReader,
        user_id: Option<UserId>,
        may_end: impl Fn(Timestamp) -> bool,
    ) -> Validated<Self> {
        let description = fields.required("description", description);
        let scopes = fields.required("scopes", Scopes::parse);
        let expires_at = fields.defaulted("expires_at", None, |value| match timestamp(value)? {
            end if may_end(end) => Ok(Some(end)),
            _ => Err(ValidationErrors::here("must be in the future")),
        });
        let days = fields.defaulted("rotate_after_days", ROTATE_AFTER_DAYS.into(), whole(1, 365));
        let allowed_ips = fields.defaulted("allowed_ips", AllowedIps::default(), AllowedIps::parse);
        let parsed = (|| {
            Some(Self {
                description: description?,
                scopes: scopes?,
                user_id: user_id?,
                expires_at: expires_at?,
                rotate_after_days: u32::try_from(days?).ok()?,
                allowed_ips: allowed_ips?,
            })
        })();
        fields.finish(parsed)
    }

    /// The fields that a patch may change, as read by [`Settings::patched`].
    pub fn to_value(&self) -> Value {
        json!({
            "description": self.description,
            "scopes": self.scopes,
            "expires_at": self.expires_at.map(time::show),
            "rotate_after_days": self.rotate_after_days,
            "allowed_ips": self.allowed_ips,
        })
    }
}

fn description(value: Value) -> Validated<String> {
    let text = string(value)?.trim().to_owned();
    match text.chars().count() {
        0 => Err(ValidationErrors::here("must not be empty")),
        1..=200 if !text.chars().any(char::is_control) => Ok(text),
        1..=200 => Err(ValidationErrors::here(
            "must not contain control characters",
        )),
        _ => Err(ValidationErrors::here("must have at most 200 characters")),
    }
}

/// Stored data of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenMark {
    /// Keyed hash.
    pub hash: String,
    /// Last characters.
    pub hint: String,
}

impl Credential {
    /// Creates a credential at `now`, with version 1.
    pub fn new(
        id: CredentialId,
        settings: Settings,
        token: TokenMark,
        created_by: Option<UserId>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            settings,
            token_hint: token.hint,
            token: Some(token.hash),
            previous: Vec::new(),
            created_at: now,
            created_by,
            rotated_at: None,
            revoked_at: None,
            last_used_at: None,
            reminded: None,
            version: 1,
        }
    }

    /// Status at `now`.
    pub fn status(&self, now: Timestamp) -> Status {
        match (self.revoked_at, self.settings.expires_at) {
            (Some(_), _) => Status::Revoked,
            (None, Some(end)) if end <= now => Status::Expired,
            _ => Status::Active,
        }
    }

    /// When its token should be rotated.
    pub fn rotation_due_at(&self) -> Timestamp {
        let days = SignedDuration::from_hours(24 * i64::from(self.settings.rotate_after_days));
        self.rotated_at
            .unwrap_or(self.created_at)
            .checked_add(days)
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether rotation is overdue at `now`.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.status(now) == Status::Active && self.rotation_due_at() <= now
    }

    /// Whether this is an active admin credential at `now`. The owner is not checked.
    pub fn is_live_admin(&self, now: Timestamp) -> bool {
        self.status(now) == Status::Active && self.grants_all()
    }

    /// Whether this is an admin credential that never expires.
    pub fn is_permanent_admin(&self) -> bool {
        self.revoked_at.is_none() && self.settings.expires_at.is_none() && self.grants_all()
    }

    fn grants_all(&self) -> bool {
        self.settings.scopes.grants(Scope::Admin)
    }

    /// Returns the credential with a new token from `now` on. The old token stays valid for
    /// `overlap`. Earlier ones keep their own overlap, unless `overlap` is zero, which ends all of
    /// them immediately.
    ///
    /// # Errors
    /// Fails if too many tokens are still in their overlap.
    pub fn rotated(
        self,
        token: TokenMark,
        overlap: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, TooManyOverlaps> {
        let (current, earlier) = (self.token.clone(), self.previous.clone());
        let previous = current.map(|current| overlap::rotated(earlier, current, overlap, now));
        Ok(Self {
            previous: previous.transpose()?.unwrap_or_default(),
            ..self.reissued(token, now)
        })
    }

    /// Returns the credential with a new token from `now` on as its only one.
    #[must_use]
    pub fn reissued(self, token: TokenMark, now: Timestamp) -> Self {
        Self {
            token: Some(token.hash),
            token_hint: token.hint,
            previous: Vec::new(),
            rotated_at: Some(now),
            reminded: None,
            version: self.version + 1,
            ..self
        }
    }

    /// Returns the credential without valid tokens from `now` on.
    #[must_use]
    pub fn revoked(self, now: Timestamp) -> Self {
        let revoked_at = self.revoked_at.or(Some(now));
        Self {
            token: None,
            previous: Vec::new(),
            revoked_at,
            version: self.version + 1,
            ..self
        }
    }

    /// Returns the credential with other settings. A new rotation period restarts the reminders.
    #[must_use]
    pub fn changed(self, settings: Settings) -> Self {
        let same = settings.rotate_after_days == self.settings.rotate_after_days;
        Self {
            settings,
            reminded: self.reminded.filter(|_| same),
            version: self.version + 1,
            ..self
        }
    }

    /// The grants of its tokens, by hash.
    pub fn grants(&self) -> Vec<(String, Grant)> {
        let Settings {
            user_id,
            scopes,
            allowed_ips,
            ..
        } = &self.settings;
        let grant = |expires_at| Grant {
            credential: self.id,
            user: *user_id,
            scopes: scopes.clone(),
            allowed_ips: allowed_ips.clone(),
            expires_at,
            used_at: None,
        };
        let current = self
            .token
            .clone()
            .map(|token| (token, grant(self.settings.expires_at)));
        let previous = self.previous.iter().map(|(token, until)| {
            let end = self
                .settings
                .expires_at
                .map_or(*until, |end| end.min(*until));
            (token.clone(), grant(Some(end)))
        });
        current.into_iter().chain(previous).collect()
    }
}

#[cfg(test)]
mod tests;
