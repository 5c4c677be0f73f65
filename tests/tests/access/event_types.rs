//! Custom event types from creation to deletion, the names that webhooks may use, and loops through
//! the API.

use platform::clock;
use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::{
        Fake,
        sqs::{Message, Name},
    },
    fixture::Api,
};

async fn api() -> (Fake, Api) {
    let fake = Fake::default();
    let api = Api::of_admin(&fake, clock::now()).await.0;
    (fake, api)
}

async fn create(api: &Api, body: Value) -> Response {
    api.call("POST", "/v1/event-types", body).await
}

async fn webhook(api: &Api, name: &str, events: &[&str]) -> Response {
    api.call(
        "POST",
        "/v1/webhooks",
        json!({"name": name, "url": "https://example.com/", "events": events}),
    )
    .await
}

#[tokio::test]
async fn custom_type_is_read_changed_and_deleted() {
    let (_, api) = api().await;
    let path = "/v1/event-types/order.paid";
    assert_eq!(api.call("GET", path, Value::Null).await.status, 404);
    let made = create(
        &api,
        json!({"name": "order.paid", "description": "Paid", "example": {"id": 1}}),
    )
    .await;
    assert_eq!((made.status, made.header("location")), (201, path));
    let read = api.call("GET", path, Value::Null).await;
    assert_eq!((read.status, &read.body), (200, &made.body));
    assert!(!read.header("etag").is_empty() && read.header("etag") == made.header("etag"));

    for (patch, description, example) in [
        (
            json!({"description": "An order was paid."}),
            json!("An order was paid."),
            json!({"id": 1}),
        ),
        (
            json!({"example": {"total": 9.5}}),
            json!("An order was paid."),
            json!({"id": 1, "total": 9.5}),
        ),
        (
            json!({"name": "order.paid", "description": null}),
            json!(null),
            json!({"id": 1, "total": 9.5}),
        ),
        (json!({"example": null}), json!(null), json!(null)),
    ] {
        let changed = api.call("PATCH", path, patch.clone()).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!(
            (&changed.body["description"], &changed.body["example"]),
            (&description, &example),
            "{patch}"
        );
        assert_ne!(changed.header("etag"), made.header("etag"));
    }
    for (patch, pointer) in [
        (json!({"name": "order.refunded"}), "/name"),
        (json!({"name": null}), "/name"),
        (json!({"built_in": true}), "/built_in"),
        (json!({"example": 1}), "/example"),
        (json!([]), ""),
    ] {
        let refused = api.call("PATCH", path, patch.clone()).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{patch}"
        );
    }
    let stale = [
        ("content-type", "application/json"),
        ("if-match", made.header("etag")),
    ];
    assert_eq!(api.raw("PATCH", path, "", &stale, b"{}").await.status, 412);
    assert_eq!(api.raw("DELETE", path, "", &stale, b"").await.status, 412);

    webhook(&api, "wild", &["order.*", "*"])
        .await
        .field(201, "id");
    let named = webhook(&api, "named", &["order.paid"])
        .await
        .field(201, "id");
    let used = api.call("DELETE", path, Value::Null).await;
    assert!(used.field(409, "detail").contains(&named));
    api.call(
        "PATCH",
        &format!("/v1/webhooks/{named}"),
        json!({"enabled": false}),
    )
    .await
    .field(200, "id");
    assert_eq!(api.call("DELETE", path, Value::Null).await.status, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(api.call(method, path, Value::Null).await.status, 404);
    }
    let event = json!({"type": "order.paid", "data": {}});
    assert_eq!(api.call("POST", "/v1/events", event).await.status, 422);
    // A webhook that already named it can be changed and enabled again; others can't name it any
    // more.
    for patch in [
        json!({"enabled": true}),
        json!({"events": ["chat", "order.paid"]}),
    ] {
        api.call("PATCH", &format!("/v1/webhooks/{named}"), patch)
            .await
            .field(200, "id");
    }
    assert_eq!(webhook(&api, "late", &["order.paid"]).await.status, 422);
}

#[tokio::test]
async fn built_in_types_are_read_only() {
    let (_, api) = api().await;
    let read = api
        .call("GET", "/v1/event-types/ticket.created", Value::Null)
        .await;
    assert_eq!((read.status, &read.body["built_in"]), (200, &json!(true)));
    assert_eq!(
        api.call("PATCH", "/v1/event-types/chat", json!({"description": "x"}))
            .await
            .status,
        409
    );
    assert_eq!(
        api.call("DELETE", "/v1/event-types/chat", Value::Null)
            .await
            .status,
        409
    );
    for name in ["no.such", "NO", "a..b", "%20"] {
        assert_eq!(
            api.call("GET", &format!("/v1/event-types/{name}"), Value::Null)
                .await
                .status,
            404,
            "{name}"
        );
    }
}

