//! The whole system without its edges: dispatch and delivery as they run in production, over the
//! fake services, a real receiver and a clock that leaps from one message to the next.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{
    attempt::Attempt,
    audit::{Actor, Entry},
    delivery::Delivery,
    egress_policy::AllowList,
    event::Event,
    id::{DeliveryId, WebhookId},
    pattern::EventType,
    signature::SigningSecret,
    webhook::{Settings, Webhook},
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
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    Fake,
    functions::{self, Clients, workers},
    sqs::{Message, Name},
};
use crate::receiver::Receiver;

/// The system.
pub struct System {
    /// Its services.
    pub fake: Fake,
    /// Who gets its calls.
    pub receiver: Receiver,
    /// The dispatch function.
    pub dispatch: dispatch::App,
    /// The delivery function.
    pub delivery: delivery::App,
    /// How often a process ended on the way.
    pub crashes: usize,
    /// How long an invocation may take.
    pub timeout: Duration,
    now: Timestamp,
    crash: Arc<Notify>,
}

/// More batches than any test needs.
const MAX_STEPS: usize = 5_000;

/// Where requests may go in a test: any port of this machine.
///
/// # Panics
/// Never.
pub fn allow() -> AllowList {
    "127.0.0.1:1024-65535".parse().expect("an allow-list")
}

impl System {
    /// A new system without webhooks, at the begin of 2026. Those that share `egress` share its
    /// connections; it belongs to one test, as they belong to its runtime.
    ///
    /// # Panics
    /// When it can't be built.
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

    /// The time.
    pub fn time(&self) -> Timestamp {
        self.now
    }

    /// Sets the time.
    pub fn set_time(&mut self, now: Timestamp) {
        self.now = now;
        self.receiver.set_time(now);
    }

    /// Counts calls from 0 again.
    pub fn begin_count(&self) {
        self.fake.state().calls.clear();
    }

    /// Does something at the system's time.
    pub fn at<'a, F: Future + 'a>(&self, work: F) -> LocalBoxFuture<'a, F::Output> {
        Box::pin(clock::at(self.now, work))
    }

    /// Adds a webhook to the receiver's path `name`: for events of type `message`, unless `fields`
    /// say otherwise.
    ///
    /// # Panics
    /// When the settings are wrong.
    pub async fn webhook(&self, name: &str, fields: Value) -> Webhook {
        let mut settings =
            json!({"name": name, "url": self.receiver.url_of(name), "events": ["message"]});
        settings
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        let (settings, _) = Settings::parse(settings, &allow()).expect("settings");
        self.at(async {
            let secret = SigningSecret::generated(random::bytes());
            let webhook = Webhook::new(random::id(), settings, secret, clock::now());
            self.table()
                .create_webhook(&webhook, &self.delivery.keys, &entry(&webhook))
                .await
                .expect("created");
            webhook
        })
        .await
    }

    /// Changes a webhook as `change` says.
    ///
    /// # Panics
    /// When there is none.
    pub async fn change(&self, id: WebhookId, change: impl FnOnce(Webhook, Timestamp) -> Webhook) {
        self.at(async {
            let before = self.stored_webhook(id).await.expect("a webhook");
            let after = change(before.clone(), self.now);
            self.table()
                .update_webhook(&before, &after, &self.delivery.keys, &entry(&after))
                .await
                .expect("changed");
        })
        .await;
    }

    /// The webhook as it is stored.
    ///
    /// # Panics
    /// When it can't be read.
    pub async fn stored_webhook(&self, id: WebhookId) -> Option<Webhook> {
        self.at(self.table().webhook(id, &self.delivery.keys))
            .await
            .expect("read")
    }

    /// Puts an event on its queue, as the API does.
    ///
    /// # Panics
    /// When it can't be sent.
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

    /// Puts a text on a queue.
    ///
    /// # Panics
    /// When it can't be sent.
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

    /// What is known of a delivery, as the API reads it.
    ///
    /// # Panics
    /// When it can't be read.
    pub async fn history(&self, id: DeliveryId) -> Option<(Delivery, Vec<Attempt>)> {
        self.at(self.table().delivery_with_attempts(id))
            .await
            .expect("read")
    }

    /// An event that was dispatched.
    ///
    /// # Panics
    /// When it can't be read.
    pub async fn event(&self, event: &Event) -> Option<Dispatched> {
        self.at(self.table().event(event.id)).await.expect("read")
    }

    /// Works until nothing is left on the queues, leaping over every wait.
    ///
    /// # Panics
    /// When there is no end.
    pub async fn run(&mut self) {
        for _ in 0..MAX_STEPS {
            if self.step().await.is_none() {
                return;
            }
        }
        panic!("this goes on for ever");
    }

    /// As [`System::step`], but only these queues are worked on, and now.
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

    /// A new process of the sweeper.
    pub fn sweeper(&self) -> sweeper::App {
        functions::sweeper(&self.fake, self.table().clone())
    }

    /// Leaps to the next message and works on one batch. `None` when there is no message.
    pub async fn step(&mut self) -> Option<(Name, Vec<Message>)> {
        let (at, queue) = self.fake.state().queues.next()?;
        self.set_time(self.now.max(at));
        let batch = self.fake.state().queues.receive(queue, self.now);
        self.work(queue, &batch).await;
        Some((queue, batch))
    }

    /// Gives a batch to the function that the queue belongs to, and deletes what that did not name.
    /// When the process ends on the latency, nothing is deleted, and a new process takes its place.
    pub async fn work(&mut self, queue: Name, batch: &[Message]) -> Option<SqsBatchResponse> {
        let records = sqs_event(batch);
        let deadline = Deadline::after(self.timeout);
        let handled = async {
            match queue {
                Name::Events => dispatch::handle(&self.dispatch, records, deadline).await,
                _ => delivery::handle(&self.delivery, records, deadline).await,
            }
        };
        let answer = tokio::select! {
            biased;
            () = self.crash.notified() => None,
            answer = self.at(handled) => Some(answer),
        };
        match &answer {
            None => {
                self.crashes += 1;
                self.restart();
            }
            Some(answer) => {
                let failed: BTreeSet<_> = answer
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
        answer
    }

    /// Asks for another try of a delivery, as the API does for a call with these `hops`. `None`
    /// when the process ends on the latency, or a call fails.
    ///
    /// # Panics
    /// When there is no such delivery, or it changes at the same time.
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
            answer = asked => answer.ok().map(|row| row.expect("no other task changes it")),
        }
    }

    /// Puts new processes in the place of the old ones: nothing is in their memory.
    pub fn restart(&mut self) {
        (self.dispatch, self.delivery) = workers(&self.fake, &self.delivery.egress.clone());
    }

    fn table(&self) -> &Table {
        &self.delivery.table
    }
}

/// How long a function may take, as the template has it.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// The deadline of an invocation that begins now.
pub fn deadline() -> Deadline {
    Deadline::after(TIMEOUT)
}

/// A batch as Lambda gives it to a function.
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

/// The audit entry of a change that the system makes.
pub fn entry(webhook: &Webhook) -> Entry {
    audit::entry(Actor::System, "webhook.changed", &webhook.id, Vec::new())
}
