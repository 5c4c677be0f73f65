//! In-process config-api over the fake services, and a client of it.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use axum::{
    Router,
    body::{Body, to_bytes},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use lambda_http::{Context, LambdaEvent, Service, http, request::RequestContext};
use platform::{clock, gateway};
use rotation::Admin;
use serde::Serialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    client::Response,
    contract,
    fake::{Fake, functions},
};

/// Lambda's quota for a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// Maximum size of a response that is checked against its schema, in bytes. Larger ones take
/// seconds.
const MAX_CHECKED_BYTES: usize = 256 * 1024;

/// A process of config-api, and a token for its requests.
#[derive(Debug, Clone)]
pub struct Api {
    router: Router,
    token: String,
    /// Time of each request; the real time if `None`.
    now: Option<Timestamp>,
    /// The client's address, as the gateway reports it.
    source: Option<String>,
}

impl Api {
    /// Creates the first admin at this time, and a client with its token.
    pub async fn of_admin(fake: &Fake, now: Timestamp) -> (Self, Admin) {
        let admin = clock::at(now, bootstrap(fake)).await;
        (Self::new(fake, &admin.token, Some(now)), admin)
    }

    /// Creates the first admin, and a client with its token and the real time.
    pub async fn in_real_time(fake: &Fake) -> Self {
        let admin = bootstrap(fake).await;
        Self::new(fake, &admin.token, None)
    }

    /// Starts a process, and creates a client with this token and time.
    pub fn over(fake: &Fake, token: &str, now: Timestamp) -> Self {
        Self::new(fake, token, Some(now))
    }

    fn new(fake: &Fake, token: &str, now: Option<Timestamp>) -> Self {
        Self {
            router: functions::config_api(fake),
            token: token.to_owned(),
            now,
            source: None,
        }
    }

    /// Returns a client of the same process with another token, or with none if it is empty.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Returns a client of the same process at another time.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self {
            now: Some(now),
            ..self.clone()
        }
    }

    /// Returns a client of the same process with another address.
    #[must_use]
    pub fn from(&self, source: &str) -> Self {
        Self {
            source: Some(source.to_owned()),
            ..self.clone()
        }
    }

    /// Sends a request. Null means no body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Response {
        self.call_with(method, path, &[], body).await
    }

    /// Sends a request with these headers. The response must be documented and fit Lambda's quota.
    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Response {
        let request = self.request(method, path, headers, &body);
        let call = Box::pin(self.router.clone().oneshot(request));
        let response = self.timed(call).await.expect("a response");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        let status = parts.status.as_u16();
        if bytes.len() < MAX_CHECKED_BYTES || !path.starts_with("/v1/") {
            contract::check(method, path, status, &parts.headers, &bytes);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lambda = json!({"statusCode": status, "headers": {}, "body": text}).to_string();
        assert!(
            lambda.len() < MAX_RESPONSE_BYTES,
            "{path}: {} bytes",
            lambda.len()
        );
        Response {
            status,
            headers: parts.headers,
            text,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> http::Request<Body> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(source) = &self.source {
            let context = json!({"http": {"method": method, "sourceIp": source}, "timeEpoch": 0});
            let context: ApiGatewayV2httpRequestContext =
                serde_json::from_value(context).expect("a context");
            request = request.extension(RequestContext::ApiGatewayV2(context));
        }
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            body.to_string().into()
        };
        request.body(body).expect("a request")
    }

    /// Sends a request as an event of the gateway, with any path, query, headers and body.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut sent = json!({"authorization": format!("Bearer {}", self.token)});
        for (name, value) in headers {
            sent[*name] = json!(value);
        }
        let response = self
            .gateway(&json!({
                "rawPath": path,
                "rawQueryString": query,
                "headers": sent,
                "requestContext": {
                    "http": {"method": method, "sourceIp": "203.0.113.7"},
                    "domainName": "api.example.com",
                },
                "body": BASE64_STANDARD.encode(body),
                "isBase64Encoded": true,
            }))
            .await;
        let response = serde_json::to_value(response).expect("JSON");
        let status = response["statusCode"]
            .as_u64()
            .and_then(|status| status.try_into().ok())
            .expect("a status");
        let text = response["body"].as_str().unwrap_or_default();
        Response {
            status,
            headers: http::HeaderMap::new(),
            text: text.to_owned(),
            body: serde_json::from_str(text).unwrap_or_default(),
        }
    }

    /// Sends a `GET` as an event of the gateway. Returns the gateway's response as text.
    pub async fn raw_text(&self, path: &str, query: &str) -> String {
        let response = self
            .gateway(&json!({
                "rawPath": path,
                "rawQueryString": query,
                "headers": {"authorization": format!("Bearer {}", self.token)},
                "requestContext": {"http": {"method": "GET"}, "domainName": "api.example.com"},
            }))
            .await;
        serde_json::to_string(&response).expect("JSON")
    }

    async fn gateway(&self, event: &Value) -> impl Serialize + use<> {
        let payload = serde_json::from_str(&event.to_string()).expect("an event");
        let mut service = gateway::adapt(String::new(), self.router.clone());
        let call = service.call(LambdaEvent::new(payload, Context::default()));
        self.timed(call).await.expect("a response")
    }

    async fn timed<F: Future>(&self, work: F) -> F::Output {
        match self.now {
            Some(now) => Box::pin(clock::at(now, work)).await,
            None => work.await,
        }
    }

    /// Creates a credential of the caller's user with these scopes. Returns its ID and its token.
    pub async fn credential(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({"description": "CRM", "scopes": scopes});
        let created = self.call("POST", "/v1/credentials", body).await;
        (created.field(201, "id"), created.field(201, "token"))
    }

    /// Creates a user with an admin credential. Returns the IDs of both, and the token.
    pub async fn admin(&self, name: &str) -> (String, String, String) {
        let user = self
            .call("POST", "/v1/users", json!({"name": name}))
            .await
            .field(201, "id");
        let body = json!({"description": "admin", "scopes": ["admin"], "user_id": user});
        let created = self.call("POST", "/v1/credentials", body).await;
        (user, created.field(201, "id"), created.field(201, "token"))
    }
}

async fn bootstrap(fake: &Fake) -> Admin {
    let request = rotation::Request::Bootstrap { reissue: false };
    let app = functions::rotation(fake);
    match rotation::handle(&app, request).await.expect("an admin") {
        rotation::Response::Admin(admin) => admin,
        response => panic!("{response:?} has no admin"),
    }
}
