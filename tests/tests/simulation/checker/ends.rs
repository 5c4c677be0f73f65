//! Every accepted event is dispatched to the webhooks that it matches, and each of its deliveries
//! ends with a complete history.

use domain::{
    attempt::Attempt,
    delivery::{Cancellation, Delivery, Status},
    id::{DeliveryId, EventId},
};
use jiff::{SignedDuration, Timestamp};
use tests::fake::sqs::Name;

use super::{Broken, Past, kept};
use crate::plan::{Hook, WATCHERS};

pub(super) fn check(past: &Past<'_>) -> Result<(), Broken> {
    every_event_is_dispatched(past)?;
    for (event, (_, matches)) in &past.events {
        for webhook in matches {
            let id = DeliveryId {
                event: *event,
                webhook: *webhook,
            };
            let row = past.rows.get(&id);
            let row = row.ok_or_else(|| {
                Broken::new("what matched is delivered", format!("{id} has no history"))
            })?;
            ended(past, row)?;
        }
    }
    for (id, rows) in &past.written {
        kept(
            past.events
                .get(&id.event)
                .is_some_and(|(_, matches)| matches.contains(&id.webhook)),
            "only matching events are delivered",
            || id.to_string(),
        )?;
        recorded_once(past, *id, rows)?;
    }
    Ok(())
}

