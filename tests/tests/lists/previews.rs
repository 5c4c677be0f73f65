//! Previews, tests and responses of services reveal no secret, nor whether a guess is right.

use serde_json::{Value, json};
use tests::receiver::{Receiver, Reply};

use crate::api::Api;

const SECRET: &str = "k7Qz-token.of/the+account=0123456789";

impl Api {
    /// Creates a webhook, and returns its path.
    async fn webhook(&self, fields: &Value) -> String {
        let mut document =
            json!({"name": "CRM", "url": "https://example.com/hook", "events": ["ticket.*"]});
        document
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        let webhook = self.post("webhooks", document).await.expect(201);
        format!("webhooks/{}", webhook["id"].as_str().expect("an id"))
    }
}

/// The start of the secret, and a different text of the same length.
fn guesses(length: usize) -> (String, String) {
    let mut other = SECRET[..length].to_owned();
    other.replace_range(length - 1.., "_");
    (SECRET[..length].to_owned(), other)
}

/// A response with `Q` in place of a text, both as is and percent-encoded.
fn without(text: &str, response: &str) -> String {
    let encoded = text
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D");
    response.replace(&encoded, "Q").replace(text, "Q")
}

#[tokio::test]
async fn echoing_service_confirms_no_guess() {
    let api = Api::new().await;
    let receiver = Receiver::replying([Reply::echo(200).header("content-type", "text/plain")]);
    let service = api
        .post(
            "services",
            json!({
                "name": "Echo", "type": "custom_http", "server_url": receiver.url_of("/api"),
                "account": {"name": "Echo", "authorization": {"type": "header", "name": "X-Key", "value": SECRET}},
            }),
        )
        .await
        .expect(201);
    let path = format!("services/{}/send", service["id"].as_str().expect("an id"));
    for length in [8, 12, SECRET.len() - 1] {
        let (guess, other) = guesses(length);
        let mut responses = Vec::new();
        for text in [&guess, &other] {
            let request = json!({"body": {"a": text}, "headers": {"x-a": text}, "query": {"a": text}, "path": "/x"});
            let response = api.post(&path, request).await.expect(200);
            assert!(
                !response.to_string().contains(SECRET)
                    && response["body"].to_string().contains("•••"),
                "{response}"
            );
            let body = response["body"].to_string();
            assert!(
                body.contains(&format!("{{\\\"a\\\":\\\"{text}\\\"}}")),
                "{text} in {body}"
            );
            responses.push(without(text, &body));
        }
        assert_eq!(responses[0], responses[1]);
    }
    // The whole secret is masked.
    let response = api
        .post(&path, json!({"body": {"a": SECRET}}))
        .await
        .expect(200);
    assert!(!response.to_string().contains(SECRET));
    assert_eq!(api.post_nothing(&path).await.expect(200)["status"], 200);
}

#[tokio::test]
async fn preview_confirms_no_guess() {
    let api = Api::new().await;
    let webhook = api
        .webhook(&json!({
            "url": "https://example.com/{q}/x?q={q}", "headers": {"x-q": "{q}"}, "body": "{\"q\": \"{q}\"}",
            "auth": {"type": "api_key", "header": "x-key", "value": SECRET}, "secrets": {"k": SECRET},
        }))
        .await;
    for length in 4..SECRET.len() {
        let (guess, other) = guesses(length);
        let mut responses = Vec::new();
        for text in [&guess, &other] {
            let event = json!({"type": "ticket.created", "data": {"q": text}});
            let mut response = api
                .post(&format!("{webhook}/render"), json!({"event": event}))
                .await
                .expect(200);
            let request = response["request"].as_object_mut().expect("a request");
            assert_eq!(request["body"], format!("{{\"q\": \"{text}\"}}"));
            assert_eq!(request["headers"]["x-q"], *text);
            assert_eq!(request["headers"]["x-key"], "•••");
            request["headers"]["webhook-id"] = Value::Null;
            responses.push(without(text, &response.to_string()));
        }
        assert_eq!(responses[0], responses[1]);
    }
}

