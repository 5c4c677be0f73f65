//! What happened, for the checker: what was accepted, who worked on which messages, who was called.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use domain::{
    delivery::DeliveryTask,
    event::Event,
    id::{DeliveryId, EventId, WebhookId},
};
use serde_json::Value;
use tests::fake::sqs;
use tokio::{sync::Notify, time::Instant};

/// The history of one simulation. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Records>>);

/// What it tells.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Events whose publisher was told that they are accepted.
    pub(super) accepted: Vec<Accepted>,
    /// Every piece of work, by its number.
    pub(super) work: Vec<Work>,
    /// Every call to an endpoint.
    pub(super) calls: Vec<EndpointCall>,
    /// How many copies of each delivery's messages there were.
    pub(super) copies: BTreeMap<DeliveryId, usize>,
    /// When a manual retry of a delivery was requested.
    pub(super) retried: BTreeMap<DeliveryId, Vec<Instant>>,
    /// Deliveries whose message may be gone for a reason that is allowed: only the sweeper can find
    /// them.
    pub(super) may_be_lost: BTreeSet<DeliveryId>,
    /// How often a message was received, and something went wrong.
    pub(super) failed_receives: BTreeMap<String, usize>,
}

/// An event that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The event.
    pub(super) event: Event,
    /// When it began to be published.
    pub(super) at: Instant,
}

/// One run of a function, or one request to the API.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// What it worked on.
    pub(super) deliveries: BTreeSet<DeliveryId>,
    /// The events that it dispatched: what went wrong there goes for all their deliveries.
    events: BTreeSet<EventId>,
    /// When it read which webhooks.
    pub(super) reads: Vec<(WebhookId, Instant)>,
    /// How much went wrong.
    pub(super) faults: usize,
}

/// A call that an endpoint got.
#[derive(Debug, Clone)]
pub(super) struct EndpointCall {
    /// The webhook's name.
    pub(super) name: String,
    /// The header `webhook-id`.
    pub(super) webhook_id: String,
    /// Its body.
    pub(super) body: Value,
    /// When it was on its way.
    pub(super) began: Instant,
    /// When it came.
    pub(super) at: Instant,
    /// Who called.
    pub(super) by: usize,
    /// What it was answered with, if it was.
    pub(super) answered: Option<u16>,
}

/// The work that is going on, for what it calls.
#[derive(Debug)]
pub(super) struct Running {
    /// Its number in the history.
    pub(super) number: usize,
    /// Records when its process ends.
    pub(super) crash: Notify,
}

tokio::task_local! {
    /// The work that is going on.
    pub(super) static RUNNING: Arc<Running>;
}

impl History {
    /// What it tells by now.
    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().expect("the lock is not poisoned")
    }

    /// Begins some work.
    pub(super) fn begin(&self, deliveries: BTreeSet<DeliveryId>) -> Arc<Running> {
        self.begin_work(Work {
            deliveries,
            ..Work::default()
        })
    }

    /// Begins to work on a batch.
    pub(super) fn begin_batch(&self, batch: &[sqs::Message]) -> Arc<Running> {
        let deliveries = batch
            .iter()
            .filter_map(message)
            .map(|message| message.delivery)
            .collect();
        let events = batch
            .iter()
            .filter(|sent| sent.queue == sqs::Name::Events || message(sent).is_none());
        let events = events
            .filter_map(|message| message.json()["id"].as_str()?.parse().ok())
            .collect();
        self.begin_work(Work {
            deliveries,
            events,
            ..Work::default()
        })
    }

    fn begin_work(&self, work: Work) -> Arc<Running> {
        let mut records = self.records();
        records.work.push(work);
        Arc::new(Running {
            number: records.work.len() - 1,
            crash: Notify::new(),
        })
    }

    /// Notes that something went wrong for the work that is going on.
    pub(super) fn fault(&self, running: &Running) {
        self.records().work[running.number].faults += 1;
    }
}

impl Records {
    /// A message that was worked on stays on its queue: a failure, which may be `new`.
    pub(super) fn record_redelivery(&mut self, queued: &sqs::Message, new: bool) {
        *self.failed_receives.entry(queued.id.clone()).or_default() += usize::from(new);
        self.record_copy(queued);
    }

    /// A message is received once more than it was sent.
    pub(super) fn record_copy(&mut self, queued: &sqs::Message) {
        if let Some(message) = message(queued) {
            *self.copies.entry(message.delivery).or_default() += 1;
        }
    }

    /// How much went wrong where an event was dispatched.
    pub(super) fn disturbed_events(&self) -> BTreeMap<EventId, usize> {
        let mut sums = BTreeMap::new();
        for work in self.work.iter().filter(|work| work.faults > 0) {
            for event in &work.events {
                *sums.entry(*event).or_default() += work.faults;
            }
        }
        sums
    }

    /// Number of faults while a process worked on the delivery.
    pub(super) fn disturbances(&self) -> BTreeMap<DeliveryId, usize> {
        let mut sums = BTreeMap::new();
        for work in self.work.iter().filter(|work| work.faults > 0) {
            for delivery in &work.deliveries {
                *sums.entry(*delivery).or_default() += work.faults;
            }
        }
        sums
    }
}

/// The message that a queued text is, if it is about a delivery.
pub(super) fn message(queued: &sqs::Message) -> Option<DeliveryTask> {
    serde_json::from_str(&queued.body).ok()
}
