//! Every route of the API's own description, with every kind of token.

use std::collections::BTreeSet;

use platform::egress::Egress;
use serde_json::{Value, json};
use tests::{
    fake::system::{System, allow},
    fixture::Api,
    receiver::Receiver,
    rights::{allowed, taken, unused_patterns},
};

/// A route with what it takes. A new route needs its line here.
struct Route {
    method: &'static str,
    path: &'static str,
    /// The scope that it asks for; none where anybody may.
    scope: Option<&'static str>,
    /// Another scope that it takes besides.
    also: Option<&'static str>,
    /// What `{id}` stands for.
    subject: Subject,
    /// A body that is right; null for none.
    body: Value,
    status: u16,
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    Nothing,
    User,
    Credential,
    Account,
    Service,
    Provider,
    Message,
    Call,
    Campaign,
    Webhook,
    EventType,
    Event,
    Delivery,
}

#[expect(clippy::too_many_lines, reason = "a table of routes")]
fn routes(receiver: &Receiver) -> Vec<Route> {
    use Subject::{
        Account, Call, Campaign, Credential, Delivery, Event, EventType, Message, Nothing,
        Provider, Service, User, Webhook,
    };
    let route = |line: &'static str, scope: &'static str, subject, body, status| {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let scope = Some(scope).filter(|scope| !scope.is_empty());
        let also = (line == "post /v1/providers/{id}/test").then_some("messages:send");
        Route {
            method,
            path,
            scope,
            also,
            subject,
            body,
            status,
        }
    };
    let none = Value::Null;
    let event = json!({"type": "chat", "data": {"text": "Hello"}});
    let credential = json!({"description": "ERP", "scopes": ["credentials:write"]});
    let webhook =
        json!({"name": "another", "url": receiver.url_of("another"), "events": ["message"]});
    vec![
        route("get /healthz", "", Nothing, none.clone(), 200),
        route("get /openapi.json", "", Nothing, none.clone(), 200),
        route("get /docs", "", Nothing, none.clone(), 200),
        route("get /docs/redoc.js", "", Nothing, none.clone(), 200),
        // No such kind.
        route("get /problems/{type}", "", Nothing, none.clone(), 404),
        route("get /v1/me", "any token", Nothing, none.clone(), 200),
        route("get /v1/users", "users:read", Nothing, none.clone(), 200),
        route(
            "post /v1/users",
            "users:write",
            Nothing,
            json!({"name": "Eve"}),
            201,
        ),
        route("get /v1/users/{id}", "users:read", User, none.clone(), 200),
        route(
            "patch /v1/users/{id}",
            "users:write",
            User,
            json!({"active": false}),
            200,
        ),
        route(
            "delete /v1/users/{id}",
            "users:write",
            User,
            none.clone(),
            204,
        ),
        route(
            "get /v1/credentials",
            "credentials:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/credentials",
            "credentials:write",
            Nothing,
            credential,
            201,
        ),
        route(
            "get /v1/credentials/{id}",
            "credentials:read",
            Credential,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/credentials/{id}",
            "credentials:write",
            Credential,
            json!({"rotate_after_days": 30}),
            200,
        ),
        route(
            "delete /v1/credentials/{id}",
            "credentials:write",
            Credential,
            none.clone(),
            204,
        ),
        route(
            "post /v1/credentials/{id}/rotate",
            "credentials:write",
            Credential,
            json!({"overlap_seconds": 60}),
            200,
        ),
        route(
            "post /v1/credentials/{id}/revoke",
            "credentials:write",
            Credential,
            none.clone(),
            200,
        ),
        route("get /v1/audit", "audit:read", Nothing, none.clone(), 200),
        route(
            "get /v1/providers",
            "providers:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/providers",
            "providers:write",
            Nothing,
            provider(receiver, "another", "email"),
            201,
        ),
        route(
            "get /v1/providers/{id}",
            "providers:read",
            Provider,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/providers/{id}",
            "providers:write",
            Provider,
            json!({"default": true}),
            200,
        ),
        route(
            "delete /v1/providers/{id}",
            "providers:write",
            Provider,
            none.clone(),
            204,
        ),
        route(
            "post /v1/providers/{id}/test",
            "providers:write",
            Provider,
            json!({"to": "+15555550100"}),
            200,
        ),
        route(
            "get /v1/messages",
            "messages:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/messages",
            "messages:send",
            Provider,
            message(),
            202,
        ),
        route(
            "get /v1/messages/{id}",
            "messages:read",
            Message,
            none.clone(),
            200,
        ),
        route(
            "post /v1/messages/{id}/cancel",
            "messages:send",
            Message,
            none.clone(),
            200,
        ),
        route("get /v1/calls", "calls:read", Nothing, none.clone(), 200),
        route("post /v1/calls", "calls:trigger", Call, call(), 202),
        route("get /v1/calls/{id}", "calls:read", Call, none.clone(), 200),
        route(
            "get /v1/accounts",
            "services:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/accounts",
            "services:write",
            Nothing,
            account("another"),
            201,
        ),
        route(
            "get /v1/accounts/{id}",
            "services:read",
            Account,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/accounts/{id}",
            "services:write",
            Account,
            json!({"name": "renamed"}),
            200,
        ),
        route(
            "delete /v1/accounts/{id}",
            "services:write",
            Account,
            none.clone(),
            204,
        ),
        route(
            "get /v1/services",
            "services:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/services",
            "services:write",
            Nothing,
            service(receiver, "another"),
            201,
        ),
        route(
            "get /v1/services/{id}",
            "services:read",
            Service,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/services/{id}",
            "services:write",
            Service,
            json!({"timeout_seconds": 5}),
            200,
        ),
        route(
            "delete /v1/services/{id}",
            "services:write",
            Service,
            none.clone(),
            204,
        ),
        route(
            "post /v1/services/{id}/send",
            "services:send",
            Service,
            json!({"method": "GET"}),
            200,
        ),
        route(
            "post /v1/services/{id}/rotate-url",
            "services:write",
            Service,
            none.clone(),
            200,
        ),
        route(
            "get /v1/campaigns",
            "campaigns:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/campaigns",
            "campaigns:write",
            Nothing,
            json!({"name": "another"}),
            201,
        ),
        route(
            "get /v1/campaigns/{id}",
            "campaigns:read",
            Campaign,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/campaigns/{id}",
            "campaigns:write",
            Campaign,
            json!({"description": "Spring"}),
            200,
        ),
        route(
            "delete /v1/campaigns/{id}",
            "campaigns:write",
            Campaign,
            none.clone(),
            204,
        ),
        route(
            "get /v1/campaigns/{id}/export",
            "campaigns:read",
            Campaign,
            none.clone(),
            200,
        ),
        route(
            "post /v1/campaigns/import",
            "campaigns:write",
            Nothing,
            import(),
            200,
        ),
        route(
            "get /v1/webhooks",
            "webhooks:read",
            Nothing,
            none.clone(),
            200,
        ),
        route("post /v1/webhooks", "webhooks:write", Nothing, webhook, 201),
        route(
            "get /v1/webhooks/{id}",
            "webhooks:read",
            Webhook,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/webhooks/{id}",
            "webhooks:write",
            Webhook,
            json!({"events": ["ticket.*"]}),
            200,
        ),
        route(
            "delete /v1/webhooks/{id}",
            "webhooks:write",
            Webhook,
            none.clone(),
            204,
        ),
        route(
            "post /v1/webhooks/{id}/test",
            "webhooks:write",
            Webhook,
            none.clone(),
            200,
        ),
        route(
            "post /v1/webhooks/{id}/render",
            "webhooks:read",
            Webhook,
            json!({"event": &event}),
            200,
        ),
        route(
            "post /v1/webhooks/{id}/rotate-secret",
            "webhooks:write",
            Webhook,
            none.clone(),
            200,
        ),
        route(
            "post /v1/webhooks/{id}/replay",
            "webhooks:write",
            Webhook,
            json!({"status": "missed"}),
            202,
        ),
        route(
            "get /v1/event-types",
            "events:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/event-types",
            "events:write",
            Nothing,
            json!({"name": "order.paid"}),
            201,
        ),
        route(
            "get /v1/event-types/{name}",
            "events:read",
            EventType,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/event-types/{name}",
            "events:write",
            EventType,
            json!({"description": "Paid"}),
            200,
        ),
        route(
            "delete /v1/event-types/{name}",
            "events:write",
            EventType,
            none.clone(),
            204,
        ),
        route("get /v1/events", "events:read", Nothing, none.clone(), 200),
        route(
            "post /v1/events",
            "events:write",
            Nothing,
            event.clone(),
            202,
        ),
        route(
            "post /v1/events/batch",
            "events:write",
            Nothing,
            json!({"events": [event]}),
            202,
        ),
        route(
            "get /v1/events/{id}",
            "events:read",
            Event,
            none.clone(),
            200,
        ),
        route(
            "get /v1/deliveries",
            "deliveries:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "get /v1/deliveries/{id}",
            "deliveries:read",
            Delivery,
            none.clone(),
            200,
        ),
        route(
            "post /v1/deliveries/{id}/retry",
            "deliveries:retry",
            Delivery,
            none,
            202,
        ),
    ]
}

