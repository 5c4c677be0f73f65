//! Authentication and authorization.

use domain::token::Token;
use reqwest::Method;
use tests::stack::Stack;

#[tokio::test]
async fn every_invalid_token_gets_the_same_response() {
    let stack = Stack::get();
    let unknown = Token::from_random([7; 32]).expose().to_owned();
    let (start, last) = stack.token().split_at(stack.token().len() - 1);
    let typo = format!("{start}{}", if last == "x" { "y" } else { "x" });
    let mut responses = Vec::new();
    for authorization in [
        None,
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Basic {}", stack.token())),
        Some(stack.token().to_owned()),
        Some(format!("Bearer {typo}")),
        Some(format!("Bearer {unknown}")),
        Some(format!("Bearer {}", stack.former_token())),
        Some("Bearer tl_live_".to_owned()),
    ] {
        let mut request = stack.with_token("").request(Method::GET, "/v1/webhooks");
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let response = stack.send(request).await;
        assert_eq!(
            response.header("www-authenticate"),
            "Bearer",
            "{authorization:?}"
        );
        responses.push(response.problem(401));
    }
    assert!(
        responses.iter().all(|response| *response == responses[0]),
        "{responses:#?}"
    );
    insta::assert_json_snapshot!(responses[0], @r#"
    {
      "detail": "Send a valid token: `Authorization: Bearer <token>`.",
      "status": 401,
      "title": "Unauthorized",
      "type": "/problems/unauthorized"
    }
    "#);
}

#[tokio::test]
async fn token_in_the_query_is_rejected() {
    let stack = Stack::get();
    let anonymous = stack.with_token("");
    for name in ["token", "access_token", "authorization", "api_key"] {
        anonymous
            .get_path(&format!("/v1/webhooks?{name}={}", stack.token()))
            .await
            .problem(401);
    }
}

#[tokio::test]
async fn every_documented_route_requires_a_token() {
    let stack = Stack::get();
    let anonymous = stack.with_token("");
    let document = anonymous.get_path("/openapi.json").await.expect(200);
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{}",
        document["openapi"]
    );

    let mut public = Vec::new();
    let mut guarded = 0;
    let paths = document["paths"].as_object().expect("paths");
    for (path, operations) in paths.iter().filter(|(path, _)| !path.starts_with("/in/")) {
        for (method, operation) in operations.as_object().expect("operations") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("method");
            let response = anonymous
                .send(
                    anonymous
                        .request(
                            method.clone(),
                            &path.replace("{id}", "x").replace("{type}", "validation"),
                        )
                        .json("x"),
                )
                .await;
            if response.status == 200 {
                public.push(path.as_str());
                continue;
            }
            response.problem(401);
            let scope = operation["security"][0]["token"][0].as_str();
            let any_token = path == "/v1/me" && scope.is_none();
            assert!(
                any_token || scope.is_some_and(|scope| scope.contains(':')),
                "{method} {path} names no scope"
            );
            guarded += 1;
        }
    }
    assert_eq!(
        public,
        [
            "/docs",
            "/docs/redoc.js",
            "/healthz",
            "/openapi.json",
            "/problems/{type}"
        ]
    );
    assert!(guarded >= 15, "only {guarded} routes");
}
