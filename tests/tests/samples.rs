//! The samples in `events/`: each is valid input of its function, and each is tested.

use std::{fs, path::PathBuf};

use aws_lambda_events::sqs::SqsEvent;
use domain::{
    attempt::{Due, Task},
    delivery::DeliveryTask,
    event::{Event, NewEvent},
    inbound::Key,
};
use jiff::SignedDuration;
use lambda_http::{Request, request::from_str};
use platform::{egress::Egress, keyring::Step};
use rotation::Request as Rotation;
use serde_json::{Value, json};
use tests::fake::{
    functions,
    sqs::Name,
    system::{System, allow},
};

/// Secret that the samples of inbound requests are signed with, or contain.
const SECRET: &str = "this-is-only-an-example-secret";
/// When they were made.
const MADE_AT: &str = "2026-01-31T12:00:00Z";
/// The key in their path, and its user.
const KEY: (&str, &str) = ("your-own-key-goes-here", "usr_01J0000000000000000000000A");

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn sample(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect(name)
}

fn call(name: &str) -> (String, Request) {
    let request = from_str(&sample(name)).expect(name);
    (
        format!("{} {}", request.method(), request.uri().path()),
        request,
    )
}

/// The text of the batch's only message.
fn message(name: &str) -> String {
    let batch: SqsEvent = serde_json::from_str(&sample(name)).expect(name);
    let [record] = batch.records.as_slice() else {
        panic!("{name} contains more than one message")
    };
    record.body.clone().expect("body")
}

#[test]
fn every_sample_is_accepted_by_its_function() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("events/")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("name")
        })
        .collect();
    names.sort();
    for name in names {
        match name.as_str() {
            "api-healthz.json" => assert_eq!(call(&name).0, "GET /healthz"),
            "api-list-webhooks.json" => assert_eq!(call(&name).0, "GET /v1/webhooks"),
            "api-publish-event.json" => {
                let (route, request) = call(&name);
                assert_eq!(route, "POST /v1/events");
                NewEvent::parse(serde_json::from_slice(request.body()).expect("json"))
                    .expect("an event");
            }
            name if name.starts_with("inbound-") => {
                assert_eq!(call(name).0, format!("POST /in/{}", key().expose()));
                assert!(
                    INBOUND.iter().any(|sample| name == sample.file()),
                    "no test knows {name}"
                );
            }
            "dispatch.json" => {
                drop(serde_json::from_str::<Event>(&message(&name)).expect("an event"));
            }
            "delivery.json" => {
                let message: DeliveryTask =
                    serde_json::from_str(&message(&name)).expect("a message");
                assert_eq!(
                    message.event.as_ref().map(|event| event.id),
                    Some(message.delivery.event)
                );
                assert!(matches!(
                    message.clone().due(message.queued_at),
                    Due::Now(_)
                ));
            }
            "sweep.json" => {
                let request: sweeper::Request =
                    serde_json::from_str(&sample(&name)).expect("a request");
                assert!(request.now.parse::<jiff::Timestamp>().is_ok());
            }
            _ => rotation_sample(&name),
        }
    }
}

fn rotation_sample(name: &str) {
    let request: Rotation = serde_json::from_str(&sample(name)).expect(name);
    let right = match name {
        "rotation-bootstrap.json" => matches!(request, Rotation::Bootstrap { reissue: false }),
        "rotation-reissue.json" => matches!(request, Rotation::Bootstrap { reissue: true }),
        "rotation-remind.json" => {
            matches!(request, Rotation::Remind { ref now } if now.parse::<jiff::Timestamp>().is_ok())
        }
        "rotation-create-secret.json" => asks_for(&request, Step::CreateSecret),
        "rotation-set-secret.json" => asks_for(&request, Step::SetSecret),
        "rotation-test-secret.json" => asks_for(&request, Step::TestSecret),
        "rotation-finish-secret.json" => asks_for(&request, Step::FinishSecret),
        _ => panic!("no test knows {name}"),
    };
    assert!(right, "{name}: {request:?}");
}

fn asks_for(request: &Rotation, step: Step) -> bool {
    matches!(request, Rotation::Rotate(event) if event.step == step)
}

fn key() -> Key {
    Key::new(KEY.0, KEY.1.parse().expect("an id"))
}

/// A sample of an inbound request.
struct Inbound {
    name: &'static str,
    /// The service's verification, without its secret.
    verification: &'static str,
    /// Whether the timestamp is signed, so that the request is valid for five minutes.
    timed: bool,
    /// A pointer into the event's data, and the value there; for a challenge the whole response.
    outcome: (&'static str, &'static str),
}

