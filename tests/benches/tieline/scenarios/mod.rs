//! What is measured.

pub(crate) mod events;
pub(crate) mod imposed;
pub(crate) mod inbound;
pub(crate) mod lists;
pub(crate) mod start;

use platform::clock;
use serde_json::{Value, json};
use tests::{
    fake::{
        Fake,
        sqs::{Message, Name},
        system::sqs_event,
    },
    fixture::Api,
};

use crate::{binaries::Binaries, function::Function, servers};

/// A hub with one admin and no webhook.
pub(crate) struct Hub<'a> {
    pub(crate) fake: Fake,
    /// Config-api in this process, to set things up.
    pub(crate) api: Api,
    token: String,
    binaries: &'a Binaries,
    environment: Vec<(&'static str, String)>,
}

impl<'a> Hub<'a> {
    pub(crate) async fn new(binaries: &'a Binaries) -> Self {
        let fake = Fake::default();
        let (api, admin) = Api::of_admin(&fake, clock::now()).await;
        let environment = servers::aws(&fake);
        Self {
            api,
            token: admin.token,
            binaries,
            environment,
            fake,
        }
    }

    /// Starts one of the functions.
    pub(crate) async fn start(&self, function: &str) -> Function {
        Function::start(self.binaries, function, &self.environment).await
    }

    /// Creates webhooks for events of type `message`.
    pub(crate) async fn webhooks(&self, count: usize, url: &str) {
        for number in 0..count {
            self.webhook(&format!("webhook {number}"), url, json!({}))
                .await;
        }
    }

    /// Creates a webhook for events of type `message` with more settings.
    pub(crate) async fn webhook(&self, name: &str, url: &str, more: Value) {
        let mut webhook = json!({"name": name, "url": url, "events": ["message"]});
        let fields = webhook.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        self.api
            .call("POST", "/v1/webhooks", webhook)
            .await
            .expect(201);
    }

    /// Returns a request to config-api as an event of the gateway.
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> String {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "host": "api.example.com",
                "user-agent": "curl/8.14.1",
                "x-forwarded-for": "203.0.113.7",
                "x-forwarded-proto": "https",
                "authorization": format!("Bearer {}", self.token),
                "content-type": "application/json",
            },
            "requestContext": {
                "domainName": "api.example.com",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
                "requestId": "JKJaXmPLvHcESHA=",
                "stage": "$default",
                "timeEpoch": 1_769_860_800_000_u64,
            },
            "isBase64Encoded": false,
            "body": body,
        })
        .to_string()
    }

    /// Feeds the messages on a queue to its function in batches of up to 10, until none is visible.
    /// Returns the number of messages.
    pub(crate) async fn work(&self, queue: Name, function: &mut Function) -> usize {
        let mut count = 0;
        loop {
            let batch = self.fake.state().queues.receive(queue, clock::now());
            if batch.is_empty() {
                return count;
            }
            count += batch.len();
            self.work_on(&batch, function).await;
        }
    }

    async fn work_on(&self, batch: &[Message], function: &mut Function) {
        let event = serde_json::to_string(&sqs_event(batch)).expect("JSON");
        let response = function.invoke(event).await;
        assert_eq!(response["batchItemFailures"], json!([]), "{response}");
        let ids = batch.iter().map(|message| message.id.as_str()).collect();
        self.fake.state().queues.delete(&ids);
    }

    /// Returns the number of calls to AWS since the last time.
    pub(crate) fn take_calls(&self) -> usize {
        std::mem::take(&mut self.fake.state().calls).len()
    }
}

/// Sends a request to config-api. Returns the response's body.
pub(crate) async fn send(function: &mut Function, request: String, status: u16) -> Value {
    let response = function.invoke(request).await;
    assert_eq!(response["statusCode"], status, "{response}");
    serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default()
}
