//! The stack that the tests of one process share.
//!
//! The first test that needs it starts it in `target/test-stack` on a free port, so that `cargo
//! dev` can run at the same time. It ends with the process. Each test has its own [`Stack`]: the
//! events that it publishes carry its mark, and its webhooks match only those, so that tests run
//! concurrently.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod aws;

use std::{sync::OnceLock, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, Response},
    service::ServiceBuilder,
    webhook::{Webhook, WebhookBuilder},
};

/// Maximum time that tests wait for a condition.
pub const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// Interval between checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(150);

/// A running stack with the tokens of its admin.
pub(crate) struct Shared {
    running: local::Running,
    token: String,
    former_token: String,
}

/// One test's view of the stack.
#[derive(Debug, Clone)]
pub struct Stack {
    shared: &'static Shared,
    client: Client,
    mark: String,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    /// Starts a stack and replaces the token of its admin.
    pub(crate) fn start(options: &local::Options) -> Self {
        let running =
            local::up(options).unwrap_or_else(|error| panic!("the stack did not start: {error}"));
        let former_token = running.stack().admin_token.clone();
        let token = reissue(running.stack());
        Self {
            running,
            token,
            former_token,
        }
    }
}

/// Returns the options of a fresh stack in this directory, on a free port.
pub(crate) fn options(directory: &str) -> local::Options {
    local::Options {
        directory: directory.to_owned(),
        port: 0,
        fresh: true,
        parameters: Vec::new(),
        proxy: None,
        say: |_| {},
    }
}

/// Replaces the admin's token. Done before any test uses the token, because it revokes the old one.
fn reissue(stack: &local::Stack) -> String {
    let stack = stack.clone();
    // In a separate thread: a test's runtime cannot block on itself.
    let response = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        let event = json!({"action": "bootstrap", "reissue": true});
        runtime.block_on(invoke(&Client::new(""), &stack, "rotation", &event))
    });
    let response = response.join().expect("invocation").expect(200);
    response["token"]
        .as_str()
        .unwrap_or_else(|| panic!("no token: {response}"))
        .to_owned()
}

async fn invoke(client: &Client, stack: &local::Stack, function: &str, event: &Value) -> Response {
    let url = format!(
        "{}/2015-03-31/functions/{}/invocations",
        stack.aws.endpoint_url, stack.functions[function]
    );
    client
        .send(client.request(Method::POST, &url).json(event))
        .await
}

