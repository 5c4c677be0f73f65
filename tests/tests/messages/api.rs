//! Who sends messages: the API and the system behind it, in this process.

use axum::{
    Router,
    body::{Body, to_bytes},
    http,
};
use config_api::{Clients, router};
use domain::message::{Message, MessageRef};
use platform::{egress::Egress, keyring::KeyringCache, queue::Queue, table::Table};
use rotation::Answer;
use serde_json::{Value, json};
use tests::{
    fake::{
        sqs::Name,
        system::{System, allow},
    },
    receiver::Request,
};
use tower::ServiceExt;

pub(crate) struct Api {
    pub(crate) system: System,
    router: Router,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

impl Api {
    pub(crate) async fn new(egress: &Egress) -> Self {
        let system = System::new(egress).await;
        let aws = system.fake.aws();
        let table = Table::new(aws.dynamodb(), "table", 30);
        let keys = || KeyringCache::new(aws.secrets_manager(), "keyring".to_owned());
        let queue = |name: Name| Queue::new(aws.sqs(), name.url());
        let rotation = rotation::App {
            table: table.clone(),
            keys: keys(),
            events: queue(Name::Events),
        };
        let made = system
            .at(rotation::handle(
                &rotation,
                rotation::Request::Bootstrap { reissue: false },
            ))
            .await;
        let Answer::Admin(admin) = made.expect("an admin") else {
            panic!("no admin")
        };
        let router = router(Clients {
            table,
            keys: keys(),
            events: queue(Name::Events),
            deliveries: queue(Name::Deliveries),
            public_url: "https://tieline.example.com".to_owned(),
            allow: allow(),
        });
        Self {
            system,
            router,
            token: admin.token,
        }
    }

    /// Calls the API, with an idempotency key where there is one; null stands for no body. `None`:
    /// the process ended on the way.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Option<Reply> {
        let mut request = http::Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token));
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            body.to_string().into()
        };
        let request = request
            .header("content-type", "application/json")
            .body(body)
            .expect("a request");
        let crash = self.system.fake.crash();
        let response = tokio::select! {
            biased;
            () = crash.notified() => return None,
            response = self.system.at(self.router.clone().oneshot(request)) => response.expect("an answer"),
        };
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        tests::contract::check(method, path, parts.status.as_u16(), &parts.headers, &bytes);
        Some(Reply {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.try_call(method, path, "", &body)
            .await
            .expect("no crash was planned")
    }

    /// Adds a provider of SMS, which is called at the receiver's path of its name.
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

    /// The calls to this path so far.
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
