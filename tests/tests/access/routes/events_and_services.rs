//! Routes of accounts, services, webhooks, events and deliveries.

use serde_json::{Value, json};
use tests::receiver::Receiver;

use super::{
    Route,
    Subject::{Account, Campaign, Delivery, Event, EventType, Nothing, Service, Webhook},
    account, route, service,
};

#[expect(clippy::too_many_lines, reason = "a table of routes")]
pub(super) fn routes(receiver: &Receiver) -> Vec<Route> {
    let none = Value::Null;
    let event = json!({"type": "chat", "data": {"text": "Hello"}});
    let webhook =
        json!({"name": "another", "url": receiver.url_of("another"), "events": ["message"]});
    vec![
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
            "post /v1/accounts/{id}/test",
            "services:send",
            Account,
            none.clone(),
            200,
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
            "post /v1/webhooks/{id}/clone",
            "webhooks:write",
            Webhook,
            json!({"name": "clone"}),
            201,
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

fn import() -> Value {
    let campaign = json!({"name": "from elsewhere"});
    json!({"bundle": {"format": "tieline.campaign/1", "campaign": campaign, "providers": []}})
}
