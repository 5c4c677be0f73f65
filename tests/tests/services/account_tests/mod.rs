//! Tests of accounts through the API, and the tokens that they leave for later requests.

mod grants;
mod services;

use std::time::Duration;

use futures::future::join;
use platform::oauth::{OAuthError, Tokens};
use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::Fake,
    fixture::Api,
    receiver::{Receiver, Reply, Request},
};

use crate::oauth::{OAuthFixture, token};

/// The API with one service, whose account has this authorization.
struct Fixture {
    fake: Fake,
    api: Api,
    server: Receiver,
    issuer: Receiver,
    account: String,
    service: String,
}

fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect()
}

fn bearers(server: &Receiver) -> Vec<String> {
    let authorization = |request: &Request| request.header("authorization").to_owned();
    server.requests().iter().map(authorization).collect()
}

/// The response without its durations, which must be numbers.
fn tested(response: Response) -> Value {
    let mut body = response.expect(200);
    for place in [
        Some("/elapsed_ms"),
        body.get("service").map(|_| "/service/elapsed_ms"),
    ] {
        let Some(place) = place else { continue };
        let elapsed = body.pointer_mut(place).expect("a duration").take();
        assert!(elapsed.is_u64(), "{place}: {elapsed}");
    }
    body
}

impl Fixture {
    /// Starts with these fields of an OAuth 2.0 authorization replaced.
    async fn oauth2(issuer: Receiver, fields: &Value) -> Self {
        let mut authorization = json!({
            "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.url_of("/token"),
            "client_id": "client", "client_secret": "s3cret-of-the-client",
        });
        authorization
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        Self::new(issuer, authorization).await
    }

    async fn new(issuer: Receiver, authorization: Value) -> Self {
        let fake = Fake::default();
        let api = Api::in_real_time(&fake).await;
        let server = Receiver::start();
        let body = json!({
            "name": "CRM", "server_url": server.url_of("/api"), "timeout_seconds": 1,
            "account": {"name": "CRM", "authorization": authorization},
        });
        let service = api.call("POST", "/v1/services", body).await.expect(201);
        let text = |field: &str| service[field].as_str().expect("an ID").to_owned();
        let (account, service) = (text("account_id"), text("id"));
        Self {
            fake,
            api,
            server,
            issuer,
            account,
            service,
        }
    }

    async fn test(&self, body: Value) -> Response {
        let path = format!("/v1/accounts/{}/test", self.account);
        self.api.call("POST", &path, body).await
    }

    async fn send(&self) -> Response {
        let path = format!("/v1/services/{}/send", self.service);
        self.api.call("POST", &path, json!({"method": "GET"})).await
    }

    async fn patch(&self, authorization: Value) -> Response {
        let path = format!("/v1/accounts/{}", self.account);
        let body = json!({"authorization": authorization});
        self.api.call("PATCH", &path, body).await
    }
}

#[tokio::test]
async fn test_fetches_a_token_and_stores_it() {
    let odd = r#"{"access_token": "the-first", "token_type": "BearerToken", "expires_in": "600"}"#;
    let form = "access_token=the-second&token_type=bot&expires_in=900";
    let replies = [odd, form].map(|body| Reply::status(200).body(body));
    let fixture = Fixture::oauth2(Receiver::replying(replies), &json!({})).await;
    for (access, token_type, expires_in) in [
        ("the-first", "BearerToken", 600),
        ("the-second", "bot", 900),
    ] {
        // The second test fetches a token although there is one.
        let response = fixture.test(Value::Null).await;
        assert!(!response.text.contains(access), "{}", response.text);
        assert_eq!(
            tested(response),
            json!({
                "ok": true, "status_code": 200, "error": null, "token_type": token_type,
                "expires_in": expires_in, "elapsed_ms": null,
            })
        );
        fixture.send().await.expect(200);
    }
    assert_eq!(fixture.issuer.requests().len(), 2);
    assert_eq!(
        bearers(&fixture.server),
        ["Bearer the-first", "Bearer the-second"]
    );
    let path = format!("/v1/audit?resource={}", fixture.account);
    let audit = fixture
        .api
        .call("GET", &path, Value::Null)
        .await
        .expect(200);
    let actions = audit["data"].as_array().expect("entries").iter();
    let tests = actions.filter(|entry| entry["action"] == "account.tested");
    assert_eq!(tests.count(), 2, "{audit}");
}

