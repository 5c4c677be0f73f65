//! Records for the checker: accepted events, processed messages, and requests to endpoints.

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

/// The history of one simulation. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Records>>);

/// The records of one simulation.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Accepted events, with the response received.
    pub(super) accepted: Vec<Accepted>,
    /// All work, by its number.
    pub(super) work: Vec<Work>,
    /// Every request to an endpoint.
    pub(super) calls: Vec<EndpointCall>,
    /// Number of copies of each delivery's messages.
    pub(super) copies: BTreeMap<DeliveryId, usize>,
    /// When manual retries of a delivery were requested.
    pub(super) retried: BTreeMap<DeliveryId, Vec<Instant>>,
    /// Deliveries whose message may legitimately be lost: only the sweeper can find them.
    pub(super) may_be_lost: BTreeSet<DeliveryId>,
    /// Number of receives with a fault, by message.
    pub(super) failed_receives: BTreeMap<String, usize>,
}

/// An accepted event.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The event.
    pub(super) event: Event,
    /// When publishing it began.
    pub(super) at: Instant,
}

/// One run of a function, or one request to the API.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// The deliveries that it worked on.
    pub(super) deliveries: BTreeSet<DeliveryId>,
    /// The events that it dispatched. Its faults count for all of their deliveries.
    events: BTreeSet<EventId>,
    /// When it read which webhooks.
    pub(super) reads: Vec<(WebhookId, Instant)>,
    /// When it looked in which partition for events that end a delay.
    pub(super) looks: Vec<(String, Instant)>,
    /// The number of faults.
    pub(super) faults: usize,
}

/// A request that an endpoint received.
#[derive(Debug, Clone)]
pub(super) struct EndpointCall {
    /// The webhook's name.
    pub(super) name: String,
    /// The header `webhook-id`.
    pub(super) webhook_id: String,
    /// The body.
    pub(super) body: Value,
    /// When it was sent.
    pub(super) began: Instant,
    /// When it was received.
    pub(super) at: Instant,
    /// The number of the work that made it.
    pub(super) by: usize,
    /// The status of its response, if any.
    pub(super) response: Option<u16>,
}

/// The running work, as its calls see it.
#[derive(Debug)]
pub(super) struct Running {
    /// Its number in the history.
    pub(super) number: usize,
    /// Notified when its process crashes.
    pub(super) crash: Notify,
}

tokio::task_local! {
    /// The running work.
    pub(super) static RUNNING: Arc<Running>;
}

impl History {
    /// Returns the records so far.
    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().expect("the lock is not poisoned")
    }

    /// Starts work on these deliveries.
    pub(super) fn begin(&self, deliveries: BTreeSet<DeliveryId>) -> Arc<Running> {
        self.begin_work(Work {
            deliveries,
            ..Work::default()
        })
    }

    /// Starts work on a batch.
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

    /// Records a fault of the running work.
    pub(super) fn fault(&self, running: &Running) {
        self.records().work[running.number].faults += 1;
    }
}

impl Records {
    /// Records that a message stays on its queue due to a fault. `new` says whether that fault is
    /// not counted yet.
    pub(super) fn record_redelivery(&mut self, queued: &sqs::Message, new: bool) {
        *self.failed_receives.entry(queued.id.clone()).or_default() += usize::from(new);
        self.record_copy(queued);
    }

    /// Records that a message is received once more than it was sent.
    pub(super) fn record_copy(&mut self, queued: &sqs::Message) {
        if let Some(message) = message(queued) {
            *self.copies.entry(message.delivery).or_default() += 1;
        }
    }

    /// Returns the number of faults while each event was dispatched.
    pub(super) fn disturbed_events(&self) -> BTreeMap<EventId, usize> {
        let mut sums = BTreeMap::new();
        for work in self.work.iter().filter(|work| work.faults > 0) {
            for event in &work.events {
                *sums.entry(*event).or_default() += work.faults;
            }
        }
        sums
    }

    /// Returns the number of faults while each delivery was worked on.
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

/// Parses a queue message as a delivery task.
pub(super) fn message(queued: &sqs::Message) -> Option<DeliveryTask> {
    serde_json::from_str(&queued.body).ok()
}
