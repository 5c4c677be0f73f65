//! Requests of a webhook with filters, from its creation to its receiver.

use serde_json::{Value, json};
use tests::fixture::Api;

/// Markup of HTML and Markdown, quotation marks, tags and a character beyond the BMP.
const NASTY: &str = "<b>Tom & \"Jerry\"</b> it's 5_000 *new* [x](y) {name} 🎉!";

#[tokio::test]
async fn filtered_values_reach_the_receiver_as_markup() {
    let mut system = super::system().await;
    let (api, _) = Api::of_admin(&system.fake, system.time()).await;
    let body = r#"{
        "html": "<i>{\"First Name\" | html}</i>",
        "markdown": "*{'First Name' | markdown}*",
        "plain": "{\"First Name\" | truncate: 8 | upper}",
        "tags": "{tags | join: ' · '}",
        "due": "{due | date: \"%d.%m.%Y\"}",
        "count": {tags | length},
        "fallback": "{none | default: \"{name} \\\"there\\\"\"}",
        "unfit": "{tags | date: \"%Y\"}",
        "double": "{{name}}"
    }"#;
    let webhook = json!({
        "name": "Telegram", "events": ["message"], "body": body,
        "url": system.receiver.url_of("/{due | date: \"%Y/%m\"}/send?q={\"First Name\" | base64}"),
        "headers": {"x-name": "{\"First Name\" | url}"},
        "conditions": {"field": "'First Name'", "op": "contains", "value": "Jerry"},
    });
    let created = api.call("POST", "/v1/webhooks", webhook).await.expect(201);
    let warning = json!({
        "pointer": "/body", "detail": "`{{name}}` is sent as the value in braces. Write `{name}`.",
    });
    assert_eq!(created["warnings"], json!([warning]));

    let data = json!({
        "First Name": NASTY, "tags": ["a<b", "c_d"], "due": "2026-03-01T23:30:00-01:00", "name": "{due}",
    });
    system.publish("message", data.clone()).await;
    system.run().await;

    let request = system.receiver.requests().pop().expect("a request");
    assert_eq!(
        request.json(),
        json!({
            "html": "<i>&lt;b&gt;Tom &amp; &quot;Jerry&quot;&lt;/b&gt; it&#39;s 5_000 *new* [x](y) {name} 🎉!</i>",
            "markdown":
                r#"*<b\>Tom & "Jerry"</b\> it's 5\_000 \*new\* \[x\]\(y\) \{name\} 🎉\!*"#,
            "plain": "<B>TOM …",
            "tags": "a<b · c_d",
            "due": "02.03.2026",
            "count": 2,
            "fallback": "{name} \"there\"",
            "unfit": r#"["a<b","c_d"]"#,
            "double": "{{due}}",
        })
    );
    assert_eq!(request.path, "/2026%2F03/send");
    assert!(
        request.query.starts_with("q=PGI%2BVG9tICYg"),
        "{}",
        request.query
    );
    let name = request.header("x-name");
    assert!(
        name.starts_with("%3Cb%3ETom%20%26%20%22Jerry") && name.is_ascii(),
        "{name}"
    );

    let id = created["id"].as_str().expect("an id");
    let path = format!("/v1/webhooks/{id}");
    let event = json!({"event": {"type": "message", "data": data}});
    let rendered = api
        .call("POST", &format!("{path}/render"), event)
        .await
        .expect(200);
    assert_eq!(rendered["missing_tags"], json!(["tags"]));
    assert_eq!(rendered["warnings"], json!([warning]));
    let shown: Value =
        serde_json::from_str(rendered["request"]["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(shown, request.json());
    assert_eq!(rendered["conditions"][0]["field"], "\"First Name\"");

    let read = api.call("GET", &path, Value::Null).await.expect(200);
    assert_eq!(read.get("warnings"), None);
    let change = json!({"body": "{\"text\": \"{\\\"First Name\\\"}\"}"});
    let patched = api.call("PATCH", &path, change).await.expect(200);
    assert_eq!(patched["warnings"], json!([]));
    let change =
        json!({"body": "{\"text\": \"{name | htm}\"}", "headers": {"x-a": "{a | date: 'x' 1}"}});
    let mut pointers = api.call("PATCH", &path, change).await.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/body", "/headers/x-a"]);
}

#[tokio::test]
async fn providers_use_filters_too() {
    let system = super::system().await;
    let (api, _) = Api::of_admin(&system.fake, system.time()).await;
    let provider = json!({
        "name": "Telegram", "provider_id": "bot", "channel": "chatbot", "auth": {"type": "none"},
        "send_url": system.receiver.url_of("/send"),
        "request": {"body": r#"{"chat_id": "{message.to}", "text": "{message.text | markdown}", "by": "{message.metadata.'the agent' | default: 'us'}", "x": "{{message.id}}"}"#},
    });
    let created = api
        .call("POST", "/v1/providers", provider)
        .await
        .expect(201);
    assert_eq!(created["warnings"][0]["pointer"], "/request/body");
    let path = format!("/v1/providers/{}", created["id"].as_str().expect("an id"));
    let test = json!({"to": "42", "text": NASTY});
    api.call("POST", &format!("{path}/test"), test)
        .await
        .expect(200);
    let sent = system.receiver.requests().pop().expect("a request").json();
    assert_eq!(sent["by"], "us");
    assert_eq!(
        sent["text"],
        r#"<b\>Tom & "Jerry"</b\> it's 5\_000 \*new\* \[x\]\(y\) \{name\} 🎉\!"#
    );
    let read = api.call("GET", &path, Value::Null).await.expect(200);
    assert_eq!(read.get("warnings"), None);
    let change = json!({"request": {"body": "{\"a\": \"{message.text | nope}\"}"}});
    let pointers = api.call("PATCH", &path, change).await.pointers();
    assert_eq!(pointers, ["/request/body"]);
}
