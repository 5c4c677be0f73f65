//! Fallback providers: another provider takes a message that its provider could not send.
//!
//! The change is part of recording the last attempt through the earlier provider
//! ([`Message::record_attempt`]), and the first attempt through the next one follows like a retry, so
//! the attempt protocol applies to it. Each provider has an hour of its own.
//!
//! A request that seemed to fail may have reached its provider. If that provider reports that it has
//! the message while no other one has accepted it, it gets the message back
//! ([`Message::returned_to`]).

use serde::{Deserialize, Serialize};

use super::Message;
use crate::{attempt::Attempt, id::ProviderId};

/// Maximum number of providers of a message, including the first.
pub const MAX_PROVIDERS: usize = 3;

/// Maximum size of a response to an earlier provider's attempt, in bytes. Attempts through three
/// providers fit into the row.
const MAX_EARLIER_RESPONSE: usize = 2 * 1024;

/// A provider that takes over a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// ID of the provider.
    pub id: ProviderId,
    /// Name of the provider.
    pub name: String,
    /// Its default sender.
    pub from: Option<String>,
    /// Default sender of the provider before it, if known.
    pub from_before: Option<String>,
    /// Its own fallback.
    pub fallback_provider_id: Option<ProviderId>,
}

/// A provider that could not send a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierProvider {
    /// ID of the provider.
    pub provider_id: ProviderId,
    /// Name of the provider when it got the message.
    pub provider: String,
    /// Number of the last attempt through it.
    pub last_attempt: u32,
    /// Sender of the message there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl Message {
    /// The provider of an attempt: its ID and its name.
    pub fn provider_of(&self, attempt: u32) -> (ProviderId, &str) {
        let mut earlier = self.earlier.iter();
        earlier
            .find(|one| attempt <= one.last_attempt)
            .map_or((self.provider_id, &self.provider), |one| {
                (one.provider_id, &one.provider)
            })
    }

    /// Number of attempts before the first one through the current provider.
    pub(super) fn earlier_attempts(&self) -> u32 {
        self.earlier.last().map_or(0, |one| one.last_attempt)
    }

    /// The first attempt through the current provider.
    pub(super) fn first_attempt(&self) -> Option<&Attempt> {
        let earlier = self.earlier_attempts();
        self.attempts
            .iter()
            .find(|attempt| attempt.number > earlier)
    }

    /// The provider that takes over if the current one, whose fallback is `configured`, can't send
    /// the message. `None` if it had the message already, or after [`MAX_PROVIDERS`].
    pub fn successor(&self, configured: Option<ProviderId>) -> Option<ProviderId> {
        let had_it = |id: ProviderId| {
            let mut earlier = self.earlier.iter();
            id == self.provider_id || earlier.any(|one| one.provider_id == id)
        };
        configured.filter(|id| self.earlier.len() + 1 < MAX_PROVIDERS && !had_it(*id))
    }

    /// Returns the row of a message that another provider takes after the attempt `last`.
    pub(super) fn passed_to(mut self, fallback: Fallback, last: u32) -> Self {
        let Fallback {
            id,
            name,
            from,
            from_before,
            fallback_provider_id,
        } = fallback;
        self.earlier.push(EarlierProvider {
            provider_id: std::mem::replace(&mut self.provider_id, id),
            provider: std::mem::replace(&mut self.provider, name),
            last_attempt: last,
            from: self.content.from.clone(),
        });
        self.fallback_provider_id = fallback_provider_id;
        let default_sender = self.default_sender.unwrap_or_else(|| {
            let sender = &self.content.from;
            sender.is_none() || *sender == from_before
        });
        self.default_sender = Some(default_sender);
        if default_sender {
            self.content.from = from;
        }
        // A response that was no success may have had one.
        self.provider_message_id = None;
        for attempt in &mut self.attempts {
            if let Some(body) = &mut attempt.response_body {
                body.truncate(body.floor_char_boundary(MAX_EARLIER_RESPONSE));
            }
        }
        self
    }

    /// Returns the row of a message that an earlier provider has after all. `None` if another one
    /// has accepted it, or if `provider` never had it. It awaits nothing any more once it is `sent`,
    /// but an attempt through the current provider may be in progress.
    pub(super) fn returned_to(mut self, provider: ProviderId) -> Option<Self> {
        let mut earlier = self.earlier.iter();
        let back = earlier.find(|one| one.provider_id == provider)?.clone();
        if !self.is_queued() {
            return None;
        }
        let recorded = self.attempts.last().map_or(0, |last| last.number);
        self.earlier.push(EarlierProvider {
            provider_id: std::mem::replace(&mut self.provider_id, back.provider_id),
            provider: std::mem::replace(&mut self.provider, back.provider),
            last_attempt: recorded + 1,
            from: self.content.from.take(),
        });
        self.content.from = back.from;
        self.fallback_provider_id = None;
        self.provider_message_id = None;
        Some(self)
    }
}
