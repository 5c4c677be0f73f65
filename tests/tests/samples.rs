//! The samples in `events/`: each is what its function takes, and there is none that no test knows.

use std::{fs, path::PathBuf};

use aws_lambda_events::sqs::SqsEvent;
use domain::{
    delivery::{Message, message::Due},
    event::{Event, NewEvent},
};
use lambda_http::{Request, request::from_str};
use platform::keyring::Step;
use rotation::Request as Rotation;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn sample(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect(name)
}

fn call(name: &str) -> (String, Request) {
    let request = from_str(&sample(name)).expect(name);
    (format!("{} {}", request.method(), request.uri().path()), request)
}

/// The text of the batch's only message.
fn message(name: &str) -> String {
    let batch: SqsEvent = serde_json::from_str(&sample(name)).expect(name);
    let [record] = batch.records.as_slice() else { panic!("{name} holds more than one message") };
    record.body.clone().expect("body")
}

#[test]
fn every_sample_is_what_its_function_takes() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("events/")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .collect();
    names.sort();
    for name in names {
        match name.as_str() {
            "api-healthz.json" => assert_eq!(call(&name).0, "GET /healthz"),
            "api-list-webhooks.json" => assert_eq!(call(&name).0, "GET /v1/webhooks"),
            "api-publish-event.json" => {
                let (route, request) = call(&name);
                assert_eq!(route, "POST /v1/events");
                NewEvent::parse(serde_json::from_slice(request.body()).expect("json")).expect("an event");
            }
            "inbound.json" => assert_eq!(call(&name).0, "POST /in/your-key"),
            "dispatch.json" => drop(serde_json::from_str::<Event>(&message(&name)).expect("an event")),
            "delivery.json" => {
                let message: Message = serde_json::from_str(&message(&name)).expect("a message");
                assert_eq!(message.event.as_ref().map(|event| event.id), Some(message.delivery.event));
                assert!(matches!(message.clone().due(message.queued_at), Due::Now(_)));
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
