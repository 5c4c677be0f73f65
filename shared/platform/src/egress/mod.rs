//! The only outgoing HTTP: webhooks, their tests, providers, services and token endpoints.
//!
//! A [`Call`] comes in, the [`Answer`] or the reason for its absence goes out. It is guaranteed that
//! - the target passes [`check_url`], and the address that is dialled passes [`check_address`]: it is judged where the
//!   name is resolved, so a name can't be given another address in between;
//! - nothing else decides where the request goes: no redirect is followed, no proxy of the environment is used;
//! - the whole exchange, from the look-up of the name to the last byte read, ends within the call's timeout;
//! - at most the call's limit of bytes is kept, as they came: nothing is unpacked;
//! - no error holds a URL, whose path or query may be a secret.
//!
//! [`check_address`]: domain::target::check_address

mod failure;
mod resolve;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::target::{Allow, check_url};
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

pub use self::failure::{CallError, Unreachable};
use self::resolve::{Guard, Lookup, PORT, system_lookup};

/// Bytes of an answer that a webhook keeps.
pub const WEBHOOK_ANSWER_LIMIT: usize = 16 * 1024;

/// Longest wait for a connection, its look-up and TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Enough for a burst to one host. Longer, and connections to thousands of hosts would use up a function's 1,024 file
/// descriptors, or outlive the pause between two invocations, after which the other end may have left.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Idle connections kept per host: those of one batch.
const IDLE_PER_HOST: usize = 10;

/// The guarded client. Clones share their connections.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    allow: Allow,
    client: OnceLock<Client>,
    #[cfg(feature = "test-clock")]
    network: Option<Network>,
}

/// What answers a test's calls in place of the network.
#[cfg(feature = "test-clock")]
pub type Network = Box<dyn Fn(Call) -> futures::future::BoxFuture<'static, Result<Answer, CallError>> + Send + Sync>;

/// One request to make.
#[derive(Clone)]
pub struct Call {
    /// How.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Header fields; `User-Agent` is added when missing.
    pub headers: HeaderMap,
    /// The content; `None` sends none.
    pub body: Option<Vec<u8>>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// How many bytes of the answer's body to keep.
    pub limit: usize,
}

/// What came back, whatever the status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status as sent; a redirect is an answer like any other.
    pub status: StatusCode,
    /// Header fields as sent.
    pub headers: HeaderMap,
    /// The body as sent, cut at the call's limit.
    pub body: Vec<u8>,
    /// Whether it was cut.
    pub truncated: bool,
}

impl Egress {
    /// A client that reaches public hosts and what `allow` lists. The work is left to the first call.
    pub fn new(allow: Allow) -> Self {
        Self(Arc::new(Inner::new(allow, OnceLock::new())))
    }

    /// One whose calls pass the same checks, and go to `network`.
    #[cfg(feature = "test-clock")]
    pub fn over(allow: Allow, network: Network) -> Self {
        Self(Arc::new(Inner { network: Some(network), ..Inner::new(allow, OnceLock::new()) }))
    }

    /// Makes the request, once.
    ///
    /// An error says that there is no complete answer; unless it is [`CallError::Blocked`] or one of the connection's
    /// (name, refusal, TLS), the other end may have acted on the request all the same.
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        check_url(&call.url, &self.0.allow)?;
        let port = call.url.port_or_known_default().unwrap_or(443);
        let timeout = call.timeout;
        #[cfg(feature = "test-clock")]
        if let Some(network) = &self.0.network {
            return tokio::time::timeout(timeout, network(call)).await.map_err(|_| CallError::Timeout)?;
        }
        let exchange = PORT.scope(port, exchange(self.client(), call));
        tokio::time::timeout(timeout, exchange).await.map_err(|_| CallError::Timeout)?
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| build(self.0.allow.clone(), system_lookup, public_roots()))
    }
}

impl Inner {
    fn new(allow: Allow, client: OnceLock<Client>) -> Self {
        Self {
            allow,
            client,
            #[cfg(feature = "test-clock")]
            network: None,
        }
    }
}

async fn exchange(client: &Client, call: Call) -> Result<Answer, CallError> {
    let mut request = client.request(call.method, call.url).headers(call.headers);
    if let Some(body) = call.body {
        request = request.body(body);
    }
    let mut response = request.send().await.map_err(CallError::from)?;
    let mut answer = Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
        truncated: false,
    };
    while let Some(chunk) = response.chunk().await? {
        let room = call.limit - answer.body.len();
        answer.truncated = chunk.len() > room;
        answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if answer.truncated {
            break;
        }
    }
    Ok(answer)
}

#[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
fn build(allow: Allow, lookup: Lookup, roots: RootCertStore) -> Client {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions() // TLS 1.2 and 1.3
        .expect("ring serves both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Guard::new(allow, lookup))
        .redirect(Policy::none())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .user_agent(concat!("Tieline/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the settings are constants")
}

/// Mozilla's list, compiled in: reading the system's is slower, and a function's system has none to rely on.
fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots
}

#[cfg(test)]
mod tests;
