//! Delivers events to webhooks.

use std::{fmt::Display, time::Duration};

use domain::{
    attempt::{Arrival, Attempt},
    delivery::{Cancellation, CompletedAttempt, Delivery, DeliveryTask, arrive},
    event::EventText,
    id::EventId,
    webhook::{Webhook, delay},
};
use platform::{
    attempt::{self, Endpoint},
    clock,
    deadline::Deadline,
    oauth::Tokens,
    random,
    service_client::NotAttempted,
    table::{TableError, Written, deliveries::BatchRows},
};
use tokio::time::Instant;

use super::{
    App, DeliverError, dead_letter, follow_up, health, rate_limit,
    tasks::{Kind, Received},
};

/// Processes delivery tasks.
pub(super) struct Deliveries<'a> {
    pub(super) app: &'a App,
    pub(super) deadline: Deadline,
}

/// The rows that were read for a batch.
pub(super) struct Rows {
    rows: BatchRows,
    /// Lower bound for the time of that read.
    read_at: Instant,
}

/// Maximum age of a webhook's row when its request is sent. Older rows are re-read, because the
/// webhook may have been disabled or deleted in the meantime.
const MAX_ROW_AGE: Duration = Duration::from_secs(1);
/// Tries for recording an attempt. Giving up would repeat the request.
const RECORD_TRIES: usize = 10;

impl Kind for Deliveries<'_> {
    type Task = DeliveryTask;
    type Rows = Rows;

    async fn requeue_waiting(
        &self,
        received: Vec<Received<DeliveryTask>>,
    ) -> (Vec<Received<DeliveryTask>>, Vec<String>) {
        rate_limit::requeue_waiting(self.app, received).await
    }

    async fn load(&self, tasks: &[&DeliveryTask]) -> Result<Rows, TableError> {
        let read_at = Instant::now();
        let rows = self.app.table.load_batch(tasks).await?;
        Ok(Rows { rows, read_at })
    }

    async fn arrive(
        &self,
        Rows { rows, .. }: &Rows,
        task: &DeliveryTask,
    ) -> Result<Arrival, TableError> {
        rows.check(task)?;
        Ok(arrive(rows.delivery(task.delivery).as_ref(), task))
    }

    async fn attempt(
        &self,
        rows: &Rows,
        received: Received<DeliveryTask>,
    ) -> Result<(), DeliverError> {
        let Received { body, mut task, .. } = received;
        let stored = rows.rows.event(task.delivery.event);
        let event = task.event.as_ref();
        let event = event
            .or(stored.map(|dispatched| &dispatched.event))
            .cloned();
        let Some(mut event) = event else {
            return dead_letter(self.app, body, "its event has expired").await;
        };
        task.hops = task.hops.max(event.hops);
        event.hops = task.hops;
        self.deliver(rows, &task, &event).await
    }

    async fn repeat(&self, _: &Rows, task: &DeliveryTask) -> Result<(), DeliverError> {
        follow_up::repeat(self.app, task).await
    }

    fn subject(task: &DeliveryTask) -> impl Display {
        task.delivery
    }
}