#[tokio::test]
async fn custom_types_beyond_a_thousand_are_rejected() {
    let (fake, api) = api().await;
    // Rows from releases that neither counted types nor gave them versions.
    for n in 0..999 {
        let name = format!("old.n{n}");
        fake.state().table.seed(json!({
            "pk": {"S": format!("event-type#{name}")}, "sk": {"S": "event-type"}, "name": {"S": name},
            "created_at": {"S": "2026-01-01T00:00:00Z"}, "list_pk": {"S": "event-type"},
            "list_sk": {"S": format!("00000000001767225600#{name}")},
        }));
    }
    assert_eq!(create(&api, json!({"name": "new.one"})).await.status, 201);
    let full = create(&api, json!({"name": "new.two"})).await;
    assert!(full.field(409, "detail").contains("1000"));
    assert_eq!(create(&api, json!({"name": "new.one"})).await.status, 409);
    let path = "/v1/event-types/old.n7";
    api.call("PATCH", path, json!({"description": "Old"}))
        .await
        .field(200, "description");
    assert_eq!(api.call("DELETE", path, Value::Null).await.status, 204);
    assert_eq!(create(&api, json!({"name": "new.two"})).await.status, 201);
    assert_eq!(create(&api, json!({"name": "new.three"})).await.status, 409);
}

#[tokio::test]
async fn webhook_with_an_undefined_type_is_rejected() {
    let (_, api) = api().await;
    create(&api, json!({"name": "invoice.paid"}))
        .await
        .field(201, "name");
    let refused = webhook(
        &api,
        "x",
        &[
            "message",
            "chat.created",
            "messages",
            "insight",
            "invoice.payed",
            "zzz",
        ],
    )
    .await;
    assert_eq!(refused.status, 422);
    let errors = refused.body["errors"].as_array().expect("errors").iter();
    let errors: Vec<(&str, &str)> = errors
        .map(|error| {
            (
                error["pointer"].as_str().expect("a pointer"),
                error["detail"].as_str().expect("a detail"),
            )
        })
        .collect();
    let expected = [
        ("/events/1", "`chat`?"),
        ("/events/2", "`message`?"),
        ("/events/3", "`insight.*`?"),
        ("/events/4", "`invoice.paid`?"),
        ("/events/5", "POST /v1/event-types"),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for ((pointer, detail), (at, said)) in errors.into_iter().zip(expected) {
        assert!(
            pointer == at && detail.contains(said),
            "{pointer}: {detail}"
        );
    }
    let id = webhook(&api, "x", &["message", "invoice.paid", "future.*", "*"])
        .await
        .field(201, "id");
    let path = format!("/v1/webhooks/{id}");
    let refused = api
        .call("PATCH", &path, json!({"events": ["message", "nothing"]}))
        .await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["pointer"]),
        (422, &json!("/events/1"))
    );
    let test = json!({"event": {"type": "nothing", "data": {}}});
    let refused = api.call("POST", &format!("{path}/test"), test).await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["pointer"]),
        (422, &json!("/event/type"))
    );
}

#[tokio::test]
async fn request_with_three_hops_is_rejected() {
    let (fake, api) = api().await;
    let event = json!({"type": "message", "data": {}});
    let batch = json!({"events": [event, event]});
    for (path, body) in [("/v1/events", &event), ("/v1/events/batch", &batch)] {
        for (hops, status) in [
            ("0", 202),
            ("2", 202),
            ("3", 508),
            ("255", 508),
            ("many", 508),
        ] {
            let before = fake.state().queues.sent().len();
            let headers = [("content-type", "application/json"), ("tieline-hops", hops)];
            let reply = api
                .raw("POST", path, "", &headers, body.to_string().as_bytes())
                .await;
            assert_eq!(reply.status, status, "{path} with {hops}: {}", reply.body);
            let state = fake.state();
            let sent = state
                .queues
                .sent()
                .iter()
                .skip(before)
                .filter(|message| message.queue == Name::Events);
            let counted: Vec<u64> = sent
                .map(Message::json)
                .map(|event| event["hops"].as_u64().unwrap_or(0))
                .collect();
            assert!(
                counted.iter().all(|count| count.to_string() == hops),
                "{path} with {hops}: {counted:?}"
            );
            assert_eq!(counted.is_empty(), status == 508);
        }
    }
    let headers = [("tieline-hops", "3")];
    for path in ["/v1/webhooks", "/v1/messages"] {
        let reply = api.raw("GET", path, "", &headers, b"").await;
        assert_eq!(
            (reply.status, &reply.body["type"]),
            (508, &json!("/problems/loop")),
            "{path}"
        );
    }
    assert_eq!(
        api.with_token("x")
            .raw("GET", "/v1/webhooks", "", &headers, b"")
            .await
            .status,
        401
    );
}
