//! Builder of connected services on the stack.

use serde_json::{Value, json};

use crate::{
    client::Response,
    stack::{Stack, text, unique},
};

/// Builder of a service. By default its account does not authenticate.
#[derive(Debug)]
pub struct ServiceBuilder {
    stack: Stack,
    document: Value,
}

/// A created service.
#[derive(Debug, Clone)]
pub struct Service {
    stack: Stack,
    /// ID of the service.
    pub id: String,
    /// Response to the request that created it.
    pub document: Value,
}

impl ServiceBuilder {
    pub(crate) fn new(stack: Stack, server_url: impl Into<String>) -> Self {
        let document = json!({
            "name": unique("service"),
            "server_url": server_url.into(),
            "account": {"name": unique("account"), "authorization": {"type": "none"}},
        });
        Self { stack, document }
    }

    /// Sets the account's authorization.
    #[must_use]
    pub fn authorization(mut self, authorization: Value) -> Self {
        self.document["account"]["authorization"] = authorization;
        self
    }

    /// Uses an existing account.
    #[must_use]
    pub fn account(mut self, id: &str) -> Self {
        self.document["account"] = Value::Null;
        self.set("account_id", id)
    }

    /// Sets any field.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.document[field] = value.into();
        self
    }

    /// Sends the request that creates the service.
    pub async fn try_create(self) -> Response {
        self.stack.post("/v1/services", self.document).await
    }

    /// Creates the service.
    pub async fn create(self) -> Service {
        let stack = self.stack.clone();
        let document = self.try_create().await.expect(201);
        Service {
            stack,
            id: text(&document, "id"),
            document,
        }
    }
}

impl Service {
    /// Returns its path in the API, followed by `rest`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/services/{}{rest}", self.id)
    }

    /// Sends a request to the service.
    pub async fn send(&self, request: Value) -> Response {
        self.stack.post(&self.path("/send"), request).await
    }

    /// Returns its inbound URL.
    pub fn webhook_url(&self) -> String {
        text(&self.document, "webhook_url")
    }
}
