//! The running system: processes of the functions receive batches concurrently, crash as the faults
//! require, and are replaced. The sweeper runs once an hour. Time is tokio's, which jumps to the
//! next timer.

mod finish;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use domain::id::WebhookId;
use futures::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use platform::{clock, egress::Egress};
use serde_json::{Map, Value};
use tests::fake::{
    Fake, FaultPlan,
    functions::workers,
    sqs::{Message, Name},
    system::allow,
};
use tokio::time::{Instant, sleep};

use super::{
    batch::{Process, work},
    chance::{below, one_of},
    checker::{Broken, live},
    endpoint::network,
    faults::Faults,
    history::{History, RUNNING},
    operator::Operator,
    plan::{Hook, Timeline},
};

/// The system.
pub(super) struct System {
    /// The fakes of AWS.
    pub(super) fake: Fake,
    /// The recorded history.
    pub(super) history: History,
    /// The current faults.
    pub(super) faults: Arc<Mutex<Faults>>,
    /// The source of external actions.
    pub(super) operator: Rc<Operator>,
    egress: Egress,
    idle: Vec<Process>,
    /// Number of batches in progress, by queue.
    busy: [usize; 3],
    /// Number of sent messages processed so far.
    seen: usize,
    next_sweep: Timestamp,
    window: Duration,
}

/// Finished work.
pub(super) enum Done {
    /// A batch, with the process unless it crashed, and the IDs of the failed messages.
    Batch {
        queue: Name,
        batch: Vec<Message>,
        process: Option<(Process, BTreeSet<String>)>,
        faults: usize,
        in_time: bool,
    },
    /// A run of the sweeper: whether it had no faults, and the dead letters that it should have
    /// redriven but did not.
    Sweep { well: bool, left: Vec<Message> },
    /// An external action.
    Action,
}

type Going = FuturesUnordered<LocalBoxFuture<'static, Done>>;

const QUEUES: [Name; 3] = [Name::Events, Name::Deliveries, Name::Retries];
/// Maximum number of processes per queue.
const MAX_BUSY: usize = 3;
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How long a batch waits for more messages after its first one, in milliseconds.
const WINDOWS: [u64; 3] = [100, 1_000, 4_000];
/// More batches than any simulation needs.
const MAX_BATCHES: usize = 20_000;

impl System {
    /// Creates a system with these webhooks.
    pub(super) async fn new(hooks: &[Hook], faults: Faults) -> Self {
        let fake = Fake::default();
        fake.state().queues.set_max_receives(faults.receives);
        fake.state().since = Some((clock::now(), Instant::now()));
        let (history, faults) = (History::default(), Arc::new(Mutex::new(faults)));
        let behaviors: Vec<_> = hooks
            .iter()
            .map(|hook| (hook.name.clone(), hook.behavior))
            .collect();
        let behavior = move |name: &str| {
            behaviors
                .iter()
                .find(|(known, _)| known == name)
                .expect("a webhook")
                .1
        };
        let egress = Egress::over(
            allow(),
            network(history.clone(), Arc::clone(&faults), behavior),
        );
        let operator = Rc::new(Operator::open(&fake, &history, hooks).await);
        let next_sweep = clock::now() + SWEEP_EVERY;
        let window = Duration::from_millis(one_of(&WINDOWS));
        let system = Self {
            fake,
            history,
            faults,
            operator,
            egress,
            idle: Vec::new(),
            busy: [0; 3],
            seen: 0,
            next_sweep,
            window,
        };
        system.plan();
        system
    }

    /// Draws the faults of all later calls.
    fn plan(&self) {
        let (history, faults) = (self.history.clone(), Arc::clone(&self.faults));
        let started = (clock::now(), Instant::now());
        self.fake.plan(move |call| {
            let Ok(running) = RUNNING.try_with(Arc::clone) else {
                return FaultPlan::NoFault;
            };
            if call.operation == "BatchGetItem" {
                let read = webhooks(&call.request).map(|webhook| (webhook, Instant::now()));
                history.records().work[running.number].reads.extend(read);
            }
            if let Some(partition) = superseding(&call.request) {
                let look = (partition.to_owned(), Instant::now());
                history.records().work[running.number].looks.push(look);
            }
            let now = started.0 + SignedDuration::try_from(started.1.elapsed()).expect("short");
            let fault = faults
                .lock()
                .expect("the lock is not poisoned")
                .fault(call, now);
            if fault != FaultPlan::NoFault {
                history.fault(&running);
            }
            if [FaultPlan::CrashBefore, FaultPlan::CrashAfter].contains(&fault) {
                running.crash.notify_one();
            }
            fault
        });
        let faults = Arc::clone(&self.faults);
        self.fake
            .latency(move || Some(faults.lock().expect("the lock is not poisoned").latency()));
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("the lock is not poisoned")
    }

