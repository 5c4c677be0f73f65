//! Follow-up of finished work: messages are deleted, copied, delayed or moved.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tests::fake::sqs::{Message, Name};

use super::{
    super::{
        batch::Process,
        chance::{below, happens},
        checker::{Broken, live, waiting},
        faults::Faults,
        history::message,
    },
    Done, QUEUES, System,
};

impl System {
    pub(super) fn finish(&mut self, done: Done) -> Result<(), Broken> {
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
                        "no invocation exceeds its timeout",
                        format!("{batch:?}"),
                    ));
                }
                self.finish_batch(queue, &batch, process, faults);
            }
            Done::Sweep { well: true, left } => {
                if let Some(left) = left.first().filter(|_| !self.faults().slow()) {
                    return Err(Broken::new(
                        "dead letters of an outage are redriven",
                        format!("{left:?}"),
                    ));
                }
                live::one_chain_each(&self.fake, &self.history)?;
            }
            Done::Sweep { well: false, .. } | Done::Action => {}
        }
        self.disturb();
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
            // If calls are slow, work that does not fit the invocation is returned to the queue.
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

    /// Copies some of the sent messages, and delays some.
    fn disturb(&mut self) {
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

    /// Removes the awaited ones among these messages. The sweeper has to find their deliveries.
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
