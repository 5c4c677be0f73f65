//! Requests of third parties to a service's inbound URL.

mod effects;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::{
    receiver::Receiver,
    service::Service,
    stack::{Stack, text},
    webhook::Webhook,
};

const SECRET: &str = "It's a Secret to Everybody";

async fn service(stack: &Stack, verification: Value) -> Service {
    let user = stack.user().await;
    stack
        .service("https://example.com")
        .set("user_id", user)
        .set("verification", verification)
        .create()
        .await
}

/// A webhook that receives the events of this service.
async fn subscriber(stack: &Stack, service: &Service, receiver: &Receiver) -> Webhook {
    let condition = json!({"field": "service_id", "op": "eq", "value": service.id});
    stack
        .webhook()
        .url(receiver.url())
        .events(["service.received"])
        .set("conditions", condition)
        .create()
        .await
}

/// The HMAC of a text under the secret, in hexadecimal.
fn hmac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

fn github(body: &str) -> String {
    format!("sha256={}", hmac(body))
}

fn call(stack: &Stack, service: &Service, body: &str) -> RequestBuilder {
    call_at(stack, &service.webhook_url(), body)
}

fn call_at(stack: &Stack, url: &str, body: &str) -> RequestBuilder {
    let request = stack
        .call(Method::POST, url)
        .header("content-type", "application/json");
    request
        .header("x-hub-signature-256", github(body))
        .body(body.to_owned())
}

#[tokio::test]
async fn inbound_call_becomes_an_event_and_a_delivery() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "github", "secret": SECRET})).await;
    let receiver = Receiver::start();
    subscriber(&stack, &service, &receiver).await;
    let body = r#"{"action": "opened", "issue": {"title": "Ünïcode 😀"}}"#;
    let request = call_at(&stack, &format!("{}?a=1&a=2", service.webhook_url()), body);
    let request = request
        .header("x-github-event", "issues")
        .header("cookie", "a=1; b=2");
    let response = stack
        .send(request.header("authorization", "Bearer x"))
        .await;
    assert_eq!(response.header("cache-control"), "no-store");
    assert!(!response.header("x-request-id").is_empty());
    let id = text(&response.expect(202), "id");
    assert!(id.starts_with("evt_"));

    let request = receiver.only().await;
    assert_eq!(request.header("webhook-id"), id);
    let envelope = request.json();
    assert_eq!(envelope["type"], "service.received");
    let data = &envelope["data"];
    assert_eq!(
        data["body"],
        serde_json::from_str::<Value>(body).expect("JSON")
    );
    assert_eq!(
        (&data["service_id"], &data["service"]),
        (&json!(service.id), &service.document["name"])
    );
    assert_eq!(
        (&data["user_id"], &data["method"]),
        (&service.document["user_id"], &json!("POST"))
    );
    assert_eq!(
        (&data["query"], &data["content_type"]),
        (&json!({"a": ["1", "2"]}), &json!("application/json"))
    );
    assert_eq!(data["headers"]["x-github-event"], "issues");
    for hidden in ["authorization", "cookie", "x-hub-signature-256"] {
        assert!(data["headers"][hidden].is_null(), "{hidden}");
    }
    let read = stack.event_read(&id).await;
    assert_eq!(read["data"]["body"], data["body"]);
}

#[tokio::test]
async fn inbound_bodies_of_every_type_and_method_are_published() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "none"})).await;
    let url = service.webhook_url();
    let send = async |method: Method, content_type: &str, body: Vec<u8>| {
        let request = stack
            .call(method, &url)
            .header("content-type", content_type)
            .body(body);
        let id = text(&stack.send(request).await.expect(202), "id");
        stack.event_read(&id).await["data"].clone()
    };
    let data = send(
        Method::PUT,
        "application/octet-stream",
        vec![0, 159, 146, 150],
    )
    .await;
    assert_eq!(
        (&data["body"], &data["body_encoding"]),
        (&json!("AJ+Slg=="), &json!("base64"))
    );
    let data = send(
        Method::POST,
        "application/x-www-form-urlencoded",
        b"a=x+y&b=%C3%A4".to_vec(),
    )
    .await;
    assert_eq!(data["body"], json!({"a": "x y", "b": "ä"}));
    let data = send(Method::DELETE, "text/plain", b"hello".to_vec()).await;
    assert_eq!(
        (&data["body"], &data["method"]),
        (&json!("hello"), &json!("DELETE"))
    );
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let data = send(Method::POST, "application/json", deep.clone().into_bytes()).await;
    assert_eq!(data["body"], json!(deep));
    let form = "application/x-www-form-urlencoded; charset=windows-1252";
    let data = send(Method::POST, form, b"name=Jos%E9".to_vec()).await;
    assert_eq!(data["body"], json!({"name": "José"}));
    let odd = "\u{feff}{\"id\": 12345678901234567890123, \"cut\": \"\\ud83d\"}";
    let data = send(Method::POST, "application/json", odd.into()).await;
    assert_eq!(
        data["body"],
        json!({"id": "12345678901234567890123", "cut": "\u{fffd}"})
    );
    // The emulator responses OPTIONS itself. An HTTP API without CORS settings passes it to the
    // function.
    let response = stack.send(stack.call(Method::HEAD, &url)).await;
    assert_eq!((response.status, response.text.as_str()), (200, ""));
    let got = stack.send(stack.call(Method::GET, &url)).await.expect(202);
    let data = stack.event_read(&text(&got, "id")).await["data"].clone();
    assert_eq!(
        (&data["method"], &data["body"]),
        (&json!("GET"), &Value::Null)
    );
}

