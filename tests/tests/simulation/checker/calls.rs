//! What is on record was called, under the event's id, and nobody is called more often than something went wrong.

use std::collections::BTreeMap;

use domain::{delivery::Status, id::DeliveryId};

use super::{Broken, Past, ends::summary, kept};
use crate::history::Hit;

pub(super) fn check(past: &Past<'_>) -> Result<(), Broken> {
    let mut calls = BTreeMap::<DeliveryId, Vec<&Hit>>::new();
    for hit in &past.told.calls {
        let id = delivery(past, hit).filter(|id| past.rows.contains_key(id));
        let id = id.ok_or_else(|| {
            Broken::new("every call carries its event's id", format!("{} to {}", hit.webhook_id, hit.name))
        })?;
        calls.entry(id).or_default().push(hit);
    }
    for (id, row) in &past.rows {
        let calls = calls.get(id).map_or(&[][..], Vec::as_slice);
        let attempts = past.attempts(*id);
        let answers: Vec<_> = calls.iter().map(|hit| hit.answered).collect();
        let what = || format!("{id}: {:?}, and calls answered {answers:?}", summary(attempts));
        for attempt in attempts.iter().filter(|attempt| attempt.status_code.is_some()) {
            let code = attempt.status_code;
            let recorded = attempts.iter().filter(|attempt| attempt.status_code == code).count();
            let answered = answers.iter().filter(|answered| **answered == code).count();
            kept(recorded <= answered, "what is recorded was called", what)?;
        }
        let delivered = answers.iter().flatten().any(|code| (200..400).contains(code));
        kept(row.status != Status::Succeeded || delivered, "what succeeded was called", what)?;
        // Nobody got those that could not be sent.
        let unsent = |error: &str| error.contains("refused") || error.contains("missing") || error.contains("blocked");
        let sent = attempts.iter().filter(|attempt| !attempt.error.as_deref().is_some_and(unsent)).count();
        let extra = calls.len().saturating_sub(sent);
        kept(extra <= past.allowance(*id), "no call is repeated where nothing went wrong", || {
            format!("{} repeated where {} may be: {}", extra, past.allowance(*id), what())
        })?;
    }
    Ok(())
}

/// Which delivery a call was of.
pub(super) fn delivery(past: &Past<'_>, hit: &Hit) -> Option<DeliveryId> {
    let at = past.hooks.iter().position(|hook| hook.name == hit.name)?;
    Some(DeliveryId { event: hit.webhook_id.parse().ok()?, webhook: past.webhooks[at] })
}