fn account(name: &str) -> Value {
    json!({"name": name, "authorization": {"type": "none"}})
}

fn service(receiver: &Receiver, name: &str) -> Value {
    json!({"name": name, "server_url": receiver.url_of("service"), "account": account(&format!("of {name}"))})
}

fn import() -> Value {
    let campaign = json!({"name": "from elsewhere"});
    json!({"bundle": {"format": "tieline.campaign/1", "campaign": campaign, "providers": []}})
}

/// A provider that is its channel's default.
fn provider(receiver: &Receiver, name: &str, channel: &str) -> Value {
    json!({
        "name": name, "provider_id": name, "channel": channel, "send_url": receiver.url_of("provider"), "api_key": "k",
        "secret_key": "s", "default": true,
    })
}

fn message() -> Value {
    json!({"channel": "sms", "to": "+15555550100", "text": "Hello"})
}

fn call() -> Value {
    json!({"to": "+15555550100", "text": "Hello"})
}

/// The query parameters of a route, one by one, each with every value that its description names.
fn filters(document: &Value, route: &str) -> Vec<String> {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let parameters = document["paths"][path][method]["parameters"]
        .as_array()
        .into_iter()
        .flatten();
    let mut filters = Vec::new();
    for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
        let name = parameter["name"].as_str().expect("a name");
        let mut schema = &parameter["schema"];
        if let Some(pointer) = schema["$ref"].as_str() {
            schema = document
                .pointer(pointer.trim_start_matches('#'))
                .expect("a schema");
        }
        let values: Vec<&str> = match (name, schema["enum"].as_array()) {
            // Only a list's own answer has one.
            ("cursor", _) => continue,
            (_, Some(choices)) => choices.iter().filter_map(Value::as_str).collect(),
            ("webhook_id", _) => vec!["wh_00000000000000000000000000"],
            ("event_id", _) => vec!["evt_00000000000000000000000000"],
            ("provider_id", _) => vec!["prov_00000000000000000000000000"],
            ("campaign_id", _) => vec!["camp_00000000000000000000000000"],
            ("enabled", _) => vec!["true", "false"],
            ("since" | "until", _) => vec!["2026-01-01T00:00:00Z"],
            ("limit", _) => vec!["1"],
            // Names of resources, event types, actions, recipients: `message` is one of each.
            _ => vec!["message"],
        };
        filters.extend(values.iter().map(|value| format!("{name}={value}")));
    }
    filters
}

