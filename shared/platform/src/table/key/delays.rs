//! Keys of what ends delays.

use domain::{
    id::{EventId, WebhookId},
    pattern::Pattern,
};

use super::{Key, subscriptions};

impl Key {
    /// A pattern of events that end delays of a webhook. It is in the partition of the pattern's
    /// subscriptions, so that dispatch finds both with one query.
    pub fn unless(pattern: &Pattern, webhook: WebhookId) -> Self {
        Self::new(subscriptions(pattern), format!("{UNLESS}{webhook}"))
    }

    /// Whether it is the key of a pattern of events that end delays.
    pub fn is_unless(sk: &str) -> bool {
        sk.starts_with(UNLESS)
    }

    /// An event that ends delays of a webhook.
    pub fn superseding(webhook: WebhookId, fingerprint: &str, event: EventId) -> Self {
        Self::new(superseding(webhook, fingerprint), event.ulid().to_string())
    }
}

/// Prefix of the sort keys of patterns of events that end delays. The webhook's ID follows.
pub const UNLESS: &str = "unless#";

/// Partition of the events that end delays of a webhook and have the same value at its key.
pub fn superseding(webhook: WebhookId, fingerprint: &str) -> String {
    format!("superseding#{webhook}#{fingerprint}")
}
