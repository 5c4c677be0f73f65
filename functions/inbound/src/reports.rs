//! Accepts status reports of providers: one message on the queue `deliveries` for each report. A
//! request that fails the provider's verification is rejected.
//!
//! Entries that map to no report, such as a status without a mapping, are skipped with a 202,
//! because the provider would only send them again. The delivery function finds the message of a
//! report.

use domain::{
    callback::{self, Callback, CallbackReport, NoReport},
    inbound,
    queue_message::QueueMessage,
};
use platform::{
    clock,
    queue::{OutgoingMessage, ascii_json},
    table::{events::MAX_EVENT_BYTES, inbound::Reporter},
};

use super::{
    App, InboundError,
    response::{Accepted, Rejection},
    verify,
};

/// Space reserved for the message's own fields in the event, in bytes.
const RESERVED_BYTES: usize = 32 * 1024;

pub(super) async fn accept(
    app: &App,
    reporter: &Reporter,
    call: &inbound::Request<'_>,
) -> Result<Accepted, InboundError> {
    let received_at = clock::now();
    if let Some(challenge) = verify(&reporter.verification, reporter.provider, call, received_at)? {
        return Ok(challenge);
    }
    let hops = inbound::hops(call.headers).map_err(Rejection::from)?;
    let read =
        callback::read(&reporter.mapping, reporter.channel, call).map_err(Rejection::from)?;
    let (count, mut outgoing) = (read.len(), Vec::with_capacity(read.len()));
    for callback in read
        .into_iter()
        .filter_map(|report| skip_unmapped(reporter, report))
    {
        let body = ascii_json(&QueueMessage::Report(CallbackReport {
            callback,
            provider: reporter.provider,
            received_at,
            hops,
        }))?;
        if body.len() > MAX_EVENT_BYTES - RESERVED_BYTES {
            return Err(Rejection::TooLarge.into());
        }
        outgoing.push(OutgoingMessage {
            body,
            delay_seconds: 0,
            group: Some(reporter.provider.to_string()),
        });
    }
    let reports = outgoing.len();
    app.deliveries.send_all(outgoing).await?;
    tracing::info!(provider = %reporter.provider, reports, passed_over = count - reports, "reports accepted");
    Ok(Accepted::Reports(reports))
}

fn skip_unmapped(reporter: &Reporter, report: Result<Callback, NoReport>) -> Option<Callback> {
    report
        .inspect_err(|why| tracing::debug!(provider = %reporter.provider, %why, "report skipped"))
        .ok()
}