fn every_event_is_dispatched(past: &Past<'_>) -> Result<(), Broken> {
    let dispatched = |id: EventId| {
        let found = past.events.get(&id);
        found.ok_or_else(|| Broken::new("what is accepted is dispatched", id))
    };
    for sent in past
        .state
        .queues
        .sent()
        .iter()
        .filter(|sent| sent.queue == Name::Events)
    {
        let event = sent.json();
        let (_, matches) = dispatched(
            event["id"]
                .as_str()
                .expect("an id")
                .parse()
                .expect("an event's id"),
        )?;
        let news = event["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("webhook."));
        let reported = past
            .webhooks
            .iter()
            .take(WATCHERS)
            .all(|watcher| matches.contains(watcher));
        kept(
            reported || !news,
            "watching webhooks get the events about webhooks",
            || sent.body.clone(),
        )?;
    }
    for accepted in &past.records.accepted {
        let (at, matches) = dispatched(accepted.event.id)?;
        for (hook, webhook) in past.hooks.iter().zip(past.webhooks) {
            let wanted = hook.settings["events"][0] == accepted.event.kind.as_str()
                && hook
                    .wants
                    .is_none_or(|wanted| accepted.event.data["n"] == wanted);
            let gets = matches.contains(webhook);
            let stops = &past.stops[webhook];
            let gone = stops
                .iter()
                .any(|stop| stop.at < accepted.at && stop.until.is_none());
            let what = || format!("{} and {}", accepted.event.id, hook.name);
            kept(
                wanted || !gets,
                "an event is sent only to matching webhooks",
                what,
            )?;
            let stopped = stops
                .iter()
                .any(|stop| stop.at <= *at && stop.until.is_none_or(|until| until >= accepted.at));
            kept(
                gets || !wanted || stopped,
                "an event is sent to every matching webhook",
                what,
            )?;
            kept(
                !gets || !gone,
                "an event is not sent to webhooks stopped before it",
                what,
            )?;
        }
    }
    Ok(())
}

fn ended(past: &Past<'_>, row: &Delivery) -> Result<(), Broken> {
    let attempts = past.attempts(row.id);
    let what = || {
        format!(
            "{}: {:?} with {:?}, awaited {:?}",
            row.id,
            row.status,
            summary(attempts),
            row.progress.awaited
        )
    };
    let over = [
        Status::Succeeded,
        Status::Failed,
        Status::Blocked,
        Status::Cancelled,
    ]
    .contains(&row.status);
    kept(
        over && row.progress.awaited.is_none(),
        "every delivery ends",
        what,
    )?;
    let last = row.progress.last.as_ref().map_or(0, |last| last.number);
    let numbers = attempts.iter().map(|attempt| attempt.number);
    kept(
        numbers.eq(1..=last),
        "a delivery ends with its history",
        what,
    )?;
    let hook = past.hook(row.id.webhook);
    let code = attempts.last().and_then(|attempt| attempt.status_code);
    let succeeded = code.is_some_and(|code| (200..400).contains(&code));
    let queued = past.events[&row.id.event].0;
    let as_it_ended = match row.status {
        Status::Succeeded => succeeded,
        Status::Failed => !succeeded && last > 0,
        Status::Blocked => code.is_none() && last > 0 && hook.has_no_address(),
        Status::Cancelled if is_superseded(row) => true,
        _ => past.stops[&row.id.webhook].iter().any(|stop| {
            stop.until
                .is_none_or(|until| until + past.slack() >= queued)
        }),
    };
    kept(as_it_ended, "a delivery's status is its outcome", what)?;
    let made = (last + 1).saturating_sub(row.schedule.first_number) as usize;
    let most = hook.delays.len() + 1;
    kept(
        made <= most,
        "a schedule has as many attempts as configured",
        what,
    )?;
    // After a crash, a manual retry may replace the next attempt without starting a new schedule.
    if !past.records.retried.contains_key(&row.id) {
        in_time(past, row)?;
    }
    let latest = row
        .schedule
        .started_at
        .map(|started_at| later(started_at, latest(hook, made)));
    let late = latest.is_some_and(|latest| row.updated_at > latest);
    kept(
        row.status != Status::Failed || made == most || row.stops.is_some() || late,
        "no schedule ends early",
        what,
    )
}

/// Whether an event ended its delay, which [`super::delays`] checks.
fn is_superseded(row: &Delivery) -> bool {
    matches!(row.cancelled, Some(Cancellation::Superseded(_)))
}

/// Upper bound for the duration of a schedule with this many attempts, in seconds, including the
/// attempts themselves.
fn latest(hook: &Hook, attempts: usize) -> u64 {
    hook.delays.iter().sum::<u64>() + 60 * attempts as u64
}

fn later(time: Timestamp, seconds: u64) -> Timestamp {
    time + SignedDuration::from_secs(i64::try_from(seconds).expect("small"))
}

/// No attempt of the last chain begins before its delay has passed, nor before the time that
/// `Retry-After` requested. A late schedule still ends on time.
fn in_time(past: &Past<'_>, row: &Delivery) -> Result<(), Broken> {
    let (attempts, hook) = (past.attempts(row.id), past.hook(row.id.webhook));
    for pair in attempts
        .windows(2)
        .filter(|pair| pair[0].number >= row.schedule.first_number)
    {
        let made = (pair[1].number - row.schedule.first_number) as usize;
        let until = |end: u64, time: Timestamp| {
            row.schedule
                .started_at
                .map_or(time, |started_at| time.min(later(started_at, end)))
        };
        let asked_for = pair[0]
            .response_body
            .as_deref()
            .and_then(|body| body.parse().ok())
            .unwrap_or(0);
        let due = until(latest(hook, made), later(pair[0].at, hook.delays[made - 1]));
        let due = due.max(until(
            hook.delays.iter().sum(),
            later(pair[0].at, asked_for),
        ));
        // A clock may be set back between the check of the time and its recording.
        kept(
            pair[1].at + past.slack() >= due,
            "no attempt begins before its time",
            || {
                format!(
                    "attempt {} of {} at {} instead of {due}",
                    pair[1].number, row.id, pair[1].at
                )
            },
        )?;
    }
    Ok(())
}

/// No attempt number is recorded under two tokens or after a higher one, and no attempt is
/// replaced.
fn recorded_once(past: &Past<'_>, id: DeliveryId, rows: &[Delivery]) -> Result<(), Broken> {
    let mut tokens: Vec<_> = rows
        .iter()
        .filter_map(|row| row.progress.last.as_ref())
        .collect();
    tokens.dedup();
    for pair in rows
        .windows(2)
        .filter(|pair| pair[0].progress.last != pair[1].progress.last)
    {
        let (awaited, token) = (
            pair[0].progress.awaited.as_ref().map(|awaited| &awaited.id),
            pair[1].progress.last.as_ref(),
        );
        let message = token.and_then(|token| past.messages(id).get(&token.token));
        let asked_for = awaited
            .zip(message)
            .is_some_and(|(awaited, message)| message.attempt.matches(awaited));
        kept(
            asked_for,
            "each attempt is the one that was awaited",
            || format!("{id}: {token:?} for {awaited:?}"),
        )?;
    }
    let numbers = tokens.iter().map(|token| token.number);
    kept(
        numbers.eq(1..=u32::try_from(tokens.len()).expect("few")),
        "each attempt is recorded once",
        || format!("{id}: {tokens:?} with {:?}", summary(past.attempts(id))),
    )
}

/// A summary of the attempts.
pub(super) fn summary(attempts: &[Attempt]) -> Vec<(u32, Option<u16>, Option<&str>)> {
    attempts
        .iter()
        .map(|attempt| {
            (
                attempt.number,
                attempt.status_code,
                attempt.error.as_deref(),
            )
        })
        .collect()
}