#[tokio::test]
async fn preview_uses_the_types_example_and_lists_missing_tags() {
    let api = Api::new().await;
    let webhook = api
        .webhook(&json!({"url": "https://example.com/hooks/{id}"}))
        .await;
    let render = format!("{webhook}/render");
    for response in [
        api.post_nothing(&render).await,
        api.post(&render, json!({})).await,
        api.post(&render, json!({"event": {"type": "ticket.created"}}))
            .await,
        api.post(
            &render,
            json!({"event": {"type": "ticket.created", "data": null}}),
        )
        .await,
    ] {
        let response = response.expect(200);
        assert_eq!(
            (&response["request"]["url"], &response["matched"]),
            (&json!("https://example.com/hooks/7315"), &json!(true))
        );
        assert_eq!(response["missing_tags"], json!([]));
    }
    // Given data replaces the example.
    let event = json!({"event": {"type": "ticket.created", "data": {"a": 1}}});
    let response = api.post(&render, event.clone()).await.expect(200);
    let url = response["request"]["url"].as_str().expect("a URL");
    assert!(
        url.starts_with("https://example.com/hooks/evt_"),
        "the event's own ID: {url}"
    );
    let by_subject = api
        .webhook(&json!({"name": "By subject", "url": "https://example.com/hooks/{subject}"}))
        .await;
    let response = api
        .post(&format!("{by_subject}/render"), event)
        .await
        .expect(200);
    assert_eq!(
        (&response["request"], &response["missing_tags"]),
        (&Value::Null, &json!(["subject"]))
    );
    let response = api
        .post(&render, json!({"event": {"data": 1}, "x": 1}))
        .await
        .expect(422);
    let pointers: Vec<_> = response["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|e| e["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["/event/type", "/event/data", "/x"]);
    api.post_nothing(&format!("{webhook}/rotate-secret"))
        .await
        .expect(200);
}

#[tokio::test]
async fn headers_are_masked_and_survive_a_patch_of_others() {
    let api = Api::new().await;
    let receiver = Receiver::start();
    let (bearer, run) = ("Bearer abc123", "id 0123456789abcdef01234567; v=2");
    let headers = json!({"X-Upstream": bearer, "X-Session": run, "X-Plain": "no secret", "X-Tag": "{secret.k} {name}"});
    let webhook = api
        .webhook(
            &json!({"url": receiver.url(), "headers": headers, "secrets": {"k": "Zoë's key"}, "retry": {"type": "none"}}),
        )
        .await;
    let shown = json!({"x-upstream": "Bearer •••", "x-session": "id •••; v=2", "x-plain": "no secret", "x-tag": "{secret.k} {name}"});
    assert_eq!(api.get(&webhook).await.expect(200)["headers"], shown);
    let patched = api
        .patch(&webhook, json!({"headers": {"x-plain": "other"}}))
        .await
        .expect(200);
    assert_eq!(patched["headers"]["x-session"], "id •••; v=2");
    let refused = api
        .patch(&webhook, json!({"headers": {"x-session": "id •••; v=2"}}))
        .await
        .expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/headers/x-session");

    let event = json!({"type": "ticket.created", "data": {"name": "Zoë"}});
    api.post(&format!("{webhook}/test"), json!({"event": event}))
        .await
        .expect(200);
    let got = receiver.requests();
    assert_eq!(
        (got[0].header("x-upstream"), got[0].header("x-session")),
        (bearer, run)
    );
    assert_eq!(
        got[0].headers["x-tag"].as_bytes(),
        "Zoë's key Zoë".as_bytes()
    );
}

#[tokio::test]
async fn preview_of_a_large_event_is_small() {
    let api = Api::new().await;
    let conditions: Vec<Value> = (0..50)
        .map(|_| json!({"field": "text", "op": "exists", "value": true}))
        .collect();
    let webhook = api
        .webhook(&json!({"conditions": {"all": conditions}, "headers": {"x-a": "{event.id}"}}))
        .await;
    for text in [
        "x".repeat(200_000),
        "\"".repeat(120_000),
        "\u{1}".repeat(40_000),
    ] {
        let event = json!({"type": "ticket.created", "data": {"text": text}});
        // Every response is checked against Lambda's limit.
        let response = api
            .post(&format!("{webhook}/render"), json!({"event": event}))
            .await
            .expect(200);
        assert_eq!(
            (
                &response["request"]["truncated"],
                &response["conditions"][49]["truncated"]
            ),
            (&json!(true), &json!(true))
        );
        assert!(response["request"]["body"].as_str().expect("a body").len() <= 16 * 1024);
    }
}
