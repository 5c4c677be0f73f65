//! Tests of an account with a service.

use serde_json::{Value, json};
use tests::receiver::{Receiver, Reply};

use super::{Fixture, tested};
use crate::oauth::token;

#[tokio::test]
async fn test_calls_the_service_once() {
    let fixture = Fixture::oauth2(Receiver::replying([token("first")]), &json!({})).await;
    let of_service = json!({"service_id": fixture.service, "path": "/me?full=1"});
    for (reply, ok, service) in [
        (
            Reply::status(204),
            true,
            json!({"status": 204, "elapsed_ms": null}),
        ),
        (
            Reply::status(302),
            true,
            json!({"status": 302, "elapsed_ms": null}),
        ),
        // Another token would be no better than a new one.
        (
            Reply::status(401),
            false,
            json!({"status": 401, "elapsed_ms": null}),
        ),
        (
            Reply::hang(),
            false,
            json!({"status": null, "elapsed_ms": null, "reason": "timeout"}),
        ),
    ] {
        fixture.server.set_reply(reply);
        let tested = tested(fixture.test(of_service.clone()).await);
        assert_eq!(
            (&tested["ok"], &tested["status_code"], &tested["error"]),
            (&json!(ok), &json!(200), &Value::Null)
        );
        assert_eq!(tested["service"], service);
    }
    let requests = fixture.server.requests();
    assert_eq!((requests.len(), fixture.issuer.requests().len()), (4, 4));
    for request in requests {
        assert_eq!(
            (
                request.method.as_str(),
                request.path.as_str(),
                &*request.query
            ),
            ("GET", "/api/me", "full=1")
        );
        assert_eq!(request.header("authorization"), "Bearer first");
        assert_eq!(request.header("tieline-hops"), "1");
    }
}

#[tokio::test]
async fn header_account_is_tested_with_a_service() {
    let header = json!({"type": "header", "name": "X-Api-Key", "value": "key-0123456789"});
    let fixture = Fixture::new(Receiver::start(), header).await;
    let response = fixture.test(json!({"service_id": fixture.service})).await;
    assert_eq!(
        tested(response),
        json!({
            "ok": true, "status_code": null, "error": null, "token_type": null, "expires_in": null,
            "elapsed_ms": null, "service": {"status": 200, "elapsed_ms": null},
        })
    );
    let request = fixture.server.only().await;
    assert_eq!(
        (request.path.as_str(), request.header("x-api-key")),
        ("/api", "key-0123456789")
    );
    assert_eq!(fixture.test(Value::Null).await.pointers(), ["/service_id"]);
}

#[tokio::test]
async fn test_of_nothing_or_of_a_foreign_service_is_rejected() {
    let fixture = Fixture::oauth2(Receiver::replying([token("first")]), &json!({})).await;
    let other = json!({
        "name": "other", "server_url": fixture.server.url(),
        "account": {"name": "other", "authorization": {"type": "none"}},
    });
    let other = fixture
        .api
        .call("POST", "/v1/services", other)
        .await
        .expect(201);
    let own = &fixture.service;
    for (body, pointers) in [
        (json!({"service_id": other["id"]}), vec!["/service_id"]),
        (
            json!({"service_id": "svc_00000000000000000000000000"}),
            vec!["/service_id"],
        ),
        (json!({"service_id": fixture.account}), vec!["/service_id"]),
        (json!({"service_id": own, "path": "/../x"}), vec!["/path"]),
        (json!({"path": "/x"}), vec!["/path"]),
        (json!({"method": "POST"}), vec!["/method"]),
    ] {
        assert_eq!(
            fixture.test(body.clone()).await.pointers(),
            pointers,
            "{body}"
        );
    }
    let none = format!(
        "/v1/accounts/{}/test",
        other["account_id"].as_str().expect("an ID")
    );
    for body in [Value::Null, json!({"service_id": other["id"]})] {
        let rejected = fixture.api.call("POST", &none, body).await;
        assert_eq!(rejected.pointers(), [""]);
    }
    let missing = "/v1/accounts/acct_00000000000000000000000000/test";
    fixture
        .api
        .call("POST", missing, Value::Null)
        .await
        .problem(404);
    assert!(fixture.issuer.requests().is_empty() && fixture.server.requests().is_empty());
    let path = "/v1/audit?action=account.tested";
    let audit = fixture.api.call("GET", path, Value::Null).await.expect(200);
    assert_eq!(audit["data"], json!([]), "nothing was tested");
}
