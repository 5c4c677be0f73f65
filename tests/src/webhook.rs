//! Making webhooks in few words.

use serde_json::{Value, json};

use crate::{
    client::Response,
    stack::{Stack, text, unique},
};

/// A webhook about to be created: it takes `message`, once, with what the API has for defaults
/// otherwise.
#[derive(Debug)]
pub struct WebhookBuilder {
    stack: Stack,
    document: Value,
}

/// A webhook that was created.
#[derive(Debug, Clone)]
pub struct Webhook {
    stack: Stack,
    /// Its id.
    pub id: String,
    /// Its signing secret: the one given, or the one that was made.
    pub secret: String,
    /// The answer to its creation.
    pub document: Value,
}

impl WebhookBuilder {
    pub(crate) fn new(stack: Stack) -> Self {
        let document = json!({
            "name": unique("webhook"),
            "events": ["message"],
            "conditions": stack.condition(),
            "retry": {"type": "none"},
        });
        Self { stack, document }
    }

    /// Where to.
    #[must_use]
    pub fn url(self, url: impl Into<String>) -> Self {
        self.set("url", json!(url.into()))
    }

    /// Which events.
    #[must_use]
    pub fn events<const N: usize>(self, patterns: [&str; N]) -> Self {
        self.set("events", json!(patterns.as_slice()))
    }

    /// Conditions, beside that the event be this test's.
    #[must_use]
    pub fn conditions(self, conditions: Value) -> Self {
        let mine = self.stack.condition();
        self.set(
            "conditions",
            json!({"all": Value::Array(vec![mine, conditions])}),
        )
    }

    /// Retries after these delays.
    #[must_use]
    pub fn retry<const N: usize>(self, delays_seconds: [u32; N]) -> Self {
        self.set(
            "retry",
            json!({"type": "custom", "delays_seconds": delays_seconds.as_slice()}),
        )
    }

    /// Takes events about this webhook in place of this test's own.
    #[must_use]
    pub fn about(self, webhook: &Webhook) -> Self {
        self.set(
            "conditions",
            json!({"field": "webhook_id", "op": "eq", "value": webhook.id}),
        )
    }

    /// Any field.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.document[field] = value.into();
        self
    }

    /// Asks for it to be created.
    pub async fn try_create(self) -> Response {
        self.stack.post("/v1/webhooks", self.document).await
    }

    /// Creates it.
    pub async fn create(self) -> Webhook {
        let given = self.document["secret"].as_str().map(str::to_owned);
        let stack = self.stack.clone();
        let document = self.try_create().await.expect(201);
        let secret = given.unwrap_or_else(|| text(&document, "secret"));
        Webhook {
            stack,
            id: text(&document, "id"),
            secret,
            document,
        }
    }
}

impl Webhook {
    /// Its path in the API, followed by `rest`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/webhooks/{}{rest}", self.id)
    }

    /// Reads it.
    pub async fn read(&self) -> Value {
        self.stack.get_path(&self.path("")).await.expect(200)
    }

    /// Changes it.
    pub async fn patch(&self, patch: Value) -> Value {
        self.stack.patch(&self.path(""), patch).await.expect(200)
    }

    /// Deletes it.
    pub async fn delete(&self) {
        self.stack.delete(&self.path("")).await.expect(204);
    }

    /// Sends a test event, or the one given.
    pub async fn test(&self, body: Value) -> Value {
        self.stack.post(&self.path("/test"), body).await.expect(200)["attempt"].take()
    }

    /// Shows the request that this test's event would lead to.
    pub async fn render(&self, kind: &str, data: Value) -> Value {
        let event = self.stack.event(kind, data);
        self.stack
            .post(&self.path("/render"), json!({"event": event}))
            .await
            .expect(200)
    }
}
