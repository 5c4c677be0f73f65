//! A service with the verification `github`, and the inbound function.

use domain::{id::UserId, inbound::Key};
use hmac::{Hmac, KeyInit, Mac};
use lambda_http::{Body, Request, http};
use platform::{egress::Egress, table::services::StoredService};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::fake::{
    functions::{PUBLIC_URL, inbound},
    sqs::{Message, Name},
    system::{System, allow},
};

const SECRET: &str = "It's a Secret to Everybody";

/// The service and its system.
pub(crate) struct InboundFixture {
    pub(crate) system: System,
    pub(crate) stored: StoredService,
    pub(crate) key: Key,
    app: inbound::App,
}

pub(crate) fn user(last: char) -> UserId {
    format!("usr_01J0000000000000000000000{last}")
        .parse()
        .expect("an id")
}

impl InboundFixture {
    pub(crate) async fn new() -> Self {
        let system = System::new(&Egress::new(allow())).await;
        let key = Key::new("AbCdEfGhIjKlMnOpQrSt-_", user('A'));
        system.user(user('A')).await;
        let (none, github) = (
            json!({"type": "none"}),
            json!({"type": "github", "secret": SECRET}),
        );
        let stored = system
            .service("https://github.example", Some(key.clone()), none, github)
            .await;
        let app = inbound(&system.fake);
        Self {
            system,
            stored,
            key,
            app,
        }
    }

    /// A signed request. `delivery` identifies it, in its body and in a header.
    pub(crate) fn request(&self, delivery: &str) -> Request {
        let body = json!({"action": "opened", "number": delivery}).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
        mac.update(body.as_bytes());
        let hex = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        let request = http::Request::post(format!("{PUBLIC_URL}/in/{}", self.key.expose()));
        let request = request.header("x-hub-signature-256", format!("sha256={hex}"));
        request
            .header("x-github-delivery", delivery)
            .body(Body::from(body))
            .expect("a request")
    }

    /// Sends a request. Returns status and response; `None` if the process crashes, which starts a
    /// new one.
    pub(crate) async fn call(&mut self, request: &Request) -> Option<(u16, Value)> {
        let crash = self.system.fake.crash();
        let response = tokio::select! {
            biased;
            () = crash.notified() => None,
            response = self.system.at(inbound::handle(&self.app, request)) => Some(response.expect("a response")),
        };
        if response.is_none() {
            self.app = inbound(&self.system.fake);
        }
        response.map(|response| {
            (
                response.status().as_u16(),
                serde_json::from_slice(response.body()).expect("JSON"),
            )
        })
    }

    /// Sends a request that is accepted. Returns the event's ID.
    pub(crate) async fn accepted(&mut self, request: &Request) -> String {
        let (status, body) = self.call(request).await.expect("no crash");
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// The IDs of the queued events so far, in order.
    pub(crate) fn sent(&self) -> Vec<String> {
        let state = self.system.fake.state();
        let events = state
            .queues
            .sent()
            .iter()
            .filter(|message| message.queue == Name::Events)
            .map(Message::json);
        events
            .map(|event| event["id"].as_str().expect("an id").to_owned())
            .collect()
    }

    /// The operations since they were last counted, in order.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.system
            .fake
            .state()
            .calls
            .iter()
            .map(|call| call.operation.clone())
            .collect()
    }

    /// The operations of a request in a warm process.
    pub(crate) async fn cost(&mut self, request: &Request) -> (u16, Vec<String>) {
        self.system.begin_count();
        let (status, _) = self.call(request).await.expect("no crash");
        (status, self.operations())
    }
}
