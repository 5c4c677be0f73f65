//! Recorded requests.

use std::time::Instant;

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method, such as `POST`.
    pub method: Method,
    /// Path, still percent-encoded.
    pub path: String,
    /// Query, still percent-encoded; empty if the URL has none.
    pub query: String,
    /// Request headers.
    pub headers: HeaderMap,
    /// Unparsed body.
    pub body: Bytes,
    /// When the request was complete, in real time.
    pub instant: Instant,
    /// When the request was complete, by the clock of the [`System`](crate::fake::system::System)
    /// that the receiver belongs to.
    pub at: Timestamp,
}

impl Request {
    /// Returns the path without its leading slash: the name under which a
    /// [`System`](crate::fake::system::System) registers its webhooks and providers.
    pub fn name(&self) -> &str {
        self.path.trim_start_matches('/')
    }

    /// Returns a header's value, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Returns the header `webhook-id`, or an empty string.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("UTF-8")
    }

    /// Returns the request as debugging services echo it: URL and body as they are, then all of it
    /// as JSON.
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

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Returns the `data` of an envelope, without the field that marks the test.
    pub fn data(&self) -> Value {
        let mut data = self.json()["data"].take();
        data.as_object_mut().expect("data").remove("test");
        data
    }
}
