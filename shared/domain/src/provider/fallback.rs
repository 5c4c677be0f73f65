//! Chains of fallback providers.
//!
//! A message that its provider can't send goes on at that provider's fallback. Chains are checked
//! when a provider is saved. Concurrent changes can still lead to a longer chain or a circle, so
//! [`crate::message::Message::successor`] also limits the providers of a message.

use std::collections::BTreeMap;

use crate::{
    id::ProviderId,
    message::{Channel, fallback::MAX_PROVIDERS},
    validation::{Validated, ValidationErrors},
};

/// The providers of a channel, each with its fallback.
pub type Fallbacks = BTreeMap<ProviderId, Option<ProviderId>>;

/// Validates the fallback of the provider `id` for `channel`. `all` are the channel's providers.
///
/// # Errors
/// Refers to the field `fallback_provider_id`.
pub fn check(
    id: ProviderId,
    fallback: ProviderId,
    channel: Channel,
    all: &Fallbacks,
) -> Validated<()> {
    let problem = |detail: String| {
        let error = ValidationErrors::here(detail);
        Err(error.under("fallback_provider_id"))
    };
    if !all.contains_key(&fallback) && fallback != id {
        return problem(format!(
            "must be the ID of an existing provider for {}",
            channel.as_str()
        ));
    }
    // A stored circle ends the walk at the limit.
    let next = |id: &ProviderId| all.get(id).copied().flatten();
    let after: Vec<ProviderId> = std::iter::successors(Some(fallback), next)
        .take(MAX_PROVIDERS)
        .collect();
    if after.contains(&id) {
        return problem("must not lead back to this provider".to_owned());
    }
    if depth(id, all, MAX_PROVIDERS) + 1 + after.len() > MAX_PROVIDERS {
        return problem(format!(
            "makes a chain of more than {MAX_PROVIDERS} providers"
        ));
    }
    Ok(())
}

/// Length of the longest chain that leads to a provider, without that provider. At most `limit`.
fn depth(id: ProviderId, all: &Fallbacks, limit: usize) -> usize {
    if limit == 0 {
        return 0;
    }
    let before = all.iter().filter(|(_, fallback)| **fallback == Some(id));
    let depths = before.map(|(before, _)| 1 + depth(*before, all, limit - 1));
    depths.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn id(number: u128) -> ProviderId {
        ProviderId::new(Timestamp::UNIX_EPOCH, number)
    }

    /// The outcome of setting the fallback of one provider, among providers with these fallbacks.
    fn checked(all: &[(u128, Option<u128>)], one: u128, fallback: u128) -> Result<(), String> {
        let all = all.iter().map(|(one, other)| (id(*one), other.map(id)));
        let checked = check(id(one), id(fallback), Channel::Sms, &all.collect());
        checked.map_err(|errors| {
            assert_eq!(errors.0[0].pointer, "/fallback_provider_id");
            errors.0[0].detail.clone()
        })
    }

    #[test]
    fn chain_has_at_most_three_providers_and_no_circle() {
        let unknown = "must be the ID of an existing provider for sms";
        let circle = "must not lead back to this provider";
        let long = "makes a chain of more than 3 providers";
        let alone = [(1, None), (2, None), (3, None), (4, None)];
        let pair = [(1, Some(2)), (2, None), (3, None), (4, None)];
        let pairs = [(1, Some(2)), (2, None), (3, Some(4)), (4, None)];
        let three = [(1, Some(2)), (2, Some(3)), (3, None), (4, None)];
        let stored_circle = [(1, Some(2)), (2, Some(1)), (3, None), (4, None)];
        for (all, one, fallback, expected) in [
            (&alone, 1, 2, Ok(())),
            (&alone, 9, 2, Ok(())),
            (&alone, 1, 1, Err(circle)),
            (&alone, 9, 9, Err(circle)),
            (&alone, 1, 5, Err(unknown)),
            (&pair, 2, 3, Ok(())),
            (&pair, 3, 1, Ok(())),
            (&pair, 4, 2, Ok(())),
            (&pair, 2, 1, Err(circle)),
            (&pairs, 2, 3, Err(long)),
            (&pairs, 1, 3, Ok(())),
            (&three, 3, 4, Err(long)),
            (&three, 4, 1, Err(long)),
            (&three, 4, 2, Ok(())),
            (&three, 3, 1, Err(circle)),
            (&three, 2, 4, Ok(())),
            (&stored_circle, 3, 1, Err(long)),
            (&stored_circle, 1, 3, Err(long)),
        ] {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(
                checked(all, one, fallback),
                expected,
                "{all:?} {one} {fallback}"
            );
        }
    }
}