impl Deliveries<'_> {
    /// Makes the attempt unless the webhook was stopped, records it and performs the follow-up.
    async fn deliver(
        &self,
        Rows { rows, read_at }: &Rows,
        task: &DeliveryTask,
        event: &EventText,
    ) -> Result<(), DeliverError> {
        let app = self.app;
        let was = rows.delivery(task.delivery);
        let Some(stored) = rows.webhook(task.delivery.webhook) else {
            return cancel(app, was, task, event, Cancellation::Deleted).await;
        };
        if let Some(reason) = stored.cancelled_until().cancels(task.queued_at) {
            return cancel(app, was, task, event, reason).await;
        }
        let webhook = stored.open(&app.keys).await?;
        if let Some(by) = superseded_by(app, &webhook, (task, was.as_ref()), event).await? {
            return cancel(app, was, task, event, Cancellation::Superseded(by)).await;
        }
        let timeout = attempt::timeout(&webhook);
        if !self.deadline.leaves(timeout) {
            return Err(NotAttempted::NoTime.into());
        }
        if !rate_limit::acquire(app, &webhook, task).await? {
            return Ok(());
        }
        let endpoint = Endpoint::of(webhook, &app.table, &app.keys).await?;
        let (tokens, webhook) = (
            Tokens {
                table: &app.table,
                keys: &app.keys,
                egress: &app.egress,
                hops: event.hops,
            },
            &endpoint.webhook,
        );
        // Acquiring a slot, reading a service and getting a token take an unbounded time.
        let waited =
            webhook.settings.rate_limit_per_second.is_some() || endpoint.connection.is_some();
        let ready = async |call: Duration| {
            let stale = waited || read_at.elapsed() > MAX_ROW_AGE;
            if stale {
                let until = app.table.cancelled_until(webhook.id).await?;
                if let Some(reason) = until.cancels(task.queued_at) {
                    return Err(NotAttempted::Stopped(reason));
                }
            }
            if self.deadline.leaves(call) {
                Ok(())
            } else {
                Err(NotAttempted::NoTime)
            }
        };
        let (made, outcome) = match attempt::make(
            tokens,
            &endpoint,
            event,
            task.attempt.id.number,
            timeout,
            ready,
        )
        .await
        {
            Err(NotAttempted::Stopped(reason)) => {
                return cancel(app, was, task, event, reason).await;
            }
            made => made?,
        };
        let completed = CompletedAttempt {
            task,
            event_type: &event.kind,
            attempt: &made,
            outcome: &outcome,
            stops: webhook.stopped_by(&outcome, clock::now()),
        };
        let mut was = was;
        for _ in 0..RECORD_TRIES {
            let (now, token) = (clock::now(), random::token());
            let policy = &webhook.settings.retry;
            let row = Delivery::record_attempt(was.clone(), &completed, policy, now, token);
            if app.table.record(&row, was.as_ref(), Some(&made)).await? == Written::Yes {
                log(&row, &made);
                health::record(app, webhook, &row, &made, &outcome).await;
                return follow_up::first(app, &row, webhook, &made).await;
            }
            // The row changed since it was read. The attempt counts if it is still awaited.
            was = app.table.delivery(task.delivery).await?;
            if arrive(was.as_ref(), task) != Arrival::Attempt {
                return after_conflict(app, was.as_ref(), task).await;
            }
        }
        Err(DeliverError::Busy)
    }
}

/// The event that superseded the delivery during its delay, if there is one.
async fn superseded_by(
    app: &App,
    webhook: &Webhook,
    (task, row): (&DeliveryTask, Option<&Delivery>),
    event: &EventText,
) -> Result<Option<EventId>, DeliverError> {
    let Some(unless) = &webhook.settings.delay.unless else {
        return Ok(None);
    };
    let ends_at = match task.delay_ends_at {
        // Earlier releases re-queue a task without this field.
        None if row.is_none() && task.attempt.id.number == 1 => {
            let stored = app.table.event(event.id).await?;
            stored.and_then(|dispatched| dispatched.delay_ends_at(webhook.id))
        }
        ends_at => ends_at,
    };
    // An event whose data can't be parsed fails when its request is built.
    let fingerprint = event
        .parse()
        .ok()
        .and_then(|event| delay::fingerprint(&unless.key, &event.data));
    let Some((ends_at, fingerprint)) = ends_at.zip(fingerprint) else {
        return Ok(None);
    };
    Ok(app
        .table
        .superseded_by(webhook.id, &fingerprint, event.id, ends_at)
        .await?)
}

async fn cancel(
    app: &App,
    was: Option<Delivery>,
    task: &DeliveryTask,
    event: &EventText,
    reason: Cancellation,
) -> Result<(), DeliverError> {
    let now = clock::now();
    let before = was.clone();
    let row = before
        .unwrap_or_else(|| Delivery::new(task, &event.kind, now))
        .cancelled(reason, now);
    match app.table.record(&row, was.as_ref(), None).await? {
        Written::Yes => {
            tracing::info!(delivery = %row.id, number = task.attempt.id.number, %reason, "cancelled");
            Ok(())
        }
        Written::ConditionFailed => {
            let row = app.table.delivery(task.delivery).await?;
            after_conflict(app, row.as_ref(), task).await
        }
    }
}

/// Handles a row that changed since the batch was read. If a duplicate of this task recorded it,
/// the follow-up may be missing. If it awaits this task, the queue redelivers the task.
async fn after_conflict(
    app: &App,
    row: Option<&Delivery>,
    task: &DeliveryTask,
) -> Result<(), DeliverError> {
    match arrive(row, task) {
        Arrival::FollowUp => follow_up::repeat(app, task).await,
        Arrival::Attempt => Err(DeliverError::Busy),
        Arrival::Stale => Ok(()),
    }
}

fn log(row: &Delivery, made: &Attempt) {
    tracing::info!(
        delivery = %row.id,
        webhook = %row.id.webhook,
        event = %row.id.event,
        number = made.number,
        status_code = made.status_code,
        error = made.error,
        duration_ms = made.duration_ms,
        status = row.status.as_str(),
        "attempt"
    );
}
