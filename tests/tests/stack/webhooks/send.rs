//! Requests that a webhook's receiver gets.

use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Request},
    stack::Stack,
};

#[tokio::test]
async fn event_reaches_the_subscribed_webhook() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["message"])
        .create()
        .await;

    let event = stack.publish("message", json!({"text": "hi"})).await;

    let request = receiver.only().await;
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("webhook-id"), event);
    assert_eq!(request.json()["type"], "message");
    assert_eq!(request.data(), json!({"text": "hi"}));
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(delivery["attempts"][0]["status_code"], 200);
    assert_eq!(
        delivery["attempts"][0]["request"],
        json!({"method": "POST", "url": receiver.url()})
    );
}

/// A value that would break JSON, XML, forms and URLs, and looks like a tag.
const NASTY: &str =
    "\"quotes\" 'single'\n<b>&amp;</b> ]]> {count} } {{ %41 a+b=c&d; \\ é 😀 \u{2028}";

#[tokio::test]
async fn every_method_and_format_carries_every_value() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let templates = [
        (
            "json",
            r#"{"said": "so: {text}", "count": {count}, "all": {list}}"#,
        ),
        (
            "xml",
            r#"<said count="{count}" attribute="{text}">{text}</said>"#,
        ),
        ("form", "said={text}&count={count}"),
    ];
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for (format, template) in templates {
            let webhook = || stack.webhook().set("method", method).set("format", format);
            webhook()
                .url(receiver.url_of(&format!("/{method}/{format}/envelope")))
                .create()
                .await;
            webhook()
                .url(receiver.url_of(&format!("/{method}/{format}/template")))
                .set("body", template)
                .create()
                .await;
        }
    }

    let data = json!({"text": NASTY, "count": 3, "list": [1, {"a": NASTY}]});
    stack.publish("message", data.clone()).await;

    for request in receiver.wait_for(30).await {
        let path: Vec<&str> = request.path.split('/').collect();
        let [_, method, format, kind] = path[..] else {
            panic!("{}", request.path)
        };
        assert_eq!(request.method, method);
        if (method, kind) == ("GET", "envelope") {
            assert_eq!(
                (request.body.len(), request.header("content-type")),
                (0, "")
            );
            continue;
        }
        match (format, kind) {
            ("json", "envelope") => assert_eq!(request.data(), data, "{}", request.path),
            ("json", _) => {
                let expected =
                    json!({"said": format!("so: {NASTY}"), "count": 3, "all": data["list"]});
                assert_eq!(request.json(), expected);
            }
            ("xml", kind) => check_xml(&request, kind),
            (_, kind) => check_form(&request, kind, &data),
        }
    }
    assert_eq!(receiver.requests().len(), 30);
}

