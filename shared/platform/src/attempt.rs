//! Making one attempt: build the request, send it through the guarded client, tell what came of it.

use std::time::{Duration, Instant};

use domain::{
    delivery::{Attempt, Failure, Outcome, attempt::Requested},
    event::Event,
    retry::parse_retry_after,
    webhook::{Webhook, request},
};
use http::header::RETRY_AFTER;

use crate::{
    clock,
    egress::{Answer, Call, CallError, Egress, WEBHOOK_ANSWER_LIMIT},
};

/// Sends `event` to `webhook` now, for at most `timeout`. Whatever happens is told, nothing is written.
pub async fn make(
    egress: &Egress,
    webhook: &Webhook,
    event: &Event,
    number: u32,
    timeout: Duration,
) -> (Attempt, Outcome) {
    let at = clock::now();
    let started = Instant::now();
    let mut attempt = Attempt {
        number,
        at,
        duration_ms: 0,
        status_code: None,
        error: None,
        request: Requested { method: webhook.settings.method.to_string(), url: webhook.settings.shown_url() },
        response_body: None,
        missing_tags: Vec::new(),
    };
    let outcome = match request::build(webhook, event, at) {
        Err(unfit) => Outcome::Blocked { reason: unfit.to_string() },
        Ok(request) => {
            attempt.request.url = request.shown_url;
            attempt.missing_tags = request.missing.into();
            let call = Call {
                method: request.method,
                url: request.url,
                headers: request.headers,
                body: request.body.map(String::into_bytes),
                timeout,
                limit: WEBHOOK_ANSWER_LIMIT,
            };
            let answer = egress.call(call).await;
            if let Ok(answer) = &answer {
                attempt.response_body = Some(body_text(webhook, answer));
            }
            judge(webhook, answer)
        }
    };
    attempt.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    attempt.status_code = outcome.status_code();
    attempt.error = outcome.error().map(|error| webhook.redact(&error));
    (attempt, outcome)
}

/// How long a webhook's attempt may take.
pub fn timeout(webhook: &Webhook) -> Duration {
    Duration::from_secs(webhook.settings.timeout_seconds.into())
}

fn judge(webhook: &Webhook, answer: Result<Answer, CallError>) -> Outcome {
    match answer {
        Ok(answer) => {
            let code = answer.status.as_u16();
            if webhook.settings.success.accepts(code) {
                return Outcome::Delivered { code };
            }
            let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = wait.and_then(|text| parse_retry_after(text, clock::now()));
            Outcome::Failed(Failure::Status { code, retry_after })
        }
        Err(CallError::Blocked(why)) => Outcome::Blocked { reason: why.to_string() },
        Err(CallError::Timeout) => Outcome::Failed(Failure::Timeout),
        Err(CallError::Unreachable(why)) => Outcome::Failed(Failure::Unreachable(why.to_string())),
    }
}

/// The answer's body as it is kept: text, without what it echoes of the webhook's secrets.
fn body_text(webhook: &Webhook, answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    // The cut may have gone through a character; what is left of it is no text.
    let text = if answer.truncated { text.trim_end_matches(char::REPLACEMENT_CHARACTER) } else { &text };
    webhook.redact(text)
}
