//! Clones.

use serde_json::json;
use standardwebhooks::Webhook as Verifier;
use tests::{
    receiver::Receiver,
    stack::{Stack, text, unique},
};

#[tokio::test]
async fn clone_delivers_with_its_own_secrets() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let original = stack
        .webhook()
        .url(receiver.url())
        .set(
            "auth",
            json!({"type": "bearer", "token": "of-the-original"}),
        )
        .set("labels", json!(["support"]))
        .create()
        .await;
    let name = unique("clone");
    let created = stack
        .post(&original.path("/clone"), json!({"name": &name}))
        .await
        .expect(201);
    assert_eq!(
        (&created["name"], &created["status"], &created["labels"]),
        (&json!(name), &json!("needs_secrets"), &json!(["support"]))
    );
    let secret = text(&created, "secret");
    assert_ne!(secret, original.secret);
    let path = format!("/v1/webhooks/{}", text(&created, "id"));
    let event = stack.publish("message", json!({"n": 1})).await;
    let refused = stack.patch(&path, json!({"enabled": true})).await;
    assert_eq!(refused.expect(422)["errors"][0]["pointer"], "/auth");
    let enabled = json!({"enabled": true, "auth": {"token": "of-the-clone"}});
    let enabled = stack.patch(&path, enabled).await.expect(200);
    assert_eq!(enabled["status"], "active");
    receiver.wait_for(1).await;

    stack.publish("message", json!({"n": 2})).await;
    let requests = receiver.wait_for(3).await;
    let mut got: Vec<_> = requests
        .iter()
        .map(|request| {
            (
                request.json()["data"]["n"].clone(),
                request.header("authorization").to_owned(),
            )
        })
        .collect();
    got.sort_by_key(|(n, token)| (n.as_u64(), token.clone()));
    let expected = [
        (json!(1), "Bearer of-the-original".to_owned()),
        (json!(2), "Bearer of-the-clone".to_owned()),
        (json!(2), "Bearer of-the-original".to_owned()),
    ];
    assert_eq!(got, expected);
    let of_clone = requests
        .iter()
        .find(|request| request.header("authorization") == "Bearer of-the-clone")
        .expect("a request");
    let verified = |secret: &str| {
        let verifier = Verifier::new(secret).expect("a secret");
        verifier.verify(&of_clone.body, &of_clone.headers).is_ok()
    };
    assert!(verified(&secret) && !verified(&original.secret));
    // The original's deliveries are not those of the clone.
    let deliveries = format!("/v1/deliveries?webhook_id={}", text(&created, "id"));
    let deliveries = stack.get_path(&deliveries).await.expect(200);
    let events = deliveries["data"].as_array().expect("deliveries");
    assert!(
        events
            .iter()
            .all(|delivery| delivery["event_id"] != json!(event)),
        "{deliveries}"
    );
}
