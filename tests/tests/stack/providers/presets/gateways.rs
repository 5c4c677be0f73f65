//! Presets of SMS gateways.

use serde_json::{Value, json};
use tests::{
    provider::Provider,
    receiver::{Receiver, Reply, Request},
    stack::Stack,
};

use super::{FROM, TO, basic, form};

pub(super) fn reply(status: u16, body: &Value) -> Reply {
    Reply::status(status).body(body.to_string())
}

/// Sends a message that the provider's API accepts. Returns its ID, and the request.
pub(super) async fn sent(
    stack: &Stack,
    api: &Receiver,
    provider: &Provider,
    message: &Value,
    response: Reply,
) -> (String, Request) {
    let before = api.requests().len();
    api.set_reply(response);
    let mut message = message.clone();
    message["provider"] = json!(provider.id);
    let id = stack.message("messages", message).await;
    let request = api.wait_for(before + 1).await.remove(before);
    stack.message_until(&id, "sent").await;
    (id, request)
}

/// Sends a message to which the provider's API responds with this error. Returns the attempt.
pub(super) async fn refused(
    stack: &Stack,
    api: &Receiver,
    provider: &Provider,
    message: &Value,
    response: Reply,
) -> Value {
    api.set_reply(response);
    let mut message = message.clone();
    message["provider"] = json!(provider.id);
    let path = format!("/v1/messages/{}", stack.message("messages", message).await);
    let attempted = async || {
        let message = stack.get_path(&path).await.expect(200);
        if message["attempts"][0].is_null() {
            Err(message)
        } else {
            Ok(message)
        }
    };
    let mut message = stack.until("an attempt was made", attempted).await;
    assert_eq!(message["status"], "queued", "{message}");
    stack.post(&format!("{path}/cancel"), Value::Null).await;
    message["attempts"][0].take()
}

pub(super) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// Sends an inbound message with this call, twice. Returns the data of the one event.
pub(super) async fn inbound(
    stack: &Stack,
    provider: &Provider,
    kind: &str,
    report: impl AsyncFn(),
) -> Value {
    let events = Receiver::start();
    stack
        .webhook()
        .url(events.url())
        .set("events", json!([kind]))
        .set(
            "conditions",
            json!({"field": "provider_id", "op": "eq", "value": provider.id}),
        )
        .create()
        .await;
    report().await;
    report().await;
    let mut event = events.wait_for(1).await.remove(0).json();
    assert_eq!(event["type"], kind);
    event["data"].take()
}

pub(super) fn sms_data(data: &Value) -> [&str; 4] {
    ["from", "to", "text", "id"].map(|field| data[field].as_str().unwrap_or_default())
}

const NO_SUCCESS: &str = "the answer does not report success";

