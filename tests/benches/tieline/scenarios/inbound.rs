//! Calls of third parties, verified in each way.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Hub;
use crate::{
    binaries::Binaries,
    report::{Report, per, per_10_000},
};

const CALLS: usize = 1000;
const SECRET: &str = "this-is-only-an-example-secret";

/// The headers of a call with this number, time and body.
type Sign = fn(usize, i64, &str) -> Vec<(&'static str, String)>;

pub(crate) async fn measure(binaries: &Binaries, report: &mut Report) {
    report.section("Inbound: CPU for 10,000 calls; calls to AWS for each");
    for (verification, sign) in schemes() {
        one(&verification, sign, binaries, report).await;
    }
}

fn schemes() -> [(Value, Sign); 8] {
    [
        (json!({"type": "none"}), |_, _, _| Vec::new()),
        (
            json!({"type": "basic", "username": "example", "password": SECRET}),
            |_, _, _| {
                let credentials = BASE64_STANDARD.encode(format!("example:{SECRET}"));
                vec![("authorization", format!("Basic {credentials}"))]
            },
        ),
        (
            json!({"type": "header", "name": "x-token", "value": SECRET}),
            |_, _, _| vec![("x-token", SECRET.to_owned())],
        ),
        (
            json!({"type": "github", "secret": SECRET}),
            |number, _, body| {
                vec![
                    ("x-github-delivery", number.to_string()),
                    (
                        "x-hub-signature-256",
                        format!("sha256={}", hex(SECRET, body)),
                    ),
                ]
            },
        ),
        (
            json!({"type": "shopify", "secret": SECRET}),
            |number, _, body| {
                vec![
                    ("x-shopify-webhook-id", number.to_string()),
                    (
                        "x-shopify-hmac-sha256",
                        BASE64_STANDARD.encode(mac(SECRET, body)),
                    ),
                ]
            },
        ),
        (
            json!({"type": "stripe", "secret": SECRET}),
            |_, time, body| {
                let signature = hex(SECRET, &format!("{time}.{body}"));
                vec![("stripe-signature", format!("t={time},v1={signature}"))]
            },
        ),
        (
            json!({"type": "slack", "secret": SECRET}),
            |_, time, body| {
                vec![
                    ("x-slack-request-timestamp", time.to_string()),
                    (
                        "x-slack-signature",
                        format!("v0={}", hex(SECRET, &format!("v0:{time}:{body}"))),
                    ),
                ]
            },
        ),
        (
            json!({"type": "standard_webhooks", "secret": SECRET}),
            |number, time, body| {
                let signature =
                    BASE64_STANDARD.encode(mac(SECRET, &format!("msg_{number}.{time}.{body}")));
                vec![
                    ("webhook-id", format!("msg_{number}")),
                    ("webhook-timestamp", time.to_string()),
                    ("webhook-signature", format!("v1,{signature}")),
                ]
            },
        ),
    ]
}

async fn one(verification: &Value, sign: Sign, binaries: &Binaries, report: &mut Report) {
    let hub = Hub::new(binaries).await;
    let user = hub
        .api
        .call("POST", "/v1/users", json!({"name": "Third party"}))
        .await
        .field(201, "id");
    let service = json!({
        "name": "Third party",
        "server_url": "https://example.com",
        "account": {"name": "Third party", "authorization": {"type": "none"}},
        "user_id": user,
        "verification": verification,
    });
    let url = hub
        .api
        .call("POST", "/v1/services", service)
        .await
        .field(201, "webhook_url");
    let (_, path) = url.split_once("/in/").expect("an inbound URL");
    let mut inbound = hub.start("inbound").await;
    let call = |number: usize| {
        let body =
            json!({"action": "opened", "number": number, "text": "x".repeat(150)}).to_string();
        let time = platform::clock::now().as_second();
        let mut headers = json!({"host": "hooks.example.com", "content-type": "application/json"});
        for (name, value) in sign(number, time, &body) {
            headers[name] = json!(value);
        }
        json!({
            "version": "2.0",
            "routeKey": "ANY /in/{key}",
            "rawPath": format!("/in/{path}"),
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "domainName": "hooks.example.com",
                "http": {"method": "POST", "sourceIp": "203.0.113.7"},
                "timeEpoch": time * 1000,
            },
            "isBase64Encoded": false,
            "body": body,
        })
        .to_string()
    };
    let warm_up = 20;
    for number in 0..warm_up {
        let response = inbound.invoke(call(number)).await;
        assert_eq!(response["statusCode"], 202, "{verification}: {response}");
    }
    hub.take_calls();
    let calls: Vec<String> = (warm_up..warm_up + CALLS).map(call).collect();
    let before = inbound.cpu();
    for call in calls {
        inbound.invoke(call).await;
    }
    let name = verification["type"].as_str().expect("a type");
    report.add(
        name,
        per_10_000(inbound.cpu_since(before), CALLS),
        per(hub.take_calls(), CALLS),
    );
}

fn mac(secret: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(secret: &str, text: &str) -> String {
    let bytes = mac(secret, text);
    bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
