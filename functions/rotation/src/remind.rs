//! Daily reminders of credentials that are due for rotation.
//!
//! The due credentials come from the table's index of next reminders, in pages. Nothing else is
//! read. The metric of overdue credentials is emitted before any reminder is sent, so that its
//! alarm does not depend on the rest of the run. Each reminder's event is queued first and then
//! marked as sent. The event's ID is derived from the credential, the stage and the due time: after
//! a crash in between, the same event is repeated, and a second run at the same time finds nothing
//! to do.

use std::collections::BTreeMap;

use domain::credential::{Credential, Status, reminder::REMINDER_INTERVAL};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use platform::{
    clock,
    table::{
        WriteError,
        pagination::{Page, PageRequest},
    },
    telemetry,
};
use serde::Serialize;

use crate::{App, RotationError};

/// Result of a reminder run.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reminded {
    /// Number of reminders sent.
    pub reminded: usize,
    /// Number of credentials past their due date.
    pub overdue: usize,
}

/// Page size when listing credentials.
const PAGE_SIZE: usize = 100;

/// Maximum number of reminders that are sent concurrently.
const MAX_CONCURRENT_REMINDERS: usize = 10;

/// Sends the reminders due at `now`. Text that is not an RFC 3339 time, as emulators pass it, means
/// the current time. A reminder that fails does not stop the others, and its error is returned at
/// the end.
pub(crate) async fn run(app: &App, now: &str) -> Result<Reminded, RotationError> {
    let now: Timestamp = now.parse().unwrap_or_else(|_| clock::now());
    let listed = list_due(app, now).await?;
    let overdue = listed
        .iter()
        .filter(|credential| credential.is_overdue(now))
        .count();
    telemetry::metric(
        "credentials_overdue",
        u64::try_from(overdue).unwrap_or(u64::MAX),
    );
    let results: Vec<Result<bool, RotationError>> = stream::iter(listed)
        .map(|credential| send_logged(app, credential, now))
        .buffer_unordered(MAX_CONCURRENT_REMINDERS)
        .collect()
        .await;
    let reminded = results
        .iter()
        .filter(|result| matches!(result, Ok(true)))
        .count();
    tracing::info!(reminded, overdue, "reminders sent");
    results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Reminded { reminded, overdue })
}

/// Lists all credentials whose next reminder is due within a week. Includes overdue ones of any
/// age.
async fn list_due(app: &App, now: Timestamp) -> Result<Vec<Credential>, RotationError> {
    let horizon = now.checked_add(REMINDER_INTERVAL).unwrap_or(now);
    let mut page_request = PageRequest::new(None, PAGE_SIZE);
    // Keyed by ID: a credential that changes during the listing can appear again further down.
    let mut found = BTreeMap::new();
    loop {
        let Page { items, next, .. } = app.table.reminders(horizon, &page_request).await?;
        found.extend(
            items
                .into_iter()
                .map(|credential| (credential.id, credential)),
        );
        page_request.after = next;
        if page_request.after.is_none() {
            return Ok(found.into_values().collect());
        }
    }
}

/// Sends one reminder and logs its error. Returns whether one was sent.
async fn send_logged(
    app: &App,
    credential: Credential,
    now: Timestamp,
) -> Result<bool, RotationError> {
    let result = remind(app, &credential, now).await;
    result.inspect_err(
        |error| tracing::error!(credential = %credential.id, %error, "failed to send reminder"),
    )
}

async fn remind(app: &App, credential: &Credential, now: Timestamp) -> Result<bool, RotationError> {
    if credential.status(now) == Status::Expired {
        app.table.remove_reminder(credential).await?;
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
        // The credential was rotated or changed in the meantime. The next run sends what is due.
        Err(WriteError::Changed | WriteError::NameTaken(_)) => Ok(false),
        Err(WriteError::Table(error)) => Err(error.into()),
    }
}
