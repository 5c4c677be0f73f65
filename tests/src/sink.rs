//! Receivers of webhooks: servers on this machine that answer as they are told and keep what they
//! got.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::stack::PATIENCE;

/// The ports that the stack's egress allows on this machine.
const PORTS: std::ops::Range<u32> = 9000..10_000;

/// A receiver; it ends when it is dropped.
#[derive(Debug)]
pub struct Sink {
    port: u32,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    got: watch::Sender<Vec<Request>>,
    replies: Mutex<VecDeque<Reply>>,
    released: Notify,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST` and the like.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query, still percent-encoded; empty where there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    /// When all of it was there.
    pub at: Instant,
}

/// An answer to give.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    manner: Manner,
}

#[derive(Debug, Clone, Copy)]
enum Manner {
    AtOnce,
    Echo,
    Held,
    Hang,
    Drip,
}

impl Reply {
    /// A status, and nothing else.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            manner: Manner::AtOnce,
        }
    }

    /// A status, and the whole request.
    pub fn echo(status: u16) -> Self {
        Self {
            manner: Manner::Echo,
            ..Self::status(status)
        }
    }

    /// No answer at all, on a connection that stays open.
    pub fn hang() -> Self {
        Self {
            manner: Manner::Hang,
            ..Self::status(200)
        }
    }

    /// The same, but not before [`Sink::release`].
    #[must_use]
    pub fn held(self) -> Self {
        Self {
            manner: Manner::Held,
            ..self
        }
    }

    /// Status and headers at once, then a byte now and then, without end.
    pub fn drip() -> Self {
        Self {
            manner: Manner::Drip,
            ..Self::status(200)
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }
}

impl Sink {
    /// One that answers 200.
    pub fn start() -> Self {
        Self::answering([Reply::status(200)])
    }

    /// One that gives these answers in turn, and the last one from then on.
    pub fn answering<const N: usize>(replies: [Reply; N]) -> Self {
        let (listener, port) = listen();
        let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
        let inner = Arc::new(Inner {
            got: watch::Sender::new(Vec::new()),
            replies: Mutex::new(replies.into()),
            released: Notify::new(),
        });
        let app = axum::Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("server") });
        Self {
            port,
            inner,
            server,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.at("/")
    }

    /// The URL of a path, which may hold tags and a query.
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on, it gives this answer.
    pub fn answers(&self, reply: Reply) {
        self.answers_in_turn([reply]);
    }

    /// From now on, it gives these answers in turn, and the last one from then on.
    pub fn answers_in_turn(&self, replies: impl IntoIterator<Item = Reply>) {
        *self.inner.replies.lock().expect("replies") = replies.into_iter().collect();
    }

    /// Lets an answer go that is held.
    pub fn release(&self) {
        self.inner.released.notify_one();
    }

    /// What it got so far.
    pub fn got(&self) -> Vec<Request> {
        self.inner.got.borrow().clone()
    }

    /// Waits until it has got this many requests, and returns all.
    pub async fn wait_for(&self, count: usize) -> Vec<Request> {
        self.wait_until(&format!("{count} requests came"), |got| got.len() >= count)
            .await
    }

    /// Waits until what it got is as the condition says, and returns all.
    pub async fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&[Request]) -> bool,
    ) -> Vec<Request> {
        let mut watcher = self.inner.got.subscribe();
        let found = tokio::time::timeout(PATIENCE, watcher.wait_for(|got| condition(got))).await;
        match found {
            Ok(got) => got.expect("the sink is there").clone(),
            Err(elapsed) => {
                let got = self.got();
                let latest = &got[got.len().saturating_sub(5)..];
                panic!(
                    "still waiting until {what} ({elapsed}); so far {}, at last {latest:#?}",
                    got.len()
                )
            }
        }
    }

    /// Waits for its first request, which must be the only one so far.
    pub async fn only(&self) -> Request {
        let got = self.wait_for(1).await;
        assert_eq!(got.len(), 1, "{got:#?}");
        got.into_iter().next().expect("one")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Request {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("UTF-8")
    }

    /// All of it, as services for debugging send it back: URL and body as they came, then all of it
    /// again in JSON.
    pub fn echo(&self) -> String {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes())));
        let headers: serde_json::Map<String, Value> =
            headers.map(|(name, value)| (name, value.into())).collect();
        let (url, body) = (
            format!("{}?{}", self.path, self.query),
            String::from_utf8_lossy(&self.body),
        );
        format!(
            "{url}\n{body}\n{}",
            json!({"url": url, "headers": headers, "body": body})
        )
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The `data` of an envelope, without the mark of the test.
    pub fn data(&self) -> Value {
        let mut data = self.json()["data"].take();
        data.as_object_mut().expect("data").remove("test");
        data
    }
}

async fn receive(State(inner): State<Arc<Inner>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        at: Instant::now(),
    };
    let reply = {
        let mut replies = inner.replies.lock().expect("replies");
        if replies.len() > 1 {
            replies.pop_front()
        } else {
            replies.front().cloned()
        }
    };
    let reply = reply.expect("a reply");
    let reply = if matches!(reply.manner, Manner::Echo) {
        reply.body(request.echo())
    } else {
        reply
    };
    inner.got.send_modify(|got| got.push(request));
    if matches!(reply.manner, Manner::Held) {
        inner.released.notified().await;
    }
    answer(reply).await
}

async fn answer(reply: Reply) -> Response {
    let mut response =
        Response::builder().status(StatusCode::from_u16(reply.status).expect("status"));
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = match reply.manner {
        Manner::AtOnce | Manner::Echo | Manner::Held => Body::from(reply.body),
        Manner::Hang => std::future::pending().await,
        Manner::Drip => Body::from_stream(stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok::<_, std::io::Error>("."), ()))
        })),
    };
    response.body(body).expect("answer")
}

/// A free port that this process has not used before: calls to a former test's sink
/// may still come.
fn listen() -> (TcpListener, u32) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let offset = std::process::id();
    for _ in PORTS {
        let port = PORTS.start
            + (offset
                .wrapping_mul(97)
                .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)))
                % 1000;
        let free = u16::try_from(port)
            .ok()
            .and_then(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        if let Some(listener) = free {
            listener.set_nonblocking(true).expect("non-blocking");
            return (listener, port);
        }
    }
    panic!("no free port from {} to {}", PORTS.start, PORTS.end - 1);
}
