//! Integration credentials: scoped tokens with an owner, an age, and an end.
//!
//! A credential's token is kept nowhere; under its keyed hash lies what it may do ([`Grant`]).
//! [`reminder`] says when somebody should be told that a credential is getting old.

pub(crate) mod allowed_ips;
pub mod grant;
pub mod reminder;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

pub use self::{allowed_ips::AllowedIps, grant::Grant, reminder::Reminder};
use crate::{
    event::timestamp,
    id::{CredentialId, UserId},
    invalid::{Checked, Fields, Problems, string, whole},
    overlap::{self, TooMany},
    scope::{Scope, Scopes},
    time,
};

/// A credential as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// What an admin wrote about it.
    #[serde(flatten)]
    pub settings: Settings,
    /// The last characters of the token.
    pub token_hint: String,
    /// The keyed hash of the token in force; none once it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The keyed hashes of rotated tokens, the latest first, each with the end of its overlap.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "previous"
    )]
    pub previous: Vec<(String, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it; none for the first admin's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UserId>,
    /// When its token was last replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When a former token was last used. The present tokens' times are with their grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// The reminder that was sent last in this rotation period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<Reminder>,
    /// Counts the changes.
    pub version: u64,
}

/// Reads the rotated tokens of a credential: a list, or the single one that older rows have.
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

/// What an admin writes about a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What it is for.
    pub description: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Who holds it.
    pub user_id: UserId,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// After how many days its token should be replaced.
    pub rotate_after_days: u32,
    /// Where it may be used from.
    #[serde(default, skip_serializing_if = "AllowedIps::is_empty")]
    pub allowed_ips: AllowedIps,
}

/// How a credential stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CredentialStatus)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its token counts.
    Active,
    /// An admin ended it.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Status {
    /// Every status with its name.
    pub const ALL: [(&str, Self); 3] = [
        ("active", Self::Active),
        ("revoked", Self::Revoked),
        ("expired", Self::Expired),
    ];
}

/// How old a token may grow unless somebody says otherwise.
pub const ROTATE_AFTER_DAYS: u32 = 90;

impl Settings {
    /// Reads a new credential's settings. The holder is `caller` unless another is named; `now`
    /// bounds the end.
    pub fn parse(value: Value, caller: UserId, now: Timestamp) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
        let user_id = fields.defaulted("user_id", caller, |value| Ok(string(value)?.parse()?));
        Self::take(fields, user_id, |end| end > now)
    }

    /// Reads settings after a merge patch. The holder stays, and so may an end that has passed.
    pub fn patched(&self, value: Value, now: Timestamp) -> Checked<Self> {
        let fields = Fields::of(value)?;
        Self::take(fields, Some(self.user_id), |end| {
            end > now || Some(end) == self.ends_at
        })
    }

    fn take(
        mut fields: Fields,
        user_id: Option<UserId>,
        may_end: impl Fn(Timestamp) -> bool,
    ) -> Checked<Self> {
        let description = fields.required("description", description);
        let scopes = fields.required("scopes", Scopes::parse);
        let ends_at = fields.defaulted("expires_at", None, |value| match timestamp(value)? {
            end if may_end(end) => Ok(Some(end)),
            _ => Err(Problems::here("must lie in the future")),
        });
        let days = fields.defaulted("rotate_after_days", ROTATE_AFTER_DAYS.into(), whole(1, 365));
        let allowed_ips = fields.defaulted("allowed_ips", AllowedIps::default(), AllowedIps::parse);
        let parsed = (|| {
            Some(Self {
                description: description?,
                scopes: scopes?,
                user_id: user_id?,
                ends_at: ends_at?,
                rotate_after_days: u32::try_from(days?).ok()?,
                allowed_ips: allowed_ips?,
            })
        })();
        fields.finish(parsed)
    }

    /// The fields that a patch may change, as [`Settings::patched`] reads them.
    pub fn to_value(&self) -> Value {
        json!({
            "description": self.description,
            "scopes": self.scopes,
            "expires_at": self.ends_at.map(time::show),
            "rotate_after_days": self.rotate_after_days,
            "allowed_ips": self.allowed_ips,
        })
    }
}

fn description(value: Value) -> Checked<String> {
    let text = string(value)?.trim().to_owned();
    match text.chars().count() {
        0 => Err(Problems::here("must not be empty")),
        1..=200 if !text.chars().any(char::is_control) => Ok(text),
        1..=200 => Err(Problems::here("must hold no control characters")),
        _ => Err(Problems::here("must have at most 200 characters")),
    }
}

/// A token as a credential knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenMark {
    /// Its keyed hash.
    pub hash: String,
    /// Its last characters.
    pub hint: String,
}

impl Credential {
    /// A new credential.
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

    /// How it stands at `now`.
    pub fn status(&self, now: Timestamp) -> Status {
        match (self.revoked_at, self.settings.ends_at) {
            (Some(_), _) => Status::Revoked,
            (None, Some(end)) if end <= now => Status::Expired,
            _ => Status::Active,
        }
    }

    /// When its token should be replaced.
    pub fn rotation_due_at(&self) -> Timestamp {
        let days = SignedDuration::from_hours(24 * i64::from(self.settings.rotate_after_days));
        self.rotated_at
            .unwrap_or(self.created_at)
            .checked_add(days)
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether it should have been replaced by `now`.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.status(now) == Status::Active && self.rotation_due_at() <= now
    }

    /// Whether its holder can manage everything at `now`, as far as it goes by the credential.
    pub fn is_live_admin(&self, now: Timestamp) -> bool {
        self.status(now) == Status::Active && self.grants_all()
    }

    /// Whether its holder can manage everything until somebody ends that: no time does.
    pub fn is_lasting_admin(&self) -> bool {
        self.revoked_at.is_none() && self.settings.ends_at.is_none() && self.grants_all()
    }

    fn grants_all(&self) -> bool {
        self.settings.scopes.grants(Scope::Admin)
    }

    /// With a new token from `now` on; the old one is valid for `overlap` more. Earlier ones keep
    /// their own overlaps, unless there is none this time: then all of them end at once.
    ///
    /// # Errors
    /// When too many tokens are in their overlap.
    pub fn rotated(
        self,
        token: TokenMark,
        overlap: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, TooMany> {
        let (current, earlier) = (self.token.clone(), self.previous.clone());
        let previous = current.map(|current| overlap::rotated(earlier, current, overlap, now));
        Ok(Self {
            previous: previous.transpose()?.unwrap_or_default(),
            ..self.reissued(token, now)
        })
    }

    /// With a new token from `now` on, and no other.
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

    /// Without any token from `now` on.
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

    /// With other settings. Another rotation period begins the reminders anew.
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

    /// What lies under its tokens' hashes.
    pub fn grants(&self) -> Vec<(String, Grant)> {
        let Settings {
            user_id,
            scopes,
            allowed_ips,
            ..
        } = &self.settings;
        let grant = |ends_at| Grant {
            credential: self.id,
            user: *user_id,
            scopes: scopes.clone(),
            allowed_ips: allowed_ips.clone(),
            ends_at,
            used_at: None,
        };
        let current = self
            .token
            .clone()
            .map(|token| (token, grant(self.settings.ends_at)));
        let previous = self.previous.iter().map(|(token, until)| {
            let end = self.settings.ends_at.map_or(*until, |end| end.min(*until));
            (token.clone(), grant(Some(end)))
        });
        current.into_iter().chain(previous).collect()
    }
}

#[cfg(test)]
mod tests;
