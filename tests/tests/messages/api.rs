//! Client of the messages API, and the system behind it.

use domain::message::{Message, MessageRef};
use platform::egress::Egress;
use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::system::{System, allow},
    fixture,
    receiver::Request,
};

pub(crate) struct Api {
    pub(crate) system: System,
    client: fixture::Api,
}

impl Api {
    pub(crate) async fn new(egress: &Egress) -> Self {
        let system = System::new(egress).await;
        let (client, _) = fixture::Api::of_admin(&system.fake, system.time()).await;
        Self { system, client }
    }

    /// Calls the API at the system's time, with an idempotency key unless it is empty. Null sends
    /// no body. Returns `None` if the process crashed first.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Option<Response> {
        let headers: &[_] = if key.is_empty() {
            &[]
        } else {
            &[("idempotency-key", key)]
        };
        let client = self.client.at(self.system.time());
        let crash = self.system.fake.crash();
        tokio::select! {
            biased;
            () = crash.notified() => None,
            response = client.call_with(method, path, headers, body.clone()) => Some(response),
        }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Response {
        self.try_call(method, path, "", &body)
            .await
            .expect("no crash was planned")
    }

    /// Adds an SMS provider that is called at the receiver's path of the same name.
    pub(crate) async fn provider(&self, name: &str, fields: Value) -> Value {
        let mut body = json!({
            "name": name, "provider_id": name, "channel": "sms", "send_url": self.system.receiver.url_of(name),
            "api_key": "k", "secret_key": "s",
            "callback": {"id_pointer": "/id", "status_pointer": "/status", "statuses": {"delivered": "delivered"}},
        });
        body.as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        self.call("POST", "/v1/providers", body).await.expect(201)
    }

    /// Sends an SMS through this provider.
    pub(crate) async fn send(&self, provider: &str) -> MessageRef {
        let sent = self
            .call("POST", "/v1/messages", sms(provider))
            .await
            .expect(202);
        sent["id"].as_str().expect("an id").parse().expect("an id")
    }

    pub(crate) async fn message(&self, id: MessageRef) -> Message {
        self.system
            .at(self.system.delivery.table.message(id))
            .await
            .expect("read")
            .expect("a message")
    }

    /// The requests to this path so far.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        self.system
            .receiver
            .requests()
            .into_iter()
            .filter(|request| request.name() == path)
            .collect()
    }
}

pub(crate) fn egress() -> Egress {
    Egress::new(allow())
}

/// An SMS through this provider.
pub(crate) fn sms(provider: &str) -> Value {
    json!({"channel": "sms", "provider": provider, "to": "+15555550100", "text": "Hello", "metadata": {"n": 1e300}})
}
