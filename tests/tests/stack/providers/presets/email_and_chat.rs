//! Presets of email and chat.

use super::{
    basic, emitted, form,
    gateways::{inbound, owned, refused, reply, sent, sms_data},
    kinds,
};
use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply},
    stack::Stack,
};

#[tokio::test]
async fn sendgrid_preset_sends_and_reports() {
    let (stack, events) = (Stack::get(), Receiver::start());
    let sendgrid = Receiver::replying([Reply::status(202).header("x-message-id", "14c5d75ce93")]);
    stack
        .message_webhook()
        .url(events.url())
        .events(["email.*"])
        .create()
        .await;
    let provider = stack
        .provider("sendgrid", &sendgrid.url())
        .set("api_key", "SG.a-key-of-sendgrid")
        .create()
        .await;

    let message = json!({
        "channel": "email", "provider": provider.id, "to": "ada@example.com", "from": "desk@example.com",
        "subject": "Ticket \"7\"", "text": "Hello\nAda", "html": "<p>Hello \"Ada\"</p>",
    });
    let (first, second) = (
        stack.message("messages", message.clone()).await,
        stack.message("messages", message).await,
    );
    let requests = sendgrid.wait_for(2).await;
    for request in &requests {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/v3/mail/send")
        );
        assert_eq!(
            request.header("authorization"),
            "Bearer SG.a-key-of-sendgrid"
        );
        assert_eq!(request.header("content-type"), "application/json");
        let mut body = request.json();
        let id = body["personalizations"][0]["custom_args"]["tieline_id"].take();
        assert!(id == first.as_str() || id == second.as_str(), "{id}");
        assert_eq!(
            body,
            json!({
                "personalizations": [{"to": [{"email": "ada@example.com"}], "custom_args": {"tieline_id": null}}],
                "from": {"email": "desk@example.com"},
                "subject": "Ticket \"7\"",
                "content": [
                    {"type": "text/plain", "value": "Hello\nAda"},
                    {"type": "text/html", "value": "<p>Hello \"Ada\"</p>"},
                ],
            })
        );
    }
    stack.message_until(&first, "sent").await;
    stack.message_until(&second, "sent").await;
    let report = |id: &str, event: &str| json!({"email": "ada@example.com", "event": event, "sg_message_id": "14c5d75ce93.filter", "tieline_id": id});
    let reports = json!([
        report(&first, "processed"), report(&first, "delivered"), report(&first, "open"), report(&second, "bounce"),
        {"event": "delivered"},
    ]);
    assert_eq!(
        provider.report(&reports).await.expect(202),
        json!({"reports": 3})
    );
    stack.message_until(&first, "delivered").await;
    let failed = stack.message_until(&second, "failed").await;
    assert_eq!(failed["error"], "the provider reported \"bounce\"");
    let got = events.wait_for(4).await;
    assert_eq!(
        kinds(&got),
        [
            "email.delivered",
            "email.failed",
            "email.sent",
            "email.sent"
        ]
    );
    let (_, data) = emitted(&got)
        .into_iter()
        .find(|(kind, _)| kind == "email.failed")
        .expect("the event");
    assert_eq!(
        (&data["message_id"], &data["error"]),
        (&json!(second), &failed["error"])
    );
}

