//! Providers whose requests an account authenticates.

use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply},
    stack::{Stack, text, unique},
};

#[tokio::test]
async fn provider_with_an_oauth2_account_sends() {
    let stack = Stack::get();
    let token = |access: &str| {
        let body = json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600});
        Reply::status(200).body(body.to_string())
    };
    let issuer = Receiver::replying([token("first"), token("second")]);
    let receiver = Receiver::replying([Reply::status(200), Reply::status(401), Reply::status(200)]);
    let authorization = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.url_of("/token"),
        "client_id": "client", "client_secret": "s3cret of the client",
    });
    let account = json!({"name": unique("account"), "authorization": authorization});
    let account = stack.post("/v1/accounts", account).await.expect(201);
    let auth = json!({"type": "account", "account_id": account["id"]});
    let builder = stack
        .provider("sendgrid", &receiver.url())
        .set("channel", "sms")
        .set("api_key", Value::Null)
        .set("request", Value::Null)
        .set("callback", Value::Null)
        .set("auth", auth.clone());
    let provider = builder.create().await;
    assert_eq!(
        (&provider.document["auth"], &provider.document["status"]),
        (&auth, &json!("active"))
    );
    // The token is kept for the second message. Its 401 leads to another token, in the same attempt.
    for bearers in [vec!["Bearer first"], vec!["Bearer first", "Bearer second"]] {
        let sms =
            json!({"channel": "sms", "provider": provider.id, "to": "+15555550100", "text": "Hi"});
        let id = stack.message("messages", sms).await;
        let sent = stack.message_until(&id, "sent").await;
        assert_eq!(sent["attempts"].as_array().map(Vec::len), Some(1));
        let requests = receiver.requests();
        let of_message: Vec<&str> = requests
            .iter()
            .filter(|request| request.json()["id"] == id.as_str())
            .map(|request| request.header("authorization"))
            .collect();
        assert_eq!(of_message, bearers);
    }
    assert_eq!(issuer.requests().len(), 2);
    let path = format!("/v1/accounts/{}", text(&account, "id"));
    stack.delete(&path).await.problem(409);
    assert_eq!(stack.delete(&provider.path("")).await.status, 204);
    assert_eq!(stack.delete(&path).await.status, 204);
}
