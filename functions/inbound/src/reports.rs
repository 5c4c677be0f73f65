//! What providers report of messages and calls: one message on the queue `deliveries` for each
//! report.
//!
//! What is in a call and no report of ours (a status that the provider's settings do not map) is
//! passed over: the provider would only send it again. The delivery function finds out which
//! message a report is about.

use domain::{
    callback::{self, Callback, NoReport, Notice},
    inbound,
};
use platform::{
    clock,
    queue::{Outgoing, ascii_json},
    table::{events::MOST_EVENT_BYTES, inbound::Reporter},
};

use super::{
    App, InboundError,
    answer::{Accepted, Refusal},
};

/// Room for what an event says of its message besides the report, in bytes.
const ABOUT: usize = 32 * 1024;

pub(super) async fn take(
    app: &App,
    reporter: &Reporter,
    call: &inbound::Request<'_>,
) -> Result<Accepted, InboundError> {
    let hops = inbound::hops(call.headers).map_err(|_| Refusal::Loop)?;
    let read = callback::read(&reporter.mapping, reporter.channel, call).map_err(Refusal::from)?;
    let received_at = clock::now();
    let (count, mut outgoing) = (read.len(), Vec::with_capacity(read.len()));
    for callback in read
        .into_iter()
        .filter_map(|report| known(reporter, report))
    {
        let body = ascii_json(&Notice {
            callback,
            provider: reporter.provider,
            received_at,
            hops,
        })?;
        if body.len() > MOST_EVENT_BYTES - ABOUT {
            return Err(Refusal::TooLarge.into());
        }
        outgoing.push(Outgoing {
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

fn known(reporter: &Reporter, report: Result<Callback, NoReport>) -> Option<Callback> {
    report
        .inspect_err(|why| tracing::debug!(provider = %reporter.provider, %why, "no report"))
        .ok()
}
