//! Scripted replies.

use std::time::Duration;

use axum::{body::Body, http::StatusCode, response::Response};
use futures::{StreamExt as _, stream};

/// A scripted reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    pub(super) mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Immediate,
    Echo,
    Held,
    Hang,
    Drip,
    Cut,
    CrashBefore,
    CrashAfter,
}

impl Reply {
    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            mode: Mode::Immediate,
        }
    }

    /// A status, with the whole request as the body.
    pub fn echo(status: u16) -> Self {
        Self::status(status).mode(Mode::Echo)
    }

    /// A status with a `Retry-After` in seconds.
    pub fn retry_after(status: u16, seconds: u32) -> Self {
        Self::status(status).header("retry-after", seconds.to_string())
    }

    /// No response, on a connection that stays open.
    pub fn hang() -> Self {
        Self::status(200).mode(Mode::Hang)
    }

    /// Status and headers immediately, then an endless body, one byte at a time.
    pub fn drip() -> Self {
        Self::status(200).mode(Mode::Drip)
    }

    /// Closes the connection after the body, before the response is complete.
    #[must_use]
    pub fn cut(self) -> Self {
        self.mode(Mode::Cut)
    }

    /// The sender's process crashes before the request is recorded.
    pub fn crash_before() -> Self {
        Self::status(200).mode(Mode::CrashBefore)
    }

    /// The sender's process crashes after the request is recorded.
    pub fn crash_after() -> Self {
        Self::status(200).mode(Mode::CrashAfter)
    }

    /// The same reply, withheld until [`Receiver::release`](super::Receiver::release).
    #[must_use]
    pub fn held(self) -> Self {
        self.mode(Mode::Held)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Changes the body, which must be text.
    ///
    /// # Panics
    /// If the body is not UTF-8.
    #[must_use]
    pub fn map_body(self, change: impl FnOnce(String) -> String) -> Self {
        let body = String::from_utf8(self.body.clone()).expect("text");
        self.body(change(body))
    }

    fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub(super) async fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("status");
        let mut response = Response::builder().status(status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = match self.mode {
            Mode::Immediate | Mode::Echo | Mode::Held => Body::from(self.body),
            Mode::Cut => {
                let body = stream::iter([Ok(self.body)]);
                // The server drops what it has not sent yet.
                let end = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Err(std::io::Error::other("cut"))
                });
                Body::from_stream(body.chain(end))
            }
            Mode::Hang | Mode::CrashBefore | Mode::CrashAfter => std::future::pending().await,
            Mode::Drip => Body::from_stream(stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, std::io::Error>("."), ()))
            })),
        };
        response.body(body).expect("response")
    }
}
