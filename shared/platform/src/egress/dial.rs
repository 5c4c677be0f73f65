//! Connection state of a request that reqwest does not expose.

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};

use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use tower::{Layer, Service};

tokio::task_local! {
    /// Connection state of the request in progress.
    pub(super) static DIAL: Arc<Dial>;
}

/// The connection of one request.
pub(super) struct Dial {
    /// The target's port. A resolver only gets the name, but the allow-list consists of address and
    /// port.
    pub(super) port: u16,
    is_new: AtomicBool,
}

impl Dial {
    pub(super) fn new(port: u16) -> Arc<Self> {
        Arc::new(Self {
            port,
            is_new: AtomicBool::new(false),
        })
    }

    /// Whether the request opened a new connection.
    pub(super) fn is_new(&self) -> bool {
        self.is_new.load(Ordering::Relaxed)
    }
}

/// Layer that records in [`DIAL`] that a connection was opened. A connection that completes too
/// late, because an idle one took the request, completes in its own task and is not recorded.
#[derive(Clone)]
pub(super) struct DetectNew;

impl<S> Layer<S> for DetectNew {
    type Service = DetectingNew<S>;

    fn layer(&self, connector: S) -> DetectingNew<S> {
        DetectingNew(connector)
    }
}

#[derive(Clone)]
pub(super) struct DetectingNew<S>(S);

impl<S, T> Service<T> for DetectingNew<S>
where
    S: Service<T, Future: Send + 'static, Response: 'static, Error: 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: T) -> Self::Future {
        let connecting = self.0.call(target);
        let note =
            |_: &S::Response| _ = DIAL.try_with(|dial| dial.is_new.store(true, Ordering::Relaxed));
        connecting.inspect_ok(note).boxed()
    }
}
