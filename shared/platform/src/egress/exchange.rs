//! One request and its answer, over HTTP/1.1 or HTTP/2.
//!
//! Every form of an answer that RFC 9110 and RFC 9112 allow is read, and what servers commonly write beside it: up to
//! [`MAX_HEADERS`] fields, folded ones, a space before the colon; a line that is no field is passed over.
//!
//! A receiver may close an idle connection at the moment when a request is sent over it. Such a request got no byte of an
//! answer, and is made once more at once, on a new connection. A request of any method is: whoever receives from Tieline may
//! receive twice. One that got a byte of an answer is not, nor is one on a connection that never brought an answer.

use std::{error::Error, future::poll_fn, pin::pin, time::Duration};

use domain::target::Allow;
use http::{
    HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT, CONTENT_LENGTH, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::{
    client::legacy::{Builder, Client, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::RootCertStore;
use tokio::time::{Instant, timeout_at};

use super::{
    Answer, Call,
    connect::{Connector, Lookup, Traffic},
    failure::{CallError, Unreachable, find},
    tls,
};

/// Enough for a burst to one host. Longer, and connections to thousands of hosts would use up a function's 1,024 file
/// descriptors, or outlive the pause between two invocations, after which the other end may have left.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections kept per host: those of one batch.
const IDLE_PER_HOST: usize = 10;
/// The most header fields of an answer.
pub(super) const MAX_HEADERS: usize = 1_000;
/// The largest head of an answer over HTTP/2, in bytes: about what is read over HTTP/1.1.
const MAX_HEAD: u32 = 400 * 1024;

type Http = Client<Connector, Full<Bytes>>;

/// The client in its two forms.
pub(super) struct Clients {
    /// Uses connections again.
    pooled: Http,
    /// Makes a connection for each request.
    fresh: Http,
}

impl Clients {
    pub(super) fn new(allow: Allow, lookup: Lookup, roots: RootCertStore) -> Self {
        let connector = Connector { allow, lookup, tls: tls::config(roots).into() };
        Self {
            pooled: builder().pool_max_idle_per_host(IDLE_PER_HOST).build(connector.clone()),
            fresh: builder().pool_max_idle_per_host(0).build(connector),
        }
    }

    /// Makes the call. The time that is left runs on while it is repeated.
    pub(super) async fn exchange(&self, call: Call) -> Result<Answer, CallError> {
        let deadline = Instant::now() + call.timeout;
        let limit = call.limit;
        let response = timeout_at(deadline, self.respond(request(call)?)).await.map_err(|_| CallError::Timeout)??;
        Ok(read(response, limit, deadline).await)
    }

    /// The head of the answer.
    async fn respond(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
        let repeat = request.clone();
        let captured = capture_connection(&mut request);
        let mut responding = pin!(self.pooled.request(request));
        // The connection that took the request, and how much it had received by then.
        let mut taken: Option<Taken> = None;
        let response = poll_fn(|cx| {
            let polled = responding.as_mut().poll(cx);
            // The client itself goes on to another connection where the first was closed before it took the request.
            if let Some(traffic) = captured.connection_metadata().as_ref().and_then(Traffic::of)
                && taken.as_ref().is_none_or(|taken| !taken.traffic.is(&traffic))
            {
                taken = Some(Taken::by(traffic));
            }
            polled
        });
        let error = match response.await {
            Ok(response) => {
                if let Some(taken) = taken {
                    taken.traffic.answered();
                }
                return Ok(response);
            }
            Err(error) => error,
        };
        let is_http2 = captured
            .connection_metadata()
            .as_ref()
            .is_some_and(hyper_util::client::legacy::connect::Connected::is_negotiated_h2);
        let lost = if is_http2 {
            taken.is_some_and(|taken| lost_by_http2(&error, taken.reused))
        } else {
            taken.is_some_and(|taken| taken.reused && taken.traffic.bytes() == taken.bytes)
        };
        if !lost {
            return Err(CallError::of_exchange(&error));
        }
        tracing::debug!("a reused connection was closed before any answer: repeated on a new one");
        self.fresh.request(repeat).await.map_err(|error| CallError::of_exchange(&error))
    }
}

/// The connection that took a request.
struct Taken {
    traffic: Traffic,
    /// Whether it had brought an answer before.
    reused: bool,
    /// How much it had received before.
    bytes: u64,
}

impl Taken {
    fn by(traffic: Traffic) -> Self {
        Self { reused: traffic.has_answered(), bytes: traffic.bytes(), traffic }
    }
}

/// Whether a request that got no head of an answer was lost with its connection. Bytes tell nothing here: they may be those
/// of other requests. What the receiver says that it has not begun (RFC 9113, sections 6.8 and 8.7) may be made again on
/// any connection.
fn lost_by_http2(error: &(dyn Error + 'static), reused: bool) -> bool {
    let Some(error) = find::<h2::Error>(error) else { return reused };
    let unprocessed = match error.reason() {
        Some(h2::Reason::NO_ERROR) => error.is_go_away(),
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
        _ => false,
    };
    error.is_remote() && unprocessed || reused && (error.is_io() || error.is_go_away())
}

#[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
fn builder() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_max_headers(MAX_HEADERS)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http2_max_header_list_size(MAX_HEAD);
    builder
}

fn request(call: Call) -> Result<Request<Full<Bytes>>, CallError> {
    // Whatever a URL may hold, a URI may, too: what else is in it is percent-encoded.
    let uri = Uri::try_from(call.url.as_str()).map_err(|_| Unreachable::Connect)?;
    let body = call.body.unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (call.method, uri, call.headers);
    // A method that is meant to have content says so when it has none (RFC 9110, section 8.6).
    let is_empty = request.body().is_end_stream();
    let headers = request.headers_mut();
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("Tieline/", env!("CARGO_PKG_VERSION"))));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if is_empty && [Method::POST, Method::PUT, Method::PATCH].contains(request.method()) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}

/// Reads the body, up to the limit. Its head is an answer, whatever becomes of the rest.
async fn read(mut response: Response<Incoming>, limit: usize, deadline: Instant) -> Answer {
    let mut answer = Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
        truncated: false,
        incomplete: None,
    };
    let mut body = response.into_body();
    while !answer.truncated {
        let frame = match timeout_at(deadline, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                answer.incomplete = Some(CallError::of_exchange(&error));
                break;
            }
            Err(_) => {
                answer.incomplete = Some(CallError::Timeout);
                break;
            }
        };
        // Trailers are no content.
        if let Ok(chunk) = frame.into_data() {
            let room = limit - answer.body.len();
            answer.truncated = chunk.len() > room;
            answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    }
    answer
}
