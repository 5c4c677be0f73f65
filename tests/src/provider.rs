//! Builder of providers on the stack by the documented presets, and messages through them.

use serde_json::{Value, json};

use crate::{
    client::Response,
    stack::{Stack, text, unique},
    webhook::{WebhookBuilder, without_warnings},
};

/// Builder of a provider.
#[derive(Debug)]
pub struct ProviderBuilder {
    stack: Stack,
    document: Value,
}

/// A created provider.
#[derive(Debug, Clone)]
pub struct Provider {
    stack: Stack,
    /// ID of the provider.
    pub id: String,
    /// Response to the request that created it.
    pub document: Value,
}

impl ProviderBuilder {
    /// Loads a preset, with another host and a unique name.
    pub(crate) fn new(stack: Stack, preset: &str, url: &str) -> Self {
        let path = local::root()
            .join("docs/providers")
            .join(format!("{preset}.json"));
        let preset = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut document: Value = serde_json::from_str(&preset).expect("JSON");
        let send_url = text(&document, "send_url");
        let (_, after_host) = send_url
            .trim_start_matches("https://")
            .split_once('/')
            .expect("a path");
        document["send_url"] = format!("{}/{after_host}", url.trim_end_matches('/')).into();
        document["name"] = unique("provider").into();
        for field in ["provider_id", "api_key", "secret_key"] {
            if document[field]
                .as_str()
                .is_some_and(|value| value.starts_with("YOUR_"))
            {
                document[field] = format!("own-{}", field.replace('_', "-")).into();
            }
        }
        Self { stack, document }
    }

    /// Sets any field.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.document[field] = value.into();
        self
    }

    /// Sends the request that creates the provider.
    pub async fn try_create(self) -> Response {
        self.stack.post("/v1/providers", self.document).await
    }

    /// Creates the provider.
    pub async fn create(self) -> Provider {
        let stack = self.stack.clone();
        let document = without_warnings(self.try_create().await.expect(201));
        Provider {
            stack,
            id: text(&document, "id"),
            document,
        }
    }
}

impl Provider {
    /// Returns its path in the API, followed by `rest`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/providers/{}{rest}", self.id)
    }

    /// Returns the URL for its reports.
    pub fn callback_url(&self) -> String {
        text(&self.document, "callback_url")
    }

    /// Sends a report as a form.
    pub async fn report_form(&self, fields: &[(&str, &str)]) -> Response {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .stack
            .call(reqwest::Method::POST, &self.callback_url())
            .body(form);
        self.stack
            .send(request.header("content-type", "application/x-www-form-urlencoded"))
            .await
    }

    /// Sends a report as JSON.
    pub async fn report(&self, body: &Value) -> Response {
        let request = self
            .stack
            .call(reqwest::Method::POST, &self.callback_url())
            .json(body);
        self.stack.send(request).await
    }
}

impl Stack {
    /// Builds a provider at this URL from a preset in `docs/providers`.
    pub fn provider(&self, preset: &str, url: &str) -> ProviderBuilder {
        ProviderBuilder::new(self.clone(), preset, url)
    }

    /// Builds a webhook for the events of the test's own messages and calls, which have
    /// [`Stack::metadata`].
    pub fn message_webhook(&self) -> WebhookBuilder {
        let mut condition = self.condition();
        condition["field"] = json!("metadata.test");
        self.webhook().set("conditions", condition)
    }

    /// Returns the metadata that marks the test's own messages.
    pub fn metadata(&self) -> Value {
        json!({"test": self.condition()["value"]})
    }

    /// Sends a message or call with the test's metadata. Returns its ID. `kind` is `messages` or
    /// `calls`.
    pub async fn message(&self, kind: &str, mut document: Value) -> String {
        document["metadata"] = self.metadata();
        text(
            &self
                .post(&format!("/v1/{kind}"), document)
                .await
                .expect(202),
            "id",
        )
    }

    /// Waits until a message or call has this status. Returns it.
    pub async fn message_until(&self, id: &str, status: &str) -> Value {
        let kind = if id.starts_with("call_") {
            "calls"
        } else {
            "messages"
        };
        self.until(&format!("{id} is {status}"), async || {
            let message = self.get_path(&format!("/v1/{kind}/{id}")).await.expect(200);
            if message["status"] == status {
                Ok(message)
            } else {
                Err(message)
            }
        })
        .await
    }
}
