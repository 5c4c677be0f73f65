//! The asynchronous system: dispatch and delivery as in production, over the fake services, with a
//! real receiver and a clock that jumps from one message to the next.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{
    attempt::Attempt,
    audit::{Actor, Entry},
    delivery::Delivery,
    egress_policy::AllowList,
    event::Event,
    id::DeliveryId,
    pattern::EventType,
    webhook::Webhook,
};
use futures::future::LocalBoxFuture;
use jiff::Timestamp;
use platform::{
    clock,
    deadline::Deadline,
    egress::Egress,
    queue::{OutgoingMessage, ascii_json},
    random,
    table::{Table, audit, events::Dispatched},
};
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    Fake,
    dynamodb::units::Units,
    functions::{self, Clients, workers},
    sqs::{Message, Name},
};
use crate::receiver::Receiver;

/// Dispatch and delivery over the fake services.
pub struct System {
    /// The fakes of AWS.
    pub fake: Fake,
    /// The receiver of all its requests.
    pub receiver: Receiver,
    /// The dispatch function.
    pub dispatch: dispatch::App,
    /// The delivery function.
    pub delivery: delivery::App,
    /// Number of processes that crashed.
    pub crashes: usize,
    /// Timeout of an invocation.
    pub timeout: Duration,
    now: Timestamp,
    crash: Arc<Notify>,
}

/// Maximum number of batches of a run, more than any test needs.
const MAX_STEPS: usize = 5_000;

/// Returns the allow-list of tests: any port of this machine.
///
/// # Panics
/// Never.
pub fn allow() -> AllowList {
    "127.0.0.1:1024-65535".parse().expect("an allow-list")
}

impl System {
    /// Starts a system without webhooks at the start of 2026. Systems that share `egress` share its
    /// connections, which belong to one test's runtime.
    ///
    /// # Panics
    /// If the keyring cannot be created.
    pub async fn new(egress: &Egress) -> Self {
        let fake = Fake::default();
        let receiver = Receiver::with_crash(fake.crash());
        let (dispatch, delivery) = workers(&fake, egress);
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let crash = fake.crash();
        let mut system = Self {
            fake,
            receiver,
            dispatch,
            delivery,
            crashes: 0,
            timeout: TIMEOUT,
            now,
            crash,
        };
        system.set_time(now);
        system.delivery.keys.bootstrap().await.expect("a keyring");
        system.begin_count();
        system
    }

    /// Returns the time.
    pub fn time(&self) -> Timestamp {
        self.now
    }

    /// Sets the time.
    pub fn set_time(&mut self, now: Timestamp) {
        self.now = now;
        self.receiver.set_time(now);
    }

    /// Clears the recorded calls.
    pub fn begin_count(&self) {
        let mut state = self.fake.state();
        state.calls.clear();
        state.table.units = Units::default();
    }