#[tokio::test]
async fn telegram_preset_sends() {
    let (stack, events) = (Stack::get(), Receiver::start());
    let token = "812345:AAE-token_of-a-bot";
    let good = json!({"ok": true, "result": {"message_id": 7, "chat": {"id": 42, "type": "private"}, "text": "Hi"}});
    let bad =
        json!({"ok": false, "error_code": 400, "description": format!("Bad Request: {token}")});
    let telegram = Receiver::replying([
        Reply::status(200).body(good.to_string()),
        Reply::status(400).body(bad.to_string()),
    ]);
    stack
        .message_webhook()
        .url(events.url())
        .events(["chatbot.*"])
        .create()
        .await;
    let provider = stack
        .provider("telegram", &telegram.url())
        .set("api_key", token)
        .create()
        .await;
    assert_eq!(provider.document["callback"], Value::Null);

    // What users write arrives at the callback URL.
    let answers = Receiver::start();
    let condition = json!({"field": "provider_id", "op": "eq", "value": provider.id});
    stack
        .webhook()
        .url(answers.url())
        .events(["chatbot.received"])
        .set("conditions", condition)
        .create()
        .await;
    let update = json!({"update_id": 70412, "message": {
        "message_id": 5, "from": {"id": 42, "first_name": "Ana"}, "chat": {"id": 42}, "text": "Hello",
    }});
    provider.report(&update).await.field(202, "id");
    let data = answers.only().await.json()["data"].take();
    assert_eq!(
        (&data["from"], &data["from_name"], &data["text"]),
        (&json!("42"), &json!("Ana"), &json!("Hello"))
    );

    let message = json!({"channel": "chatbot", "provider": provider.id, "to": "42", "text": "Hi {x} \"there\""});
    let id = stack.message("messages", message.clone()).await;
    let request = telegram.only().await;
    assert_eq!(
        request.path.replace("%3A", ":"),
        format!("/bot{token}/sendMessage")
    );
    assert_eq!(
        request.json(),
        json!({"chat_id": "42", "text": "Hi {x} \"there\""})
    );
    let sent = stack.message_until(&id, "sent").await;
    assert_eq!(sent["provider_message_id"], "7");
    assert_eq!(kinds(&events.wait_for(1).await), ["chatbot.sent"]);

    // The token is in the URL, and the response echoes it. It is masked everywhere.
    let refused = stack.message("messages", message).await;
    let tried = stack
        .until("an attempt was made", async || {
            let message = stack
                .get_path(&format!("/v1/messages/{refused}"))
                .await
                .expect(200);
            if message["attempts"][0].is_null() {
                Err(message)
            } else {
                Ok(message)
            }
        })
        .await;
    assert_eq!(
        (&tried["status"], &tried["attempts"][0]["status_code"]),
        (&json!("queued"), &json!(400))
    );
    assert!(tried["next_attempt_at"].is_string());
    for shown in [
        tried.to_string(),
        sent.to_string(),
        provider.document.to_string(),
        stack.log("delivery"),
    ] {
        assert!(!shown.contains("AAE-token_of-a-bot"), "{shown}");
    }
    // Queued messages fail with their provider.
    assert_eq!(stack.delete(&provider.path("")).await.status, 204);
    let failed = stack.message_until(&refused, "failed").await;
    assert_eq!(failed["error"], "blocked: the provider was deleted");
    assert_eq!(
        kinds(&events.wait_for(2).await),
        ["chatbot.failed", "chatbot.sent"]
    );
}

#[tokio::test]
async fn mailgun_preset_sends_and_reports() {
    let (stack, api) = (Stack::get(), Receiver::start());
    let provider = stack
        .provider("mailgun", &api.url())
        .set("provider_id", "mg.example.com")
        .create()
        .await;
    let email = json!({
        "channel": "email", "to": "ada@example.com", "from": "Acme <desk@mg.example.com>",
        "subject": "Ticket 7", "text": "a&b", "html": "<p>a</p>",
    });
    let accepted = json!({"id": "<20260301.1@mg.example.com>", "message": "Queued. Thank you."});
    let (id, request) = sent(&stack, &api, &provider, &email, reply(200, &accepted)).await;
    assert_eq!(request.path, "/v3/mg.example.com/messages");
    assert_eq!(
        request.header("authorization"),
        basic("api", "own-secret-key")
    );
    let expected = [
        ("from", "Acme <desk@mg.example.com>"),
        ("to", "ada@example.com"),
        ("subject", "Ticket 7"),
        ("text", "a&b"),
        ("html", "<p>a</p>"),
        ("v:tieline-id", &id),
    ];
    assert_eq!(form(&request), owned(&expected));
    let forbidden = Reply::status(401).body("Forbidden");
    let attempt = refused(&stack, &api, &provider, &email, forbidden).await;
    assert_eq!(attempt["status_code"], 401);
    let (second, _) = sent(&stack, &api, &provider, &email, reply(200, &accepted)).await;
    let report = |id: &str, event: &str| {
        let headers = json!({"message-id": "20260301.1@mg.example.com", "to": "ada@example.com"});
        json!({
            "signature": {"timestamp": "1772359200", "token": "a8ce0edb2dd8", "signature": "d2271d12299f"},
            "event-data": {"event": event, "id": "1", "severity": "permanent", "recipient": "ada@example.com",
                "message": {"headers": headers}, "user-variables": {"tieline-id": id}},
        })
    };
    for (id, event, count) in [
        (&id, "accepted", 1),
        (&id, "delivered", 1),
        (&id, "opened", 0),
        (&second, "failed", 1),
    ] {
        let answer = provider.report(&report(id, event)).await.expect(202);
        assert_eq!(answer, json!({"reports": count}), "{event}");
    }
    stack.message_until(&id, "delivered").await;
    stack.message_until(&second, "failed").await;
    let fields = [
        ("sender", "ada@example.com"),
        ("from", "Ada <ada@example.com>"),
        ("recipient", "desk@mg.example.com"),
        ("subject", "Re: Ticket 7"),
        ("body-plain", "It works."),
        ("Message-Id", "<1@example.com>"),
        ("timestamp", "1772359200"),
        ("token", "a8ce0edb2dd8"),
        ("signature", "d2271d12299f"),
    ];
    let report = async || {
        provider.report_form(&fields).await.expect(202);
    };
    let data = inbound(&stack, &provider, "email.received", report).await;
    let expected = [
        "ada@example.com",
        "desk@mg.example.com",
        "It works.",
        "<1@example.com>",
    ];
    assert_eq!(sms_data(&data), expected);
    assert_eq!(data["raw"]["subject"], "Re: Ticket 7");
}
