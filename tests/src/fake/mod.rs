//! DynamoDB, SQS and Secrets Manager inside the test's process, as far as our functions use them.
//!
//! In come the requests of the SDKs, whose HTTP client is replaced: what is under test is the
//! production code down to the wire. Out go AWS's answers, with the guarantees that our code builds
//! on: conditions, all-or-nothing transactions, the limits of SQS. What our code does not use is
//! refused with a panic. Each call goes by a plan, which may let it fail, lose its answer, or end
//! the process there.

pub mod dynamodb;
pub mod expression;
pub mod functions;
mod partial;
pub mod providers;
pub mod services;
pub mod sqs;
pub mod system;
mod update;

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

/// The services. Clones are the same ones.
#[derive(Clone)]
pub struct Fake(Arc<Inner>);

type Plan = Box<dyn FnMut(&Call) -> FaultPlan + Send>;

struct Inner {
    state: Mutex<State>,
    plan: Mutex<Plan>,
    crash: Arc<Notify>,
    latency: Mutex<Latency>,
}

/// How long a call is on its way; `None`: until others have had their turn.
type Latency = Box<dyn FnMut() -> Option<Duration> + Send>;

/// How many simulated processes there were.
static PROCESSES: AtomicUsize = AtomicUsize::new(0);

/// What the services hold.
#[derive(Debug, Default)]
pub struct State {
    /// The table.
    pub table: dynamodb::Table,
    /// The queues.
    pub queues: sqs::Queues,
    /// The calls so far.
    pub calls: Vec<Call>,
    /// What time it was when: the services then go by tokio's clock, whatever the processes take
    /// for the time.
    pub since: Option<(Timestamp, Instant)>,
    /// The one secret of Secrets Manager.
    secret: Option<String>,
}

/// A call to a service.
#[derive(Debug, Clone)]
pub struct Call {
    /// Counts from 0, from when the calls were last cleared.
    pub index: usize,
    /// Such as `PutItem`.
    pub operation: String,
    /// Its input.
    pub request: Value,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPlan {
    /// It is answered.
    Answered,
    /// The process ends before the call takes effect.
    CrashBefore,
    /// The process ends after it took effect, before its answer comes.
    CrashAfter,
    /// It takes effect, and an error comes in place of the answer.
    ResponseLost,
    /// It fails without effect, with this error of AWS's.
    Fails(&'static str),
    /// Half of a batch is left out; a transaction meets another one.
    Partial,
}

/// A service says no.
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

    fn answer(self) -> HttpResponse {
        let mut body = self.more;
        body.insert("__type".to_owned(), json!(self.code));
        body.insert("message".to_owned(), json!("refused by the fake"));
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
        let plan: Mutex<Plan> = Mutex::new(Box::new(|_| FaultPlan::Answered));
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
    /// A configuration for clients of these services. Calls are repeated as in production, but at
    /// once.
    pub fn aws(&self) -> Aws {
        let connector = SharedHttpConnector::new(self.clone());
        // The SDK's clients for one region share how often they may repeat calls: those of each
        // process have their own.
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

    /// What the services hold. Nobody else gets at them until it is dropped: no call is answered,
    /// and asking a second time in the same statement waits for ever.
    ///
    /// # Panics
    /// When a call has panicked before.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("the fake has panicked")
    }

    /// From now on, calls go by this plan.
    ///
    /// # Panics
    /// When a call has panicked before.
    pub fn plan(&self, plan: impl FnMut(&Call) -> FaultPlan + Send + 'static) {
        *self.0.plan.lock().expect("the fake has panicked") = Box::new(plan);
    }

    /// From now on, each call is on its way for as long as this says, by tokio's clock.
    ///
    /// # Panics
    /// When a call has panicked before.
    pub fn latency(&self, latency: impl FnMut() -> Option<Duration> + Send + 'static) {
        *self.0.latency.lock().expect("the fake has panicked") = Box::new(latency);
    }

    /// Told when the plan ends the process.
    pub fn crash(&self) -> Arc<Notify> {
        Arc::clone(&self.0.crash)
    }

    /// How often each operation was called since the calls were last cleared.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.state().calls {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        counts
    }

    async fn answer(self, target: String, request: Value) -> HttpResponse {
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
            FaultPlan::Fails(code) => return AwsError::new(code).answer(),
            FaultPlan::Partial if operation == "TransactWriteItems" => {
                return partial::conflict(&call.request).answer();
            }
            FaultPlan::Answered
            | FaultPlan::CrashAfter
            | FaultPlan::ResponseLost
            | FaultPlan::Partial => {}
        }
        let (call, left_out) = if fault == FaultPlan::Partial {
            partial::halved(call)
        } else {
            (call, None)
        };
        let answer = self.state().answer(service, &call);
        match (fault, answer) {
            (FaultPlan::CrashAfter, _) => self.end().await,
            (FaultPlan::ResponseLost, _) => AwsError::new("InternalServerError").answer(),
            (_, Ok(answer)) => response(200, &partial::with(answer, left_out)),
            (_, Err(error)) => error.answer(),
        }
    }

    /// Nothing comes back any more: who waits for this is to be dropped.
    async fn end(&self) -> ! {
        self.0.crash.notify_one();
        std::future::pending().await
    }
}

impl State {
    fn answer(&mut self, service: &str, call: &Call) -> Result<Value, AwsError> {
        let now = self.since.map_or_else(clock::now, |(time, since)| {
            time + SignedDuration::try_from(since.elapsed()).expect("within the life of a test")
        });
        match service {
            "DynamoDB_20120810" => self.table.answer(&call.operation, &call.request),
            "AmazonSQS" => self.queues.answer(&call.operation, &call.request, now),
            "secretsmanager" => match (call.operation.as_str(), &self.secret) {
                ("GetSecretValue", Some(value)) => Ok(json!({"SecretString": value})),
                ("GetSecretValue", None) => Err(AwsError::new("ResourceNotFoundException")),
                ("PutSecretValue", _) => {
                    self.secret = call.request["SecretString"].as_str().map(str::to_owned);
                    Ok(json!({}))
                }
                (operation, _) => {
                    panic!("Secrets Manager's {operation} is nothing that the fake knows")
                }
            },
            _ => panic!("{service} is nothing that the fake knows"),
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
        let answer = self.clone().answer(target, input);
        let latency = (self.0.latency.lock().expect("the fake has panicked"))();
        HttpConnectorFuture::new(async move {
            // Others come in between, as they would while a request is on its way.
            match latency {
                Some(time) => tokio::time::sleep(time).await,
                None => tokio::task::yield_now().await,
            }
            Ok(answer.await)
        })
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::new(
        status.try_into().expect("a status"),
        body.to_string().into(),
    )
}

/// Between two tries no time passes.
#[derive(Debug)]
struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: std::time::Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}
