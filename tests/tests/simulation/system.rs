//! The system at work: processes of the functions take batches off the queues side by side, end
//! where the faults say so, and are followed by others; once an hour the sweeper comes by. Time is
//! tokio's, which leaps to whatever comes next.

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
    chance::{below, happens, one_of},
    checker::{Broken, live, waiting},
    endpoint::network,
    faults::Faults,
    history::{History, RUNNING, message},
    operator::Operator,
    plan::{Hook, Timeline},
};

/// The system.
pub(super) struct System {
    /// Its services.
    pub(super) fake: Fake,
    /// What happened.
    pub(super) history: History,
    /// What goes wrong.
    pub(super) faults: Arc<Mutex<Faults>>,
    /// What is done from outside.
    pub(super) operator: Rc<Operator>,
    egress: Egress,
    idle: Vec<Process>,
    /// How many batches of each queue are worked on.
    busy: [usize; 3],
    /// How many of the messages that were sent are known.
    seen: usize,
    next_sweep: Timestamp,
    window: Duration,
}

/// What has come to its end.
pub(super) enum Done {
    /// A batch; the process, unless it ended, and the ids of what failed.
    Batch {
        queue: Name,
        batch: Vec<Message>,
        process: Option<(Process, BTreeSet<String>)>,
        faults: usize,
        in_time: bool,
    },
    /// A run of the sweeper: whether nothing went wrong, and which of the dead letters that it
    /// found it should have sent back.
    Sweep { well: bool, left: Vec<Message> },
    /// Something from outside.
    Action,
}

type Going = FuturesUnordered<LocalBoxFuture<'static, Done>>;

const QUEUES: [Name; 3] = [Name::Events, Name::Deliveries, Name::Retries];
/// How many processes work on one queue.
const MAX_BUSY: usize = 3;
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How long a message is waited for after the first of a batch, so that batches fill, in
/// milliseconds.
const WINDOWS: [u64; 3] = [100, 1_000, 4_000];
/// More batches than any simulation needs.
const MAX_BATCHES: usize = 20_000;

impl System {
    /// A new system with these webhooks.
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

