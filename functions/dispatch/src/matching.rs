//! Finds the webhooks that match the events of a batch, and those whose delays the events end.
//!
//! For each pattern, subscriptions are read once per batch, in pages of up to 1 MB, and their
//! conditions are parsed once for all events. An event's data is parsed into values only while it
//! is evaluated. So memory does not grow with the number of types, subscribers or events: 256 KB of
//! `[0,0,0,…]` take 8 MB as values, and a thousand webhooks may have 16 KiB of conditions each. The
//! compiled expressions of one webhook take up to 170 KB. They are cached between events up to
//! [`MAX_COMPILED`] bytes per page, and recompiled beyond that.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    condition::Condition, event::EventText, id::WebhookId, pattern::Pattern, webhook::delay,
};
use futures::{StreamExt, stream};
use platform::{
    deadline::Deadline,
    table::{
        TableError,
        webhooks::{Subscriber, SubscriberPage, Unless},
    },
    telemetry,
};

use crate::{App, DispatchError};

/// Maximum number of patterns whose subscriptions are read concurrently.
const MAX_CONCURRENT_READS: usize = 4;

/// Maximum size in bytes of the compiled expressions of a page of subscribers.
const MAX_COMPILED: usize = 16 * 1024 * 1024;

/// A page of subscribers under evaluation.
struct Page<'a> {
    subscribers: Vec<(&'a Subscriber, Option<Condition>)>,
    /// Size of their compiled expressions, in bytes.
    compiled: usize,
}

/// What an event concerns.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The webhooks that subscribe to it. Those that match have the seconds of their delay.
    evaluated: BTreeMap<WebhookId, Option<u32>>,
    /// The webhooks whose delays it ends, each with the fingerprint of what it is about.
    pub(crate) superseding: BTreeSet<(WebhookId, String)>,
}

impl Found {
    /// The webhooks that match.
    pub(crate) fn matches(&self) -> Vec<WebhookId> {
        let wanted = self.evaluated.iter().filter(|(_, delay)| delay.is_some());
        wanted.map(|(webhook, _)| *webhook).collect()
    }

    /// Seconds of the delay of each match that has one.
    pub(crate) fn delays(&self) -> BTreeMap<WebhookId, u32> {
        let delay = |(webhook, seconds): (&WebhookId, &Option<u32>)| {
            Some((*webhook, seconds.filter(|seconds| *seconds > 0)?))
        };
        self.evaluated.iter().filter_map(delay).collect()
    }
}

/// What is found for one event, or why the evaluation failed.
type Verdict = Result<Found, DispatchError>;

/// Returns what each event concerns. Events that can't be evaluated by the `deadline`
/// fail. After half of the time all but the first event fail, so that a batch with expensive
/// conditions makes progress on each try.
pub(crate) async fn find(app: &App, events: &[&EventText], deadline: Deadline) -> Vec<Verdict> {
    let patterns: BTreeSet<Pattern> = events
        .iter()
        .flat_map(|event| event.kind.patterns())
        .collect();
    let verdicts = RefCell::new(events.iter().map(|_| Ok(Found::default())).collect());
    let batch = Batch {
        events,
        verdicts,
        deadline,
        half: deadline.left() / 2,
    };
    let batch = &batch;
    let reads: Vec<_> = patterns
        .iter()
        .map(|pattern| batch.evaluate_all(app, pattern))
        .collect();
    stream::iter(reads)
        .buffer_unordered(MAX_CONCURRENT_READS)
        .collect::<()>()
        .await;
    batch.verdicts.take()
}

struct Batch<'a> {
    events: &'a [&'a EventText],
    /// One entry per event.
    verdicts: RefCell<Vec<Verdict>>,
    deadline: Deadline,
    /// Half of the time that was left at the start.
    half: Duration,
}

impl Batch<'_> {
    /// Evaluates the subscribers of a pattern for every event that it matches.
    async fn evaluate_all(&self, app: &App, pattern: &Pattern) {
        let mut position = None;
        loop {
            match app.table.subscribers(pattern, position).await {
                Ok((page, next)) => {
                    self.evaluate(pattern, &page);
                    let Some(next) = next else { return };
                    position = Some(next);
                }
                Err(error) => {
                    tracing::error!(pattern = pattern.as_str(), %error, "failed to read subscriptions");
                    return self.fail(pattern);
                }
            }
        }
    }

    /// Fails every event that the pattern matches.
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

    fn evaluate(&self, pattern: &Pattern, page: &SubscriberPage) {
        let unless = &page.unless;
        let mut page = Page {
            subscribers: page.subscribers.iter().filter_map(readable).collect(),
            compiled: 0,
        };
        let mut to_spare = Duration::ZERO;
        for (event, verdict) in self
            .events
            .iter()
            .zip(self.verdicts.borrow_mut().iter_mut())
        {
            let Ok(found) = verdict else { continue };
            if pattern.matches(&event.kind)
                && let Err(error) = evaluate_event(event, (&mut page, unless), found, || {
                    self.deadline.leaves(to_spare)
                })
            {
                *verdict = Err(error);
            }
            to_spare = self.half;
        }
    }
}

/// Evaluates a page of subscribers for one event. Skips those that another pattern already listed.
fn evaluate_event(
    event: &EventText,
    (page, unless): (&mut Page<'_>, &[Unless]),
    Found {
        evaluated,
        superseding,
    }: &mut Found,
    is_time_left: impl Fn() -> bool,
) -> Result<(), DispatchError> {
    let mut parsed = None;
    for (subscriber, conditions) in &mut page.subscribers {
        if evaluated.contains_key(&subscriber.webhook) {
            continue;
        }
        // The time for conditions is unbounded: users write them.
        if !is_time_left() {
            return Err(DispatchError::NoTime);
        }
        let wanted = match conditions {
            None => true,
            Some(conditions) => {
                if parsed.is_none() {
                    parsed = Some(event.parse().map_err(|_| DispatchError::Data)?);
                }
                let before = conditions.compiled_bytes();
                let wanted = parsed
                    .as_ref()
                    .is_some_and(|event| subscriber.wants(conditions, event));
                page.compiled += conditions.compiled_bytes() - before;
                if page.compiled > MAX_COMPILED {
                    page.compiled -= conditions.compiled_bytes();
                    conditions.release();
                }
                wanted
            }
        };
        let delay = wanted.then(|| subscriber.delay_seconds.unwrap_or(0));
        evaluated.insert(subscriber.webhook, delay);
    }
    if !unless.is_empty() {
        let event = match parsed {
            Some(event) => event,
            None => event.parse().map_err(|_| DispatchError::Data)?,
        };
        let ended = unless.iter().filter_map(|Unless { webhook, key }| {
            Some((*webhook, delay::fingerprint(key, &event.data)?))
        });
        superseding.extend(ended);
    }
    Ok(())
}

/// Parses the subscriber's conditions. A subscriber with unreadable conditions is skipped, so that
/// it does not block the others.
fn readable(subscriber: &Subscriber) -> Option<(&Subscriber, Option<Condition>)> {
    let conditions: Result<_, TableError> = subscriber.conditions();
    match conditions {
        Ok(conditions) => Some((subscriber, conditions)),
        Err(error) => {
            telemetry::metric("unreadable_rows", 1);
            tracing::error!(webhook = %subscriber.webhook, %error, "subscription skipped: unreadable conditions");
            None
        }
    }
}
