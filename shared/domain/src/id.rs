//! IDs: `<prefix>_` and a ULID, with one type per kind of resource.

use std::{
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    str::FromStr,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::validation::ClientError;

/// Kind of resource that an ID identifies.
pub trait Kind {
    /// The part before the underscore.
    const PREFIX: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $alias:ident $prefix:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    /// A person or system that owns credentials.
    UserKind UserId "usr",
    /// An integration credential.
    CredentialKind CredentialId "cred",
    /// Authentication of requests to connected services.
    AccountKind AccountId "acct",
    /// A connected service: a third party that receives and sends requests.
    ServiceKind ServiceId "svc",
    /// A provider of messages or calls.
    ProviderKind ProviderId "prov",
    /// A message to a recipient.
    MessageKind MessageId "msg",
    /// A call to a recipient.
    CallKind CallId "call",
    /// A campaign.
    CampaignKind CampaignId "camp",
    /// A webhook, which receives events.
    WebhookKind WebhookId "wh",
    /// An accepted event.
    EventKind EventId "evt",
    /// An entry of the audit log.
    AuditKind AuditId "aud",
}

/// ID of one kind: creation time in milliseconds and 80 random bits.
pub struct Id<K>(Ulid, PhantomData<fn() -> K>);

impl<K> Id<K> {
    /// Creates an ID at `now`. Only the lower 80 bits of `random` are used.
    pub fn new(now: Timestamp, random: u128) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self(Ulid::from_parts(millis, random), PhantomData)
    }

    /// The same ID, or the next one after `earlier` if it is not greater: IDs of one millisecond have
    /// a random order.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        Self(
            Ulid(self.0.0.max(earlier.0.0.saturating_add(1))),
            PhantomData,
        )
    }

    /// The ID with this ULID.
    pub const fn from_ulid(ulid: Ulid) -> Self {
        Self(ulid, PhantomData)
    }

    /// The part after the prefix.
    pub const fn ulid(self) -> Ulid {
        self.0
    }

    /// Creation time, with millisecond precision.
    pub fn made_at(self) -> Timestamp {
        i64::try_from(self.0.timestamp_ms())
            .ok()
            .and_then(|millis| Timestamp::from_millisecond(millis).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0)
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not an ID of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {} ID, for example `{}`", noun(.0), example(.0))]
pub struct ParseIdError(pub &'static str);

impl ClientError for ParseIdError {}

/// Resource with this prefix, with its article.
fn noun(prefix: &str) -> &'static str {
    match prefix {
        "usr" => "a user",
        "cred" => "a credential",
        "acct" => "an account",
        "svc" => "a service",
        "prov" => "a provider",
        "msg" => "a message",
        "call" => "a call",
        "camp" => "a campaign",
        "wh" => "a webhook",
        "evt" => "an event",
        "dlv" => "a delivery",
        "aud" => "an audit entry",
        _ => "an",
    }
}

/// Well-formed ID with this prefix, for error messages.
fn example(prefix: &str) -> String {
    let ulids = if prefix == DeliveryId::PREFIX { 2 } else { 1 };
    format!("{prefix}_{}", "01ARZ3NDEKTSV4RRFFQ69G5FAV".repeat(ulids))
}

impl<K: Kind> FromStr for Id<K> {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(parse_ulid)
            .map(Self::from_ulid)
            .ok_or(ParseIdError(K::PREFIX))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Parses the canonical spelling only (26 upper-case characters), so that every resource has one
/// name.
fn parse_ulid(text: &str) -> Option<Ulid> {
    Ulid::from_string(text)
        .ok()
        .filter(|ulid| ulid.to_string() == text)
}

/// ID of a delivery: `dlv_` and the ULIDs of its webhook and event. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeliveryId {
    /// ID of the event.
    pub event: EventId,
    /// ID of the webhook.
    pub webhook: WebhookId,
}

impl DeliveryId {
    const PREFIX: &'static str = "dlv";
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}_{}{}",
            Self::PREFIX,
            self.webhook.ulid(),
            self.event.ulid()
        )
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl FromStr for DeliveryId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.strip_prefix("dlv_")
            .and_then(|rest| rest.split_at_checked(26))
            .and_then(|(webhook, event)| {
                Some(Self {
                    webhook: Id::from_ulid(parse_ulid(webhook)?),
                    event: Id::from_ulid(parse_ulid(event)?),
                })
            })
            .ok_or(ParseIdError(Self::PREFIX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_round_trips_and_other_text_is_rejected() {
        let id = EventId::new("2026-01-02T03:04:05.678Z".parse().expect("time"), 7);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.made_at().to_string(), "2026-01-02T03:04:05.678Z");
        let text = id.to_string();
        for wrong in [
            "",
            "evt_",
            "wh_01",
            &text.to_lowercase(),
            &text.replace("evt", "wh"),
            &format!("{text}0"),
        ] {
            assert_eq!(
                wrong.parse::<EventId>(),
                Err(ParseIdError("evt")),
                "{wrong}"
            );
        }
        let delivery = DeliveryId {
            event: id,
            webhook: WebhookId::new(Timestamp::UNIX_EPOCH, 9),
        };
        assert_eq!(delivery.to_string().parse(), Ok(delivery));
        assert!("dlv_é".parse::<DeliveryId>().is_err());
    }
}
