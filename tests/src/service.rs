//! Making connected services in few words.

use serde_json::{Value, json};

use crate::{
    client::Response,
    stack::{Stack, text, unique},
};

/// A service about to be created: its account authenticates not at all, unless it says otherwise.
#[derive(Debug)]
pub struct ServiceBuilder {
    stack: Stack,
    document: Value,
}

/// A service that was created.
#[derive(Debug, Clone)]
pub struct Service {
    stack: Stack,
    /// Its id.
    pub id: String,
    /// The answer to its creation.
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

    /// How its calls authenticate.
    #[must_use]
    pub fn authorization(mut self, authorization: Value) -> Self {
        self.document["account"]["authorization"] = authorization;
        self
    }

    /// With an account that is there.
    #[must_use]
    pub fn account(mut self, id: &str) -> Self {
        self.document["account"] = Value::Null;
        self.set("account_id", id)
    }

    /// Any field.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.document[field] = value.into();
        self
    }

    /// Asks for it to be created.
    pub async fn try_create(self) -> Response {
        self.stack.post("/v1/services", self.document).await
    }

    /// Creates it.
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
    /// Its path in the API, followed by `rest`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/services/{}{rest}", self.id)
    }

    /// Sends a request to it.
    pub async fn send(&self, request: Value) -> Response {
        self.stack.post(&self.path("/send"), request).await
    }

    /// Where it calls.
    pub fn webhook_url(&self) -> String {
        text(&self.document, "webhook_url")
    }
}
