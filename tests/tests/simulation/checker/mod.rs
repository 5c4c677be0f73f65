//! Checks the history of a simulation, and names the violated guarantee.

mod calls;
mod delays;
mod ends;
pub(super) mod live;
mod reports;
mod stops;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use domain::{
    attempt::Attempt,
    delivery::{Delivery, DeliveryTask},
    id::{DeliveryId, EventId, WebhookId},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tests::fake::{Fake, State, dynamodb::Key, expression::Item};
use tokio::time::Instant;

use self::stops::Stop;
use super::{
    faults::Faults,
    history::{EndpointCall, Records, message},
    plan::Hook,
    system::System,
};

/// A violated guarantee.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Name of the guarantee.
    guarantee: &'static str,
    /// What violated it.
    what: String,
}

impl Broken {
    /// Creates the violation of this guarantee.
    pub(super) fn new(guarantee: &'static str, what: impl fmt::Display) -> Self {
        Self {
            guarantee,
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}” was broken: {}", self.guarantee, self.what)
    }
}

/// Returns an error unless the guarantee was kept.
fn kept(kept: bool, guarantee: &'static str, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if kept {
        Ok(())
    } else {
        Err(Broken::new(guarantee, what()))
    }
}

/// State and history at the end of a simulation.
struct Past<'a> {
    hooks: &'a [Hook],
    webhooks: &'a [WebhookId],
    records: &'a Records,
    state: &'a State,
    /// The row of every delivery.
    rows: BTreeMap<DeliveryId, Delivery>,
    /// Every written version of each delivery's row, in order.
    written: BTreeMap<DeliveryId, Vec<Delivery>>,
    /// Deleted items of deliveries and attempts.
    lost: Vec<Key>,
    /// Every recorded attempt.
    attempts: BTreeMap<DeliveryId, Vec<Attempt>>,
    /// Every event: when its row was written, and its matches.
    events: BTreeMap<EventId, (Instant, Vec<WebhookId>)>,
    /// The times during which each webhook was stopped.
    stops: BTreeMap<WebhookId, Vec<Stop>>,
    /// Every message sent about a delivery, by its token.
    messages: BTreeMap<DeliveryId, BTreeMap<String, DeliveryTask>>,
    disturbances: BTreeMap<DeliveryId, usize>,
    disturbed_events: BTreeMap<EventId, usize>,
    /// Maximum clock error, in milliseconds.
    skew: u64,
    /// Whether the simulation had no faults.
    calm: bool,
}

/// Checks everything at the end. Returns the number of deliveries and of calls.
pub(super) fn check(
    system: &System,
    hooks: &[Hook],
    faults: &Faults,
) -> Result<(usize, usize), Broken> {
    live::nothing_is_left(&system.fake)?;
    let (state, records) = (system.fake.state(), system.history.records());
    let past = Past::of(&state, &records, hooks, &system.operator.webhooks, faults);
    kept(past.lost.is_empty(), "the history is kept", || {
        format!("{:?}", past.lost)
    })?;
    ends::check(&past)?;
    reports::check(&past)?;
    calls::check(&past)?;
    stops::check(&past)?;
    delays::check(&past)?;
    Ok((past.rows.len(), records.calls.len()))
}

impl<'a> Past<'a> {
    fn of(
        state: &'a State,
        records: &'a Records,
        hooks: &'a [Hook],
        webhooks: &'a [WebhookId],
        faults: &Faults,
    ) -> Self {
        let (mut written, mut events) = (BTreeMap::<_, Vec<Delivery>>::new(), BTreeMap::new());
        let (mut attempts, mut lost) = (BTreeMap::<_, Vec<Attempt>>::new(), Vec::new());
        for made in state.table.writes() {
            let Some(item) = &made.item else {
                lost.extend(
                    (is_delivery(&made.key) || is_attempt(&made.key)).then(|| made.key.clone()),
                );
                continue;
            };
            if is_delivery(&made.key) {
                let row: Delivery = read(item);
                written.entry(row.id).or_default().push(row);
            } else if made.key.0.starts_with("events#") {
                let matches = plain(item)["matches"].clone();
                let id = format!("evt_{}", made.key.1)
                    .parse()
                    .expect("an event's id");
                events.insert(
                    id,
                    (made.at, serde_json::from_value(matches).expect("matches")),
                );
            } else if let Some(id) = made.key.0.strip_prefix("attempts#") {
                attempts
                    .entry(id.parse().expect("a delivery's id"))
                    .or_default()
                    .push(read(item));
            }
        }
        let rows: BTreeMap<_, _> = written
            .iter()
            .map(|(id, rows)| (*id, rows[rows.len() - 1].clone()))
            .collect();
        for (id, row) in &rows {
            let later = attempts.remove(id).unwrap_or_default();
            attempts.insert(
                *id,
                row.first_attempt.iter().cloned().chain(later).collect(),
            );
        }
        let mut messages = BTreeMap::<_, BTreeMap<_, _>>::new();
        for message in state.queues.sent().iter().filter_map(message) {
            messages
                .entry(message.delivery)
                .or_default()
                .insert(message.attempt.id.token.clone(), message);
        }
        let stops = webhooks
            .iter()
            .map(|webhook| (*webhook, stops::stops(state, *webhook)))
            .collect();
        let (skew, calm) = (faults.skew, *faults == Faults::none());
        let (disturbances, disturbed_events) = (records.disturbances(), records.disturbed_events());
        Self {
            hooks,
            webhooks,
            records,
            state,
            rows,
            written,
            lost,
            attempts,
            events,
            stops,
            messages,
            disturbances,
            disturbed_events,
            skew,
            calm,
        }
    }

