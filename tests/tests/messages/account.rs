//! Providers whose requests an account authenticates, as for connected services.

use std::collections::BTreeSet;

use domain::message::Status;
use serde_json::{Value, json};
use tests::{
    fake::sqs::Name,
    receiver::{Reply, Request},
    rights::{allowed, taken},
};

use crate::api::{Api, egress};

async fn account(api: &Api, authorization: Value) -> String {
    let body = json!({"name": "Gateway", "authorization": authorization});
    api.call("POST", "/v1/accounts", body)
        .await
        .field(201, "id")
}

/// An OAuth 2.0 account whose token endpoint is the receiver's path `token`.
async fn oauth2(api: &Api) -> String {
    let authorization = json!({
        "type": "oauth2", "grant_type": "client_credentials", "client_id": "client",
        "client_secret": "s3cret-of-the-client", "token_url": api.system.receiver.url_of("token"),
    });
    account(api, authorization).await
}

/// A provider without keys whose requests this account authenticates.
async fn provider(api: &Api, account: &str) -> Value {
    let auth = json!({"type": "account", "account_id": account});
    let keys = json!({"api_key": null, "secret_key": null, "auth": auth});
    let shown = api.provider("gateway", keys).await;
    assert_eq!(
        (&shown["auth"], &shown["status"]),
        (&auth, &json!("active"))
    );
    shown
}