#[tokio::test]
async fn vonage_preset_sends_and_reports() {
    let (stack, api) = (Stack::get(), Receiver::start());
    let provider = stack.provider("vonage-sms", &api.url()).create().await;
    let sms = json!({"channel": "sms", "to": TO, "from": FROM, "text": "50% off & more: ünï 🎉"});
    let part = |id: &str| json!({"to": "15555550100", "message-id": id, "status": "0", "message-price": "0.0333"});
    let accepted = json!({"message-count": "2", "messages": [part("0A01"), part("0A02")]});
    let (id, request) = sent(&stack, &api, &provider, &sms, reply(200, &accepted)).await;
    assert_eq!(request.path, "/sms/json");
    assert_eq!(
        request.header("authorization"),
        basic("own-api-key", "own-secret-key")
    );
    let expected = [
        ("to", TO.trim_start_matches('+')),
        ("from", FROM.trim_start_matches('+')),
        ("text", "50% off & more: ünï 🎉"),
        ("type", "unicode"),
        ("client-ref", &id),
    ];
    assert_eq!(form(&request), owned(&expected));
    // The API reports errors with the status 200.
    let error = |status: &str, text: &str| json!({"status": status, "error-text": text});
    for messages in [
        json!([error("4", "Bad Credentials")]),
        json!([error("1", "Throughput Rate Exceeded")]),
        json!([error("9", "Partner quota violation"), part("0A02")]),
    ] {
        let body = json!({"message-count": "1", "messages": messages});
        let attempt = refused(&stack, &api, &provider, &sms, reply(200, &body)).await;
        assert_eq!(
            (&attempt["status_code"], &attempt["error"]),
            (&json!(200), &json!(NO_SUCCESS))
        );
        assert!(
            attempt["response_body"]
                .as_str()
                .expect("a body")
                .contains("error-text")
        );
    }
    // Reports are JSON or a form, by the account's settings.
    let report = |status: &str| json!({"msisdn": "15555550100", "to": "15555550101", "network-code": "310090", "messageId": "0A01", "price": "0.0333", "status": status, "err-code": "0", "client-ref": id});
    for (status, count) in [("buffered", 1), ("unknown", 0), ("delivered", 1)] {
        let answer = provider.report(&report(status)).await.expect(202);
        assert_eq!(answer, json!({"reports": count}), "{status}");
    }
    stack.message_until(&id, "delivered").await;
    let (id, _) = sent(&stack, &api, &provider, &sms, reply(200, &accepted)).await;
    let fields = [
        ("messageId", "0A01"),
        ("status", "expired"),
        ("client-ref", &*id),
    ];
    provider.report_form(&fields).await.expect(202);
    let failed = stack.message_until(&id, "failed").await;
    assert_eq!(failed["error"], "the provider reported \"expired\"");
    let received = json!({"msisdn": "15555550100", "to": "15555550101", "messageId": "0A99", "text": "Hello world", "type": "text", "keyword": "HELLO", "message-timestamp": "2026-03-01 12:00:00"});
    let report = async || {
        provider.report(&received).await.expect(202);
    };
    let data = inbound(&stack, &provider, "sms.received", report).await;
    let expected = ["15555550100", "15555550101", "Hello world", "0A99"];
    assert_eq!(sms_data(&data), expected);
}

#[tokio::test]
async fn infobip_preset_sends_and_reports() {
    let (stack, api) = (Stack::get(), Receiver::start());
    let provider = stack.provider("infobip-sms", &api.url()).create().await;
    let sms = json!({"channel": "sms", "to": TO, "from": "Acme", "text": "Say \"hi\""});
    let response = |group: &str, name: &str| {
        let status =
            json!({"groupId": 1, "groupName": group, "id": 26, "name": name, "description": "…"});
        reply(
            200,
            &json!({"messages": [{"to": "15555550100", "messageId": "theirs", "status": status}]}),
        )
    };
    let (id, request) = sent(
        &stack,
        &api,
        &provider,
        &sms,
        response("PENDING", "PENDING_ACCEPTED"),
    )
    .await;
    assert_eq!(request.path, "/sms/2/text/advanced");
    assert_eq!(request.header("authorization"), "App own-api-key");
    assert_eq!(
        request.json(),
        json!({"messages": [{
            "destinations": [{"to": TO, "messageId": id}], "from": "Acme", "text": "Say \"hi\"",
            "notifyUrl": provider.callback_url(), "notifyContentType": "application/json",
        }]})
    );
    let attempt = refused(
        &stack,
        &api,
        &provider,
        &sms,
        response("REJECTED", "REJECTED_DESTINATION"),
    )
    .await;
    assert_eq!(attempt["error"], NO_SUCCESS);
    let unauthorized = json!({"requestError": {"serviceException": {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}}});
    let attempt = refused(&stack, &api, &provider, &sms, reply(401, &unauthorized)).await;
    assert_eq!(attempt["status_code"], 401);
    let report = |id: &str, group: &str| {
        let status =
            json!({"groupId": 3, "groupName": group, "id": 5, "name": "…", "description": "…"});
        json!({"results": [{"bulkId": "1", "messageId": id, "to": "15555550100", "smsCount": 1, "status": status, "error": {"groupId": 0, "groupName": "Ok"}}]})
    };
    let (second, _) = sent(
        &stack,
        &api,
        &provider,
        &sms,
        response("ACCEPTED", "MESSAGE_ACCEPTED"),
    )
    .await;
    provider.report(&report(&id, "DELIVERED")).await.expect(202);
    provider
        .report(&report(&second, "UNDELIVERABLE"))
        .await
        .expect(202);
    stack.message_until(&id, "delivered").await;
    stack.message_until(&second, "failed").await;
    let received = json!({
        "results": [{"messageId": "817790313235066447", "from": "385916242493", "to": "385921004026", "text": "QUIZ Paris", "cleanText": "Paris", "keyword": "QUIZ", "receivedAt": "2026-03-01T12:00:00.000+0000", "smsCount": 1}],
        "messageCount": 1, "pendingMessageCount": 0,
    });
    let report = async || {
        provider.report(&received).await.expect(202);
    };
    let data = inbound(&stack, &provider, "sms.received", report).await;
    let expected = [
        "385916242493",
        "385921004026",
        "QUIZ Paris",
        "817790313235066447",
    ];
    assert_eq!(sms_data(&data), expected);
}

