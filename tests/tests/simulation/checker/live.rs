//! Invariants while the system runs: every awaited attempt has a message, and only one.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    delivery::{Delivery, DeliveryTask},
    id::DeliveryId,
};
use tests::fake::{Fake, sqs::Name};

use super::{Broken, kept, waiting};
use crate::history::{History, message};

/// Every waiting delivery has a queued message that continues it: the awaited one, or one whose
/// follow-up will be repeated.
pub(crate) fn nothing_is_stranded(fake: &Fake, history: &History) -> Result<(), Broken> {
    let queued = queued(fake);
    let records = history.records();
    for row in &waiting(fake) {
        let messages = queued.get(&row.id).map_or(&[][..], Vec::as_slice);
        let led_on = messages.iter().any(|message| {
            is_awaited_by(row, message) || row.progress.last.as_ref() == Some(&message.attempt.id)
        });
        kept(
            led_on || records.may_be_lost.contains(&row.id),
            "every awaited attempt has a message",
            || {
                let retried = records.retried.get(&row.id).map_or(0, Vec::len);
                format!(
                    "{} awaits {:?}, and there are {messages:?}; manually retried {retried} times",
                    row.id, row.progress.awaited
                )
            },
        )?;
    }
    drop(records);
    dead_letters_have_a_reason(fake, history)
}

/// A message is dead-lettered only after every receive of it failed.
pub(crate) fn dead_letters_have_a_reason(fake: &Fake, history: &History) -> Result<(), Broken> {
    let receives = fake.state().queues.max_receives();
    let records = history.records();
    for dead in fake.state().queues.on(Name::Dead) {
        let failed = records.failed_receives.get(&dead.id).copied().unwrap_or(0);
        // A message that replaces another one is not recorded if the row changes in between, and is
        // redelivered.
        let refused =
            usize::from(message(&dead).is_some_and(|message| message.attempt.replaces.is_some()));
        kept(
            failed + refused >= receives as usize,
            "only messages that failed every receive are dead letters",
            || {
                format!(
                    "{} after {failed} failures of {} receives",
                    dead.body, dead.received
                )
            },
        )?;
    }
    Ok(())
}

/// After a sweeper run without faults, the awaited messages of each delivery have one token.
pub(crate) fn one_chain_each(fake: &Fake, history: &History) -> Result<(), Broken> {
    let (queued, records) = (queued(fake), history.records());
    let disturbed = records.disturbances();
    for row in waiting(fake)
        .iter()
        .filter(|row| !disturbed.contains_key(&row.id))
    {
        let awaited = queued
            .get(&row.id)
            .into_iter()
            .flatten()
            .filter(|message| is_awaited_by(row, message));
        let tokens: BTreeSet<&str> = awaited
            .map(|message| message.attempt.id.token.as_str())
            .collect();
        let asked = records.retried.contains_key(&row.id) || records.copies.contains_key(&row.id);
        kept(
            tokens.len() <= 1 || asked,
            "one message of each delivery is awaited",
            || {
                format!(
                    "{} awaits {:?}, which are {tokens:?}",
                    row.id, row.progress.awaited
                )
            },
        )?;
    }
    Ok(())
}

/// Nothing is queued, and no delivery waits.
pub(super) fn nothing_is_left(fake: &Fake) -> Result<(), Broken> {
    for queue in [Name::Events, Name::Deliveries, Name::Retries, Name::Dead] {
        let left = fake.state().queues.on(queue);
        kept(left.is_empty(), "the queues are empty in the end", || {
            format!("{left:?}")
        })?;
    }
    let waiting = waiting(fake);
    kept(waiting.is_empty(), "no delivery waits in the end", || {
        format!("{waiting:?}")
    })
}

/// Whether the message is the one that the row awaits.
fn is_awaited_by(row: &Delivery, message: &DeliveryTask) -> bool {
    row.progress
        .awaited
        .as_ref()
        .is_some_and(|awaited| message.attempt.matches(&awaited.id))
}

fn queued(fake: &Fake) -> BTreeMap<DeliveryId, Vec<DeliveryTask>> {
    let state = fake.state();
    let mut queued = BTreeMap::<_, Vec<DeliveryTask>>::new();
    for name in [Name::Deliveries, Name::Retries, Name::Dead] {
        for message in state.queues.on(name).iter().filter_map(message) {
            queued.entry(message.delivery).or_default().push(message);
        }
    }
    queued
}
