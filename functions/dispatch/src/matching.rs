//! Which webhooks want the events of a batch.
//!
//! Each pattern's subscriptions are read once for the batch, a page of at most 1 MB at a time, and
//! their conditions are parsed once for all events. An event's data is a tree of values only while
//! it is judged. So memory does not grow with the number of types, subscribers or events:
//! `[0,0,0,…]` of 256 KB takes 8 MB as a tree, and a thousand webhooks may have 16 KiB of
//! conditions each. Compiled, the expressions of one webhook take up to 170 KB: they are kept from
//! one event to the next up to [`MAX_COMPILED`], and compiled anew beyond that.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{condition::Condition, id::WebhookId, pattern::Pattern};
use futures::{StreamExt, stream};
use platform::{
    deadline::Deadline,
    table::{
        TableError,
        events::EventText,
        webhooks::{Subscriber, wants},
    },
    telemetry,
};

use crate::{App, DispatchError};

/// Patterns whose subscriptions are read at the same time.
const MAX_CONCURRENT_READS: usize = 4;

/// Most memory for the compiled expressions of a page of subscribers, in bytes.
const MAX_COMPILED: usize = 16 * 1024 * 1024;

/// A page of subscribers while it is judged.
struct Page<'a> {
    subscribers: Vec<(&'a Subscriber, Option<Condition>)>,
    /// Memory of their compiled expressions, in bytes.
    compiled: usize,
}

/// The webhooks that were judged for one event, or why they could not be.
type Verdict = Result<BTreeMap<WebhookId, bool>, DispatchError>;

/// The webhooks that match each event. What can't be judged by the `deadline` fails: once half of
/// the time is gone, all but the first event do, so that a batch whose conditions are costly gets
/// through in the end.
pub(crate) async fn matches(
    app: &App,
    events: &[&EventText],
    deadline: Deadline,
) -> Vec<Result<Vec<WebhookId>, DispatchError>> {
    let patterns: BTreeSet<Pattern> = events
        .iter()
        .flat_map(|event| event.kind.patterns())
        .collect();
    let verdicts = RefCell::new(events.iter().map(|_| Ok(BTreeMap::new())).collect());
    let batch = Batch {
        events,
        verdicts,
        deadline,
        half: deadline.left() / 2,
    };
    let batch = &batch;
    let reads: Vec<_> = patterns
        .iter()
        .map(|pattern| batch.judge_all(app, pattern))
        .collect();
    stream::iter(reads)
        .buffer_unordered(MAX_CONCURRENT_READS)
        .collect::<()>()
        .await;
    let matched = |judged: BTreeMap<WebhookId, bool>| {
        judged
            .into_iter()
            .filter(|(_, wants)| *wants)
            .map(|(id, _)| id)
    };
    batch
        .verdicts
        .take()
        .into_iter()
        .map(|verdict| verdict.map(|judged| matched(judged).collect()))
        .collect()
}

struct Batch<'a> {
    events: &'a [&'a EventText],
    /// One for each event.
    verdicts: RefCell<Vec<Verdict>>,
    deadline: Deadline,
    /// Half of the time that there was at the begin.
    half: Duration,
}

impl Batch<'_> {
    /// Judges the subscribers of a pattern for every event that the pattern takes.
    async fn judge_all(&self, app: &App, pattern: &Pattern) {
        let mut position = None;
        loop {
            match app.table.subscribers(pattern, position).await {
                Ok((page, next)) => {
                    self.judge(pattern, &page);
                    let Some(next) = next else { return };
                    position = Some(next);
                }
                Err(error) => {
                    tracing::error!(pattern = pattern.as_str(), %error, "subscriptions not read");
                    return self.fail(pattern);
                }
            }
        }
    }

    /// Fails every event that the pattern takes.
    fn fail(&self, pattern: &Pattern) {
        for (event, verdict) in self
            .events
            .iter()
            .zip(self.verdicts.borrow_mut().iter_mut())
        {
            if pattern.matches(&event.kind) {
                *verdict = Err(DispatchError::Subscriptions(event.kind.clone()));
            }
        }
    }

    fn judge(&self, pattern: &Pattern, page: &[Subscriber]) {
        let mut page = Page {
            subscribers: page.iter().filter_map(readable).collect(),
            compiled: 0,
        };
        let mut to_spare = Duration::ZERO;
        for (event, verdict) in self
            .events
            .iter()
            .zip(self.verdicts.borrow_mut().iter_mut())
        {
            let Ok(judged) = verdict else { continue };
            if pattern.matches(&event.kind)
                && let Err(error) =
                    judge_event(event, &mut page, judged, || self.deadline.leaves(to_spare))
            {
                *verdict = Err(error);
            }
            to_spare = self.half;
        }
    }
}

/// Judges some subscribers for one event; those that another pattern brought before are left out.
fn judge_event(
    event: &EventText,
    page: &mut Page<'_>,
    judged: &mut BTreeMap<WebhookId, bool>,
    is_time_left: impl Fn() -> bool,
) -> Result<(), DispatchError> {
    let mut parsed = None;
    for (subscriber, conditions) in &mut page.subscribers {
        if judged.contains_key(&subscriber.webhook) {
            continue;
        }
        // Conditions are as costly as their authors make them.
        if !is_time_left() {
            return Err(DispatchError::NoTime);
        }
        let wanted = match conditions {
            None => true,
            Some(conditions) => {
                if parsed.is_none() {
                    parsed = Some(event.parse()?);
                }
                let before = conditions.compiled_bytes();
                let wanted = parsed
                    .as_ref()
                    .is_some_and(|event| wants(conditions, &subscriber.subject(event)));
                page.compiled += conditions.compiled_bytes() - before;
                if page.compiled > MAX_COMPILED {
                    page.compiled -= conditions.compiled_bytes();
                    conditions.release();
                }
                wanted
            }
        };
        judged.insert(subscriber.webhook, wanted);
    }
    Ok(())
}

/// The subscriber with its conditions. One whose conditions can't be read gets nothing, and holds
/// up nobody else.
fn readable(subscriber: &Subscriber) -> Option<(&Subscriber, Option<Condition>)> {
    let conditions: Result<_, TableError> = subscriber.conditions();
    match conditions {
        Ok(conditions) => Some((subscriber, conditions)),
        Err(error) => {
            telemetry::metric("unreadable_rows", 1);
            tracing::error!(webhook = %subscriber.webhook, %error, "subscription skipped");
            None
        }
    }
}