/// One of a kind, made by the admin where the route may end it.
async fn subject(
    api: &Api,
    receiver: &Receiver,
    subject: Subject,
    event: &Value,
    number: usize,
) -> String {
    match subject {
        Subject::Nothing => "none".to_owned(),
        Subject::User => api
            .call(
                "POST",
                "/v1/users",
                json!({"name": format!("user {number}")}),
            )
            .await
            .field(201, "id"),
        Subject::Credential => api.credential(&["credentials:write"]).await.0,
        Subject::Account => api
            .call(
                "POST",
                "/v1/accounts",
                account(&format!("account {number}")),
            )
            .await
            .field(201, "id"),
        Subject::Service => {
            let user = json!({"name": format!("user {number}")});
            let mut body = service(receiver, &format!("service {number}"));
            body["user_id"] = api
                .call("POST", "/v1/users", user)
                .await
                .field(201, "id")
                .into();
            api.call("POST", "/v1/services", body)
                .await
                .field(201, "id")
        }
        Subject::Provider => {
            let body = provider(receiver, &format!("provider {number}"), "sms");
            api.call("POST", "/v1/providers", body)
                .await
                .field(201, "id")
        }
        Subject::Message => api
            .call("POST", "/v1/messages", message())
            .await
            .field(202, "id"),
        Subject::Call => {
            let body = provider(receiver, &format!("provider {number}"), "call");
            api.call("POST", "/v1/providers", body)
                .await
                .field(201, "id");
            api.call("POST", "/v1/calls", call()).await.field(202, "id")
        }
        Subject::Campaign => api
            .call(
                "POST",
                "/v1/campaigns",
                json!({"name": format!("campaign {number}")}),
            )
            .await
            .field(201, "id"),
        Subject::EventType => {
            let name = format!("kind.n{number}");
            api.call("POST", "/v1/event-types", json!({"name": name}))
                .await
                .field(201, "name")
        }
        Subject::Webhook => {
            let url = receiver.url_of("hook");
            let body = json!({"name": format!("hook {number}"), "url": url, "events": ["message"]});
            api.call("POST", "/v1/webhooks", body)
                .await
                .field(201, "id")
        }
        Subject::Event => event["id"].as_str().expect("an id").to_owned(),
        Subject::Delivery => event["deliveries"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned(),
    }
}

#[tokio::test]
async fn routes_accept_exactly_their_scopes() {
    let mut system = System::new(&Egress::new(allow())).await;
    let (api, admin) = Api::of_admin(&system.fake, system.time()).await;
    system.webhook("first", json!({})).await;
    let published = api
        .call("POST", "/v1/events", json!({"type": "message", "data": {}}))
        .await
        .field(202, "id");
    system.run().await;
    let event = api
        .call("GET", &format!("/v1/events/{published}"), Value::Null)
        .await
        .body;

    // From here on all calls are counted, those of a process that has just begun.
    system.begin_count();
    let api = Api::over(&system.fake, &admin.token, system.time());
    let document = api.call("GET", "/openapi.json", Value::Null).await.body;
    let scopes = document["components"]["schemas"]["Scope"]["enum"]
        .as_array()
        .expect("scopes");
    let scopes: Vec<&str> = scopes
        .iter()
        .filter_map(Value::as_str)
        .filter(|scope| *scope != "admin")
        .collect();
    let mut holders = Vec::new();
    for scope in &scopes {
        holders.push((*scope, api.with_token(&api.credential(&[*scope]).await.1)));
    }
    let anonymous = api.with_token("");

    let routes = routes(&system.receiver);
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        // Another function serves the inbound URLs.
        .filter(|(path, _)| !path.starts_with("/in/"))
        .flat_map(|(path, operations)| {
            operations
                .as_object()
                .into_iter()
                .flatten()
                .map(move |(method, _)| format!("{method} {path}"))
        })
        .collect();
    let known: BTreeSet<String> = routes
        .iter()
        .map(|Route { method, path, .. }| format!("{method} {path}"))
        .collect();
    assert_eq!(
        described, known,
        "the routes that are described, and those that this test knows"
    );

    for (
        number,
        Route {
            method,
            path,
            scope,
            also,
            subject: kind,
            body,
            status,
        },
    ) in routes.iter().enumerate()
    {
        let name = format!("{method} {path}");
        let id = subject(&api, &system.receiver, *kind, &event, number).await;
        let (method, path) = (
            method.to_uppercase(),
            path.replace("{id}", &id).replace("{name}", &id),
        );
        let call = async |api: &Api| api.call(&method, &path, body.clone()).await;
        let Some(scope) = scope else {
            assert_eq!(call(&anonymous).await.status, *status, "{name}");
            continue;
        };
        assert_eq!(call(&anonymous).await.status, 401, "{name}");
        if *scope == "any token" {
            for (other, holder) in &holders {
                assert_eq!(call(holder).await.status, *status, "{name} with {other}");
            }
            continue;
        }
        for (other, holder) in holders.iter().filter(|(other, _)| other != scope) {
            let refused = call(holder).await;
            assert_eq!(refused.status, 403, "{name} with {other}");
            let detail = refused.body["detail"].as_str().unwrap_or_default();
            assert!(
                detail.ends_with(&format!("scope {scope}.")),
                "{name} with {other}: {detail}"
            );
        }
        let (_, holder) = holders
            .iter()
            .find(|(own, _)| own == scope)
            .expect("a scope that there is");
        let mut holder = holder.clone();
        if let Some(also) = also {
            let refused = call(&holder).await;
            assert_eq!(refused.status, 403, "{name} without {also}");
            holder = api.with_token(&api.credential(&[scope, also]).await.1);
        }
        let done = call(&holder).await;
        assert_eq!(done.status, *status, "{name}: {}", done.body);
        // A filter may read other items than the bare list does.
        for filter in filters(&document, &name) {
            let filtered = holder
                .call(&method, &format!("{path}?{filter}"), Value::Null)
                .await;
            assert_eq!(filtered.status, 200, "{name}?{filter}: {}", filtered.body);
        }
    }
    let calls = system.fake.state().calls.clone();
    assert_eq!(
        taken(&calls),
        allowed("ConfigApiFunction"),
        "what all routes call, and what the function may call"
    );
    // None of them has an idempotency key.
    let unused = ["read claim#*", "write claim#*"].map(str::to_owned);
    assert_eq!(unused_patterns("ConfigApiFunction", &calls), unused.into());
}
