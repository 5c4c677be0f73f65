//! Imports next to existing resources, and invalid bundles.

use super::{Campaign, names, path_of};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{text, unique},
};

#[tokio::test]
async fn import_mode_decides_about_existing_resources() {
    let campaign = Campaign::create(&Receiver::start()).await;
    let own = [
        text(&campaign.sms, "name"),
        text(&campaign.email, "name"),
        campaign.name.clone(),
    ];
    for _ in 0..2 {
        for request in [
            json!({}),
            json!({"on_conflict": "fail"}),
            json!({"dry_run": true}),
        ] {
            let detail = text(&campaign.import(request).await.problem(409), "detail");
            assert!(own.iter().all(|name| detail.contains(name)), "{detail}");
        }
        let report = campaign
            .import(json!({"on_conflict": "reuse"}))
            .await
            .expect(200);
        let ids: Vec<&Value> = report["reused"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| &entry["id"])
            .collect();
        assert_eq!(
            ids,
            [
                &campaign.sms["id"],
                &campaign.email["id"],
                &json!(campaign.id)
            ]
        );
        assert_eq!(
            (names(&report, "reused"), &report["created"]),
            (own.to_vec(), &json!([]))
        );
    }
    let renamed = |number: u8| {
        own.iter()
            .map(|name| format!("{name} ({number})"))
            .collect::<Vec<_>>()
    };
    for number in [2, 3] {
        let report = campaign
            .import(json!({"on_conflict": "rename"}))
            .await
            .expect(200);
        assert_eq!(names(&report, "renamed"), renamed(number));
        let id = text(&report["renamed"][2], "id");
        let read = campaign
            .stack
            .get_path(&format!("/v1/campaigns/{id}"))
            .await
            .expect(200);
        assert_eq!(read["sms_provider_id"], report["renamed"][0]["id"]);
    }

    // A reused provider counts the imported campaign.
    let mut bundle = campaign.export().await;
    bundle["campaign"]["name"] = json!(unique("Summer"));
    let report = campaign
        .import(json!({"bundle": bundle, "on_conflict": "reuse"}))
        .await
        .expect(200);
    assert_eq!(
        (
            names(&report, "created").len(),
            names(&report, "reused").len()
        ),
        (1, 2)
    );
    assert_eq!(campaign.stack.delete(&campaign.path()).await.status, 204);
    campaign
        .stack
        .delete(&path_of(&campaign.sms))
        .await
        .problem(409);
    let summer = format!("/v1/campaigns/{}", text(&report["created"][0], "id"));
    assert_eq!(campaign.stack.delete(&summer).await.status, 204);
    assert_eq!(
        campaign.stack.delete(&path_of(&campaign.sms)).await.status,
        204
    );
}

#[tokio::test]
async fn invalid_bundle_is_rejected() {
    let campaign = Campaign::create(&Receiver::start()).await;
    let raw = async |body: String| {
        let request = campaign.stack.request(Method::POST, "/v1/campaigns/import");
        campaign
            .stack
            .send(
                request
                    .header("content-type", "application/json")
                    .body(body),
            )
            .await
    };
    let whole = json!({"bundle": campaign.export().await, "on_conflict": "rename"}).to_string();
    raw(whole[..whole.len() / 2].to_owned()).await.problem(400);
    raw(whole.replace("Bulbs", &"B".repeat(256 * 1024)))
        .await
        .problem(413);
    let newer = whole.replace("tieline.campaign/1", "tieline.campaign/2");
    let problem = raw(newer).await.problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/bundle/format");
    assert!(
        text(&problem["errors"][0], "detail").contains("only supports tieline.campaign/1"),
        "{problem}"
    );
    let forged = campaign.import(json!({
        "bundle": {
            "format": "tieline.campaign/1", "campaign": {"name": "a", "sms_provider": "b", "id": "camp_1"},
            "providers": [{"name": "c", "channel": "call", "send_url": "http://127.0.0.1/", "default": true}],
        },
        "secrets": {"b": {"token": "k"}}, "on_conflict": "replace",
    }));
    assert_eq!(
        forged.await.pointers(),
        [
            "/bundle/campaign/id",
            "/bundle/providers/0/default",
            "/on_conflict",
            "/secrets/b/token"
        ]
    );
}
