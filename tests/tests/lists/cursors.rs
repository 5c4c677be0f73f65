//! A cursor is valid only for the list and the filters that it was issued for.

use crate::api::{Api, ids};

#[tokio::test]
async fn cursor_is_bound_to_its_list_and_filters() {
    let api = Api::new().await;
    for id in ids(5, 60) {
        api.event(id, serde_json::json!({}), &[]).await;
    }
    let page = api.get("events?limit=2&type=message").await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("a cursor").to_owned();
    for right in [
        "events?limit=2&type=message&cursor=",
        "events?limit=5&type=message&cursor=",
        "events?type=mess%61ge&cursor=",
    ] {
        let page = api.get(&format!("{right}{cursor}")).await.expect(200);
        assert!(
            !page["data"].as_array().expect("data").is_empty(),
            "{right}"
        );
    }
    for wrong in [
        "events?cursor=",
        "events?type=chat&cursor=",
        "events?type=message&since=2020-01-01T00:00:00Z&cursor=",
        "deliveries?cursor=",
        "audit?cursor=",
        "webhooks?cursor=",
        "users?cursor=",
        "credentials?cursor=",
        "credentials?rotation=overdue&cursor=",
        "event-types?cursor=",
    ] {
        api.get(&format!("{wrong}{cursor}")).await.expect(400);
    }
}

#[tokio::test]
async fn credentials_by_rotation_have_separate_cursors() {
    let api = Api::new().await;
    for n in 0..3 {
        let body = serde_json::json!({"description": format!("{n}"), "scopes": ["events:read"]});
        api.post("credentials", body).await.expect(201);
    }
    let page = api.get("credentials?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("a cursor").to_owned();
    api.get(&format!(
        "credentials?limit=1&rotation=due_soon&cursor={cursor}"
    ))
    .await
    .expect(400);
    assert_eq!(api.all("credentials", 1).await.len(), 4);
}
