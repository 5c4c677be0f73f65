//! What a call needs to know of its connection, and reqwest does not say.

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};

use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use tower::{Layer, Service};

tokio::task_local! {
    /// That of the request in progress.
    pub(super) static DIAL: Arc<Dial>;
}

/// The connection of one request.
pub(super) struct Dial {
    /// The target's port. A resolver gets the name only, and the allow-list holds pairs.
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

    /// Whether the request made a connection of its own.
    pub(super) fn is_new(&self) -> bool {
        self.is_new.load(Ordering::Relaxed)
    }
}

/// Notes in [`DIAL`] that a connection was made. One that comes too late, because an idle
/// connection took the request meanwhile, is completed in a task of its own, and is not noted.
#[derive(Clone)]
pub(super) struct NoteNew;

impl<S> Layer<S> for NoteNew {
    type Service = NotingNew<S>;

    fn layer(&self, connector: S) -> NotingNew<S> {
        NotingNew(connector)
    }
}

#[derive(Clone)]
pub(super) struct NotingNew<S>(S);

impl<S, T> Service<T> for NotingNew<S>
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
