//! Presets of gateways with a protocol of their own.

use serde_json::json;
use standardwebhooks::Webhook as Verifier;
use tests::{
    receiver::{Receiver, Reply},
    stack::Stack,
};

use super::{
    TO,
    gateways::{refused, reply, sent},
};

#[tokio::test]
async fn campaign_preset_sends_and_reports() {
    let (stack, api) = (Stack::get(), Receiver::start());
    let provider = stack.provider("campaign-server", &api.url()).create().await;
    let campaign =
        json!({"name": tests::stack::unique("campaign"), "sms_provider_id": provider.id});
    let campaign = stack.post("/v1/campaigns", campaign).await.expect(201);
    let sms = json!({
        "channel": "sms", "to": TO, "from": "Acme", "text": "20% \"off\"", "template": "spring",
        "fields": {"order": 7, "vip": true, "first name": "Ada"}, "campaign_id": campaign["id"],
    });
    let (id, request) = sent(
        &stack,
        &api,
        &provider,
        &sms,
        reply(200, &json!({"id": "X1"})),
    )
    .await;
    let mut body = request.json();
    let mut fields = body["business_fields"].take();
    let fields = fields.as_array_mut().expect("a list");
    fields.sort_by_key(|field| field["name"].to_string());
    let expected = json!([
        {"name": "first name", "value": "Ada"},
        {"name": "order", "value": 7},
        {"name": "vip", "value": true},
    ]);
    assert_eq!(json!(fields), expected);
    assert_eq!(
        body,
        json!({
            "server_name": provider.document["name"], "campaign_name": campaign["name"], "channel": "sms",
            "from": "Acme", "to": TO, "tracking_key": id, "template_name": "spring",
            "message_text": "20% \"off\"", "business_fields": null,
            "tenant": {"id": "own-provider-id", "business_id": ""},
            "callback_url": format!("{}?tracking_key={id}", provider.callback_url()),
        })
    );
    let attempt = refused(&stack, &api, &provider, &sms, Reply::status(500)).await;
    assert_eq!(attempt["status_code"], 500);
    let report = json!({"tracking_key": id, "status": "delivered"});
    let url = body["callback_url"].as_str().expect("a URL");
    let report = stack.call(reqwest::Method::POST, url).json(&report);
    stack.send(report).await.expect(202);
    let delivered = stack.message_until(&id, "delivered").await;
    assert_eq!(delivered["provider_message_id"], "X1");
}

#[tokio::test]
async fn generic_preset_sends_signed_json_and_reports() {
    let (stack, api) = (Stack::get(), Receiver::start());
    let provider = stack
        .provider("generic-json", &api.url())
        .set("secret_key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .create()
        .await;
    let sms = json!({"channel": "sms", "to": TO, "from": "Acme", "text": "Hi"});
    let (id, request) = sent(&stack, &api, &provider, &sms, reply(202, &json!({"id": 7}))).await;
    assert_eq!(
        request.json(),
        json!({
            "id": id, "account": "own-provider-id", "from": "Acme", "to": TO, "text": "Hi",
            "metadata": stack.metadata(), "callback_url": provider.callback_url(),
        })
    );
    assert_eq!(request.header("x-api-key"), "own-api-key");
    let verifier = Verifier::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    verifier
        .verify(&request.body, &request.headers)
        .expect("signed");
    let message = stack.message_until(&id, "sent").await;
    assert_eq!(message["provider_message_id"], "7");
    // Reports name either ID.
    provider
        .report(&json!({"id": id, "status": "sent"}))
        .await
        .expect(202);
    provider
        .report(&json!({"id": 7, "status": "delivered"}))
        .await
        .expect(202);
    stack.message_until(&id, "delivered").await;
}