#[tokio::test]
async fn unverified_call_is_rejected_and_leaves_nothing() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "github", "secret": SECRET})).await;
    let body = r#"{"card": "4111-1111-do-not-log"}"#;
    for signature in ["", "sha256=00", &github("another body")] {
        let request = stack
            .call(Method::POST, &service.webhook_url())
            .header("x-hub-signature-256", signature);
        stack.send(request.body(body)).await.problem(401);
    }
    stack
        .logged("inbound", &["inbound request rejected", &service.id])
        .await;
    stack.logged("inbound", &["inbound_refused"]).await;
    assert!(!stack.log("inbound").contains("do-not-log"));
    let events = stack
        .get_path("/v1/events?type=service.received&limit=100")
        .await
        .expect(200);
    assert!(!events.to_string().contains(&service.id));
    let large = "x".repeat(256 * 1024 + 1);
    stack
        .send(call(&stack, &service, &large))
        .await
        .problem(413);
    stack
        .send(call(&stack, &service, &"x".repeat(256 * 1024)))
        .await
        .expect(202);
    let unknown = service.webhook_url().replacen("/in/", "/in/x", 1);
    stack
        .send(stack.call(Method::POST, &unknown))
        .await
        .problem(404);
    let mut other = service.webhook_url();
    let last = other.pop();
    other.push(if last == Some('0') { '1' } else { '0' });
    stack
        .send(stack.call(Method::POST, &other))
        .await
        .problem(404);
}

#[tokio::test]
async fn inactive_users_service_accepts_no_calls() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "none"})).await;
    let user = format!("/v1/users/{}", text(&service.document, "user_id"));
    let status = async || {
        stack
            .send(stack.call(Method::POST, &service.webhook_url()))
            .await
            .status
    };
    assert_eq!(status().await, 202);
    stack
        .patch(&user, json!({"active": false}))
        .await
        .expect(200);
    assert_eq!(status().await, 403);
    stack
        .patch(&user, json!({"active": true}))
        .await
        .expect(200);
    assert_eq!(status().await, 202);
    // The service is assigned to another user; its URL is unchanged.
    let other = stack.user().await;
    let changed = stack
        .patch(&service.path(""), json!({"user_id": other}))
        .await
        .expect(200);
    assert_eq!(changed["webhook_url"], service.document["webhook_url"]);
    stack
        .patch(&user, json!({"active": false}))
        .await
        .expect(200);
    assert_eq!(status().await, 202);
    stack
        .patch(&format!("/v1/users/{other}"), json!({"active": false}))
        .await
        .expect(200);
    assert_eq!(status().await, 403);
}

#[tokio::test]
async fn repeated_call_is_published_once() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "github", "secret": SECRET})).await;
    let receiver = Receiver::start();
    subscriber(&stack, &service, &receiver).await;
    let send = async |delivery: &str, body: &str| {
        let request = call(&stack, &service, body).header("x-github-delivery", delivery.to_owned());
        text(&stack.send(request).await.expect(202), "id")
    };
    let first = send("d-1", "{}").await;
    assert_eq!(send("d-1", "{}").await, first);
    assert_eq!(send("d-1", r#"{"another": "body"}"#).await, first);
    assert_eq!(
        send("d-2", "{}").await,
        first,
        "another ID with the same signature"
    );
    let second = send("d-3", r#"{"n": 3}"#).await;
    assert_ne!(second, first);
    let got = receiver.wait_for(2).await;
    let mut ids: Vec<&str> = got
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    ids.sort_unstable();
    let mut wanted = [first.as_str(), second.as_str()];
    wanted.sort_unstable();
    assert_eq!(ids, wanted);
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn new_url_revokes_the_former_one() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "none"})).await;
    let former = service.webhook_url();
    let rotated = stack
        .post(&service.path("/rotate-url"), json!({}))
        .await
        .expect(200);
    let url = text(&rotated, "webhook_url");
    assert_ne!(url, former);
    stack
        .send(stack.call(Method::POST, &former))
        .await
        .problem(404);
    stack.send(stack.call(Method::POST, &url)).await.expect(202);
    assert_eq!(stack.delete(&service.path("")).await.status, 204);
    stack
        .send(stack.call(Method::POST, &url))
        .await
        .problem(404);
    let oneway = stack.service("https://example.com").create().await;
    assert_eq!(oneway.document["webhook_url"], Value::Null);
    stack
        .post(&oneway.path("/rotate-url"), json!({}))
        .await
        .problem(409);
    // The table does not contain the key itself.
    let key = url.rsplit('/').next().expect("a key").to_owned();
    assert!(!stack.table_dump().await.contains(&key));
}
