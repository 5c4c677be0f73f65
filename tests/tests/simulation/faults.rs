//! What goes wrong: how often each kind of fault comes up in a simulation. Each has faults of some
//! kinds only, so that no kind hides another; some have none at all.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::clock;
use tests::fake::{Call, FaultPlan, sqs::MAX_RECEIVED};

use super::{
    batch::ClockError,
    chance::{below, between, happens, one_of},
};

/// How often each kind of fault comes up, in ten thousand calls or messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Faults {
    /// The process ends at a call, before or after it took effect.
    pub(super) crashes: u64,
    /// A call takes effect, and its answer is lost.
    lost: u64,
    /// A call fails without effect.
    fails: u64,
    /// A batch is taken by half, a transaction meets another one.
    partial: u64,
    /// A call takes seconds.
    slow: u64,
    /// A message is there twice.
    pub(super) copies: u64,
    /// A message comes late.
    pub(super) late: u64,
    /// A message that was worked on is not deleted.
    pub(super) undeleted: u64,
    /// An awaited message of the queue `retries` is purged.
    pub(super) purged: u64,
    /// The most that a clock is off while a batch is worked on, in milliseconds.
    pub(super) skew: u64,
    /// After how many receives a message is a dead letter.
    pub(super) receives: u32,
    /// Dead letters of the queue `retries` are thrown away instead of being redriven by hand.
    pub(super) thrown_away: bool,
    outage: Option<Outage>,
}

/// Some operations fail for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outage {
    operations: &'static [&'static str],
    from: Timestamp,
    to: Timestamp,
}

/// What fails together: one operation, the whole table, or all of SQS that functions call.
const OUTAGES: [&[&str]; 9] = [
    &["BatchGetItem"],
    &["GetItem"],
    &["GetSecretValue"],
    &["PutItem"],
    &["SendMessage"],
    &["SendMessageBatch"],
    &["TransactWriteItems"],
    &[
        "BatchGetItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    ],
    &[
        "ChangeMessageVisibilityBatch",
        "DeleteMessage",
        "ReceiveMessage",
        "SendMessage",
        "SendMessageBatch",
    ],
];
/// After how many receives a message is a dead letter: fewer than an outage takes, or as the
/// template has it.
const RECEIVES: [u32; 3] = [5, 20, MAX_RECEIVED];
/// Errors of AWS's: those that the SDK tries again, and one that it does not.
const ERRORS: [&str; 4] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ResourceNotFoundException",
    "ThrottlingException",
];

impl Faults {
    /// None at all.
    pub(super) fn none() -> Self {
        Self {
            crashes: 0,
            lost: 0,
            fails: 0,
            partial: 0,
            slow: 0,
            copies: 0,
            late: 0,
            undeleted: 0,
            purged: 0,
            skew: 0,
            receives: MAX_RECEIVED,
            thrown_away: false,
            outage: None,
        }
    }

    /// Those of a seed.
    pub(super) fn drawn() -> Self {
        if below(10) == 0 {
            return Self::none();
        }
        let rate = |rates: &[u64]| if below(2) == 0 { 0 } else { one_of(rates) };
        let outage = (below(6) == 0).then(|| {
            let from = clock::now()
                + SignedDuration::from_secs(i64::try_from(below(3600)).expect("small"));
            let lasts = i64::try_from(between(60, 3 * 3600)).expect("small");
            Outage {
                operations: one_of(&OUTAGES),
                from,
                to: from + SignedDuration::from_secs(lasts),
            }
        });
        Self {
            crashes: rate(&[20, 100, 300]),
            lost: rate(&[20, 100, 300]),
            fails: rate(&[20, 200, 500]),
            partial: rate(&[100, 500]),
            slow: rate(&[50, 200]),
            copies: rate(&[50, 300, 1000]),
            late: rate(&[50, 300, 1000]),
            undeleted: rate(&[50, 300]),
            purged: rate(&[50, 300]),
            skew: rate(&[100, 2_000]),
            receives: one_of(&RECEIVES),
            thrown_away: below(2) == 0,
            outage,
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn end(&mut self) {
        *self = Self {
            receives: self.receives,
            ..Self::none()
        };
    }

    /// Whether calls are so slow that a function may run out of time.
    pub(super) fn slow(&self) -> bool {
        self.slow > 0
    }

    /// The fault of a call to AWS.
    pub(super) fn fault(&self, call: &Call, now: Timestamp) -> FaultPlan {
        let out = |outage: &Outage| {
            outage.operations.contains(&call.operation.as_str())
                && (outage.from..outage.to).contains(&now)
        };
        if self.outage.as_ref().is_some_and(out) {
            return FaultPlan::Fails("InternalServerError");
        }
        if happens(self.crashes) {
            return one_of(&[FaultPlan::CrashBefore, FaultPlan::CrashAfter]);
        }
        if happens(self.lost) {
            return FaultPlan::ResponseLost;
        }
        if happens(self.fails) {
            return FaultPlan::Fails(one_of(&ERRORS));
        }
        let batch = ["BatchGetItem", "SendMessageBatch", "TransactWriteItems"]
            .contains(&call.operation.as_str());
        if batch && happens(self.partial) {
            FaultPlan::Partial
        } else {
            FaultPlan::Answered
        }
    }

    /// How long a call is on its way.
    pub(super) fn latency(&self) -> Duration {
        Duration::from_millis(if happens(self.slow) {
            between(500, 8_000)
        } else {
            between(1, 20)
        })
    }

    /// How far a clock is off while a batch is worked on. In every other batch it is corrected
    /// during the work.
    pub(super) fn clock_error(&self) -> ClockError {
        let off = || {
            let off = i64::try_from(below(2 * self.skew + 1)).expect("small");
            SignedDuration::from_millis(off - i64::try_from(self.skew).expect("small"))
        };
        let first = off();
        let then = if below(2) == 0 { first } else { off() };
        ClockError {
            first,
            then,
            after: Duration::from_millis(below(2_000)),
        }
    }
}