/// Responds to the n-th token request with the token `token-n`, and to the provider's requests with
/// `status`, which gets the bearer token.
fn script(api: &Api, status: impl Fn(&str) -> u16 + Send + 'static) {
    let mut issued = 0;
    api.system.receiver.script(move |request: &Request| {
        if request.name() != "token" {
            return Reply::status(status(request.header("authorization")))
                .body(r#"{"you sent": "token-2"}"#);
        }
        issued += 1;
        let token = json!({"access_token": format!("token-{issued}"), "token_type": "Bearer", "expires_in": 7200});
        Reply::status(200).body(token.to_string())
    });
}

fn bearers(api: &Api) -> Vec<String> {
    let requests = api.requests("gateway");
    let bearer = |request: &Request| request.header("authorization").to_owned();
    requests.iter().map(bearer).collect()
}

#[tokio::test]
async fn provider_with_an_oauth2_account_sends() {
    let mut api = Api::new(&egress()).await;
    provider(&api, &oauth2(&api).await).await;
    script(&api, |_| 200);
    let mut calls = Vec::new();
    for _ in 0..2 {
        let id = api.send("gateway").await;
        api.system.begin_count();
        while let Some((queue, _)) = api.system.step().await {
            if queue == Name::Deliveries {
                calls.append(&mut api.system.fake.state().calls);
            }
        }
        assert_eq!(api.message(id).await.status, Status::Sent);
    }
    assert_eq!(bearers(&api), ["Bearer token-1", "Bearer token-1"]);
    assert_eq!(api.requests("token").len(), 1, "the token is kept");
    let request = &api.requests("gateway")[0];
    assert_eq!(request.header("x-api-key"), "");
    assert_eq!(request.header("webhook-signature"), "");
    let (taken, allowed) = (taken(&calls), allowed("DeliveryFunction"));
    let refused: BTreeSet<_> = taken.difference(&allowed).collect();
    assert!(refused.is_empty(), "{refused:?} are not allowed");
}

#[tokio::test]
async fn rejected_token_is_replaced_once_per_attempt() {
    let mut api = Api::new(&egress()).await;
    let shown = provider(&api, &oauth2(&api).await).await;
    script(
        &api,
        |bearer| if bearer == "Bearer token-2" { 200 } else { 401 },
    );
    let id = api.send("gateway").await;
    api.system.run().await;
    assert_eq!(bearers(&api), ["Bearer token-1", "Bearer token-2"]);
    let message = api.message(id).await;
    assert_eq!((message.status, message.attempts.len()), (Status::Sent, 1));
    // The token is masked in what the provider responds.
    let body = message.attempts[0].response_body.as_deref();
    assert_eq!(body, Some(r#"{"you sent": "•••"}"#));

    // A test of the provider uses the same token.
    let path = format!(
        "/v1/providers/{}/test",
        shown["id"].as_str().expect("an ID")
    );
    let tested = api.call("POST", &path, json!({"to": "+15555550100"})).await;
    assert!(!tested.text.contains("token-2"), "{}", tested.text);
    assert_eq!(tested.expect(200)["attempt"]["status_code"], 200);
    assert_eq!(bearers(&api)[2..], ["Bearer token-2"]);

    // Another token is fetched once; then the 401 counts, and the attempt is repeated later.
    script(&api, |_| 401);
    let id = api.send("gateway").await;
    api.system.run().await;
    let message = api.message(id).await;
    let codes: Vec<_> = message.attempts.iter().map(|one| one.status_code).collect();
    assert_eq!(
        (message.status, codes),
        (Status::Failed, vec![Some(401); 4])
    );
    assert_eq!(bearers(&api)[3..].len(), 8);
}

/// A client that may set up providers must not learn an account's token from a receiver
/// that returns requests: neither as the ID of a message nor by guessing with conditions.
#[tokio::test]
async fn returned_secret_is_no_id_and_meets_no_condition() {
    let mut api = Api::new(&egress()).await;
    api.system
        .webhook("watch", json!({"events": ["sms.*"]}))
        .await;
    let auth = json!({"type": "account", "account_id": oauth2(&api).await});
    let account = json!({"api_key": null, "secret_key": null, "auth": auth});
    let own =
        json!({"api_key": "key-of-the-gateway", "secret_key": null, "auth": {"type": "bearer"}});
    api.system.receiver.script(move |request: &Request| {
        if request.name() == "token" {
            let token = json!({"access_token": "token-of-the-account", "token_type": "Bearer"});
            return Reply::status(200).body(token.to_string());
        }
        let sent = request.header("authorization").to_owned();
        let body = json!({"id": "7", "sent": [sent], "number": 12.5});
        Reply::status(200)
            .header("x-sent", sent)
            .body(body.to_string())
    });
    let starts =
        |field: &str, text: &str| json!({"field": field, "op": "starts_with", "value": text});
    let mut number = 0;
    for (auth, secret) in [
        (&account, "token-of-the-account"),
        (&own, "key-of-the-gateway"),
    ] {
        let guess = format!("Bearer {}", &secret[..1]);
        for (response, status, id) in [
            (json!({"id_pointer": "/id"}), Status::Sent, Some("7")),
            (json!({"id_pointer": "/sent/0"}), Status::Sent, None),
            (
                json!({"success_when": starts("body.sent.0", &guess)}),
                Status::Failed,
                None,
            ),
            (
                json!({"success_when": starts("headers.x-sent", &guess)}),
                Status::Failed,
                None,
            ),
            (
                json!({"success_when": {"field": "body.number", "op": "gt", "value": 12}}),
                Status::Sent,
                None,
            ),
        ] {
            number += 1;
            let (name, mut fields) = (format!("gateway-{number}"), auth.clone());
            fields["response"] = response.clone();
            api.provider(&name, fields).await;
            let message = api.send(&name).await;
            api.system.run().await;
            let row = api.message(message).await;
            assert_eq!(
                (row.status, row.provider_message_id.as_deref()),
                (status, id),
                "{response}"
            );
            let path = format!("/v1/messages/{message}");
            let shown = api.call("GET", &path, Value::Null).await.expect(200);
            assert!(!shown.to_string().contains(secret), "{shown}");
        }
        let stored = format!("{:?}", api.system.fake.state().table.items());
        assert!(!stored.contains(secret), "{stored}");
        for event in api.requests("watch") {
            assert!(!event.text().contains(secret), "{}", event.text());
        }
    }
}

#[tokio::test]
async fn token_endpoint_that_fails_is_a_failed_attempt() {
    let mut api = Api::new(&egress()).await;
    provider(&api, &oauth2(&api).await).await;
    let mut asked = 0;
    api.system.receiver.script(move |request: &Request| {
        asked += usize::from(request.name() == "token");
        match (request.name(), asked) {
            ("token", 1) => {
                Reply::status(400).body(r#"{"error": "invalid_client: s3cret-of-the-client"}"#)
            }
            ("token", _) => Reply::status(200).body(r#"{"access_token": "late"}"#),
            _ => Reply::status(200),
        }
    });
    let id = api.send("gateway").await;
    api.system.run().await;
    let message = api.message(id).await;
    let errors: Vec<_> = message.attempts.iter().map(|one| &one.error).collect();
    let [Some(error), None] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert!(
        error.starts_with("no access token: ") && !error.contains("s3cret"),
        "{error}"
    );
    assert_eq!(message.status, Status::Sent);
    assert_eq!(bearers(&api), ["Bearer late"]);
}

#[tokio::test]
async fn account_with_a_header_authenticates() {
    let mut api = Api::new(&egress()).await;
    let header = json!({"type": "header", "name": "X-Gateway", "value": "0123456789abcdef"});
    let account = account(&api, header).await;
    let shown = provider(&api, &account).await;
    api.send("gateway").await;
    api.system.run().await;
    assert_eq!(
        api.requests("gateway")[0].header("x-gateway"),
        "0123456789abcdef"
    );
    // The account's header can't become one that the provider sets itself, and the other way round.
    let path = format!("/v1/providers/{}", shown["id"].as_str().expect("an ID"));
    let set = |header: &str| json!({"request": {"headers": {header: "7"}}});
    let refused = api.call("PATCH", &path, set("x-Gateway")).await;
    assert_eq!(refused.pointers(), ["/request/headers/x-gateway"]);
    api.call("PATCH", &path, set("x-tenant")).await.expect(200);
    let account = format!("/v1/accounts/{account}");
    for (name, status) in [("X-Other", 200), ("X-Tenant", 409)] {
        let change = json!({"authorization": {"name": name}});
        let patched = api.call("PATCH", &account, change).await;
        assert_eq!(patched.status, status, "{name}: {}", patched.text);
    }
}