fn check_xml(request: &Request, kind: &str) {
    assert_eq!(request.header("content-type"), "application/xml");
    let body = request.text();
    let between = |start: &str, end: &str| {
        let (_, rest) = body
            .split_once(start)
            .unwrap_or_else(|| panic!("{start}: {body}"));
        let inner = rest
            .split_once(end)
            .unwrap_or_else(|| panic!("{end}: {body}"))
            .0;
        assert!(!inner.contains('<'), "{inner}");
        quick_xml::escape::unescape(inner)
            .unwrap_or_else(|error| panic!("{error}: {inner}"))
            .into_owned()
    };
    if kind == "envelope" {
        assert_eq!(between("<type>", "</type>"), "message");
        assert_eq!(between("<text>", "</text>"), NASTY);
    } else {
        assert!(body.starts_with(r#"<said count="3" "#), "{body}");
        assert_eq!(between("attribute=\"", "\">"), NASTY);
        assert_eq!(between("\">", "</said>"), NASTY);
    }
}

fn check_form(request: &Request, kind: &str, data: &Value) {
    assert_eq!(
        request.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    if kind == "envelope" {
        assert_eq!(names, ["type", "timestamp", "data"]);
        let sent: Value = serde_json::from_str(&pairs[2].1).expect("JSON");
        assert_eq!(sent["text"], data["text"]);
    } else {
        assert_eq!(names, ["said", "count"]);
        assert_eq!((pairs[0].1.as_str(), pairs[1].1.as_str()), (NASTY, "3"));
    }
}

#[tokio::test]
async fn chat_bot_is_called_with_its_token_in_the_url() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url_of("/bot{secret.bot_token}/sendMessage"))
        .events(["ticket.created"])
        .set("secrets", json!({"bot_token": "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"}))
        .set("body", r#"{"parse_mode": "html", "chat_id": "-100200300", "text": "link for request: {link_staff}"}"#)
        .create()
        .await;

    let link = r#"https://desk.example.com/t/7?a="b"&c=<d>"#;
    let event = stack
        .publish("ticket.created", json!({"link_staff": link}))
        .await;

    let request = receiver.only().await;
    assert_eq!(
        request.path,
        "/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/sendMessage"
    );
    let text = format!("link for request: {link}");
    assert_eq!(
        request.json(),
        json!({"parse_mode": "html", "chat_id": "-100200300", "text": text})
    );
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    let shown = delivery["attempts"][0]["request"]["url"]
        .as_str()
        .expect("url");
    assert!(
        shown.ends_with("/sendMessage") && shown.contains("•••") && !shown.contains("123456"),
        "{shown}"
    );
}

#[tokio::test]
async fn note_is_sent_to_the_parent_ticket_after_an_end_users_reply() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    stack
        .webhook()
        .url(receiver.url_of("/api/v2/tickets/{parent_ticket_id}/comments/"))
        .events(["ticket.reply_added"])
        .conditions(json!({"field": "last_reply.author", "op": "eq", "value": "end_user"}))
        .set(
            "auth",
            json!({"type": "basic", "username": "ada@example.com", "password": "pass:word"}),
        )
        .set(
            "body",
            r#"{"comment": {"body": "{last_reply.text}", "public": false}}"#,
        )
        .create()
        .await;

    let reply = |author: &str| json!({"parent_ticket_id": 42, "last_reply": {"author": author, "text": "It's \"on\"\nfire"}});
    stack.publish("ticket.reply_added", reply("agent")).await;
    let wanted = stack.publish("ticket.reply_added", reply("end_user")).await;

    let request = receiver.only().await;
    assert_eq!(request.header("webhook-id"), wanted);
    assert_eq!(request.path, "/api/v2/tickets/42/comments/");
    assert_eq!(
        request.header("authorization"),
        "Basic YWRhQGV4YW1wbGUuY29tOnBhc3M6d29yZA=="
    );
    assert_eq!(
        request.json(),
        json!({"comment": {"body": "It's \"on\"\nfire", "public": false}})
    );
}

#[tokio::test]
async fn value_can_not_escape_its_place_in_url_and_headers() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url_of("/t/{id}/x?q={id}&more={missing.tag}"))
        .set(
            "headers",
            json!({"x-subject": "about {subject} in {event.type} by {webhook.name}"}),
        )
        .set("name", tests::stack::unique("named"))
        .create()
        .await;

    let good = stack
        .publish("message", json!({"id": "a/b?c#d&e=f g", "subject": "tea"}))
        .await;
    let request = receiver.only().await;
    assert_eq!(request.path, "/t/a%2Fb%3Fc%23d%26e%3Df%20g/x");
    assert_eq!(request.query, "q=a%2Fb%3Fc%23d%26e%3Df%20g&more=");
    let name = webhook.document["name"].as_str().expect("name");
    assert_eq!(
        request.header("x-subject"),
        format!("about tea in message by {name}")
    );
    let delivery = stack.delivery_until(&good, &webhook, "succeeded").await;
    assert_eq!(
        delivery["attempts"][0]["missing_tags"],
        json!(["missing.tag"])
    );

    for (data, tag) in [
        (json!({"id": "..", "subject": "tea"}), "id"),
        (
            json!({"id": "1", "subject": "tea\r\nx-injected: 1"}),
            "subject",
        ),
    ] {
        let event = stack.publish("message", data).await;
        let delivery = stack.delivery_until(&event, &webhook, "blocked").await;
        let error = delivery["attempts"][0]["error"].as_str().expect("error");
        assert!(error.contains("blocked") && error.contains(tag), "{error}");
    }
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn key_is_sent_in_the_named_header() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    stack
        .webhook()
        .url(receiver.url())
        .set(
            "auth",
            json!({"type": "api_key", "header": "X-Api-Key", "value": "the key"}),
        )
        .create()
        .await;
    stack.publish("message", json!({})).await;
    let request = receiver.only().await;
    assert_eq!(request.header("x-api-key"), "the key");
    assert_eq!(request.header("authorization"), "");
}
