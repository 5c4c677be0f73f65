//! Fakes of DynamoDB, SQS and Secrets Manager in the test's process.
//!
//! They replace the HTTP client of the SDKs, so that the production code is tested down to the
//! wire. They have the properties that the functions rely on: conditions, atomic transactions, the
//! quotas of SQS. An operation that no function uses panics. A plan decides for each call whether
//! it fails, loses its response, or crashes the process.

pub mod dynamodb;
pub mod expression;
pub mod functions;
mod partial;
pub mod providers;
pub mod services;
pub mod sqs;
pub mod system;
mod update;
mod webhooks;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sqs::config::{
    AsyncSleep, Credentials, SharedAsyncSleep, SharedCredentialsProvider, Sleep,
    StalledStreamProtectionConfig,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use jiff::{SignedDuration, Timestamp};
use platform::{aws::Aws, clock};
use serde_json::{Map, Value, json};
use tokio::{sync::Notify, time::Instant};

/// The services. Clones share their state.
#[derive(Clone)]
pub struct Fake(Arc<Inner>);

type Plan = Box<dyn FnMut(&Call) -> FaultPlan + Send>;

struct Inner {
    state: Mutex<State>,
    plan: Mutex<Plan>,
    crash: Arc<Notify>,
    latency: Mutex<Latency>,
}

/// Latency of the next call. `None` yields to other tasks once.
type Latency = Box<dyn FnMut() -> Option<Duration> + Send>;

/// Number of simulated processes so far.
static PROCESSES: AtomicUsize = AtomicUsize::new(0);

/// The state of the services.
#[derive(Debug, Default)]
pub struct State {
    /// The DynamoDB table.
    pub table: dynamodb::Table,
    /// The SQS queues.
    pub queues: sqs::Queues,
    /// Calls since the last clearing.
    pub calls: Vec<Call>,
    /// A time and its instant. If set, the services use tokio's clock, whatever the clocks of the
    /// processes show.
    pub since: Option<(Timestamp, Instant)>,
    /// The keyring's secret in Secrets Manager.
    secret: Option<String>,
}

/// A call to a service.
#[derive(Debug, Clone)]
pub struct Call {
    /// Index since the calls were last cleared, from 0.
    pub index: usize,
    /// Operation, such as `PutItem`.
    pub operation: String,
    /// Input, as JSON.
    pub request: Value,
}

/// The planned outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPlan {
    /// The call succeeds or fails as AWS would respond.
    NoFault,
    /// The process ends before the call takes effect.
    CrashBefore,
    /// The process ends after the call took effect, before the response.
    CrashAfter,
    /// The call takes effect, and an error replaces the response.
    ResponseLost,
    /// The call fails without effect, with this error code of AWS.
    Fails(&'static str),
    /// Half of a batch is left out; a transaction conflicts with another one.
    Partial,
}

/// An error response of AWS.
#[derive(Debug)]
struct AwsError {
    code: &'static str,
    more: Map<String, Value>,
}

impl AwsError {
    fn new(code: &'static str) -> Self {
        Self {
            code,
            more: Map::new(),
        }
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.more.insert(field.to_owned(), value);
        self
    }

    fn into_response(self) -> HttpResponse {
        let mut body = self.more;
        body.insert("__type".to_owned(), json!(self.code));
        body.insert("message".to_owned(), json!("rejected by the fake"));
        response(
            if self.code.starts_with("Internal") {
                500
            } else {
                400
            },
            &Value::Object(body),
        )
    }
}

impl Default for Fake {
    fn default() -> Self {
        let plan: Mutex<Plan> = Mutex::new(Box::new(|_| FaultPlan::NoFault));
        let latency: Mutex<Latency> = Mutex::new(Box::new(|| None));
        Self(Arc::new(Inner {
            state: Mutex::default(),
            plan,
            crash: Arc::default(),
            latency,
        }))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    /// Returns a configuration for clients of these services. Calls are retried as in production,
    /// but without delay.
    pub fn aws(&self) -> Aws {
        let connector = SharedHttpConnector::new(self.clone());
        // The SDK's clients of one region share a retry quota, so each process gets its own region.
        let region = format!("fake-{}", PROCESSES.fetch_add(1, Ordering::Relaxed));
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .retry_config(RetryConfig::standard())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .sleep_impl(SharedAsyncSleep::new(NoSleep));
        Aws::new(config.build())
    }

    /// Locks the state of the services. Calls wait until the guard is dropped, and a second lock in
    /// the same statement deadlocks.
    ///
    /// # Panics
    /// If a call has panicked before.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("the fake has panicked")
    }

