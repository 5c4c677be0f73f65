//! Requests to a provider's callback URL: verification of status reports.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::message::Status;
use hmac::{Hmac, KeyInit, Mac};
use lambda_http::{
    Body, Request,
    http::{self, request::Builder},
};
use serde_json::{Value, json};
use sha1::Sha1;
use tests::{
    fake::{
        functions::{PUBLIC_URL, inbound},
        sqs::Name,
    },
    receiver::Reply,
};

use crate::api::{Api, egress};

/// The auth token of an account at Twilio.
pub(crate) const TOKEN: &str = "12345678901234567890123456789012";

/// Calls the inbound function at the system's time.
pub(crate) async fn receive(api: &Api, request: &Request) -> (u16, Value) {
    let app = inbound(&api.system.fake);
    let response = api.system.at(inbound::handle(&app, request)).await;
    let response = response.expect("a response");
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    (response.status().as_u16(), body)
}

/// The provider's callback URL, as the inbound function is called.
pub(crate) fn callback_url(provider: &Value) -> String {
    let url = provider["callback_url"].as_str().expect("a URL");
    let (_, key) = url.rsplit_once('/').expect("a key");
    format!("{PUBLIC_URL}/in/{key}")
}

pub(crate) fn post(provider: &Value) -> Builder {
    http::Request::post(callback_url(provider))
}

pub(crate) fn with_json(request: Builder, body: &Value) -> Request {
    request
        .header("content-type", "application/json")
        .body(body.to_string().into())
        .expect("a request")
}

/// A form that Twilio signed with this token: the URL, and each name and value in order of the
/// names.
pub(crate) fn from_twilio(provider: &Value, token: &str, fields: &[(&str, &str)]) -> Request {
    let url = callback_url(provider);
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("any key");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    post(provider)
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "x-twilio-signature",
            BASE64_STANDARD.encode(mac.finalize().into_bytes()),
        )
        .body(Body::from(form))
        .expect("a request")
}

fn callback(verification: &Value) -> Value {
    json!({
        "response": {"id_pointer": "/sid"},
        "callback": {
            "id_pointer": "/MessageSid", "status_pointer": "/MessageStatus",
            "statuses": {"delivered": "delivered"}, "verification": verification,
        },
    })
}

