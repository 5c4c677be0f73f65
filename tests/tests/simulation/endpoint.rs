//! Endpoints of the webhooks: some succeed, others fail, hang, redirect, send `Retry-After` or are
//! gone.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::header::RETRY_AFTER;
use futures::future::BoxFuture;
use platform::egress::{EgressError, EgressRequest, EgressResponse, Network, Unreachable};
use tokio::time::{Instant, sleep};

use super::{
    chance::{below, between, happens},
    faults::Faults,
    history::{EndpointCall, History, RUNNING},
};

/// How an endpoint responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    /// Responds with 200, sometimes with 302.
    Well,
    /// This percentage of requests fails in various ways.
    Flaky(u64),
    /// Responds with 503.
    Down,
    /// Responds with 410 to one request in twenty.
    Leaving,
    /// Half of the requests get no response.
    Hangs,
    /// Responds with 429 and a `Retry-After` to half of the requests.
    Busy,
}

impl Behavior {
    /// Status and `Retry-After` of a response, or the reason why there is none.
    fn respond(self) -> Result<(u16, Option<u64>), Silence> {
        let well = || Ok((if below(10) == 0 { 302 } else { 200 }, None));
        match self {
            Self::Flaky(percent) if below(100) < percent => match below(6) {
                0 => Err(Silence::NotAllowed),
                1 => Err(Silence::Closed),
                2 => Ok((404, None)),
                3 => Ok((503, Some(between(1, 100)))),
                _ => Ok((500, None)),
            },
            Self::Down => Ok((503, None)),
            Self::Leaving if below(20) == 0 => Ok((410, None)),
            Self::Hangs if below(2) == 0 => Err(Silence::Hang),
            Self::Busy if below(2) == 0 => Ok((429, Some(between(1, 1000)))),
            _ => well(),
        }
    }
}

/// Why there is no response.
enum Silence {
    NotAllowed,
    Closed,
    Hang,
}

/// All endpoints, `https://<name>.example.com`, each with its `behavior`.
pub(super) fn network(
    history: History,
    faults: Arc<Mutex<Faults>>,
    behavior: impl Fn(&str) -> Behavior + Send + Sync + 'static,
) -> Network {
    Box::new(
        move |call: EgressRequest| -> BoxFuture<'static, Result<EgressResponse, EgressError>> {
            let name = call
                .url
                .host_str()
                .unwrap_or_default()
                .split('.')
                .next()
                .unwrap_or_default()
                .to_owned();
            let crashes = faults.lock().expect("the lock is not poisoned").crashes;
            let (history, behavior) = (history.clone(), behavior(&name));
            Box::pin(async move {
                let running = RUNNING.with(Arc::clone);
                let crash = async || {
                    history.fault(&running);
                    running.crash.notify_one();
                    std::future::pending::<()>().await;
                };
                let began = Instant::now();
                if happens(crashes) {
                    crash().await;
                }
                sleep(Duration::from_millis(between(1, 30))).await;
                let response = behavior.respond();
                if matches!(response, Err(Silence::NotAllowed)) {
                    return Err(EgressError::Unreachable(Unreachable::Refused));
                }
                let body = serde_json::from_slice(call.body.as_deref().unwrap_or_default())
                    .unwrap_or_default();
                let webhook_id = call
                    .headers
                    .get("webhook-id")
                    .and_then(|id| id.to_str().ok());
                let index = {
                    let mut records = history.records();
                    records.calls.push(EndpointCall {
                        name,
                        webhook_id: webhook_id.unwrap_or_default().to_owned(),
                        body,
                        began,
                        at: Instant::now(),
                        by: running.number,
                        response: None,
                    });
                    records.calls.len() - 1
                };
                if happens(crashes) {
                    crash().await;
                }
                sleep(Duration::from_millis(if below(20) == 0 {
                    between(100, 3_000)
                } else {
                    between(1, 50)
                }))
                .await;
                match response {
                    Err(Silence::Hang) => std::future::pending().await,
                    Err(_) => Err(EgressError::Unreachable(Unreachable::Closed)),
                    Ok((status, wait)) => {
                        history.records().calls[index].response = Some(status);
                        // Also in the body, which is recorded.
                        let body =
                            wait.map_or_else(|| "received".to_owned(), |wait| wait.to_string());
                        let headers = wait
                            .map(|wait| (RETRY_AFTER, wait.into()))
                            .into_iter()
                            .collect();
                        let status = status.try_into().expect("a status");
                        Ok(EgressResponse {
                            status,
                            headers,
                            body: body.into(),
                            truncated: false,
                            incomplete: None,
                        })
                    }
                }
            })
        },
    )
}
