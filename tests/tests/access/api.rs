//! The API in this process, over the fake services.

use aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use config_api::{Clients, router};
use jiff::Timestamp;
use lambda_http::{Context, LambdaEvent, Service, request::RequestContext};
use platform::{clock, gateway, keyring::KeyringCache, queue::Queue, table::Table};
use rotation::{Admin, Answer};
use serde_json::{Value, json};
use tests::{
    contract,
    fake::{Fake, sqs::Name, system::allow},
};
use tower::ServiceExt;

use crate::fixture;

/// The API as one token's owner calls it at a time.
#[derive(Clone)]
pub(crate) struct Api {
    router: Router,
    token: String,
    now: Timestamp,
    /// The address that the gateway saw.
    source: Option<String>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// A field of an answer that must have this status.
    pub(crate) fn field(&self, status: u16, name: &str) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        self.body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.body))
            .to_owned()
    }
}

impl Api {
    /// With the token of the first admin, who is made here.
    pub(crate) async fn of_admin(fake: &Fake, now: Timestamp) -> (Self, Admin) {
        let app = fixture::app(fake);
        let bootstrap = rotation::Request::Bootstrap { reissue: false };
        let Answer::Admin(admin) = clock::at(now, rotation::handle(&app, bootstrap))
            .await
            .expect("an admin")
        else {
            panic!("no admin")
        };
        (Self::over(fake, &admin.token, now), admin)
    }

    /// A new process, as the owner of a token calls it.
    pub(crate) fn over(fake: &Fake, token: &str, now: Timestamp) -> Self {
        let aws = fake.aws();
        let queue = |name: Name| Queue::new(aws.sqs(), name.url());
        let router = router(Clients {
            table: Table::new(aws.dynamodb(), "table", 30),
            keys: KeyringCache::new(aws.secrets_manager(), "keyring".to_owned()),
            events: queue(Name::Events),
            deliveries: queue(Name::Deliveries),
            public_url: "https://tieline.example.com".to_owned(),
            allow: allow(),
        });
        Self {
            router,
            token: token.to_owned(),
            now,
            source: None,
        }
    }

    /// The same with another token; none for an empty one.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same at another time.
    pub(crate) fn at(&self, now: Timestamp) -> Self {
        Self {
            now,
            ..self.clone()
        }
    }

    /// The same from another address.
    pub(crate) fn from(&self, source: &str) -> Self {
        Self {
            source: Some(source.to_owned()),
            ..self.clone()
        }
    }

    /// Calls it; null stands for no body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.call_with(method, path, &[], body).await
    }

    /// Calls it with these headers.
    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(source) = &self.source {
            let context = json!({"http": {"method": method, "sourceIp": source}, "timeEpoch": 0});
            let context: ApiGatewayV2httpRequestContext =
                serde_json::from_value(context).expect("a context");
            request = request.extension(RequestContext::ApiGatewayV2(context));
        }
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            body.to_string().into()
        };
        let request = request.body(body).expect("a request");
        let response = Box::pin(clock::at(self.now, self.router.clone().oneshot(request)))
            .await
            .expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        contract::check(method, path, parts.status.as_u16(), &parts.headers, &bytes);
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// Calls it by an event of the gateway, with any path, query, headers and body.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut sent = json!({"authorization": format!("Bearer {}", self.token)});
        for (name, value) in headers {
            sent[*name] = json!(value);
        }
        let event = json!({
            "rawPath": path,
            "rawQueryString": query,
            "headers": sent,
            "requestContext": {"http": {"method": method, "sourceIp": "203.0.113.7"}, "domainName": "api.example.com"},
            "body": BASE64_STANDARD.encode(body),
            "isBase64Encoded": true,
        });
        let payload = serde_json::from_str(&event.to_string()).expect("an event");
        let call = async {
            let mut service = gateway::adapt(String::new(), self.router.clone());
            let response = service
                .call(LambdaEvent::new(payload, Context::default()))
                .await
                .expect("an answer");
            serde_json::to_value(response).expect("JSON")
        };
        let response = Box::pin(clock::at(self.now, call)).await;
        let status = response["statusCode"]
            .as_u64()
            .and_then(|status| status.try_into().ok())
            .expect("a status");
        let text = response["body"].as_str().unwrap_or_default();
        Reply {
            status,
            headers: HeaderMap::new(),
            body: serde_json::from_str(text).unwrap_or_default(),
        }
    }

    /// A new credential of the caller's user with these scopes: its id and its token.
    pub(crate) async fn credential(&self, scopes: &[&str]) -> (String, String) {
        let made = self
            .call(
                "POST",
                "/v1/credentials",
                json!({"description": "CRM", "scopes": scopes}),
            )
            .await;
        (made.field(201, "id"), made.field(201, "token"))
    }

    /// A new user with an admin credential: the ids of both, and the token.
    pub(crate) async fn admin(&self, name: &str) -> (String, String, String) {
        let user = self
            .call("POST", "/v1/users", json!({"name": name}))
            .await
            .field(201, "id");
        let body = json!({"description": "admin", "scopes": ["admin"], "user_id": user});
        let made = self.call("POST", "/v1/credentials", body).await;
        (user, made.field(201, "id"), made.field(201, "token"))
    }
}
