//! A function as its own process, invoked over the Runtime API.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::{binaries::Binaries, servers::serve};

/// A running function.
pub(crate) struct Function {
    name: String,
    child: Child,
    events: mpsc::UnboundedSender<Invocation>,
    polls: watch::Receiver<u64>,
}

struct Invocation {
    event: Bytes,
    response: oneshot::Sender<Result<Bytes, Bytes>>,
}

/// The Runtime API of one function: one invocation at a time.
struct Runtime {
    events: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    current: Mutex<Option<oneshot::Sender<Result<Bytes, Bytes>>>>,
    polls: watch::Sender<u64>,
}

impl Function {
    /// Starts a function and waits until it polls for its first event.
    pub(crate) async fn start(
        binaries: &Binaries,
        name: &str,
        environment: &[(&str, String)],
    ) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let (sender, polls) = watch::channel(0);
        let runtime = Arc::new(Runtime {
            events: Mutex::new(queue),
            current: Mutex::default(),
            polls: sender,
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(succeeded),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .layer(DefaultBodyLimit::disable())
            .with_state(runtime);
        let api = serve(router);
        let log = File::create(binaries.logs().join(format!("{name}.bench.log"))).expect("a log");
        let child = Command::new(binaries.path(name))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{api}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", name)
            .env("AWS_LAMBDA_LOG_STREAM_NAME", name)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a log"))
            .stdout(log)
            .spawn()
            .expect("a process");
        let mut function = Self {
            name: name.to_owned(),
            child,
            events,
            polls,
        };
        function.until_idle(1).await;
        function
    }

    /// Waits until the function has polled this many times.
    async fn until_idle(&mut self, polls: u64) {
        let idle = self.polls.wait_for(|count| *count >= polls);
        let polled = tokio::time::timeout(Duration::from_mins(1), idle).await;
        let polled = polled.unwrap_or_else(|_| panic!("{} does not poll for an event", self.name));
        polled.expect("the Runtime API runs");
    }

    /// Invokes the function, and waits until it is idle again. Returns its response.
    pub(crate) async fn invoke(&mut self, event: String) -> Value {
        let (sender, response) = oneshot::channel();
        let polls = *self.polls.borrow() + 1;
        let invocation = Invocation {
            event: event.into(),
            response: sender,
        };
        self.events.send(invocation).expect("the Runtime API runs");
        let response = response.await.expect("a response");
        self.until_idle(polls).await;
        let response = response.unwrap_or_else(|error| {
            panic!("{} failed: {}", self.name, String::from_utf8_lossy(&error))
        });
        serde_json::from_slice(&response).unwrap_or_default()
    }

    /// Returns the CPU time of the process so far, of all its threads.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("a process");
        let of_thread = |thread: std::io::Result<fs::DirEntry>| {
            let file = thread.expect("a thread").path().join("schedstat");
            // A thread that has ended in the meantime has no file.
            let text = fs::read_to_string(file).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(threads.filter_map(of_thread).sum())
    }

    /// Returns the CPU time of the process since it was `before`.
    pub(crate) fn cpu_since(&self, before: Duration) -> Duration {
        self.cpu().saturating_sub(before)
    }

    /// Returns the resident memory now and its maximum, in KiB.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let field = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .expect("a field");
            line.trim()
                .trim_end_matches(" kB")
                .parse()
                .expect("a number")
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It fails only if the process has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    runtime.polls.send_modify(|polls| *polls += 1);
    let Some(invocation) = runtime.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *runtime.current.lock().await = Some(invocation.response);
    let deadline = platform::clock::now() + jiff::SignedDuration::from_mins(1);
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
        ),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millisecond().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
        ),
    ];
    (headers, invocation.event).into_response()
}

async fn succeeded(
    State(runtime): State<Arc<Runtime>>,
    Path(_): Path<String>,
    body: Bytes,
) -> StatusCode {
    respond(&runtime, Ok(body)).await
}

async fn failed(
    State(runtime): State<Arc<Runtime>>,
    Path(_): Path<String>,
    body: Bytes,
) -> StatusCode {
    respond(&runtime, Err(body)).await
}

async fn respond(runtime: &Runtime, result: Result<Bytes, Bytes>) -> StatusCode {
    let sender = runtime.current.lock().await.take().expect("an invocation");
    // The bench waits for every response.
    sender.send(result).expect("the bench waits");
    StatusCode::ACCEPTED
}
