//! Reminders of credentials that should be rotated, once a day.
//!
//! What is due comes from the table's list of next reminders, in pages, and nothing else is read.
//! How much is overdue is told before anything is sent, so that the alarm does not rest on the
//! rest. Each reminder's event is queued first, under an id that follows from the credential, the
//! stage and the due time, and marked then: a crash in between repeats the same event, and a second
//! run at the same time finds nothing left.

use std::collections::BTreeMap;

use domain::credential::{Credential, Status, reminder::STEP};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use platform::{
    clock,
    table::{
        WriteError,
        walk::{Page, Slice},
    },
    telemetry,
};
use serde::Serialize;

use crate::{App, RotationError};

/// What a run did.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reminded {
    /// How many reminders it sent.
    pub reminded: usize,
    /// How many credentials are past their day.
    pub overdue: usize,
}

/// How many credentials are looked at together.
const PAGE: usize = 100;

/// How many reminders are under way at once.
const CONCURRENT: usize = 10;

/// Sends what is due at `now`; text that is no time, as emulators pass it on, stands for the
/// clock's. One that fails does not hold up the others, and fails the run at its end.
pub(crate) async fn run(app: &App, now: &str) -> Result<Reminded, RotationError> {
    let now: Timestamp = now.parse().unwrap_or_else(|_| clock::now());
    let listed = listed(app, now).await?;
    let overdue = listed
        .iter()
        .filter(|credential| credential.is_overdue(now))
        .count();
    telemetry::metric(
        "credentials_overdue",
        u64::try_from(overdue).unwrap_or(u64::MAX),
    );
    let results: Vec<Result<bool, RotationError>> = stream::iter(listed)
        .map(|credential| one(app, credential, now))
        .buffer_unordered(CONCURRENT)
        .collect()
        .await;
    let reminded = results
        .iter()
        .filter(|result| matches!(result, Ok(true)))
        .count();
    tracing::info!(reminded, overdue, "reminders");
    results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Reminded { reminded, overdue })
}

/// Every credential whose next reminder is due within a week: what is overdue is among them,
/// however long it has been.
async fn listed(app: &App, now: Timestamp) -> Result<Vec<Credential>, RotationError> {
    let horizon = now.checked_add(STEP).unwrap_or(now);
    let mut slice = Slice::new(None, PAGE);
    // By id: one that somebody changes meanwhile may come by again, further down the list.
    let mut found = BTreeMap::new();
    loop {
        let Page { items, next, .. } = app.table.reminders(horizon, &slice).await?;
        found.extend(
            items
                .into_iter()
                .map(|credential| (credential.id, credential)),
        );
        slice.after = next;
        if slice.after.is_none() {
            return Ok(found.into_values().collect());
        }
    }
}

/// Whether the credential was reminded of.
async fn one(app: &App, credential: Credential, now: Timestamp) -> Result<bool, RotationError> {
    let result = remind(app, &credential, now).await;
    result.inspect_err(
        |error| tracing::error!(credential = %credential.id, %error, "not reminded of"),
    )
}

async fn remind(app: &App, credential: &Credential, now: Timestamp) -> Result<bool, RotationError> {
    if credential.status(now) == Status::Expired {
        app.table.forget_reminder(credential).await?;
    }
    let Some(reminder) = credential.reminder(now) else {
        return Ok(false);
    };
    let event = credential.reminder_event(reminder, now, clock::now());
    app.events.send_json(&event, 0, None).await?;
    let after = credential.clone().reminded(reminder);
    match app
        .table
        .update_credential(credential, &after, None, now, None)
        .await
    {
        Ok(()) => Ok(true),
        // Somebody has just rotated or changed it: the next run sees what is left to do.
        Err(WriteError::Changed | WriteError::NameTaken(_)) => Ok(false),
        Err(WriteError::Table(error)) => Err(error.into()),
    }
}