const INBOUND: [Inbound; 11] = [
    inbound_sample(
        "none",
        r#"{"type": "none"}"#,
        false,
        ("/body/status", "paid"),
    ),
    inbound_sample(
        "github",
        r#"{"type": "github"}"#,
        false,
        ("/body/issue/title", "It doesn’t start"),
    ),
    inbound_sample(
        "stripe",
        r#"{"type": "stripe"}"#,
        true,
        ("/body/data/object/currency", "eur"),
    ),
    inbound_sample(
        "slack",
        r#"{"type": "slack"}"#,
        true,
        ("/body/event/text", "Hello hello"),
    ),
    inbound_sample(
        "slack-challenge",
        r#"{"type": "slack"}"#,
        true,
        ("", "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"),
    ),
    inbound_sample(
        "shopify",
        r#"{"type": "shopify"}"#,
        false,
        ("/body/customer/first_name", "Zoë"),
    ),
    inbound_sample(
        "twilio",
        r#"{"type": "twilio"}"#,
        false,
        ("/body/Body", "Is it ready? + thanks"),
    ),
    inbound_sample(
        "standard-webhooks",
        r#"{"type": "standard_webhooks"}"#,
        true,
        ("/body/data/id", "1f81eb52"),
    ),
    inbound_sample(
        "hmac",
        r#"{"type": "hmac", "header": "X-Signature", "algorithm": "sha512", "encoding": "base64", "prefix": "sha512="}"#,
        false,
        (
            "/body",
            "<order><number>4711</number><city>Orléans</city></order>",
        ),
    ),
    inbound_sample(
        "basic",
        r#"{"type": "basic", "username": "example"}"#,
        false,
        ("/body/status", "paid"),
    ),
    inbound_sample(
        "header",
        r#"{"type": "header", "name": "X-Example-Token"}"#,
        false,
        ("/body", "4711 paid"),
    ),
];

const fn inbound_sample(
    name: &'static str,
    verification: &'static str,
    timed: bool,
    outcome: (&'static str, &'static str),
) -> Inbound {
    Inbound {
        name,
        verification,
        timed,
        outcome,
    }
}

impl Inbound {
    fn file(&self) -> String {
        format!("inbound-{}.json", self.name)
    }

    fn verification(&self, secret: &str) -> Value {
        let mut verification: Value = serde_json::from_str(self.verification).expect("JSON");
        let field = match self.name {
            "none" => return verification,
            "basic" => "password",
            "header" => "value",
            _ => "secret",
        };
        verification[field] = json!(secret);
        verification
    }

    /// Response of a service with this secret after this many seconds, and the data of the
    /// published event.
    async fn call(
        &self,
        egress: &Egress,
        secret: Option<&str>,
        seconds: i64,
    ) -> (u16, String, Value) {
        let mut system = System::new(egress).await;
        system.set_time(MADE_AT.parse().expect("a time"));
        if let Some(secret) = secret {
            system.user(key().user().expect("a user")).await;
            let none = json!({"type": "none"});
            system
                .service(
                    "https://example.com",
                    Some(key()),
                    none,
                    self.verification(secret),
                )
                .await;
        }
        system.set_time(system.time() + SignedDuration::from_secs(seconds));
        let (_, request) = call(&self.file());
        let response = system
            .at(inbound::handle(&functions::inbound(&system.fake), &request))
            .await
            .expect("a response");
        let body = String::from_utf8(response.body().to_vec()).expect("UTF-8");
        let state = system.fake.state();
        let data = state
            .queues
            .on(Name::Events)
            .first()
            .map(|event| event.json()["data"].clone());
        (response.status().as_u16(), body, data.unwrap_or_default())
    }
}

#[tokio::test]
async fn sample_of_each_scheme_verifies_with_its_secret_only() {
    let egress = Egress::new(allow());
    for sample in &INBOUND {
        let name = sample.name;
        let (status, body, data) = sample.call(&egress, Some(SECRET), 0).await;
        match sample.outcome {
            ("", whole) => assert_eq!(
                (status, body.as_str(), &data),
                (200, whole, &Value::Null),
                "{name}"
            ),
            (place, text) => {
                assert_eq!(
                    (status, data.pointer(place)),
                    (202, Some(&json!(text))),
                    "{name}: {body} {data}"
                );
                assert!(
                    !data.to_string().contains(SECRET) && data["headers"]["cookie"].is_null(),
                    "{name}: {data}"
                );
            }
        }
        let (status, _, data) = sample
            .call(&egress, Some("another-secret-of-such-a-length"), 0)
            .await;
        let refused = if name == "none" { 202 } else { 401 };
        assert_eq!(
            (status, data.is_null()),
            (refused, refused == 401),
            "{name}"
        );
        let late = if sample.timed { 401 } else { 202 };
        assert_eq!(
            sample.call(&egress, Some(SECRET), 301).await.0,
            late,
            "{name}"
        );
        assert_eq!(sample.call(&egress, None, 0).await.0, 404, "{name}");
    }
}