#[tokio::test]
async fn failed_test_names_the_error_without_secrets() {
    let fixture = Fixture::oauth2(Receiver::start(), &json!({})).await;
    let failed = |status, error| {
        json!({
            "ok": false, "status_code": status, "error": error, "token_type": null,
            "expires_in": null, "elapsed_ms": null,
        })
    };
    for (status, body, error) in [
        (
            401,
            r#"{"error": "invalid_client", "error_description": "not s3cret-of-the-client"}"#,
            "invalid_client: not •••",
        ),
        (
            200,
            r#"{"ok": false, "error": "invalid_code"}"#,
            "invalid_code",
        ),
        (
            400,
            r#"{"error": "x", "error_description": "the-token", "access_token": "the-token"}"#,
            "x: •••",
        ),
        (
            503,
            "s3cret-of-the-client",
            "the token endpoint responded with 503",
        ),
        (
            200,
            "{}",
            "the token endpoint's response contains no access_token",
        ),
    ] {
        fixture.issuer.set_reply(Reply::status(status).body(body));
        // The service is not called without a token.
        let response = fixture.test(json!({"service_id": fixture.service})).await;
        assert_eq!(tested(response), failed(json!(status), error), "{body}");
    }
    let long = format!("access_token={}", "a".repeat(70_000));
    fixture.issuer.set_reply(Reply::status(200).body(long));
    let error = "the token endpoint's response is neither a JSON object nor a form";
    assert_eq!(
        tested(fixture.test(json!({})).await),
        failed(json!(200), error)
    );
    assert!(fixture.server.requests().is_empty());

    let gone = Receiver::start().url_of("/token");
    let brought = json!({"token_url": gone, "client_secret": "s3cret-of-the-client"});
    fixture.patch(brought).await.expect(200);
    let error = "the token endpoint is unreachable: the connection was refused";
    assert_eq!(
        tested(fixture.test(json!({})).await),
        failed(Value::Null, error)
    );
}

#[tokio::test]
async fn failed_test_stores_the_rotated_refresh_token() {
    let replies = [
        r#"{"error": "temporarily_unavailable", "refresh_token": "second"}"#,
        r#"{"access_token": "not a token", "refresh_token": "third"}"#,
        r#"{"access_token": "late", "expires_in": 3600}"#,
    ];
    let issuer = Receiver::replying(replies.map(|body| Reply::status(200).body(body)));
    let refreshing = json!({"grant_type": "refresh_token", "refresh_token": "first"});
    let fixture = Fixture::oauth2(issuer, &refreshing).await;
    for ok in [false, false, true] {
        assert_eq!(tested(fixture.test(json!({})).await)["ok"], ok);
    }
    let used = |request: &Request| form(request).remove(1).1;
    let used: Vec<String> = fixture.issuer.requests().iter().map(used).collect();
    assert_eq!(used, ["first", "second", "third"]);
    fixture.send().await.expect(200);
    assert_eq!(bearers(&fixture.server), ["Bearer late"]);
}

/// A single-use refresh token must not be used by two requests at once.
#[tokio::test]
async fn fetch_waits_for_the_fetch_of_another_caller() {
    let replies = [token("first").held(), token("second")];
    let fixture = OAuthFixture::new(Receiver::replying(replies)).await;
    let process = fixture.process().await;
    let other = fixture.process().await;
    let domain::account::Authorization::OAuth2(settings) = &fixture.account.settings.authorization
    else {
        panic!("{:?}", fixture.account);
    };
    let tokens = Tokens {
        table: &process.table,
        keys: &process.keys,
        egress: &process.egress,
        hops: 0,
    };
    let fetch = async |timeout| {
        let fetch = tokens.fetch(&fixture.account, settings, timeout);
        fixture.system.at(fetch).await
    };
    let test = async {
        fixture.issuer.wait_for(1).await;
        let short = fetch(Duration::from_millis(600)).await;
        assert!(matches!(short, Err(OAuthError::Timeout)), "{short:?}");
        assert_eq!(fixture.asked(), 1);
        fixture.issuer.release();
        fetch(Duration::from_secs(20)).await.expect("a request")
    };
    let timeout = Duration::from_secs(20);
    let (called, fetched) = join(fixture.call(&other, timeout), test).await;
    assert_eq!(called.expect("a response"), 200);
    assert!(fetched.token.is_ok());
    assert_eq!(fixture.asked(), 2);
    assert_eq!(
        fixture.call(&other, timeout).await.expect("a response"),
        200
    );
    assert_eq!(fixture.bearers(), ["Bearer first", "Bearer second"]);
}