    /// Lets faults decide about calls from now on.
    fn plan(&self) {
        let (history, faults) = (self.history.clone(), Arc::clone(&self.faults));
        let started = (clock::now(), Instant::now());
        self.fake.plan(move |call| {
            let Ok(running) = RUNNING.try_with(Arc::clone) else {
                return FaultPlan::Answered;
            };
            if call.operation == "BatchGetItem" {
                let read = webhooks(&call.request).map(|webhook| (webhook, Instant::now()));
                history.records().work[running.number].reads.extend(read);
            }
            let now = started.0 + SignedDuration::try_from(started.1.elapsed()).expect("short");
            let fault = faults
                .lock()
                .expect("the lock is not poisoned")
                .fault(call, now);
            if fault != FaultPlan::Answered {
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
                return Err(Broken::new("it ends", "the queues are never empty"));
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
            // What is visible by now waits for a process, not for its time.
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
        // The sweeper re-drives what an outage left; messages that came back too often need an
        // operator.
        sleep(Duration::from_hours(1)).await;
        let swept = Rc::clone(&self.operator).sweep().await;
        self.finish(swept)?;
        self.operator.redrive(thrown_away);
        self.run(Timeline::new()).await?;
        live::nothing_is_stranded(&self.fake, &self.history)?;
        // What is overdue by an hour counts as lost; no delay is longer than two.
        sleep(Duration::from_hours(4)).await;
        match Rc::clone(&self.operator).sweep().await {
            Done::Sweep { well: true, left } if left.is_empty() => self.run(Timeline::new()).await,
            Done::Sweep { left, .. } => Err(Broken::new(
                "the sweeper runs where nothing goes wrong",
                format!("{left:?}"),
            )),
            Done::Batch { .. } | Done::Action => unreachable!("it is a sweep"),
        }
    }

    /// What tells this history from another.
    pub(super) fn mark(&self) -> u64 {
        let (state, records) = (self.fake.state(), self.history.records());
        let mut mark = DefaultHasher::new();
        for sent in state.queues.sent() {
            (&sent.body, sent.visible_at).hash(&mut mark);
        }
        for call in &records.calls {
            (&call.name, &call.webhook_id, call.by, call.answered).hash(&mut mark);
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

    /// Begins to work on what has come, and returns how many batches that are.
    fn receive(&mut self, going: &mut Going) -> usize {
        let mut batches = 0;
        for (index, queue) in QUEUES.into_iter().enumerate() {
            while self.busy[index] < MAX_BUSY {
                let batch = {
                    let mut state = self.fake.state();
                    state
                        .queues
                        .turn(usize::try_from(below(1 << 20)).expect("small"));
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

    fn finish(&mut self, done: Done) -> Result<(), Broken> {
        match done {
            Done::Batch {
                queue,
                batch,
                process,
                faults,
                in_time,
            } => {
                if !in_time && !self.faults().slow() {
                    return Err(Broken::new(
                        "no function runs out of time",
                        format!("{batch:?}"),
                    ));
                }
                self.finish_batch(queue, &batch, process, faults);
            }
            Done::Sweep { well: true, left } => {
                if let Some(left) = left.first().filter(|_| !self.faults().slow()) {
                    return Err(Broken::new(
                        "dead letters of an outage are sent back",
                        format!("{left:?}"),
                    ));
                }
                live::one_chain_each(&self.fake, &self.history)?;
            }
            Done::Sweep { well: false, .. } | Done::Action => {}
        }
        self.meddle();
        Ok(())
    }

    fn finish_batch(
        &mut self,
        queue: Name,
        batch: &[Message],
        process: Option<(Process, BTreeSet<String>)>,
        faults: usize,
    ) {
        self.busy[QUEUES
            .iter()
            .position(|name| *name == queue)
            .expect("a queue")] -= 1;
        let mut state = self.fake.state();
        state.calls.clear();
        let failed = process.as_ref().map(|(_, failed)| failed);
        for message in batch {
            // Where calls are slow, what does not fit the invocation is handed back.
            let handed_back =
                self.faults().slow() && failed.is_some_and(|failed| failed.contains(&message.id));
            if faults > 0 || handed_back {
                *self
                    .history
                    .records()
                    .failed_receives
                    .entry(message.id.clone())
                    .or_default() += 1;
            }
        }
        let Some((process, failed)) = process else {
            return;
        };
        self.idle.push(process);
        let undeleted = self
            .faults
            .lock()
            .expect("the lock is not poisoned")
            .undeleted;
        let mut done = BTreeSet::new();
        for worked_on in batch.iter().filter(|message| !failed.contains(&message.id)) {
            if happens(undeleted) {
                self.history
                    .records()
                    .record_redelivery(worked_on, faults == 0);
            } else {
                done.insert(worked_on.id.as_str());
            }
        }
        state.queues.delete(&done);
    }

    /// Copies some of the messages that were sent, and keeps some back.
    fn meddle(&mut self) {
        let Faults {
            copies,
            late,
            purged,
            ..
        } = *self.faults();
        let mut purge = Vec::new();
        let mut state = self.fake.state();
        let later = |most: u64| {
            SignedDuration::from_millis(i64::try_from(below(most * 1_000)).expect("small"))
        };
        for index in self.seen..state.queues.sent().len() {
            let mut sent = state.queues.sent()[index].clone();
            if sent.queue == Name::Retries && happens(purged) {
                purge.push(sent);
                continue;
            }
            if happens(late) {
                let until = sent.visible_at + later(if below(4) == 0 { 20_000 } else { 60 });
                state.queues.hide_until(&sent.id, until);
            }
            if happens(copies) {
                self.history.records().record_copy(&sent);
                sent.visible_at += if below(2) == 0 {
                    SignedDuration::ZERO
                } else {
                    later(20_000)
                };
                state.queues.copy(&sent);
            }
        }
        self.seen = state.queues.sent().len();
        drop(state);
        if !purge.is_empty() {
            self.purge(&purge);
        }
    }

    /// Removes those of these messages that are awaited: the sweeper is to find out.
    fn purge(&self, messages: &[Message]) {
        let awaited: Vec<_> = waiting(&self.fake)
            .into_iter()
            .filter_map(|row| Some((row.id, row.progress.awaited?.id)))
            .collect();
        for queued in messages {
            let Some(message) = message(queued) else {
                continue;
            };
            if awaited.contains(&(message.delivery, message.attempt.id)) {
                self.history.records().may_be_lost.insert(message.delivery);
                self.fake
                    .state()
                    .queues
                    .delete(&BTreeSet::from([queued.id.as_str()]));
            }
        }
    }
}

/// The webhooks of which a `BatchGetItem` reads the rows.
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
