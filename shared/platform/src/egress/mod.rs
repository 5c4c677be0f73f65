//! The only outgoing HTTP: webhooks, their tests, providers, services and token endpoints.
//!
//! A [`Call`] comes in, the [`Answer`] or the reason for its absence goes out. It is guaranteed
//! that
//! - the target passes [`check_url`], and the address that is dialled passes [`check_address`]: it
//!   is judged where the name is resolved, so a name can't be given another address in between;
//! - nothing else decides where the request goes: no redirect is followed, no proxy of the
//!   environment is used;
//! - a request that a reused connection loses at once is repeated once on a new one, see
//!   [`exchange`];
//! - the whole exchange, from the look-up of the name to the last byte read, ends within the call's
//!   timeout;
//! - at most the call's limit of bytes is kept, as they came: nothing is unpacked;
//! - no error holds a URL, whose path or query may be a secret.
//!
//! [`check_address`]: domain::target::check_address

mod dial;
mod exchange;
mod failure;
mod resolve;
mod tls;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::target::{Allow, check_url};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

pub use self::failure::{CallError, Unreachable};
use self::{exchange::Clients, resolve::system_lookup, tls::public_roots};

/// Bytes of an answer that a webhook keeps.
pub const WEBHOOK_ANSWER_LIMIT: usize = 16 * 1024;

/// The guarded client. Clones share their connections.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    allow: Allow,
    clients: OnceLock<Clients>,
    #[cfg(feature = "test-clock")]
    network: Option<Network>,
}

/// What answers a test's calls in place of the network.
#[cfg(feature = "test-clock")]
pub type Network = Box<
    dyn Fn(Call) -> futures::future::BoxFuture<'static, Result<Answer, CallError>> + Send + Sync,
>;

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
    /// Why it ends before its end, where it does: then it is as much as came.
    pub incomplete: Option<CallError>,
}

impl Egress {
    /// A client that reaches public hosts and what `allow` lists. The work is left to the first
    /// call.
    pub fn new(allow: Allow) -> Self {
        Self(Arc::new(Inner::new(allow, OnceLock::new())))
    }

    /// One whose calls pass the same checks, and go to `network`.
    #[cfg(feature = "test-clock")]
    pub fn over(allow: Allow, network: Network) -> Self {
        Self(Arc::new(Inner {
            network: Some(network),
            ..Inner::new(allow, OnceLock::new())
        }))
    }

    /// Makes the request, and repeats it once where [`exchange`] says so.
    ///
    /// An error says that there is no answer; unless it is [`CallError::Blocked`] or one of the
    /// connection's (name, refusal, TLS), the other end may have acted on the request all the same.
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        check_url(&call.url, &self.0.allow)?;
        #[cfg(feature = "test-clock")]
        if let Some(network) = &self.0.network {
            let timeout = call.timeout;
            return tokio::time::timeout(timeout, network(call))
                .await
                .map_err(|_| CallError::Timeout)?;
        }
        self.clients().exchange(call).await
    }

    fn clients(&self) -> &Clients {
        self.0
            .clients
            .get_or_init(|| Clients::new(self.0.allow.clone(), system_lookup, public_roots()))
    }
}

impl Inner {
    fn new(allow: Allow, clients: OnceLock<Clients>) -> Self {
        Self {
            allow,
            clients,
            #[cfg(feature = "test-clock")]
            network: None,
        }
    }
}

#[cfg(test)]
mod tests;
