//! Every route in the OpenAPI document, with every kind of token.

mod events_and_services;
mod people_and_messages;

use std::collections::BTreeSet;

use platform::egress::Egress;
use serde_json::{Value, json};
use tests::{
    fake::system::{System, allow},
    fixture::Api,
    receiver::Receiver,
    rights::{allowed, taken, unused_patterns},
};

/// A route and what it requires. Each new route needs an entry.
struct Route {
    method: &'static str,
    path: &'static str,
    /// The required scope; none if any caller may use the route.
    scope: Option<&'static str>,
    /// A second required scope.
    also: Option<&'static str>,
    /// Value of `{id}`.
    subject: Subject,
    /// A valid body; null for none.
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

/// Builds an entry of the tables. `line` is the method and the path; an empty scope means none.
fn route(
    line: &'static str,
    scope: &'static str,
    subject: Subject,
    body: Value,
    status: u16,
) -> Route {
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
}

fn routes(receiver: &Receiver) -> Vec<Route> {
    let mut all = people_and_messages::routes(receiver);
    all.extend(events_and_services::routes(receiver));
    all
}

fn account(name: &str) -> Value {
    json!({"name": name, "authorization": {"type": "none"}})
}

fn service(receiver: &Receiver, name: &str) -> Value {
    json!({"name": name, "server_url": receiver.url_of("service"), "account": account(&format!("of {name}"))})
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

/// The query parameters of a route, one at a time, each with every value that the document lists.
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
            // Only a response of the list contains a valid one.
            ("cursor", _) => continue,
            (_, Some(choices)) => choices.iter().filter_map(Value::as_str).collect(),
            ("webhook_id", _) => vec!["wh_00000000000000000000000000"],
            ("event_id", _) => vec!["evt_00000000000000000000000000"],
            ("provider_id", _) => vec!["prov_00000000000000000000000000"],
            ("campaign_id", _) => vec!["camp_00000000000000000000000000"],
            ("enabled", _) => vec!["true", "false"],
            ("since" | "until", _) => vec!["2026-01-01T00:00:00Z"],
            ("limit", _) => vec!["1"],
            // Names of resources, event types, actions and recipients: `message` is valid for all
            // of them.
            _ => vec!["message"],
        };
        filters.extend(values.iter().map(|value| format!("{name}={value}")));
    }
    filters
}

/// The ID of a resource of this kind. Routes that may delete it get one that the admin just
/// created.
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
        Subject::Account => {
            let authorization = json!({
                "type": "oauth2", "grant_type": "client_credentials", "client_id": "client",
                "client_secret": "secret", "token_url": receiver.url_of("token"),
            });
            let body = json!({"name": format!("account {number}"), "authorization": authorization});
            let created = api.call("POST", "/v1/accounts", body).await;
            created.field(201, "id")
        }
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

    // From here on, all calls of a new process are counted.
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
        "the documented routes, and those in this test"
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
        // A filter may read other items than the unfiltered list.
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
        "the calls of all routes, and the rights of the function"
    );
    // No request has an idempotency key, and no delivery a delay.
    let unused = ["read claim#*", "write claim#*", "read superseding#*"].map(str::to_owned);
    assert_eq!(unused_patterns("ConfigApiFunction", &calls), unused.into());
}
