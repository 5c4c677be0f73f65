//! Secrets are never revealed.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use tests::{
    receiver::{Receiver, Reply},
    stack::Stack,
};

const FUNCTIONS: [&str; 5] = ["config-api", "inbound", "dispatch", "delivery", "rotation"];

#[tokio::test]
async fn no_secret_is_in_the_table_a_queue_a_log_or_a_response() {
    let stack = Stack::get();
    let (bot_token, password) = (
        "812345:AAE-bot-token-that-leaks-nowhere",
        "correct-horse-battery-staple",
    );
    let (api_key, header) = (
        "api-key-0f1e2d3c4b5a69788796",
        "Token header-value-a1b2c3d4e5f6",
    );
    let signing = "whsec_c2VjcmV0LW9mLWEtdGVzdC10aGF0LWxlYWtzLW5vd2hlcmU=";
    let plain_signing = "a-plain-signing-secret-of-a-test";
    let pair = BASE64_STANDARD.encode(format!("ada:{password}"));
    // Receivers that echo everything they receive.
    let basic = format!("Authorization: Basic {pair}");
    let echo = |status, secrets: &[&str]| {
        Receiver::replying([Reply::status(status).body(secrets.join(" "))])
    };
    let good = echo(200, &[bot_token, header, signing, password, &basic]);
    let bad = echo(500, &[bot_token, header, plain_signing, api_key]);
    let fields = |builder: tests::webhook::WebhookBuilder| {
        builder
            .retry([1, 600])
            .set("secrets", json!({"bot_token": bot_token, "header": header}))
            .set("headers", json!({"x-token": "{secret.header}"}))
            .set("body", r#"{"text": "{text}", "key": "{secret.bot_token}"}"#)
    };
    let first = fields(stack.webhook())
        .url(good.url_of("/bot{secret.bot_token}/send?token={secret.bot_token}"))
        .set(
            "auth",
            json!({"type": "basic", "username": "ada", "password": password}),
        )
        .set("secret", signing)
        .create()
        .await;
    let second = fields(stack.webhook())
        .url(bad.url_of("/bot{secret.bot_token}/send"))
        .set(
            "auth",
            json!({"type": "api_key", "header": "x-api-key", "value": api_key}),
        )
        .set("signing", json!({"type": "header", "name": "x-signing"}))
        .set("secret", plain_signing)
        .create()
        .await;

    let event = stack.publish("message", json!({"text": "hi"})).await;
    stack.delivery_until(&event, &first, "succeeded").await;
    // The third attempt is still queued.
    bad.wait_for(2).await;
    let waiting = |delivery: &serde_json::Value| {
        delivery["attempts"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    };
    let delivery = stack
        .delivery_when(&event, &second, "attempted twice", waiting)
        .await;
    assert_eq!(delivery["status"], "retrying");
    // The receivers did get the secrets.
    let request = good.only().await;
    assert_eq!(request.path, format!("/bot{bot_token}/send"));
    assert!(request.text().contains(bot_token));
    assert_eq!(request.header("x-token"), header);
    assert_eq!(bad.requests()[0].header("x-api-key"), api_key);
    assert_eq!(bad.requests()[0].header("x-signing"), plain_signing);

    let mut places = vec![
        ("the table".to_owned(), stack.table_dump().await),
        ("the queues".to_owned(), stack.queues_dump().await),
    ];
    let id = delivery["id"].as_str().expect("id");
    assert!(places[1].1.contains(id), "the retry is on its queue");
    for webhook in [&first, &second] {
        places.push(("a webhook".to_owned(), webhook.read().await.to_string()));
        places.push((
            "a delivery".to_owned(),
            stack.delivery(&event, webhook).await.to_string(),
        ));
        places.push((
            "a test".to_owned(),
            webhook.test(json!({})).await.to_string(),
        ));
        places.push((
            "a preview".to_owned(),
            webhook
                .render("message", json!({"text": "hi"}))
                .await
                .to_string(),
        ));
    }
    for path in [
        "/v1/webhooks?limit=100",
        "/v1/deliveries?limit=100",
        &format!("/v1/events/{event}"),
    ] {
        places.push((path.to_owned(), stack.get_path(path).await.text));
    }
    for function in FUNCTIONS {
        places.push((format!("the log of {function}"), stack.log(function)));
    }
    assert!(
        stack.log("delivery").contains(id),
        "the log is that of this stack"
    );

    let tokens = [stack.token(), stack.former_token()];
    for secret in [bot_token, password, api_key, header, signing, plain_signing]
        .iter()
        .chain(&tokens)
    {
        let encoded = BASE64_STANDARD.encode(secret);
        let percent = secret.replace(':', "%3A");
        for (place, content) in &places {
            for form in [
                *secret,
                encoded.trim_end_matches('='),
                &percent,
                secret.trim_start_matches("whsec_"),
            ] {
                assert!(!content.contains(form), "{form} is in {place}");
            }
        }
    }
    assert!(places.iter().all(|(_, content)| !content.contains(&pair)));
    second.delete().await;
}

#[tokio::test]
async fn echoing_receiver_puts_no_secret_into_the_history() {
    let stack = Stack::get();
    let (named, password, literal) = (
        "named <secret> & \"quotes\"",
        "pass word/é",
        "literal-token-of-a-header",
    );
    let (path, query, signing) = (
        "bot77:AAF-path_token",
        "query-token",
        "a-plain-signing-secret-of-an-echo",
    );
    let receiver = Receiver::replying([Reply::echo(500)]);
    for (format, body) in [
        (
            "json",
            json!(r#"{"text": "{text}", "key": "{secret.named}"}"#),
        ),
        (
            "xml",
            json!("<a><text>{text}</text><key b=\"{secret.named}\">{secret.named}</key></a>"),
        ),
        ("form", json!("text={text}&key={secret.named}")),
    ] {
        let webhook = stack
            .webhook()
            .url(receiver.url_of(&format!(
                "/{path}/{{secret.named}}?api_key={query}&of={{secret.named}}"
            )))
            .set("format", format)
            .set("body", body)
            .set("secrets", json!({"named": named}))
            .set(
                "headers",
                json!({"x-named": "{secret.named}", "x-token": format!("Bearer {literal}")}),
            )
            .set(
                "auth",
                json!({"type": "basic", "username": "ada", "password": password}),
            )
            .set("signing", json!({"type": "header", "name": "x-signing"}))
            .set("secret", signing)
            .create()
            .await;
        let event = stack.publish("message", json!({"text": "hi"})).await;
        let delivery = stack.delivery_until(&event, &webhook, "failed").await;
        let recorded = delivery["attempts"][0]["response_body"]
            .as_str()
            .expect("a body")
            .to_owned();
        let tested = webhook.test(json!({})).await["response_body"]
            .as_str()
            .expect("a body")
            .to_owned();
        let got = receiver.requests();
        let request = got
            .iter()
            .find(|request| request.header("webhook-id") == event)
            .expect("the request");
        assert!(
            request.echo().contains(literal) && request.echo().contains(signing),
            "{request:?}"
        );
        for echoed in [recorded, tested, delivery.to_string()] {
            assert!(echoed.contains("•••"), "{echoed}");
            // These parts of the secrets are the same in every encoding.
            let pair = BASE64_STANDARD.encode(format!("ada:{password}"));
            for part in ["quotes", "AAF-path_token", query, literal, signing, &pair] {
                assert!(!echoed.contains(part), "{part} in {echoed}");
            }
        }
        webhook.delete().await;
    }
}
