//! From an origin to a connection: resolve, check, dial, and speak TLS.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use domain::target::{Allow, TargetError, check_address};
use futures::{FutureExt, future::BoxFuture};
use http::{Extensions, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector, dns::Name},
    rt::TokioIo,
};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower::Service;

use super::failure::{CallError, Unreachable};

/// Longest wait for a connection, its look-up and TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// All addresses of a name.
pub(super) type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// Dials only addresses that pass the check: it is made where the name is resolved.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) allow: Allow,
    pub(super) lookup: Lookup,
    pub(super) tls: Arc<ClientConfig>,
}

type Stream = TokioIo<Counted<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Stream, CallError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let port = origin.port_u16().unwrap_or(if origin.scheme_str() == Some("http") { 80 } else { 443 });
        let resolver = Resolver { allow: self.allow.clone(), lookup: self.lookup, port };
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        let connecting = HttpsConnector::from((http, self.tls.clone())).call(origin);
        async move {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
            let stream = connected.map_err(|_| Unreachable::ConnectTimeout)?;
            let stream = stream.map_err(|error| CallError::of_connecting(&*error))?;
            Ok(TokioIo::new(Counted { stream: TokioIo::new(stream), traffic: Traffic::default() }))
        }
        .boxed()
    }
}

/// The resolver of one connection.
#[derive(Clone)]
struct Resolver {
    allow: Allow,
    lookup: Lookup,
    port: u16,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Self::Response, CallError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { allow, lookup, port } = self.clone();
        async move {
            let addresses = lookup(name.as_str().to_owned()).await.map_err(|_| Unreachable::Dns)?;
            let dialable = dialable(addresses, port, &allow)?;
            if dialable.is_empty() { Err(Unreachable::Dns.into()) } else { Ok(dialable.into_iter()) }
        }
        .boxed()
    }
}

/// Those of `addresses` that may be dialled; an error when there were some and none may.
fn dialable(addresses: Vec<IpAddr>, port: u16, allow: &Allow) -> Result<Vec<SocketAddr>, TargetError> {
    let mut refused = None;
    let mut dialable = Vec::new();
    for ip in addresses {
        match check_address(ip, port, allow) {
            Ok(()) => dialable.push(SocketAddr::new(ip, port)),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if dialable.is_empty() => Err(error),
        _ => Ok(dialable),
    }
}

/// What the system's resolver says.
pub(super) fn system_lookup(name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
}

/// What came over one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    answers: AtomicU64,
}

impl Traffic {
    /// That of the connection in use.
    pub(super) fn of(connected: &Connected) -> Option<Self> {
        let mut extras = Extensions::new();
        connected.get_extras(&mut extras);
        extras.remove()
    }

    /// Bytes received so far, without those of TLS itself.
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Counts an answer whose head was received.
    pub(super) fn answered(&self) {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the connection has brought an answer before.
    pub(super) fn has_answered(&self) -> bool {
        self.0.answers.load(Ordering::Relaxed) > 0
    }

    /// Whether both are of the same connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A connection that counts what it receives.
pub(super) struct Counted<T> {
    stream: T,
    traffic: Traffic,
}

impl<T: Connection> Connection for Counted<T> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.traffic.clone())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len().saturating_sub(before) as u64;
        self.traffic.0.bytes.fetch_add(read, Ordering::Relaxed);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("address")).collect()
    }

    #[test]
    fn only_what_passes_the_check_is_dialled() {
        let allow: Allow = "10.0.0.5:8443".parse().expect("allow-list");
        let mixed = ips(&["127.0.0.1", "8.8.8.8", "10.0.0.5", "::1", "2606:4700::1111"]);
        for (addresses, port, expected) in [
            (mixed.clone(), 443, Ok(ips(&["8.8.8.8", "2606:4700::1111"]))),
            (mixed, 8443, Ok(ips(&["8.8.8.8", "10.0.0.5", "2606:4700::1111"]))),
            (ips(&["127.0.0.1", "::ffff:10.0.0.5"]), 443, Err(TargetError::Resolved)),
            (vec![], 443, Ok(vec![])),
        ] {
            let expected = expected.map(|ips| ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
            assert_eq!(dialable(addresses, port, &allow), expected);
        }
    }
}
