//! Receiver of webhooks: an HTTP server on this machine that replies as scripted and records the
//! requests.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod reply;
mod request;

use std::{
    collections::VecDeque,
    fmt,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU16, Ordering},
    },
    time::Instant,
};

use axum::{body::to_bytes, extract::State, response::Response};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use self::reply::Mode;
pub use self::{reply::Reply, request::Request};
use crate::stack::WAIT_TIMEOUT;

/// The ports on this machine that the stack's egress policy allows.
const PORTS: std::ops::Range<u16> = 9000..10_000;

/// A running receiver. Dropping it stops the server.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    requests: watch::Sender<Vec<Request>>,
    script: Mutex<Script>,
    released: Notify,
    crash: Arc<Notify>,
}

struct Script {
    /// The test's clock, if it has one.
    now: Timestamp,
    reply: Box<dyn FnMut(&Request) -> Reply + Send>,
}

impl Receiver {
    /// Starts a receiver that replies 200, on a port that the stack's egress policy allows.
    pub fn start() -> Self {
        Self::serve(bind_allowed(), Arc::default())
    }

    /// Starts a receiver that gives these replies in sequence and repeats the last one, on a port
    /// that the stack's egress policy allows.
    pub fn replying<const N: usize>(replies: [Reply; N]) -> Self {
        let receiver = Self::start();
        receiver.set_replies(replies);
        receiver
    }

    /// Starts a receiver that replies 200, on any free port. It notifies `crash` if a reply crashes
    /// the sender's process.
    pub(crate) fn with_crash(crash: Arc<Notify>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        Self::serve(listener, crash)
    }

    fn serve(listener: TcpListener, crash: Arc<Notify>) -> Self {
        let port = listener.local_addr().expect("an address").port();
        listener.set_nonblocking(true).expect("non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let script = Script {
            now: Timestamp::UNIX_EPOCH,
            reply: Box::new(|_| Reply::status(200)),
        };
        let shared = Arc::new(Shared {
            requests: watch::Sender::new(Vec::new()),
            script: Mutex::new(script),
            released: Notify::new(),
            crash,
        });
        let app = axum::Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("server") });
        Self {
            port,
            shared,
            server,
        }
    }

    /// Returns the URL of the root path.
    pub fn url(&self) -> String {
        self.url_of("/")
    }

    /// Returns the URL of a path, which may contain tags and a query.
    pub fn url_of(&self, path: &str) -> String {
        format!(
            "http://127.0.0.1:{}/{}",
            self.port,
            path.trim_start_matches('/')
        )
    }

    /// Replaces the replies by this script.
    pub fn script(&self, script: impl FnMut(&Request) -> Reply + Send + 'static) {
        self.shared.script().reply = Box::new(script);
    }

    /// Replaces the replies by this one.
    pub fn set_reply(&self, reply: Reply) {
        self.set_replies([reply]);
    }

    /// Replaces the replies by these, in sequence. The last one is repeated.
    pub fn set_replies(&self, replies: impl IntoIterator<Item = Reply>) {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        self.script(move |_| {
            let reply = if replies.len() > 1 {
                replies.pop_front()
            } else {
                replies.front().cloned()
            };
            reply.expect("a reply")
        });
    }

    /// Releases one held reply.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.borrow().clone()
    }

    /// Waits for this many requests. Returns all so far.
    pub async fn wait_for(&self, count: usize) -> Vec<Request> {
        self.wait_until(&format!("{count} requests arrived"), |requests| {
            requests.len() >= count
        })
        .await
    }

    /// Waits until the condition holds for the requests. Returns all so far.
    pub async fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&[Request]) -> bool,
    ) -> Vec<Request> {
        let mut watcher = self.shared.requests.subscribe();
        let met = watcher.wait_for(|requests| condition(requests));
        let found = tokio::time::timeout(WAIT_TIMEOUT, met).await;
        match found {
            Ok(requests) => requests.expect("the receiver runs").clone(),
            Err(elapsed) => {
                let requests = self.requests();
                let latest = &requests[requests.len().saturating_sub(5)..];
                panic!(
                    "still waiting until {what} ({elapsed}); so far {}, the latest {latest:#?}",
                    requests.len()
                )
            }
        }
    }

    /// Waits for the first request, which must be the only one so far.
    pub async fn only(&self) -> Request {
        let requests = self.wait_for(1).await;
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.into_iter().next().expect("one")
    }

    /// Sets the clock that stamps requests.
    pub(crate) fn set_time(&self, now: Timestamp) {
        self.shared.script().now = now;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("a script has panicked")
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

async fn receive(State(shared): State<Arc<Shared>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let reply = {
        let mut script = shared.script();
        let request = Request {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            instant: Instant::now(),
            at: script.now,
        };
        let reply = (script.reply)(&request);
        let reply = match reply.mode {
            Mode::Echo => reply.body(request.echo()),
            _ => reply,
        };
        if reply.mode != Mode::CrashBefore {
            shared.requests.send_modify(|all| all.push(request));
        }
        reply
    };
    match reply.mode {
        Mode::Held => shared.released.notified().await,
        Mode::CrashBefore | Mode::CrashAfter => shared.crash.notify_one(),
        _ => {}
    }
    reply.into_response().await
}

/// Binds a free port that this process has not used before: a late request to another test's
/// receiver must not reach this one.
fn bind_allowed() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 1000 * 97 % 1000).expect("below 1000");
    for _ in PORTS {
        let port = PORTS.start + (offset + NEXT.fetch_add(1, Ordering::Relaxed) % 1000) % 1000;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener;
        }
    }
    panic!("no free port from {} to {}", PORTS.start, PORTS.end - 1);
}
