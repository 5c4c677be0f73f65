//! Builder of webhooks on the stack.

use serde_json::{Value, json};

use crate::{
    client::Response,
    stack::{Stack, text, unique},
};

/// Builder of a webhook. By default it receives the test's own events of type `message` and has no
/// retries.
#[derive(Debug)]
pub struct WebhookBuilder {
    stack: Stack,
    document: Value,
}

/// A created webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    stack: Stack,
    /// ID of the webhook.
    pub id: String,
    /// Signing secret, given or generated.
    pub secret: String,
    /// Response to the request that created it.
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

    /// Sets the URL.
    #[must_use]
    pub fn url(self, url: impl Into<String>) -> Self {
        self.set("url", json!(url.into()))
    }

    /// Sets the event patterns.
    #[must_use]
    pub fn events<const N: usize>(self, patterns: [&str; N]) -> Self {
        self.set("events", json!(patterns.as_slice()))
    }

    /// Adds conditions to the one that selects the test's own events.
    #[must_use]
    pub fn conditions(self, conditions: Value) -> Self {
        let mine = self.stack.condition();
        self.set(
            "conditions",
            json!({"all": Value::Array(vec![mine, conditions])}),
        )
    }

    /// Sets custom retry delays, in seconds.
    #[must_use]
    pub fn retry<const N: usize>(self, delays_seconds: [u32; N]) -> Self {
        self.set(
            "retry",
            json!({"type": "custom", "delays_seconds": delays_seconds.as_slice()}),
        )
    }

    /// Subscribes to events about this webhook instead of the test's own.
    #[must_use]
    pub fn about(self, webhook: &Webhook) -> Self {
        self.set(
            "conditions",
            json!({"field": "webhook_id", "op": "eq", "value": webhook.id}),
        )
    }

    /// Sets any field.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.document[field] = value.into();
        self
    }

    /// Sends the request that creates the webhook.
    pub async fn try_create(self) -> Response {
        self.stack.post("/v1/webhooks", self.document).await
    }

    /// Creates the webhook.
    pub async fn create(self) -> Webhook {
        let given = self.document["secret"].as_str().map(str::to_owned);
        let stack = self.stack.clone();
        let document = without_warnings(self.try_create().await.expect(201));
        let secret = given.unwrap_or_else(|| text(&document, "secret"));
        Webhook {
            stack,
            id: text(&document, "id"),
            secret,
            document,
        }
    }
}

/// The resource as `GET` returns it: only responses to changes have warnings.
pub(crate) fn without_warnings(mut document: Value) -> Value {
    let warnings = document
        .as_object_mut()
        .and_then(|fields| fields.remove("warnings"));
    assert!(warnings.is_some_and(|warnings| warnings.is_array()));
    document
}

impl Webhook {
    /// Returns its path in the API, followed by `rest`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/webhooks/{}{rest}", self.id)
    }

    /// Reads the webhook.
    pub async fn read(&self) -> Value {
        self.stack.get_path(&self.path("")).await.expect(200)
    }

    /// Patches the webhook. Returns it without warnings.
    pub async fn patch(&self, patch: Value) -> Value {
        without_warnings(self.stack.patch(&self.path(""), patch).await.expect(200))
    }

    /// Deletes the webhook.
    pub async fn delete(&self) {
        self.stack.delete(&self.path("")).await.expect(204);
    }

    /// Sends a test event, or the given one. Returns the attempt.
    pub async fn test(&self, body: Value) -> Value {
        self.stack.post(&self.path("/test"), body).await.expect(200)["attempt"].take()
    }

    /// Previews the request for an event.
    pub async fn render(&self, kind: &str, data: Value) -> Value {
        let event = self.stack.event(kind, data);
        self.stack
            .post(&self.path("/render"), json!({"event": event}))
            .await
            .expect(200)
    }
}
