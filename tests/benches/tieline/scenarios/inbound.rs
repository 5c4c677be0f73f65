//! Calls of third parties, verified in each way.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use super::Hub;
use crate::{
    binaries::Binaries,
    report::{Report, per, per_10_000},
};

const CALLS: usize = 1000;
const SECRET: &str = "this-is-only-an-example-secret";

/// A call before it is signed.
struct Call<'a> {
    number: usize,
    /// Epoch seconds.
    time: i64,
    url: &'a str,
    body: &'a str,
}

/// Returns the headers that sign a call.
type Sign = fn(&Call<'_>) -> Vec<(&'static str, String)>;

pub(crate) async fn measure(binaries: &Binaries, report: &mut Report) {
    report.section("Inbound: CPU for 10,000 calls; calls to AWS for each");
    for (verification, sign) in schemes() {
        one(&verification, sign, binaries, report).await;
    }
}

fn schemes() -> [(Value, Sign); 10] {
    [
        (json!({"type": "none"}), |_| Vec::new()),
        (
            json!({"type": "basic", "username": "example", "password": SECRET}),
            |_| {
                let credentials = BASE64_STANDARD.encode(format!("example:{SECRET}"));
                vec![("authorization", format!("Basic {credentials}"))]
            },
        ),
        (
            json!({"type": "header", "name": "x-token", "value": SECRET}),
            |_| vec![("x-token", SECRET.to_owned())],
        ),
        (
            json!({"type": "hmac", "secret": SECRET, "header": "x-signature", "algorithm": "sha256", "encoding": "hex"}),
            |call| vec![("x-signature", hex(call.body))],
        ),
        (json!({"type": "github", "secret": SECRET}), |call| {
            vec![
                ("x-github-delivery", call.number.to_string()),
                ("x-hub-signature-256", format!("sha256={}", hex(call.body))),
            ]
        }),
        (json!({"type": "shopify", "secret": SECRET}), |call| {
            vec![
                ("x-shopify-webhook-id", call.number.to_string()),
                ("x-shopify-hmac-sha256", base64(mac::<Sha256>(call.body))),
            ]
        }),
        (json!({"type": "twilio", "secret": SECRET}), |call| {
            // The names are already in the order that Twilio signs.
            let pairs = call.body.split(['=', '&']).collect::<String>();
            let signature = base64(mac::<Sha1>(&format!("{}{pairs}", call.url)));
            vec![
                (
                    "content-type",
                    "application/x-www-form-urlencoded".to_owned(),
                ),
                ("x-twilio-signature", signature),
            ]
        }),
        (json!({"type": "stripe", "secret": SECRET}), |call| {
            let time = call.time;
            let signature = hex(&format!("{time}.{}", call.body));
            vec![("stripe-signature", format!("t={time},v1={signature}"))]
        }),
        (json!({"type": "slack", "secret": SECRET}), |call| {
            let signature = hex(&format!("v0:{}:{}", call.time, call.body));
            vec![
                ("x-slack-request-timestamp", call.time.to_string()),
                ("x-slack-signature", format!("v0={signature}")),
            ]
        }),
        (
            json!({"type": "standard_webhooks", "secret": SECRET}),
            |call| {
                let signed = format!("msg_{}.{}.{}", call.number, call.time, call.body);
                vec![
                    ("webhook-id", format!("msg_{}", call.number)),
                    ("webhook-timestamp", call.time.to_string()),
                    (
                        "webhook-signature",
                        format!("v1,{}", base64(mac::<Sha256>(&signed))),
                    ),
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
        let text = "x".repeat(150);
        let body = if verification["type"] == "twilio" {
            format!("action=opened&number={number}&text={text}")
        } else {
            json!({"action": "opened", "number": number, "text": text}).to_string()
        };
        let time = platform::clock::now().as_second();
        let signed = sign(&Call {
            number,
            time,
            url: &format!("https://hooks.example.com/in/{path}"),
            body: &body,
        });
        let mut headers = json!({"host": "hooks.example.com", "content-type": "application/json"});
        for (name, value) in signed {
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

fn mac<D: EagerHash>(text: &str) -> Vec<u8>
where
    Hmac<D>: Mac + KeyInit,
{
    let mut mac = <Hmac<D> as KeyInit>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn base64(bytes: Vec<u8>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn hex(text: &str) -> String {
    let bytes = mac::<Sha256>(text);
    bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
