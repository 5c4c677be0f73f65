//! Primary keys of all items. No other module builds a partition key.
//!
//! | item | `pk` | `sk` | index `listing` |
//! |---|---|---|---|
//! | webhook | `webhook#<id>` | `webhook` | `webhook` / ULID |
//! | rate limiter of a webhook | `webhook#<id>` | `pace` | |
//! | name in use | `name#<resource>#<lower case>` | `name` | |
//! | subscription | `subscription#<pattern>` | webhook id | |
//! | pattern that ends delays of a webhook | `subscription#<pattern>` | `unless#<webhook id>` | |
//! | event that ends delays | `superseding#<webhook>#<fingerprint>` | event's ULID | |
//! | custom event type | `event-type#<name>` | `event-type` | `event-type` / when it was created and its name |
//! | number of custom event types | `event-type#` | `count` | |
//! | user, credential | `user#<id>`, `credential#<id>` | `user`, `credential` | the kind / ULID |
//! | account, service | `account#<id>`, `service#<id>` | `account`, `service` | the kind / ULID |
//! | tokens issued to an account | `account#<id>` | `issued` | |
//! | inbound key | `inbound#<keyed hash>` | `inbound` | |
//! | provider | `provider#<id>` | `provider` | `provider` / ULID |
//! | campaign | `campaign#<id>` | `campaign` | `campaign` / ULID |
//! | provider by channel, the default one | `channel#<channel>` | provider id, `default` | |
//! | message, call | `messages#<day>#<shard>`, `calls#…` | ULID | |
//! | message by its provider's id | `provider-message#<provider>#<its id>` | `message` | |
//! | token | `token#<keyed hash>` | `token` | |
//! | live admin | `live-admins` | credential id | |
//! | reminder | `reminders` | its time and the credential id | |
//! | audit entry | `audit#<day>#<shard>` | ULID | |
//! | first admin | `admin` | `admin` | |
//! | event | `events#<day>#<shard>` | event's ULID | |
//! | large data of an event | `events#<id>` | `data` | |
//! | delivery | `deliveries#<webhook>#<day>#<shard>` | event's ULID | |
//! | later attempts | `attempts#<delivery>` | number, ten digits | |
//! | position of the sweeper | `sweeper` | `position` | |
//! | idempotency claim | `claim#<route>#<hash of the key, or a sender's id>` | `claim` | |
//!
//! Deliveries that have not succeeded are in the index `status`, with their keys and the attempt
//! that they await: status and shard (from the webhook's id) / event's ULID and webhook's ULID.
//! Earlier releases had them in `listing`, in four shards.
//!
//! A partition supports about 1,000 writes per second, so frequently written items are spread over
//! [`SHARDS`] partitions per day. Day and shard are derived from the ULID: the ID alone locates the
//! row.

mod delays;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    delivery::Status,
    id::{
        AccountId, AuditId, CampaignId, CredentialId, DeliveryId, EventId, ProviderId, ServiceId,
        UserId, WebhookId,
    },
    message::{Channel, MessageRef},
    pattern::{EventType, Pattern},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use ulid::Ulid;

pub use self::delays::{UNLESS, superseding};

/// Number of partitions per day.
pub const SHARDS: u8 = 4;
/// Number of partitions per status in the index `status`.
const STATUS_SHARDS: u8 = 16;

