//! The receiver of webhooks: a real HTTP server on this machine that answers by a script and notes
//! who called.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// A call that was received.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The path, which names the webhook.
    pub path: String,
    /// The header `webhook-id`.
    pub webhook_id: String,
    /// The header `tieline-hops`.
    pub hops: String,
    /// The body.
    pub body: Bytes,
    /// When, by the system's clock.
    pub at: Timestamp,
    /// When, in real time.
    pub instant: Instant,
}

/// What a call is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// Status 200 and this body.
    Body(&'static str),
    /// This status and a `Retry-After` of so many seconds.
    RetryAfter(u16, u32),
    /// Nothing, ever.
    Hang,
    /// The sender's process ends before the call is received.
    CrashBefore,
    /// The sender's process ends after the call was received.
    CrashAfter,
}

/// The server. It ends with this value.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    url: String,
    server: JoinHandle<()>,
}

struct Shared {
    state: Mutex<Noted>,
    crash: Arc<Notify>,
}

type Script = Box<dyn FnMut(&Hit) -> Reply + Send>;

struct Noted {
    time: Timestamp,
    script: Script,
    hits: Vec<Hit>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Receiver {
    /// Starts one that answers 200; `crash` is told when the script ends the sender's process.
    ///
    /// # Panics
    /// When there is no port left.
    pub async fn start(crash: Arc<Notify>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let noted = Noted {
            time: Timestamp::UNIX_EPOCH,
            script: Box::new(|_| Reply::Status(200)),
            hits: Vec::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(noted),
            crash,
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("serves for ever");
        });
        Self {
            shared,
            url,
            server,
        }
    }

    /// The address of the webhook with this name.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// From now on, calls are answered by this script.
    pub fn script(&self, script: impl FnMut(&Hit) -> Reply + Send + 'static) {
        self.shared.state().script = Box::new(script);
    }

    /// The calls so far.
    pub fn hits(&self) -> Vec<Hit> {
        self.shared.state().hits.clone()
    }

    /// Sets its clock.
    pub(super) fn set_time(&self, time: Timestamp) {
        self.shared.state().time = time;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Noted> {
        self.state.lock().expect("a script has panicked")
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = {
        let mut state = shared.state();
        let header = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let (webhook_id, hops) = (header("webhook-id"), header("tieline-hops"));
        let path = uri.path().trim_start_matches('/').to_owned();
        let hit = Hit {
            path,
            webhook_id,
            hops,
            body,
            at: state.time,
            instant: Instant::now(),
        };
        let reply = (state.script)(&hit);
        if reply != Reply::CrashBefore {
            state.hits.push(hit);
        }
        reply
    };
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    match reply {
        Reply::Status(code) => status(code).into_response(),
        Reply::Body(body) => body.into_response(),
        Reply::RetryAfter(code, seconds) => {
            (status(code), [("retry-after", seconds.to_string())]).into_response()
        }
        Reply::Hang => std::future::pending().await,
        Reply::CrashBefore | Reply::CrashAfter => {
            shared.crash.notify_one();
            std::future::pending().await
        }
    }
}
