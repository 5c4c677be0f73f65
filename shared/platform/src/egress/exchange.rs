//! One request and its response, over HTTP/1.1 or HTTP/2.
//!
//! Accepts every form of response that RFC 9110 and RFC 9112 allow, and common deviations: up to
//! [`MAX_HEADERS`] fields, folded ones, a space before the colon. Malformed header lines are
//! skipped.
//!
//! A receiver may close an idle connection at the moment when a request is sent over it. If such a
//! connection is lost within [`STALE`] of sending, before the head of the response is complete, the
//! request is sent once more, on a new connection. This applies to any method: delivery is at least
//! once. A connection that closes later was not idle, and the receiver had the request. That loss
//! is reported as the outcome, and so is the loss of a connection that was opened for the request.

use std::time::Duration;

use domain::egress_policy::AllowList;
use http::{HeaderValue, Method, header::CONTENT_LENGTH};
use reqwest::{Client, ClientBuilder, Request, Response, redirect::Policy};
use rustls::RootCertStore;
use tokio::time::{Instant, timeout_at};

use super::{
    EgressRequest, EgressResponse,
    dial::{DIAL, DetectNew, Dial},
    failure::{EgressError, Unreachable},
    resolve::{Lookup, Resolver},
    tls,
};

/// Maximum time for opening a connection, including DNS and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for a burst to one host. With a longer timeout, connections to thousands of hosts would
/// use up a function's 1,024 file descriptors, or outlive the pause between two invocations, after
/// which the receiver may have closed them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of idle connections per host: those of one batch.
const MAX_IDLE_PER_HOST: usize = 10;
/// Maximum time after sending within which a stale connection closes: a round trip with a margin.
const STALE: Duration = Duration::from_secs(1);
/// Maximum number of header fields in a response.
pub(super) const MAX_HEADERS: usize = 1_000;
/// Maximum size in bytes of a response's head over HTTP/2, about the same as over HTTP/1.1.
const MAX_HEAD_BYTES: u32 = 400 * 1024;

/// The client with and without connection reuse.
pub(super) struct Clients {
    /// Reuses connections.
    pooled: Client,
    /// Opens a connection for each request.
    fresh: Client,
}

impl Clients {
    pub(super) fn new(allow: AllowList, lookup: Lookup, roots: RootCertStore) -> Self {
        let resolver = Resolver { allow, lookup };
        let tls = tls::config(roots);
        let client = |idle| {
            let builder = builder()
                .dns_resolver(resolver.clone())
                .tls_backend_preconfigured(tls.clone());
            builder
                .pool_max_idle_per_host(idle)
                .build()
                .expect("the settings are constants")
        };
        Self {
            pooled: client(MAX_IDLE_PER_HOST),
            fresh: client(0),
        }
    }

    /// Sends the request. A repeat uses the remaining time.
    pub(super) async fn exchange(
        &self,
        call: EgressRequest,
    ) -> Result<EgressResponse, EgressError> {
        let deadline = Instant::now() + call.timeout;
        let limit = call.limit;
        let response = timeout_at(deadline, self.respond(request(call)))
            .await
            .map_err(|_| EgressError::Timeout)??;
        Ok(read(response, limit, deadline).await)
    }

    /// Returns the head of the response.
    async fn respond(&self, request: Request) -> Result<Response, EgressError> {
        let repeat = request.try_clone().expect("the body is in memory");
        let dial = Dial::new(request.url().port_or_known_default().unwrap_or(443));
        let sent = Instant::now();
        let outcome = DIAL
            .scope(dial.clone(), self.pooled.execute(request))
            .await
            .map_err(EgressError::from);
        let closed = outcome.as_ref().err() == Some(&Unreachable::Closed.into());
        if !closed || dial.is_new() || sent.elapsed() > STALE {
            return outcome;
        }
        tracing::debug!("reused connection closed before the response; retrying on a new one");
        DIAL.scope(dial, self.fresh.execute(repeat))
            .await
            .map_err(EgressError::from)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        .connector_layer(DetectNew)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_max_headers(MAX_HEADERS)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http2_max_header_list_size(MAX_HEAD_BYTES)
        .user_agent(concat!("Tieline/", env!("CARGO_PKG_VERSION")))
}

fn request(call: EgressRequest) -> Request {
    let body = call.body.unwrap_or_default();
    let mut request = Request::new(call.method, call.url);
    *request.headers_mut() = call.headers;
    // A method that usually has content sends `content-length: 0` when it has none (RFC 9110,
    // section 8.6).
    if body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(request.method()) {
        request
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if !body.is_empty() {
        *request.body_mut() = Some(body.into());
    }
    request
}

/// Reads the body up to the limit. An error after the head is part of the result.
async fn read(mut response: Response, limit: usize, deadline: Instant) -> EgressResponse {
    let mut read = EgressResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
        truncated: false,
        incomplete: None,
    };
    while !read.truncated {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let space = limit - read.body.len();
                read.truncated = chunk.len() > space;
                read.body
                    .extend_from_slice(&chunk[..chunk.len().min(space)]);
            }
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                read.incomplete = Some(error.into());
                break;
            }
            Err(_) => {
                read.incomplete = Some(EgressError::Timeout);
                break;
            }
        }
    }
    read
}