    /// Works until nothing is left to do.
    pub(super) async fn run(&mut self, mut timeline: Timeline) -> Result<(), Broken> {
        let mut going = Going::new();
        let mut batches = 0;
        loop {
            let now = clock::now();
            while timeline.front().is_some_and(|(at, _)| *at <= now) {
                let (_, action) = timeline.pop_front().expect("an action");
                going.push(Rc::clone(&self.operator).act(action, self.faults().thrown_away));
            }
            if self
                .fake
                .state()
                .queues
                .next()
                .is_some_and(|(at, _)| at <= now)
            {
                batches += self.receive(&mut going);
            }
            if batches > MAX_BATCHES {
                return Err(Broken::new(
                    "the simulation ends",
                    "the queues are never empty",
                ));
            }
            let message = self.fake.state().queues.next().map(|(at, _)| at);
            if going.is_empty() && timeline.is_empty() && message.is_none() {
                return Ok(());
            }
            if self.next_sweep <= now {
                self.next_sweep = now + SWEEP_EVERY;
                live::nothing_is_stranded(&self.fake, &self.history)?;
                going.push(Rc::clone(&self.operator).sweep());
            }
            // Messages that are already visible wait for a process, not for a time.
            let next = [
                timeline.front().map(|(at, _)| *at),
                message.filter(|at| *at > now),
                Some(self.next_sweep),
            ];
            let wait = next
                .into_iter()
                .flatten()
                .min()
                .expect("a sweep")
                .duration_since(now);
            let wait = Duration::try_from(wait).unwrap_or_default() + self.window;
            tokio::select! {
                biased;
                Some(done) = going.next() => self.finish(done)?,
                () = sleep(wait) => {}
            }
        }
    }

    /// Stops all faults, re-drives the dead letters, and works until nothing is left to do. The
    /// sweeper finds deliveries whose message was lost.
    pub(super) async fn settle(&mut self) -> Result<(), Broken> {
        live::nothing_is_stranded(&self.fake, &self.history)?;
        let thrown_away = self.faults().thrown_away;
        self.faults().end();
        self.run(Timeline::new()).await?;
        // The sweeper re-drives dead letters of an outage. Those that it has redriven three times
        // need an operator.
        sleep(Duration::from_hours(1)).await;
        let swept = Rc::clone(&self.operator).sweep().await;
        self.finish(swept)?;
        self.operator.redrive(thrown_away);
        self.run(Timeline::new()).await?;
        live::nothing_is_stranded(&self.fake, &self.history)?;
        // An overdue delivery counts as lost after an hour, and no delay is longer than two.
        sleep(Duration::from_hours(4)).await;
        match Rc::clone(&self.operator).sweep().await {
            Done::Sweep { well: true, left } if left.is_empty() => self.run(Timeline::new()).await,
            Done::Sweep { left, .. } => Err(Broken::new(
                "the sweeper succeeds without faults",
                format!("{left:?}"),
            )),
            Done::Batch { .. } | Done::Action => unreachable!("it is a sweep"),
        }
    }

    /// Fingerprint of the history.
    pub(super) fn mark(&self) -> u64 {
        let (state, records) = (self.fake.state(), self.history.records());
        let mut mark = DefaultHasher::new();
        for sent in state.queues.sent() {
            (&sent.body, sent.visible_at).hash(&mut mark);
        }
        for call in &records.calls {
            (&call.name, &call.webhook_id, call.by, call.response).hash(&mut mark);
        }
        for made in state.table.writes() {
            (
                &made.key,
                made.item.as_ref().map(|item| format!("{item:?}")),
            )
                .hash(&mut mark);
        }
        (records.work.len(), clock::now()).hash(&mut mark);
        mark.finish()
    }

    /// Starts work on the visible messages. Returns the number of batches.
    fn receive(&mut self, going: &mut Going) -> usize {
        let mut batches = 0;
        for (index, queue) in QUEUES.into_iter().enumerate() {
            while self.busy[index] < MAX_BUSY {
                let batch = {
                    let mut state = self.fake.state();
                    state
                        .queues
                        .rotate(usize::try_from(below(1 << 20)).expect("small"));
                    state.queues.receive(queue, clock::now())
                };
                if batch.is_empty() {
                    break;
                }
                self.busy[index] += 1;
                batches += 1;
                let process = self
                    .idle
                    .pop()
                    .unwrap_or_else(|| Box::new(workers(&self.fake, &self.egress)));
                let clock_error = self.faults().clock_error();
                going.push(Box::pin(work(
                    self.history.clone(),
                    process,
                    clock_error,
                    queue,
                    batch,
                )));
            }
        }
        batches
    }
}

/// The webhooks whose rows a `BatchGetItem` reads.
fn webhooks(request: &Value) -> impl Iterator<Item = WebhookId> {
    let tables = request["RequestItems"]
        .as_object()
        .into_iter()
        .flat_map(Map::values);
    let keys = tables
        .filter_map(|table| table["Keys"].as_array())
        .flatten();
    keys.filter_map(|key| {
        key["pk"]["S"]
            .as_str()?
            .strip_prefix("webhook#")?
            .parse()
            .ok()
    })
}

/// The partition of events that end delays, if a `Query` reads one.
fn superseding(request: &Value) -> Option<&str> {
    let partition = request["ExpressionAttributeValues"][":pk"]["S"].as_str()?;
    partition.starts_with("superseding#").then_some(partition)
}