/// The primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            sk: sk.into(),
        }
    }

    pub(super) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    /// A webhook.
    pub fn webhook(id: WebhookId) -> Self {
        Self::new(format!("webhook#{id}"), "webhook")
    }

    /// The rate limiter of a webhook.
    pub fn rate_limit(id: WebhookId) -> Self {
        Self::new(format!("webhook#{id}"), "pace")
    }

    /// A name in use, lower-cased.
    pub fn name(resource: &str, name: &str) -> Self {
        Self::new(format!("name#{resource}#{}", name.to_lowercase()), "name")
    }

    /// A webhook's subscription to a pattern.
    pub fn subscription(pattern: &Pattern, webhook: WebhookId) -> Self {
        Self::new(subscriptions(pattern), webhook.to_string())
    }

    /// A custom event type.
    pub fn event_type(name: &EventType) -> Self {
        Self::new(format!("event-type#{name}"), "event-type")
    }

    /// The number of custom event types. No type has an empty name.
    pub fn event_type_count() -> Self {
        Self::new("event-type#", "count")
    }

    /// An account of connected services.
    pub fn account(id: AccountId) -> Self {
        Self::new(format!("account#{id}"), "account")
    }

    /// The tokens issued to an account.
    pub fn issued(id: AccountId) -> Self {
        Self::new(format!("account#{id}"), "issued")
    }

    /// A connected service.
    pub fn service(id: ServiceId) -> Self {
        Self::new(format!("service#{id}"), "service")
    }

    /// The owner of an inbound key, by the key's hash.
    pub fn inbound(hash: &str) -> Self {
        Self::new(format!("inbound#{hash}"), "inbound")
    }

    /// A provider.
    pub fn provider(id: ProviderId) -> Self {
        Self::new(format!("provider#{id}"), "provider")
    }

    /// A provider in the list of its channel.
    pub fn of_channel(channel: Channel, id: ProviderId) -> Self {
        Self::new(self::channel(channel), id.to_string())
    }

    /// The default provider of a channel.
    pub fn default_of(channel: Channel) -> Self {
        Self::new(self::channel(channel), DEFAULT)
    }

    /// A campaign.
    pub fn campaign(id: CampaignId) -> Self {
        Self::new(format!("campaign#{id}"), "campaign")
    }

    /// A message or call.
    pub fn message(id: MessageRef) -> Self {
        let (kind, ulid) = match id {
            MessageRef::Message(id) => (MESSAGES, id.ulid()),
            MessageRef::Call(id) => (CALLS, id.ulid()),
        };
        Self::new(
            messages(kind, day(EventId::from_ulid(ulid).made_at()), shard(ulid)),
            ulid.to_string(),
        )
    }

    /// A message or call by its provider's ID.
    pub fn provider_message(provider: ProviderId, theirs: &str) -> Self {
        Self::new(format!("provider-message#{provider}#{theirs}"), "message")
    }

    /// A user.
    pub fn user(id: UserId) -> Self {
        Self::new(format!("user#{id}"), "user")
    }

    /// A credential.
    pub fn credential(id: CredentialId) -> Self {
        Self::new(format!("credential#{id}"), "credential")
    }

    /// Marker for the last audit entry about a rejected use of a credential.
    pub fn refusal(id: CredentialId) -> Self {
        Self::new(format!("credential#{id}"), "refusal")
    }

    /// A token, by its keyed hash.
    pub fn token(hash: &str) -> Self {
        Self::new(format!("token#{hash}"), "token")
    }

    /// A credential in the list of live admins.
    pub fn live_admin(id: CredentialId) -> Self {
        Self::new(LIVE_ADMINS, id.to_string())
    }

    /// A credential in the list of reminders.
    pub fn reminder(at: Timestamp, id: CredentialId) -> Self {
        Self::new(REMINDERS, format!("{}#{id}", instant(at)))
    }

    /// An audit entry.
    pub fn audit(id: AuditId) -> Self {
        Self::new(
            audit(day(id.made_at()), shard(id.ulid())),
            id.ulid().to_string(),
        )
    }

    /// Marker for the first admin.
    pub fn admin() -> Self {
        Self::new("admin", "admin")
    }

    /// An event.
    pub fn event(id: EventId) -> Self {
        Self::new(
            events(day(id.made_at()), shard(id.ulid())),
            id.ulid().to_string(),
        )
    }

    /// The data of an event that is too large for the event's row.
    pub fn event_data(id: EventId) -> Self {
        Self::new(format!("events#{id}"), "data")
    }

    /// A delivery.
    pub fn delivery(id: DeliveryId) -> Self {
        let ulid = id.event.ulid();
        Self::new(
            deliveries(id.webhook, day(id.event.made_at()), shard(ulid)),
            ulid.to_string(),
        )
    }

    /// A later attempt. Ten digits fit any number, so that text order is numeric order.
    pub fn attempt(id: DeliveryId, number: u32) -> Self {
        Self::new(attempts(id), format!("{number:010}"))
    }

    /// The sweeper's position.
    pub fn sweeper() -> Self {
        Self::new("sweeper", "position")
    }

    /// The claim of an idempotency key (its hash) on a route.
    pub fn claim(route: &str, hash: &str) -> Self {
        Self::new(format!("claim#{route}#{hash}"), "claim")
    }
}

/// Partition of the live admin credentials.
pub const LIVE_ADMINS: &str = "live-admins";
/// Partition of the credentials by next reminder.
pub const REMINDERS: &str = "reminders";

/// Sort key of the default in a channel's partition.
pub const DEFAULT: &str = "default";
/// Prefix of the partitions of messages.
pub const MESSAGES: &str = "messages";
/// Prefix of the partitions of calls.
pub const CALLS: &str = "calls";

/// Partition of a channel's providers.
pub fn channel(channel: Channel) -> String {
    format!("channel#{}", channel.as_str())
}

/// A partition of messages or calls.
pub fn messages(kind: &str, day: Date, shard: u8) -> String {
    format!("{kind}#{day}#{shard}")
}

/// Formats a time for a sort key: twenty digits of milliseconds, so that text order is time order.
pub fn instant(at: Timestamp) -> String {
    format!("{:020}", at.as_millisecond().max(0))
}

/// A partition of the audit log.
pub fn audit(day: Date, shard: u8) -> String {
    format!("audit#{day}#{shard}")
}

/// Partition of a pattern's subscriptions.
pub fn subscriptions(pattern: &Pattern) -> String {
    format!("subscription#{}", pattern.as_str())
}

/// A partition of events.
pub fn events(day: Date, shard: u8) -> String {
    format!("events#{day}#{shard}")
}

/// A partition of a webhook's deliveries.
pub fn deliveries(webhook: WebhookId, day: Date, shard: u8) -> String {
    format!("deliveries#{webhook}#{day}#{shard}")
}

/// Partition of a delivery's later attempts.
pub fn attempts(id: DeliveryId) -> String {
    format!("attempts#{id}")
}

/// Partition of the index `status` for a webhook's deliveries with this status.
pub fn status(status: Status, webhook: WebhookId) -> String {
    in_shard(status, shard_of(webhook.ulid(), STATUS_SHARDS))
}

/// All partitions of the index `status` for this status.
pub fn with_status(status: Status) -> impl Iterator<Item = String> {
    (0..STATUS_SHARDS).map(move |shard| in_shard(status, shard))
}

/// Partitions of the index `listing` where earlier releases stored deliveries with this status.
pub fn formerly_with_status(status: Status) -> impl Iterator<Item = String> {
    (0..SHARDS).map(move |shard| in_shard(status, shard))
}

fn in_shard(status: Status, shard: u8) -> String {
    format!("delivery#{}#{shard}", status.as_str())
}

/// The UTC day of a time.
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The shard of an event, from the random part of its ID.
pub fn shard(ulid: Ulid) -> u8 {
    shard_of(ulid, SHARDS)
}

fn shard_of(ulid: Ulid, shards: u8) -> u8 {
    u8::try_from(ulid.random() % u128::from(shards)).unwrap_or(0)
}
