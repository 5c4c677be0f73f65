//! Faults: how often each kind occurs in a simulation. Each simulation has faults of some kinds
//! only, so that no kind hides another; some have none.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::clock;
use tests::fake::{Call, FaultPlan, sqs::MAX_RECEIVED};

use super::{
    batch::ClockError,
    chance::{below, between, happens, one_of},
};

/// Rate of each kind of fault, per ten thousand calls or messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Faults {
    /// The process crashes at a call, before or after it took effect.
    pub(super) crashes: u64,
    /// A call takes effect, and its response is lost.
    lost: u64,
    /// A call fails without effect.
    fails: u64,
    /// Half of a batch is left out, or a transaction conflicts with another one.
    partial: u64,
    /// A call takes seconds.
    slow: u64,
    /// A message is duplicated.
    pub(super) copies: u64,
    /// A message is delayed.
    pub(super) late: u64,
    /// A processed message is not deleted.
    pub(super) undeleted: u64,
    /// An awaited message of the queue `retries` is purged.
    pub(super) purged: u64,
    /// Maximum clock error during a batch, in milliseconds.
    pub(super) skew: u64,
    /// Maximum number of receives, after which a message is dead-lettered.
    pub(super) receives: u32,
    /// Dead letters of the queue `retries` are deleted instead of being redriven manually.
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

/// Operations that fail together: one operation, the whole table, or all of SQS that functions
/// call.
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
/// Possible maximum numbers of receives: fewer than an outage takes, or that of the template.
const RECEIVES: [u32; 3] = [5, 20, MAX_RECEIVED];
/// Errors of AWS: three that the SDK retries, and one that it does not.
const ERRORS: [&str; 4] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ResourceNotFoundException",
    "ThrottlingException",
];

impl Faults {
    /// No faults.
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

    /// Draws the faults of a simulation from its seed.
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

    /// Stops all faults.
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

    /// Draws the fault of a call to AWS.
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
            FaultPlan::NoFault
        }
    }

    /// Draws the latency of a call.
    pub(super) fn latency(&self) -> Duration {
        Duration::from_millis(if happens(self.slow) {
            between(500, 8_000)
        } else {
            between(1, 20)
        })
    }

    /// Draws the clock error of a batch. In half of the batches it changes during the work.
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