    fn hook(&self, webhook: WebhookId) -> &Hook {
        let at = self
            .webhooks
            .iter()
            .position(|known| *known == webhook)
            .expect("a webhook of the plan");
        &self.hooks[at]
    }

    fn attempts(&self, id: DeliveryId) -> &[Attempt] {
        self.attempts.get(&id).map_or(&[], Vec::as_slice)
    }

    fn messages(&self, id: DeliveryId) -> &BTreeMap<String, DeliveryTask> {
        static NONE: BTreeMap<String, DeliveryTask> = BTreeMap::new();
        self.messages.get(&id).unwrap_or(&NONE)
    }

    /// Maximum difference between two clocks.
    fn slack(&self) -> Duration {
        Duration::from_millis(2 * self.skew)
    }

    /// The number of a delivery's calls that may be unrecorded: those of work with faults, and
    /// those requested by several messages.
    fn allowance(&self, id: DeliveryId, calls: &[&EndpointCall]) -> usize {
        let messages = self.messages(id);
        let numbers: BTreeSet<u32> = messages
            .values()
            .map(|message| message.attempt.id.number)
            .collect();
        let may_be_duplicates = !self.calm || self.records.retried.contains_key(&id);
        let duplicates = if may_be_duplicates {
            messages.len() - numbers.len()
        } else {
            0
        };
        let disturbed = calls
            .iter()
            .filter(|call| self.records.work[call.by].faults > 0)
            .count();
        // If the response to a send is lost, the SDK sends the same messages again, including
        // duplicates.
        let sent_again = self.disturbances.get(&id).copied().unwrap_or(0)
            + self.disturbed_events.get(&id.event).copied().unwrap_or(0);
        let copies = self.records.copies.get(&id).copied().unwrap_or(0);
        disturbed + (1 + duplicates) * (1 + sent_again) - 1 + copies
    }
}

/// The rows of the deliveries that await another attempt.
pub(super) fn waiting(fake: &Fake) -> Vec<Delivery> {
    let state = fake.state();
    let rows = state
        .table
        .items()
        .iter()
        .filter(|(key, _)| is_delivery(key))
        .map(|(_, item)| item);
    rows.filter(|item| item["status"]["S"] == "retrying")
        .map(read)
        .collect()
}

/// Every delivery that has a row.
pub(super) fn known(fake: &Fake) -> Vec<DeliveryId> {
    let state = fake.state();
    let rows = state
        .table
        .items()
        .iter()
        .filter(|(key, _)| is_delivery(key));
    rows.map(|(_, item)| {
        item["id"]["S"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("a delivery's id")
    })
    .collect()
}

fn is_delivery(key: &Key) -> bool {
    key.0.starts_with("deliveries#")
}

fn is_attempt(key: &Key) -> bool {
    key.0.starts_with("attempts#")
}

fn read<T: DeserializeOwned>(item: &Item) -> T {
    serde_json::from_value(plain(item)).expect("an item of this shape")
}

/// An item without DynamoDB's type descriptors.
fn plain(item: &Item) -> Value {
    Value::Object(
        item.iter()
            .map(|(name, value)| (name.clone(), untyped(value)))
            .collect::<Map<_, _>>(),
    )
}

fn untyped(value: &Value) -> Value {
    let (kind, value) = value
        .as_object()
        .and_then(|typed| typed.iter().next())
        .expect("a typed value");
    match (kind.as_str(), value) {
        ("N", Value::String(digits)) => serde_json::from_str(digits).expect("a number"),
        ("L", Value::Array(list)) => list.iter().map(untyped).collect(),
        ("M", Value::Object(map)) => plain(map),
        ("NULL", _) => Value::Null,
        (_, value) => value.clone(),
    }
}
