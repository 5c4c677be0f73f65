//! Proxy between the functions and the emulator that fails some calls as AWS does.
//!
//! It forwards a call, responds with an error, or forwards the call and drops the response. A seed
//! and the number of the call decide which.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::{future::ready, stream};
use reqwest::RequestBuilder;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::client;

/// The proxy. It runs until the process ends.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    emulator: u16,
    http: reqwest::Client,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    rule: Rule,
    calls: u64,
    met: BTreeMap<(String, Option<Fault>), usize>,
}

/// The selection of calls that fail.
#[derive(Debug, Default, Clone, Copy)]
enum Rule {
    #[default]
    None,
    Some {
        percent: u64,
        seed: u64,
    },
    Actions(&'static [&'static str]),
}

/// The way a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 400: throttling.
    Throttled,
    /// 500: internal error.
    Broken,
    /// The call takes effect, and the connection closes without a response.
    ResponseLost,
    /// 400: access denied. Retries do not help.
    Denied,
}

/// The transient faults.
pub const TRANSIENT: [Fault; 3] = [Fault::Throttled, Fault::Broken, Fault::ResponseLost];

impl Proxy {
    pub(super) fn start(emulator: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        let port = listener.local_addr().expect("a port").port();
        let inner = Arc::new(Inner {
            emulator,
            http: client::http(),
            faults: Mutex::default(),
        });
        let app = axum::Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        // A runtime of its own: each test has one that ends with the test.
        thread::spawn(move || {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum::serve(listener, app).await.expect("server");
            });
        });
        Self { port, inner }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Disables all faults and resets the counters.
    pub fn mend(&self) {
        *self.inner.faults() = Faults::default();
    }

    /// Fails a percentage of later calls with every transient fault, chosen by the seed.
    pub fn fail(&self, percent: u64, seed: u64) {
        *self.inner.faults() = Faults {
            rule: Rule::Some { percent, seed },
            ..Faults::default()
        };
    }

    /// Denies these actions (`"Query"`) to later calls, except those that authenticate requests to
    /// the API.
    pub fn deny(&self, actions: &'static [&'static str]) {
        *self.inner.faults() = Faults {
            rule: Rule::Actions(actions),
            ..Faults::default()
        };
    }

    /// Counts the calls to a service (`"DynamoDB"`) that met this fault, or succeeded.
    pub fn met(&self, service: &str, fault: Option<Fault>) -> usize {
        self.inner
            .faults()
            .met
            .get(&(service.to_owned(), fault))
            .copied()
            .unwrap_or_default()
    }
}

impl Inner {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("faults")
    }

    fn choose_fault(&self, service: &str, action: &str, body: &[u8]) -> Option<Fault> {
        let authenticates = || String::from_utf8_lossy(body).contains("\"token#");
        let mut faults = self.faults();
        let fault = match faults.rule {
            Rule::None => None,
            Rule::Some { percent, seed } => chosen(percent, seed, faults.calls),
            Rule::Actions(denied) => {
                (denied.contains(&action) && !authenticates()).then_some(Fault::Denied)
            }
        };
        faults.calls += 1;
        *faults.met.entry((service.to_owned(), fault)).or_default() += 1;
        fault
    }
}

async fn serve(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    // Such as `DynamoDB_20120810.PutItem`.
    let (service, action) = target
        .and_then(|target| target.split_once('.'))
        .unwrap_or_default();
    let service = service.split('_').next().unwrap_or_default();
    let url = format!("http://127.0.0.1:{}{uri}", inner.emulator);
    let fault = inner.choose_fault(service, action, &body);
    let request = inner
        .http
        .request(method, url)
        .headers(headers.clone())
        .body(body);
    let error = |status: u16, code| {
        let body = json!({"__type": code, "message": "failed by the proxy"});
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [("x-amzn-errortype", code)], Json(body)).into_response()
    };
    match fault {
        None => forward(request).await.unwrap_or_else(|_| closed()),
        Some(Fault::ResponseLost) => {
            forward(request).await.ok();
            closed()
        }
        Some(Fault::Broken) => error(500, "InternalServerError"),
        Some(Fault::Denied) => error(400, "AccessDeniedException"),
        Some(Fault::Throttled) if service == "DynamoDB" => {
            error(400, "ProvisionedThroughputExceededException")
        }
        Some(Fault::Throttled) => error(400, "ThrottlingException"),
    }
}

async fn forward(request: RequestBuilder) -> reqwest::Result<Response> {
    let response = request.send().await?;
    let (status, mut headers) = (response.status(), response.headers().clone());
    // These describe the connection to the emulator, not the one to the client.
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    Ok((status, headers, response.bytes().await?).into_response())
}

fn chosen(percent: u64, seed: u64, call: u64) -> Option<Fault> {
    let mut hasher = DefaultHasher::new();
    (seed, call).hash(&mut hasher);
    let chance = hasher.finish();
    let kind = usize::try_from(chance / 100 % 3).expect("small");
    (chance % 100 < percent).then_some(TRANSIENT[kind])
}

/// Closes the connection without a response: a body that fails before the head is sent.
fn closed() -> Response {
    let lost = io::Error::other("the response is lost");
    Body::from_stream(stream::once(ready(Err::<Bytes, _>(lost)))).into_response()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{client::Client, receiver::Receiver};

    #[test]
    fn seeded_faults_have_the_requested_rate_and_every_kind() {
        let faults: Vec<_> = (0..3000).filter_map(|call| chosen(20, 1, call)).collect();
        assert!((500..700).contains(&faults.len()), "{}", faults.len());
        for fault in TRANSIENT {
            let count = faults.iter().filter(|found| **found == fault).count();
            assert!((150..250).contains(&count), "{fault:?}: {count}");
        }
        assert_eq!(
            faults,
            (0..3000)
                .filter_map(|call| chosen(20, 1, call))
                .collect::<Vec<_>>()
        );
        assert_ne!(
            faults,
            (0..3000)
                .filter_map(|call| chosen(20, 2, call))
                .collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn lost_response_closes_the_connection_after_the_call() {
        let emulator = Receiver::start();
        let proxy = Proxy::start(
            Url::parse(&emulator.url())
                .expect("a URL")
                .port()
                .expect("a port"),
        );
        let client = Client::new("");
        let url = format!("http://127.0.0.1:{}/path?q=1", proxy.port());
        let call = || client.request(Method::POST, &url).body("sent").send();
        assert_eq!(call().await.expect("a response").status(), 200);

        let lost = |seed: &u64| chosen(100, *seed, 0) == Some(Fault::ResponseLost);
        proxy.fail(100, (0..100).find(lost).expect("a seed"));
        call().await.expect_err("no response");

        for request in emulator.wait_for(2).await {
            let parts = (
                request.path.as_str(),
                request.query.as_str(),
                &request.body[..],
            );
            assert_eq!(parts, ("/path", "q=1", &b"sent"[..]));
        }
    }
}