    /// Sets the plan of all later calls.
    ///
    /// # Panics
    /// If a call has panicked before.
    pub fn plan(&self, plan: impl FnMut(&Call) -> FaultPlan + Send + 'static) {
        *self.0.plan.lock().expect("the fake has panicked") = Box::new(plan);
    }

    /// Sets the latency of all later calls, by tokio's clock.
    ///
    /// # Panics
    /// If a call has panicked before.
    pub fn latency(&self, latency: impl FnMut() -> Option<Duration> + Send + 'static) {
        *self.0.latency.lock().expect("the fake has panicked") = Box::new(latency);
    }

    /// Returns the notification that the plan crashes the process.
    pub fn crash(&self) -> Arc<Notify> {
        Arc::clone(&self.0.crash)
    }

    /// Counts the calls of each operation since the calls were last cleared.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.state().calls {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        counts
    }

    /// Processes a call that arrived over HTTP. Returns status and body.
    ///
    /// # Panics
    /// If the call is malformed.
    pub async fn call(&self, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let input = serde_json::from_slice(body).expect("JSON");
        let response = self.clone().respond(target.to_owned(), input).await;
        let body = response.body().bytes().expect("a body").to_vec();
        (response.status().as_u16(), body)
    }

    async fn respond(self, target: String, request: Value) -> HttpResponse {
        let (service, operation) = target
            .split_once('.')
            .expect("a target is service.operation");
        let call = Call {
            index: self.state().calls.len(),
            operation: operation.to_owned(),
            request,
        };
        self.state().calls.push(call.clone());
        let fault = (self.0.plan.lock().expect("the fake has panicked"))(&call);
        match fault {
            FaultPlan::CrashBefore => self.end().await,
            FaultPlan::Fails(code) => return AwsError::new(code).into_response(),
            FaultPlan::Partial if operation == "TransactWriteItems" => {
                return partial::conflict(&call.request).into_response();
            }
            FaultPlan::NoFault
            | FaultPlan::CrashAfter
            | FaultPlan::ResponseLost
            | FaultPlan::Partial => {}
        }
        let (call, left_out) = if fault == FaultPlan::Partial {
            partial::halved(call)
        } else {
            (call, None)
        };
        let result = self.state().execute(service, &call);
        match (fault, result) {
            (FaultPlan::CrashAfter, _) => self.end().await,
            (FaultPlan::ResponseLost, _) => AwsError::new("InternalServerError").into_response(),
            (_, Ok(output)) => response(200, &partial::with(output, left_out)),
            (_, Err(error)) => error.into_response(),
        }
    }

    /// Crashes the process: the future never completes, and the test drops it.
    async fn end(&self) -> ! {
        self.0.crash.notify_one();
        std::future::pending().await
    }
}

impl State {
    fn execute(&mut self, service: &str, call: &Call) -> Result<Value, AwsError> {
        let now = self.since.map_or_else(clock::now, |(time, since)| {
            time + SignedDuration::try_from(since.elapsed()).expect("within the life of a test")
        });
        match service {
            "DynamoDB_20120810" => self.table.execute(&call.operation, &call.request),
            "AmazonSQS" => self.queues.execute(&call.operation, &call.request, now),
            "secretsmanager" => match (call.operation.as_str(), &self.secret) {
                ("GetSecretValue", Some(value)) => Ok(json!({"SecretString": value})),
                ("GetSecretValue", None) => Err(AwsError::new("ResourceNotFoundException")),
                ("PutSecretValue", _) => {
                    self.secret = call.request["SecretString"].as_str().map(str::to_owned);
                    Ok(json!({}))
                }
                (operation, _) => {
                    panic!("Secrets Manager's {operation} is not supported by the fake")
                }
            },
            _ => panic!("{service} is not supported by the fake"),
        }
    }
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request
            .headers()
            .get("x-amz-target")
            .expect("a target")
            .to_owned();
        let input = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
        let response = self.clone().respond(target, input);
        let latency = (self.0.latency.lock().expect("the fake has panicked"))();
        HttpConnectorFuture::new(async move {
            // Other tasks run during the request, as they would in production.
            match latency {
                Some(time) => tokio::time::sleep(time).await,
                None => tokio::task::yield_now().await,
            }
            Ok(response.await)
        })
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::new(
        status.try_into().expect("a status"),
        body.to_string().into(),
    )
}

/// Retries without delay.
#[derive(Debug)]
struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: std::time::Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}
