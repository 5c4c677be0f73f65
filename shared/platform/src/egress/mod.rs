//! The only client for outgoing HTTP: webhooks, their tests, providers, services and token
//! endpoints.
//!
//! Sends an [`EgressRequest`] and returns the [`EgressResponse`] or an error. Guarantees:
//! - The target passes [`check_url`], and the resolved address passes [`check_address`]. The
//!   address is checked where the name is resolved, so DNS rebinding can't bypass the check.
//! - No redirect is followed and no proxy from the environment is used.
//! - A request that a reused connection loses immediately is sent once more on a new one, see
//!   [`exchange`].
//! - Everything from the DNS lookup to the last byte read stays within the request's timeout.
//! - Up to the request's limit of bytes is returned, as received, without decompression.
//! - Errors contain no URLs, whose path or query may be secret.
//!
//! [`check_address`]: domain::egress_policy::check_address

mod dial;
mod exchange;
mod failure;
mod resolve;
mod tls;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::egress_policy::{AllowList, check_url};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

pub use self::failure::EgressError;
pub use self::failure::Unreachable;
use self::{exchange::Clients, resolve::system_lookup, tls::public_roots};

/// Maximum size of a webhook response that is recorded, in bytes.
pub const MAX_WEBHOOK_RESPONSE_BYTES: usize = 16 * 1024;

/// The egress client. Clones share their connections.
///
/// ```
/// use std::time::Duration;
///
/// use domain::egress_policy::AllowList;
/// use http::{HeaderMap, Method};
/// use platform::egress::{Egress, EgressError, EgressRequest};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Only public hosts, unless the deployment allows others.
/// let egress = Egress::new(AllowList::default());
/// let request = EgressRequest {
///     method: Method::POST,
///     url: "https://127.0.0.1/hook".parse().expect("a URL"),
///     headers: HeaderMap::new(),
///     body: Some(b"{}".to_vec()),
///     timeout: Duration::from_secs(10),
///     limit: 16 * 1024,
/// };
/// assert!(matches!(egress.call(request).await, Err(EgressError::Blocked(_))));
/// # }
/// ```
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    allow: AllowList,
    clients: OnceLock<Clients>,
    #[cfg(feature = "test-clock")]
    network: Option<Network>,
}

/// Replacement of the network in tests.
#[cfg(feature = "test-clock")]
pub type Network = Box<
    dyn Fn(
            EgressRequest,
        ) -> futures::future::BoxFuture<'static, Result<EgressResponse, EgressError>>
        + Send
        + Sync,
>;

/// An outgoing request.
#[derive(Clone)]
pub struct EgressRequest {
    /// The HTTP method.
    pub method: Method,
    /// The target: an absolute URL, checked against the egress policy.
    pub url: Url,
    /// Header fields. `User-Agent` is added if missing.
    pub headers: HeaderMap,
    /// The body. None sends none.
    pub body: Option<Vec<u8>>,
    /// Timeout of the whole exchange.
    pub timeout: Duration,
    /// Maximum number of bytes of the response body to return.
    pub limit: usize,
}

/// A response, whatever its status.
#[derive(Debug, Clone)]
pub struct EgressResponse {
    /// The status as received. Redirects are returned like any other response.
    pub status: StatusCode,
    /// Header fields as received.
    pub headers: HeaderMap,
    /// The body as received, cut at the request's limit.
    pub body: Vec<u8>,
    /// Whether the body was cut.
    pub truncated: bool,
    /// The error that ended the body early. The body is then incomplete.
    pub incomplete: Option<EgressError>,
}

impl Egress {
    /// Creates a client that may reach public hosts and those in `allow`. Initializes lazily.
    pub fn new(allow: AllowList) -> Self {
        Self(Arc::new(Inner::new(allow, OnceLock::new())))
    }

    /// Creates a client whose requests pass the same checks and then go to `network`.
    #[cfg(feature = "test-clock")]
    pub fn over(allow: AllowList, network: Network) -> Self {
        Self(Arc::new(Inner {
            network: Some(network),
            ..Inner::new(allow, OnceLock::new())
        }))
    }

    /// Sends the request, and repeats it once in the case described in [`exchange`].
    ///
    /// # Errors
    ///
    /// If there is no response. The receiver may have processed the request nevertheless, unless
    /// the error is [`EgressError::Blocked`] or one of the connection (DNS, refused, TLS).
    pub async fn call(&self, call: EgressRequest) -> Result<EgressResponse, EgressError> {
        check_url(&call.url, &self.0.allow)?;
        #[cfg(feature = "test-clock")]
        if let Some(network) = &self.0.network {
            let timeout = call.timeout;
            return tokio::time::timeout(timeout, network(call))
                .await
                .map_err(|_| EgressError::Timeout)?;
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
    fn new(allow: AllowList, clients: OnceLock<Clients>) -> Self {
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
