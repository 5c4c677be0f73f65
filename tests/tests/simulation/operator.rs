//! External actions: publishing events, changing webhooks, manual retries, redriving dead letters,
//! and the sweeper's schedule.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use domain::{
    delivery::Status,
    event::Event,
    id::{DeliveryId, WebhookId},
    pattern::EventType,
    signature::SigningSecret,
    webhook::{Settings, Webhook},
};
use futures::future::LocalBoxFuture;
use platform::{
    clock,
    keyring::KeyringCache,
    queue::{OutgoingMessage, Queue, ascii_json},
    random,
    table::Table,
};
use serde_json::json;
use tests::fake::{
    Fake,
    functions::{self, Clients},
    sqs::{Message, Name},
    system::{allow, deadline, entry},
};
use tokio::time::Instant;

use super::{
    chance::one_of,
    checker::{known, waiting},
    history::{Accepted, History, RUNNING, Running, message},
    plan::{Action, Hook},
    system::Done,
};

/// Performs the actions.
pub(super) struct Operator {
    /// The webhooks, in the order of the plan.
    pub(super) webhooks: Vec<WebhookId>,
    fake: Fake,
    history: History,
    table: Table,
    keys: KeyringCache,
    events: Queue,
    deliveries: Queue,
    sweeper: sweeper::App,
}

impl Operator {
    /// Creates an operator and these webhooks.
    pub(super) async fn open(fake: &Fake, history: &History, hooks: &[Hook]) -> Self {
        let clients = Clients::new(fake);
        let (table, keys) = (clients.table(), clients.keys());
        keys.bootstrap().await.expect("a keyring");
        let mut webhooks = Vec::new();
        for hook in hooks {
            let (settings, _) = Settings::parse(hook.settings.clone(), &allow()).expect("settings");
            let webhook = Webhook::new(
                random::id(),
                settings,
                SigningSecret::generated(random::bytes()),
                clock::now(),
            );
            table
                .create_webhook(&webhook, &keys, &[entry(&webhook)])
                .await
                .expect("created");
            webhooks.push(webhook.id);
        }
        let sweeper = functions::sweeper(fake, table.clone());
        let (events, deliveries) = (clients.queue(Name::Events), clients.queue(Name::Deliveries));
        Self {
            webhooks,
            fake: fake.clone(),
            history: history.clone(),
            table,
            keys,
            events,
            deliveries,
            sweeper,
        }
    }