impl Stack {
    /// Returns the shared stack, started if necessary, with the admin's token.
    pub fn get() -> Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        Self::of(SHARED.get_or_init(|| Shared::start(&options("test-stack"))))
    }

    /// Returns the view of a test on a separate stack.
    pub(crate) fn of(shared: &'static Shared) -> Self {
        Self {
            shared,
            client: Client::new(&shared.token),
            mark: unique("test"),
        }
    }

    /// Returns the admin's token.
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Returns the admin's token before it was reissued.
    pub fn former_token(&self) -> &str {
        &self.shared.former_token
    }

    /// Returns the base URL of the API and of inbound URLs.
    pub fn api_url(&self) -> &str {
        &self.shared.running.stack().api_url
    }

    /// Uses the same stack with another token, or with none if it is empty.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            client: Client::new(token),
            ..self.clone()
        }
    }

    /// Starts a request to the API, for [`Stack::send`].
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(
            method,
            &format!("{}{path}", self.shared.running.stack().api_url),
        )
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        self.client.send(request).await
    }

    /// Sends a `GET`.
    pub async fn get_path(&self, path: &str) -> Response {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends a `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    /// Sends a `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Response {
        self.send(self.request(Method::PATCH, path).json(&body))
            .await
    }

    /// Sends a `DELETE`.
    pub async fn delete(&self, path: &str) -> Response {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Returns a field of every item of a list, over all pages. `path` must have a query.
    pub async fn listed(&self, path: &str, field: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self
                .get_path(&format!("{path}&limit=100{cursor}"))
                .await
                .expect(200);
            all.extend(
                page["data"]
                    .as_array()
                    .expect("data")
                    .iter()
                    .map(|item| text(item, field)),
            );
            let Some(next) = page["next_cursor"].as_str() else {
                return all;
            };
            cursor = format!("&cursor={next}");
        }
    }

    /// Builds a webhook for the test's own events.
    pub fn webhook(&self) -> WebhookBuilder {
        WebhookBuilder::new(self.clone())
    }

    /// Builds a connected service at this URL.
    pub fn service(&self, server_url: impl Into<String>) -> ServiceBuilder {
        ServiceBuilder::new(self.clone(), server_url)
    }

    /// Creates an active user. Returns its ID.
    pub async fn user(&self) -> String {
        text(
            &self
                .post("/v1/users", json!({"name": unique("user")}))
                .await
                .expect(201),
            "id",
        )
    }

    /// Starts a request of a third party, which has no token, for [`Stack::send`].
    pub fn call(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        Client::new("").request(method, url)
    }

    /// Returns the condition that selects the test's own events.
    pub fn condition(&self) -> Value {
        json!({"field": "test", "op": "eq", "value": self.mark})
    }

    /// Builds the document of an event with the test's mark.
    pub fn event(&self, kind: &str, mut data: Value) -> Value {
        data["test"] = json!(self.mark);
        json!({"type": kind, "data": data})
    }

    /// Publishes an event. Returns its ID.
    pub async fn publish(&self, kind: &str, data: Value) -> String {
        let accepted = self
            .post("/v1/events", self.event(kind, data))
            .await
            .expect(202);
        text(&accepted, "id")
    }

    /// Waits until an event is dispatched. Returns it.
    pub async fn event_read(&self, id: &str) -> Value {
        let path = format!("/v1/events/{id}");
        self.until(&format!("event {id} is dispatched"), async || {
            let response = self.get_path(&path).await;
            if response.status == 200 {
                Ok(response.body)
            } else {
                Err(response.body)
            }
        })
        .await
    }

    /// Returns the delivery of an event to a webhook, with its attempts.
    pub async fn delivery(&self, event: &str, webhook: &Webhook) -> Value {
        let read = self.event_read(event).await;
        let deliveries = read["deliveries"].as_array().into_iter().flatten();
        let delivery = deliveries
            .into_iter()
            .find(|delivery| delivery["webhook_id"] == webhook.id.as_str());
        let delivery =
            delivery.unwrap_or_else(|| panic!("{event} is not for {}: {read}", webhook.id));
        self.get_path(&format!("/v1/deliveries/{}", text(delivery, "id")))
            .await
            .expect(200)
    }

    /// Waits until a delivery has this status. Returns it.
    pub async fn delivery_until(&self, event: &str, webhook: &Webhook, status: &str) -> Value {
        self.delivery_when(event, webhook, status, |delivery| {
            delivery["status"] == status
        })
        .await
    }

    /// Waits until a delivery meets the condition. Returns it.
    pub async fn delivery_when(
        &self,
        event: &str,
        webhook: &Webhook,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        self.until(&format!("delivery of {event} is {what}"), async || {
            let delivery = self.delivery(event, webhook).await;
            if condition(&delivery) {
                Ok(delivery)
            } else {
                Err(delivery)
            }
        })
        .await
    }

    /// Polls until the result is `Ok`.
    pub async fn until<T>(&self, what: &str, poll: impl AsyncFn() -> Result<T, Value>) -> T {
        let deadline = tokio::time::Instant::now() + WAIT_TIMEOUT;
        loop {
            match poll().await {
                Ok(found) => return found,
                Err(last) if tokio::time::Instant::now() > deadline => {
                    panic!("still waiting until {what}: {last}")
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Returns the log of a function so far.
    pub fn log(&self, function: &str) -> String {
        std::fs::read_to_string(self.shared.running.log(function)).unwrap_or_default()
    }

    /// Waits for a log line with all these texts in it.
    pub async fn logged(&self, function: &str, texts: &[&str]) {
        self.until(&format!("{function} logs {texts:?}"), async || {
            let log = self.log(function);
            let found = log
                .lines()
                .any(|line| texts.iter().all(|text| line.contains(text)));
            if found { Ok(()) } else { Err(Value::Null) }
        })
        .await;
    }
}

/// Returns a unique name.
pub fn unique(what: &str) -> String {
    format!("{what} {}", ulid::Ulid::generate()).to_lowercase()
}

/// Returns a text field of a document.
pub fn text(document: &Value, field: &str) -> String {
    document[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {document}"))
        .to_owned()
}