/// Sends an SMS that the provider accepts as `SM1`.
async fn sent(
    api: &mut Api,
    name: &str,
    verification: &Value,
) -> (Value, domain::message::MessageRef) {
    let provider = api.provider(name, callback(verification)).await;
    api.system
        .receiver
        .script(|_| Reply::status(201).body(r#"{"sid": "SM1"}"#));
    let id = api.send(name).await;
    api.system.run().await;
    assert_eq!(api.message(id).await.status, Status::Sent);
    (provider, id)
}

const REPORT: [(&str, &str); 3] = [
    ("MessageStatus", "delivered"),
    ("MessageSid", "SM1"),
    ("To", "+15555550100"),
];

#[tokio::test]
async fn report_that_fails_verification_changes_nothing() {
    let mut api = Api::new(&egress()).await;
    let twilio = json!({"type": "twilio", "secret": TOKEN});
    let (provider, id) = sent(&mut api, "twilio", &twilio).await;
    let body = json!({"MessageSid": "SM1", "MessageStatus": "delivered"});
    let mut another_body = from_twilio(&provider, TOKEN, &REPORT);
    *another_body.body_mut() = Body::from("MessageStatus=delivered&MessageSid=SM1");
    let unsigned = with_json(post(&provider), &body);
    let foreign = from_twilio(&provider, "another-token", &REPORT);
    let writes = api.system.fake.state().table.writes().len();
    for request in [&unsigned, &foreign, &another_body] {
        let (status, body) = receive(&api, request).await;
        assert_eq!(
            (status, &body["type"]),
            (401, &json!("/problems/unauthorized"))
        );
    }
    assert_eq!(api.system.fake.state().table.writes().len(), writes);
    assert!(
        api.system
            .fake
            .state()
            .queues
            .on(Name::Deliveries)
            .is_empty()
    );
    api.system.run().await;
    assert_eq!(api.message(id).await.status, Status::Sent);

    let signed = from_twilio(&provider, TOKEN, &REPORT);
    assert_eq!(receive(&api, &signed).await, (202, json!({"reports": 1})));
    api.system.run().await;
    assert_eq!(api.message(id).await.status, Status::Delivered);
}

#[tokio::test]
async fn verification_is_write_only_and_kept_by_a_patch_without_it() {
    let mut api = Api::new(&egress()).await;
    let verification =
        json!({"type": "header", "name": "X-Token", "value": "token-of-the-gateway"});
    let (provider, id) = sent(&mut api, "gateway", &verification).await;
    let shown = json!({"type": "header", "name": "x-token", "value_hint": "eway"});
    assert_eq!(provider["callback"]["verification"], shown);
    let stored = format!("{:?}", api.system.fake.state().table.items());
    assert!(!stored.contains("token-of-the-gateway"), "{stored}");

    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an id"));
    let body = json!({"MessageSid": "SM1", "MessageStatus": "delivered"});
    let request = |token: &str| with_json(post(&provider).header("x-token", token), &body);
    for patch in [
        json!({"default": true}),
        json!({"callback": {"statuses": {"read": "delivered"}}}),
        json!({"callback": {"verification": {"type": "header"}}}),
    ] {
        let changed = api.call("PATCH", &path, patch.clone()).await.expect(200);
        assert_eq!(changed["callback"]["verification"], shown, "{patch}");
        let refused = receive(&api, &request("token-of-the-gatewax")).await.0;
        let accepted = receive(&api, &request("token-of-the-gateway")).await.0;
        assert_eq!((refused, accepted), (401, 202), "{patch}");
    }
    api.system.run().await;
    assert_eq!(api.message(id).await.status, Status::Delivered);

    // Another secret, another type, none.
    let (twilio, none) = (json!({"type": "twilio"}), json!({"type": "none"}));
    let incomplete = api
        .call(
            "PATCH",
            &path,
            json!({"callback": {"verification": twilio}}),
        )
        .await;
    assert_eq!(incomplete.pointers(), ["/callback/verification/secret"]);
    let other = json!({"callback": {"verification": {"value": "another-token"}}});
    api.call("PATCH", &path, other).await.expect(200);
    assert_eq!(receive(&api, &request("token-of-the-gateway")).await.0, 401);
    assert_eq!(receive(&api, &request("another-token")).await.0, 202);
    let removed = api
        .call("PATCH", &path, json!({"callback": {"verification": null}}))
        .await
        .expect(200);
    assert_eq!(removed["callback"]["verification"], none);
    assert_eq!(receive(&api, &request("anything")).await.0, 202);
    let audit = api.call("GET", "/v1/audit", Value::Null).await.expect(200);
    assert!(
        !audit.to_string().contains("token-of-the-gateway"),
        "{audit}"
    );
}

#[tokio::test]
async fn verification_of_inbound_messages_can_be_removed() {
    let api = Api::new(&egress()).await;
    let twilio = json!({"type": "twilio", "secret": TOKEN});
    let fields = json!({"callback": {"verification": twilio}, "inbound": {"id_pointer": "/id"}});
    let provider = api.provider("twilio", fields).await;
    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an id"));
    let remove = json!({"callback": {"verification": null}});
    let changed = api.call("PATCH", &path, remove).await.expect(200);
    assert_eq!(
        (&changed["callback"], &changed["callback_url"]),
        (&Value::Null, &provider["callback_url"])
    );
}

#[tokio::test]
async fn provider_imported_without_its_verification_secret_takes_no_reports() {
    let api = Api::new(&egress()).await;
    let verification = json!({"type": "twilio", "secret": TOKEN});
    let provider = api.provider("twilio", callback(&verification)).await;
    let campaign = json!({"name": "Spring", "sms_provider_id": provider["id"]});
    let campaign = api
        .call("POST", "/v1/campaigns", campaign)
        .await
        .expect(201);
    let path = format!(
        "/v1/campaigns/{}/export",
        campaign["id"].as_str().expect("an id")
    );
    let bundle = api.call("GET", &path, Value::Null).await.expect(200);
    assert_eq!(
        bundle["providers"][0]["callback"]["verification"],
        json!({"type": "twilio"})
    );
    for (name, secret, status, accepted) in [
        ("without", None, "needs_secrets", 401),
        ("with", Some(TOKEN), "active", 202),
    ] {
        let mut bundle = bundle.clone();
        bundle["campaign"]["name"] = json!(name);
        bundle["campaign"]["sms_provider"] = json!(name);
        bundle["providers"][0]["name"] = json!(name);
        let keys = json!({"api_key": "k", "secret_key": "s", "verification_secret": secret});
        let import = json!({"bundle": bundle, "secrets": {name: keys}});
        let report = api
            .call("POST", "/v1/campaigns/import", import)
            .await
            .expect(200);
        let id = report["created"][0]["id"].as_str().expect("an id");
        let path = format!("/v1/providers/{id}");
        let imported = api.call("GET", &path, Value::Null).await.expect(200);
        assert_eq!(imported["status"], status);
        let signed = from_twilio(&imported, TOKEN, &REPORT);
        assert_eq!(receive(&api, &signed).await.0, accepted, "{name}");
    }
}
