//! Concurrent, crashed and rejected imports.

use std::collections::BTreeSet;

use super::{alone, bundle, import, import_of, listed, start, whole};
use serde_json::{Value, json};
use tests::fake::FaultPlan;

#[tokio::test]
async fn second_of_two_concurrent_imports_sees_the_first() {
    let all = ["campaign Spring", "provider Mail", "provider Text"].as_slice();
    for (bundle, names) in [(bundle(), all), (alone("Spring"), &all[..1])] {
        for mode in ["fail", "reuse", "rename"] {
            let (system, api) = start().await;
            let other = api.clone();
            let (one, two) = tokio::join!(
                import_of(&api, bundle.clone(), mode),
                import_of(&other, bundle.clone(), mode)
            );
            let (first, second) = if listed(&one, "created").is_empty() {
                (two, one)
            } else {
                (one, two)
            };
            let own: BTreeSet<String> = names.iter().copied().map(str::to_owned).collect();
            assert_eq!(
                (first.status, listed(&first, "created")),
                (200, own.clone())
            );
            let mut expected = own.clone();
            match mode {
                "reuse" => assert_eq!((second.status, listed(&second, "reused")), (200, own)),
                "rename" => {
                    expected.extend(own.iter().map(|name| format!("{name} (2)")));
                    assert_eq!(
                        (second.status, listed(&second, "renamed")),
                        (200, &expected - &own)
                    );
                }
                _ => {
                    assert_eq!(second.status, 409, "{}", second.body);
                    let detail = second.body["detail"].as_str().expect("a detail");
                    assert!(
                        own.iter().all(|name| detail.contains(&name[9..])),
                        "{detail}"
                    );
                }
            }
            assert_eq!(whole(&system.fake), expected, "{mode}");
            let audit = api.call("GET", "/v1/audit", Value::Null).await;
            let entries = audit.body["data"].as_array().expect("data").iter();
            let created = ["campaign.created", "provider.created"].map(Value::from);
            let count = entries
                .filter(|entry| created.contains(&entry["action"]))
                .count();
            assert_eq!(count, expected.len(), "the audit log has an entry for each");
        }
    }
}

async fn yield_now(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn concurrent_provider_change_keeps_the_campaign_count() {
    let mut outcomes = BTreeSet::new();
    for (method, path) in [
        ("PATCH", ""),
        ("PATCH", "/import"),
        ("DELETE", ""),
        ("DELETE", "/import"),
    ] {
        // At every position of the import where the other request can begin, and just before it.
        for ahead in 0..18 {
            let (system, api) = start().await;
            let spring = import(&api, "fail").await;
            let [text, _, campaign] = [0, 1, 2].map(|at| spring.body["created"][at]["id"].clone());
            api.call(
                "DELETE",
                &format!("/v1/campaigns/{}", campaign.as_str().expect("an id")),
                Value::Null,
            )
            .await;
            let provider = format!("/v1/providers/{}", text.as_str().expect("an id"));
            let summer = if path.is_empty() {
                json!({"name": "Summer", "sms_provider_id": text})
            } else {
                let mut bundle = bundle();
                bundle["campaign"]["name"] = json!("Summer");
                json!({"bundle": bundle, "on_conflict": "reuse"})
            };
            let change = async {
                yield_now(ahead).await;
                let body = if method == "PATCH" {
                    json!({"provider_id": "other"})
                } else {
                    Value::Null
                };
                api.call(method, &provider, body).await
            };
            let campaigns = format!("/v1/campaigns{path}");
            let create = async {
                yield_now(5).await;
                api.call("POST", &campaigns, summer).await
            };
            let (changed, created) = tokio::join!(change, create);
            let there = whole(&system.fake);
            assert_eq!(
                there.contains("campaign Summer"),
                created.status < 300,
                "{}",
                created.body
            );
            outcomes.insert((method, changed.status, path, created.status));
        }
    }
    let expected = [
        ("DELETE", 204, "", 409),
        ("DELETE", 204, "/import", 200),
        ("DELETE", 409, "", 201),
        ("DELETE", 409, "/import", 200),
        ("PATCH", 200, "", 201),
        ("PATCH", 200, "/import", 200),
    ];
    assert_eq!(outcomes, BTreeSet::from(expected));
}

#[tokio::test]
async fn crashed_import_is_all_or_nothing() {
    let mut outcomes = BTreeSet::new();
    for fault in [
        FaultPlan::CrashBefore,
        FaultPlan::CrashAfter,
        FaultPlan::ResponseLost,
        FaultPlan::Fails("ResourceNotFoundException"),
    ] {
        for at in 0.. {
            let (system, api) = start().await;
            system.begin_count();
            system.fake.plan(move |call| {
                if call.index == at {
                    fault
                } else {
                    FaultPlan::NoFault
                }
            });
            let crash = system.fake.crash();
            let response = tokio::select! {
                reply = import(&api, "fail") => Some(reply.status),
                () = crash.notified() => None,
            };
            let calls = system.fake.state().calls.len();
            system.fake.plan(|_| FaultPlan::NoFault);
            let made = whole(&system.fake).len();
            assert!([0, 3].contains(&made), "{fault:?} at call {at}: {made}");
            outcomes.insert((response, made));
            let status = if made == 0 { 200 } else { 409 };
            assert_eq!(
                import(&api, "fail").await.status,
                status,
                "{fault:?} at call {at}"
            );
            assert_eq!(whole(&system.fake).len(), 3);
            if calls <= at {
                break;
            }
        }
    }
    assert_eq!(
        outcomes,
        BTreeSet::from([(None, 0), (None, 3), (Some(200), 3), (Some(500), 0)])
    );
}
