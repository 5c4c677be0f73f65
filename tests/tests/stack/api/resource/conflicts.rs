//! Stale and concurrent changes.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tests::stack::{Stack, unique};

#[tokio::test]
async fn if_match_rejects_a_stale_change() {
    let stack = Stack::get();
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let path = webhook.path("");
    let seen = stack.get_path(&path).await;
    let etag = seen.header("etag").to_owned();
    assert!(etag.starts_with('"'), "{etag}");

    let with = |method: Method, etag: &str| stack.request(method, &path).header("if-match", etag);
    let change = json!({"timeout_seconds": 3});
    let changed = stack.send(with(Method::PATCH, &etag).json(&change)).await;
    let next = changed.header("etag").to_owned();
    changed.expect(200);
    assert_ne!(next, etag);
    stack
        .send(with(Method::PATCH, &etag).json(&change))
        .await
        .problem(412);
    stack.send(with(Method::DELETE, &etag)).await.problem(412);
    assert_eq!(stack.get_path(&path).await.header("etag"), next);
    stack
        .send(with(Method::PATCH, "*").json(&change))
        .await
        .expect(200);

    let last = stack.get_path(&path).await.header("etag").to_owned();
    stack.send(with(Method::DELETE, &last)).await.expect(204);
}

#[tokio::test]
async fn concurrent_changes_do_not_undo_each_other() {
    let stack = Stack::get();
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let names = ["x-one", "x-two", "x-three", "x-four"];
    join_all(names.map(|name| webhook.patch(json!({"headers": {name: "here"}})))).await;
    let read = webhook.read().await;
    for name in names {
        assert_eq!(read["headers"][name], "here", "{read}");
    }
}

#[tokio::test]
async fn concurrent_webhooks_of_one_name_create_one() {
    let stack = Stack::get();
    let name = unique("wanted");
    let create = |_| {
        stack
            .webhook()
            .url("https://example.com/")
            .set("name", name.clone())
            .try_create()
    };
    let mut statuses: Vec<u16> = join_all((0..5).map(create))
        .await
        .iter()
        .map(|response| response.status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409]);
}
