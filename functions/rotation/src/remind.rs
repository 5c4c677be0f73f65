//! Reminders of credentials that should be rotated, once a day.
//!
//! What is due comes from the table's list of next reminders, in pages, and nothing else is read. Each reminder's event is
//! queued first, under an id that follows from the credential, the stage and the due time, and marked then: a crash in
//! between repeats the same event, and a second run at the same time finds nothing left.

use std::collections::BTreeSet;

use domain::credential::{Status, reminder::STEP};
use jiff::Timestamp;
use platform::{
    clock,
    queue::{Outgoing, ascii_json},
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

/// Sends what is due at `now`; text that is no time, as emulators pass it on, stands for the clock's.
pub(crate) async fn run(app: &App, now: &str) -> Result<Reminded, RotationError> {
    let now: Timestamp = now.parse().unwrap_or_else(|_| clock::now());
    let mut done = Reminded { reminded: 0, overdue: 0 };
    // Whatever is overdue has its next reminder within a week.
    let horizon = now.checked_add(STEP).unwrap_or(now);
    let mut counted = BTreeSet::new();
    let mut slice = Slice::new(None, PAGE);
    loop {
        let Page { items, next, .. } = app.table.reminders(horizon, &slice).await?;
        for credential in items {
            if credential.status(now) == Status::Expired {
                app.table.forget_reminder(&credential).await?;
            }
            // One that was just reminded of may come by again, further down the list.
            if credential.is_overdue(now) && counted.insert(credential.id) {
                done.overdue += 1;
            }
            let Some(reminder) = credential.reminder(now) else { continue };
            let event = credential.reminder_event(reminder, now);
            app.events.send(Outgoing { body: ascii_json(&event)?, delay_seconds: 0, group: None }).await?;
            let after = credential.clone().reminded(reminder);
            match app.table.update_credential(&credential, &after, None, now, None).await {
                Ok(()) => done.reminded += 1,
                // Somebody has just rotated or changed it: the next run sees what is left to do.
                Err(WriteError::Changed | WriteError::NameTaken) => {}
                Err(WriteError::Table(error)) => return Err(error.into()),
            }
        }
        slice.after = next;
        if slice.after.is_none() {
            break;
        }
    }
    telemetry::metric("credentials_overdue", u64::try_from(done.overdue).unwrap_or(u64::MAX));
    tracing::info!(reminded = done.reminded, overdue = done.overdue, "reminders");
    Ok(done)
}