    /// Performs an action. Actions that fail or whose process crashes are not repeated.
    pub(super) fn act(
        self: Rc<Self>,
        action: Action,
        throw_away: bool,
    ) -> LocalBoxFuture<'static, Done> {
        Box::pin(async move {
            match action {
                Action::Publish(kind, n) => self.publish(kind, n).await,
                Action::Disable(hook) => self.switch(hook, false).await,
                Action::Enable(hook) => self.switch(hook, true).await,
                Action::Delete(hook) => self.delete(hook).await,
                Action::Retry => self.retry().await,
                Action::Redrive => self.redrive(throw_away),
            }
            Done::Action
        })
    }

    /// Runs the sweeper.
    pub(super) fn sweep(self: Rc<Self>) -> LocalBoxFuture<'static, Done> {
        Box::pin(async move {
            let request = sweeper::Request {
                now: clock::now().to_string(),
            };
            let found = self.fake.state().queues.on(Name::Dead);
            let running = self.history.begin_batch(&found);
            let (swept, faults) = self
                .process_as(
                    running,
                    sweeper::handle(&self.sweeper, &request, deadline()),
                )
                .await;
            let left = self.fake.state().queues.on(Name::Dead);
            let is_left = |letter: &Message| {
                letter.should_redrive() && left.iter().any(|left| left.id == letter.id)
            };
            let well = faults == 0 && swept.is_some_and(|swept| swept.is_ok());
            Done::Sweep {
                well,
                left: found.into_iter().filter(is_left).collect(),
            }
        })
    }

    /// Runs some work. Returns its result, unless its process crashed, and the number of faults.
    fn process<'a, T: 'a>(
        &'a self,
        deliveries: BTreeSet<DeliveryId>,
        work: impl Future<Output = T> + 'a,
    ) -> LocalBoxFuture<'a, (Option<T>, usize)> {
        self.process_as(self.history.begin(deliveries), work)
    }

    fn process_as<'a, T: 'a>(
        &'a self,
        running: Arc<Running>,
        work: impl Future<Output = T> + 'a,
    ) -> LocalBoxFuture<'a, (Option<T>, usize)> {
        let done = RUNNING.scope(Arc::clone(&running), async move {
            let running = RUNNING.with(Arc::clone);
            tokio::select! {
                biased;
                () = running.crash.notified() => None,
                done = work => Some(done),
            }
        });
        Box::pin(async move {
            let done = done.await;
            (done, self.history.records().work[running.number].faults)
        })
    }

    async fn publish(&self, kind: &str, n: u64) {
        let kind = EventType::parse(kind).expect("a type");
        let event = Event {
            id: random::id(),
            kind,
            timestamp: clock::now(),
            data: json!({"n": n}),
            hops: 0,
        };
        let at = Instant::now();
        let body = ascii_json(&event).expect("JSON");
        let sent = self.process(
            BTreeSet::new(),
            self.events.send(OutgoingMessage {
                body,
                delay_seconds: 0,
                group: None,
            }),
        );
        if let (Some(Ok(())), _) = sent.await {
            self.history.records().accepted.push(Accepted { event, at });
        }
    }

    async fn switch(&self, hook: usize, enabled: bool) {
        let changed = self.process(BTreeSet::new(), async {
            let Some(before) = self.table.webhook(self.webhooks[hook], &self.keys).await? else {
                return Ok(());
            };
            // Already in this state: Tieline disabled it, or an earlier request failed.
            if before.settings.enabled == enabled {
                return Ok(());
            }
            let settings = Settings {
                enabled,
                ..before.settings.clone()
            };
            let after = before.clone().changed(settings, clock::now());
            self.table
                .update_webhook(&before, &after, &self.keys, &entry(&after))
                .await
        });
        changed.await;
    }

    async fn delete(&self, hook: usize) {
        let deleted = self.process(BTreeSet::new(), async {
            match self.table.webhook(self.webhooks[hook], &self.keys).await? {
                Some(webhook) => self.table.delete_webhook(&webhook, &entry(&webhook)).await,
                None => Ok(()),
            }
        });
        deleted.await;
    }

    /// Retries a delivery that has a row, as the API does.
    async fn retry(&self) {
        let known = known(&self.fake);
        if known.is_empty() {
            return;
        }
        let id = one_of(&known);
        let at = Instant::now();
        let asked = self.process(BTreeSet::from([id]), async {
            let Ok(Some(was)) = self.table.delivery(id).await else {
                return false;
            };
            let now = clock::now();
            let Ok(cancellations) = self.table.cancellations([id.webhook]).await else {
                return false;
            };
            if was.status == Status::Pending || cancellations.of(id.webhook).includes(now) {
                return false;
            }
            {
                let mut records = self.history.records();
                records.retried.entry(id).or_default().push(at);
                records.may_be_lost.insert(id);
            }
            let asked = config_api::retry::requeue(
                &self.table,
                &self.deliveries,
                was.clone(),
                Some(&was),
                0,
                now,
            );
            matches!(asked.await, Ok(Some(_)))
        });
        if let (Some(true), _) = asked.await {
            self.history.records().may_be_lost.remove(&id);
        }
    }

    /// Moves the dead letters back to their queues, or deletes those that the sweeper compensates
    /// for.
    pub(super) fn redrive(&self, throw_away: bool) {
        let awaited = waiting(&self.fake)
            .into_iter()
            .filter_map(|row| Some((row.id, row.progress.awaited?.id)));
        let awaited: Vec<_> = awaited.collect();
        let mut state = self.fake.state();
        for dead in state.queues.on(Name::Dead) {
            let queue = match message(&dead) {
                None => Name::Events,
                Some(message)
                    if throw_away
                        && awaited.contains(&(message.delivery, message.attempt.id.clone())) =>
                {
                    self.history.records().may_be_lost.insert(message.delivery);
                    state.queues.delete(&BTreeSet::from([dead.id.as_str()]));
                    continue;
                }
                Some(message) if message.attempt.id.number == 1 => Name::Deliveries,
                Some(_) => Name::Retries,
            };
            self.history.records().failed_receives.remove(&dead.id);
            state.queues.redrive(&dead.id, queue, clock::now());
        }
    }
}
