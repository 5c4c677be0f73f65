//! Accepts requests to a provider's callback URL, once they pass its verification: one message on
//! the queue `deliveries` for each status report, and one event for each inbound message.
//!
//! Entries that are neither, such as a status without a mapping, are skipped with a 202, because the
//! provider would only send them again. The delivery function finds the message of a report.

use domain::{
    callback::{self, Callback, CallbackReport, InboundMessage, Received},
    event::Event,
    id::EventId,
    inbound::{self, Verification},
    queue_message::QueueMessage,
    secrets::redact::Redactor,
    time,
};
use jiff::Timestamp;
use platform::{
    clock,
    queue::{OutgoingMessage, ascii_json},
    random,
    table::{events::MAX_EVENT_BYTES, inbound::Reporter},
};

use super::{
    App, InboundError, check_size,
    response::{Accepted, Rejection},
    send_once, verify,
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
    let read = callback::read(&reporter.reader, call).map_err(Rejection::from)?;
    let (count, mut messages, mut reports) = (read.len(), Vec::new(), Vec::new());
    for (position, received) in read.into_iter().enumerate() {
        match received {
            Ok(Received::Message(message)) => {
                let count = message.passed_over();
                if count > 0 {
                    tracing::warn!(provider = %reporter.provider, count, "inbound messages after the first in a list passed over");
                }
                messages.push((position, message));
            }
            Ok(Received::Report(callback)) => {
                reports.push(outgoing(reporter, callback, received_at, hops)?);
            }
            Err(why) => {
                tracing::debug!(provider = %reporter.provider, %why, "report skipped");
            }
        }
    }
    let accepted = messages.len() + reports.len();
    let inbound = messages.len();
    let events = publish(app, reporter, call, messages, (received_at, hops)).await?;
    app.deliveries.send_all(reports).await?;
    tracing::info!(
        provider = %reporter.provider, reports = accepted - inbound, inbound, skipped = count - accepted,
        "reports accepted"
    );
    let is_twilio = matches!(reporter.verification, Verification::Twilio(_));
    Ok(match events[..] {
        [_, ..] if is_twilio => Accepted::Twilio,
        [event] if count == 1 => Accepted::Event(event),
        _ => Accepted::Reports(accepted),
    })
}

/// The queue message of a report.
fn outgoing(
    reporter: &Reporter,
    callback: Callback,
    received_at: Timestamp,
    hops: u8,
) -> Result<OutgoingMessage, InboundError> {
    let body = ascii_json(&QueueMessage::Report(CallbackReport {
        callback,
        provider: reporter.provider,
        received_at,
        hops,
    }))?;
    if body.len() > MAX_EVENT_BYTES - RESERVED_BYTES {
        return Err(Rejection::TooLarge.into());
    }
    Ok(OutgoingMessage {
        body,
        delay_seconds: 0,
        group: Some(reporter.provider.to_string()),
    })
}

/// Publishes inbound messages, each once. Returns the IDs of their events.
async fn publish(
    app: &App,
    reporter: &Reporter,
    call: &inbound::Request<'_>,
    messages: Vec<(usize, InboundMessage)>,
    (received_at, hops): (Timestamp, u8),
) -> Result<Vec<EventId>, InboundError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let secrets = Redactor::new(reporter.secrets.clone());
    let provider = (reporter.provider, reporter.name.as_str());
    let at = time::of_event(received_at);
    let mut events: Vec<(Event, Vec<String>)> = Vec::with_capacity(messages.len());
    for (position, message) in messages {
        let keys = message.delivery_keys(position, &reporter.verification, call);
        let of = (random::id(), at);
        if let Some(event) = message.event(provider, reporter.reader.channel, &secrets, of, hops) {
            check_size(&event)?;
            events.push((event, keys));
        }
    }
    let route = format!("in/{}", reporter.provider);
    let mut published = Vec::with_capacity(events.len());
    for (event, keys) in events {
        published.push(send_once(app, &route, event, keys).await?);
    }
    Ok(published)
}