#[tokio::test]
async fn messagebird_preset_sends_and_reports() {
    let (stack, api) = (Stack::get(), Receiver::start());
    let provider = stack.provider("messagebird-sms", &api.url()).create().await;
    let sms = json!({"channel": "sms", "to": TO, "from": "Acme", "text": "a&b"});
    let theirs = "e8077d803532c0b5937c639b60216938";
    let accepted = json!({"id": theirs, "direction": "mt", "recipients": {"totalCount": 1, "items": [{"recipient": 15_555_550_100_u64, "status": "sent"}]}});
    let (id, request) = sent(&stack, &api, &provider, &sms, reply(201, &accepted)).await;
    assert_eq!(request.path, "/messages");
    assert_eq!(request.header("authorization"), "AccessKey own-api-key");
    let callback_url = provider.callback_url();
    let expected = [
        ("recipients", TO),
        ("originator", "Acme"),
        ("body", "a&b"),
        ("datacoding", "auto"),
        ("reference", &id),
        ("reportUrl", &callback_url),
    ];
    assert_eq!(form(&request), owned(&expected));
    let error = json!({"errors": [{"code": 9, "description": "no (correct) recipients found", "parameter": "recipients"}]});
    let attempt = refused(&stack, &api, &provider, &sms, reply(422, &error)).await;
    assert_eq!(attempt["status_code"], 422);
    // A report is a GET with a query.
    let report = async |status: &str| {
        let url = format!(
            "{callback_url}?id={theirs}&reference={id}&recipient=15555550100&status={status}&statusDatetime=2026-03-01T10%3A00%3A05%2B00%3A00"
        );
        let response = stack.send(stack.call(reqwest::Method::GET, &url)).await;
        response.expect(202)
    };
    assert_eq!(report("scheduled").await, json!({"reports": 0}));
    assert_eq!(report("sent").await, json!({"reports": 1}));
    report("delivered").await;
    stack.message_until(&id, "delivered").await;
    let fields = [
        ("id", "e8077d803532c0b5937c639b60216939"),
        ("recipient", "15555550101"),
        ("originator", "15555550100"),
        ("body", "Hello & welcome"),
        ("createdDatetime", "2026-03-01T12:00:00+00:00"),
    ];
    let report = async || {
        provider.report_form(&fields).await.expect(202);
    };
    let data = inbound(&stack, &provider, "sms.received", report).await;
    let expected = ["15555550100", "15555550101", "Hello & welcome", fields[0].1];
    assert_eq!(sms_data(&data), expected);
}