    /// Runs a future at the system's time.
    pub fn at<'a, F: Future + 'a>(&self, work: F) -> LocalBoxFuture<'a, F::Output> {
        Box::pin(clock::at(self.now, work))
    }

    /// Enqueues an event, as the API does.
    ///
    /// # Panics
    /// If the send fails.
    pub async fn publish(&self, kind: &str, data: Value) -> Event {
        let kind = EventType::parse(kind).expect("a type");
        let event = Event {
            id: self.at(async { random::id() }).await,
            kind,
            timestamp: self.now,
            data,
            hops: 0,
        };
        self.put(Name::Events, ascii_json(&event).expect("JSON"))
            .await;
        event
    }

    /// Enqueues a text.
    ///
    /// # Panics
    /// If the send fails.
    pub async fn put(&self, queue: Name, body: String) {
        let queue = Clients::new(&self.fake).queue(queue);
        self.at(queue.send(OutgoingMessage {
            body,
            delay_seconds: 0,
            group: None,
        }))
        .await
        .expect("sent");
    }

    /// Reads a delivery with its attempts, as the API does.
    ///
    /// # Panics
    /// If the read fails.
    pub async fn history(&self, id: DeliveryId) -> Option<(Delivery, Vec<Attempt>)> {
        self.at(self.table().delivery_with_attempts(id))
            .await
            .expect("read")
    }

    /// Reads a dispatched event.
    ///
    /// # Panics
    /// If the read fails.
    pub async fn event(&self, event: &Event) -> Option<Dispatched> {
        self.at(self.table().event(event.id)).await.expect("read")
    }

    /// Works until the queues are empty, skipping every delay.
    ///
    /// # Panics
    /// If the queues never become empty.
    pub async fn run(&mut self) {
        for _ in 0..MAX_STEPS {
            if self.step().await.is_none() {
                return;
            }
        }
        panic!("the queues do not get empty");
    }

    /// Works on one batch of the first of these queues that has visible messages, without skipping
    /// a delay.
    pub async fn step_on(&mut self, queues: &[Name]) -> Option<(Name, Vec<Message>)> {
        for queue in queues {
            let batch = self.fake.state().queues.receive(*queue, self.now);
            if !batch.is_empty() {
                self.work(*queue, &batch).await;
                return Some((*queue, batch));
            }
        }
        None
    }

    /// Starts a process of the sweeper.
    pub fn sweeper(&self) -> sweeper::App {
        functions::sweeper(&self.fake, self.table().clone())
    }

    /// Skips to the next message and works on one batch. Returns `None` if the queues are empty.
    pub async fn step(&mut self) -> Option<(Name, Vec<Message>)> {
        let (at, queue) = self.fake.state().queues.next()?;
        self.set_time(self.now.max(at));
        let batch = self.fake.state().queues.receive(queue, self.now);
        self.work(queue, &batch).await;
        Some((queue, batch))
    }

    /// Invokes the queue's function with a batch, and deletes the messages that it does not report
    /// as failed. If its process crashes, deletes none and starts a new process.
    pub async fn work(&mut self, queue: Name, batch: &[Message]) -> Option<SqsBatchResponse> {
        let records = sqs_event(batch);
        let deadline = Deadline::after(self.timeout);
        let handled = async {
            match queue {
                Name::Events => dispatch::handle(&self.dispatch, records, deadline).await,
                _ => delivery::handle(&self.delivery, records, deadline).await,
            }
        };
        let response = tokio::select! {
            biased;
            () = self.crash.notified() => None,
            response = self.at(handled) => Some(response),
        };
        match &response {
            None => {
                self.crashes += 1;
                self.restart();
            }
            Some(response) => {
                let failed: BTreeSet<_> = response
                    .batch_item_failures
                    .iter()
                    .map(|failure| failure.item_identifier.as_str())
                    .collect();
                let done = batch
                    .iter()
                    .map(|message| message.id.as_str())
                    .filter(|id| !failed.contains(id));
                self.fake.state().queues.delete(&done.collect());
            }
        }
        response
    }

    /// Retries a delivery manually, as the API does for a request with these `hops`. Returns `None`
    /// if the process crashes or a call fails.
    ///
    /// # Panics
    /// If there is no such delivery, or it changes concurrently.
    pub async fn retry(&mut self, id: DeliveryId, hops: u8) -> Option<Delivery> {
        let was = self
            .at(self.table().delivery(id))
            .await
            .expect("read")
            .expect("a delivery");
        let queue = Clients::new(&self.fake).queue(Name::Deliveries);
        let table = self.table().clone();
        let asked = self.at(config_api::retry::requeue(
            &table,
            &queue,
            was.clone(),
            Some(&was),
            hops,
            self.now,
        ));
        tokio::select! {
            biased;
            () = self.crash.notified() => None,
            response = asked => response.ok().map(|row| row.expect("no other task changes it")),
        }
    }

    /// Replaces dispatch and delivery by new processes with empty memory.
    pub fn restart(&mut self) {
        (self.dispatch, self.delivery) = workers(&self.fake, &self.delivery.egress.clone());
    }

    pub(super) fn table(&self) -> &Table {
        &self.delivery.table
    }
}

/// The functions' timeout in the template.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// Returns the deadline of an invocation that starts now.
pub fn deadline() -> Deadline {
    Deadline::after(TIMEOUT)
}

/// Converts a batch into the event of a function.
pub fn sqs_event(batch: &[Message]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = batch
        .iter()
        .map(|message| {
            let mut record = SqsMessage::default();
            (record.message_id, record.body) =
                (Some(message.id.clone()), Some(message.body.clone()));
            (record.receipt_handle, record.event_source_arn) =
                (Some(message.receipt()), Some(message.queue.arn()));
            record.attributes.insert(
                "ApproximateReceiveCount".to_owned(),
                message.received.to_string(),
            );
            record
        })
        .collect();
    event
}

/// Returns the audit entry of a change by the system.
pub fn entry(webhook: &Webhook) -> Entry {
    audit::entry(Actor::System, "webhook.changed", &webhook.id, Vec::new())
}
