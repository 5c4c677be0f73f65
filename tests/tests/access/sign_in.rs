//! Authentication of requests, and the headers that every response has.

use serde_json::Value;
use tests::{
    client::Response,
    fake::{Call, Fake, FaultPlan},
    fixture::Api,
};

use crate::fixture::day;

#[tokio::test]
async fn failed_use_record_does_not_fail_the_request() {
    let fake = Fake::default();
    let (api, _) = Api::of_admin(&fake, day(0)).await;
    let (id, token) = api.credential(&["webhooks:read"]).await;
    let fails = |operation: &'static str| {
        move |call: &Call| {
            if call.operation == operation {
                FaultPlan::Fails("ResourceNotFoundException")
            } else {
                FaultPlan::NoFault
            }
        }
    };
    let holder = api.with_token(&token);
    fake.plan(fails("UpdateItem"));
    assert_eq!(
        holder.call("GET", "/v1/webhooks", Value::Null).await.status,
        200
    );
    assert_eq!(fake.counts()["UpdateItem"], 2, "the use of both tokens");

    fake.plan(|_| FaultPlan::NoFault);
    assert_eq!(
        api.call("POST", &format!("/v1/credentials/{id}/revoke"), Value::Null)
            .await
            .status,
        200
    );
    fake.state().calls.clear();
    fake.plan(fails("PutItem"));
    assert_eq!(
        holder.call("GET", "/v1/webhooks", Value::Null).await.status,
        401
    );
    assert_eq!(fake.counts()["PutItem"], 1, "the refusal");
}

fn framed(reply: &Response, status: u16) {
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (status, &status.into()),
        "{reply:?}"
    );
    for (name, value) in [
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.header(name), value, "{reply:?}");
    }
    assert!(!reply.header("x-request-id").is_empty(), "{reply:?}");
}

#[tokio::test]
async fn unknown_path_is_a_404_problem() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    for path in [
        "/v1/webhooks/%FF",
        "/v1/users/%C3%28",
        "/v1/%FF",
        "//",
        "/%",
        "/v1/webhooks/a%2Fb",
        "/v1/webhooks/",
    ] {
        framed(&api.call("GET", path, Value::Null).await, 404);
    }
    framed(
        &api.call("POST", "/v1/webhooks/%FF/test", Value::Null).await,
        404,
    );
}

#[tokio::test]
async fn unsupported_method_lists_the_allowed_ones() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    for (method, path, allow) in [
        ("PUT", "/v1/webhooks", "GET,HEAD,POST"),
        ("OPTIONS", "/v1/webhooks/x", "DELETE,GET,HEAD,PATCH"),
        ("GET", "/v1/webhooks/x/test", "POST"),
        ("DELETE", "/v1/events/batch", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let reply = api.call(method, path, Value::Null).await;
        let mut methods: Vec<&str> = reply.header("allow").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allow, "{method} {path}");
        framed(&reply, 405);
    }
}
