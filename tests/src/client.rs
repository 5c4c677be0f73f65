//! HTTP client of the stack, and responses of the API.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

use crate::{contract, stack::text};

/// Creates an HTTP client without TLS.
#[expect(clippy::disallowed_methods, reason = "for servers on this machine")]
pub(crate) fn http() -> reqwest::Client {
    // Required by every client, though no test uses TLS. Fails if it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build();
    client.expect("a client")
}

/// A client with one token. Its connections belong to the runtime of the test that created it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    token: String,
}

impl Client {
    /// Creates a client with this token, or without one if it is empty.
    pub fn new(token: &str) -> Self {
        Self {
            http: http(),
            token: token.to_owned(),
        }
    }

    /// Starts a request with the token.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.http.request(method, url);
        if self.token.is_empty() {
            request
        } else {
            request.bearer_auth(&self.token)
        }
    }

    /// Sends a request. A response of the API must match the OpenAPI document.
    pub async fn send(&self, request: RequestBuilder) -> Response {
        let request = request.build().expect("a request");
        let (method, url) = (request.method().clone(), request.url().clone());
        let response = self.http.execute(request).await.expect("a response");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        if let Some((_, path)) = url.path().split_once("/execute-api/tieline") {
            contract::check(method.as_str(), path, status, &headers, text.as_bytes());
        }
        let body = serde_json::from_str(&text).unwrap_or_default();
        Response {
            status,
            headers,
            text,
            body,
        }
    }
}

/// A response of the API.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// Unparsed body.
    pub text: String,
    /// Body as JSON, or null.
    pub body: Value,
}

impl Response {
    /// Returns the body of a response that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// Returns a text field of the body of a response that must have this status.
    #[track_caller]
    pub fn field(&self, status: u16, name: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        text(&self.body, name)
    }

    /// Returns a header's value, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Returns the problem of a response that must have this status.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        assert_eq!(self.body["status"], status, "{}", self.text);
        self.expect(status)
    }

    /// Returns the pointers and header names of a validation problem, sorted.
    #[track_caller]
    pub fn pointers(self) -> Vec<String> {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().expect("errors");
        let place = |error: &Value| {
            error["pointer"]
                .as_str()
                .or(error["header"].as_str())
                .map(str::to_owned)
        };
        let mut pointers: Vec<String> = errors
            .iter()
            .map(|error| place(error).expect("pointer"))
            .collect();
        pointers.sort_unstable();
        pointers
    }
}
