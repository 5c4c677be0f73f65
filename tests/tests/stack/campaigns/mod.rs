//! Campaigns: their providers, and exporting and importing them.

mod imports;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{Stack, text, unique},
};

const KEYS: [&str; 2] = ["0123456789-api-key", "0123456789-secret-key"];

/// A campaign with a provider for SMS and one for e-mail, both simulated by a receiver.
struct Campaign {
    stack: Stack,
    id: String,
    name: String,
    sms: Value,
    email: Value,
}

async fn provider(stack: &Stack, receiver: &Receiver, channel: &str) -> Value {
    let body = json!({
        "name": unique(channel), "provider_id": "gateway", "channel": channel, "send_url": receiver.url_of("/send"),
        "api_key": KEYS[0], "secret_key": KEYS[1], "request": {"headers": {"x-tenant": "7"}},
        "callback": {"id_pointer": "/id", "status_pointer": "/status", "statuses": {"ok": "delivered"}},
    });
    stack.post("/v1/providers", body).await.expect(201)
}

impl Campaign {
    async fn create(receiver: &Receiver) -> Self {
        let stack = Stack::get();
        let (sms, email) = (
            provider(&stack, receiver, "sms").await,
            provider(&stack, receiver, "email").await,
        );
        let name = unique("Spring");
        let body = json!({
            "name": name, "sms_provider_id": sms["id"], "email_provider_id": email["id"], "description": "Bulbs",
        });
        let id = text(&stack.post("/v1/campaigns", body).await.expect(201), "id");
        Self {
            stack,
            id,
            name,
            sms,
            email,
        }
    }

    fn path(&self) -> String {
        format!("/v1/campaigns/{}", self.id)
    }

    async fn export(&self) -> Value {
        self.stack
            .get_path(&format!("{}/export", self.path()))
            .await
            .expect(200)
    }

    fn secrets(&self) -> Value {
        let keys = json!({"api_key": KEYS[0], "secret_key": KEYS[1]});
        json!({text(&self.sms, "name"): keys, text(&self.email, "name"): keys})
    }

    async fn import(&self, mut request: Value) -> tests::client::Response {
        if request["bundle"].is_null() {
            request["bundle"] = self.export().await;
        }
        self.stack.post("/v1/campaigns/import", request).await
    }

    /// Deletes it and its providers.
    async fn delete(&self) {
        for path in [self.path(), path_of(&self.sms), path_of(&self.email)] {
            assert_eq!(self.stack.delete(&path).await.status, 204, "{path}");
        }
    }

    /// Reads what an import created: first the providers, then the campaign.
    async fn created(&mut self, report: &Value) {
        let ids: Vec<String> = report["created"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| text(entry, "id"))
            .collect();
        let [sms, email, campaign] = ids.as_slice() else {
            panic!("three are created: {report}")
        };
        self.id.clone_from(campaign);
        self.sms = self
            .stack
            .get_path(&format!("/v1/providers/{sms}"))
            .await
            .expect(200);
        self.email = self
            .stack
            .get_path(&format!("/v1/providers/{email}"))
            .await
            .expect(200);
    }

    fn message(&self) -> Value {
        json!({"channel": "sms", "to": "+15555550100", "text": "Hello", "campaign_id": self.id})
    }

    async fn send(&self) {
        let message = self
            .stack
            .post("/v1/messages", self.message())
            .await
            .expect(202);
        assert_eq!(message["provider_id"], self.sms["id"]);
        let path = format!("/v1/messages/{}", text(&message, "id"));
        self.stack
            .until("the message is sent", async || {
                let message = self.stack.get_path(&path).await.expect(200);
                if message["status"] == "sent" {
                    Ok(())
                } else {
                    Err(message)
                }
            })
            .await;
    }
}

fn path_of(provider: &Value) -> String {
    format!("/v1/providers/{}", text(provider, "id"))
}

fn names(report: &Value, list: &str) -> Vec<String> {
    report[list]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| text(entry, "name"))
        .collect()
}

#[tokio::test]
async fn exported_campaign_sends_after_import_with_its_keys() {
    let receiver = Receiver::start();
    let mut campaign = Campaign::create(&receiver).await;
    campaign.send().await;
    let bundle = campaign.export().await;
    assert_eq!(bundle["format"], "tieline.campaign/1");
    assert_eq!(
        bundle["campaign"],
        json!({
            "name": campaign.name, "description": "Bulbs", "sms_provider": campaign.sms["name"],
            "email_provider": campaign.email["name"],
        })
    );
    let written = bundle.to_string();
    for secret in ["0123456789", "hint", "callback_url", "/in/"] {
        assert!(!written.contains(secret), "{secret}: {written}");
    }
    campaign.delete().await;
    let entry = |kind: &str, name: &Value| json!({"type": kind, "id": null, "name": name});
    let would = campaign
        .import(json!({"bundle": bundle, "dry_run": true}))
        .await
        .expect(200);
    let created = [
        entry("provider", &campaign.sms["name"]),
        entry("provider", &campaign.email["name"]),
        entry("campaign", &json!(campaign.name)),
    ];
    assert_eq!(
        would,
        json!({"created": created, "reused": [], "renamed": []})
    );

    // Nothing was created: every name is free. Providers without their keys exist but can't send.
    let report = campaign
        .import(json!({"bundle": bundle, "on_conflict": "fail"}))
        .await
        .expect(200);
    campaign.created(&report).await;
    assert_eq!(
        (&campaign.sms["status"], &campaign.email["status"]),
        (&json!("needs_secrets"), &json!("needs_secrets"))
    );
    assert_eq!(
        campaign
            .stack
            .post("/v1/messages", campaign.message())
            .await
            .pointers(),
        ["/provider"]
    );
    campaign
        .stack
        .post(
            &format!("{}/test", path_of(&campaign.sms)),
            json!({"to": "+15555550100"}),
        )
        .await
        .problem(422);
    campaign.delete().await;

    let report = campaign
        .import(json!({"bundle": bundle, "secrets": campaign.secrets()}))
        .await
        .expect(200);
    campaign.created(&report).await;
    assert_eq!(
        (&campaign.sms["status"], &campaign.sms["api_key_hint"]),
        (&json!("active"), &json!("-key"))
    );
    assert_eq!(
        (
            &campaign.sms["default"],
            campaign.sms["callback_url"].is_string()
        ),
        (&json!(false), true)
    );
    campaign.send().await;
    let keys: Vec<String> = receiver
        .requests()
        .iter()
        .map(|request| request.header("x-api-key").to_owned())
        .collect();
    assert_eq!(
        keys,
        [KEYS[0], KEYS[0]],
        "before the export, and after the import"
    );
    assert_eq!(campaign.export().await, bundle);
}

#[tokio::test]
async fn campaign_requires_providers_of_its_channels() {
    let receiver = Receiver::start();
    let campaign = Campaign::create(&receiver).await;
    let Campaign {
        stack, sms, email, ..
    } = &campaign;
    let read = stack.get_path(&campaign.path()).await.expect(200);
    assert!(campaign.id.starts_with("camp_"));
    assert_eq!(
        (&read["name"], &read["description"]),
        (&json!(campaign.name), &json!("Bulbs"))
    );
    assert!(
        stack
            .listed("/v1/campaigns?", "id")
            .await
            .contains(&campaign.id)
    );

    let wrong = json!({"name": "", "sms_provider_id": email["id"], "email_provider_id": "prov_1", "colour": 1});
    assert_eq!(
        stack.post("/v1/campaigns", wrong).await.pointers(),
        ["/colour", "/email_provider_id", "/name"]
    );
    let unknown = "prov_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let wrong = json!({"sms_provider_id": email["id"], "email_provider_id": unknown});
    assert_eq!(
        stack.patch(&campaign.path(), wrong).await.pointers(),
        ["/email_provider_id", "/sms_provider_id"]
    );
    stack
        .post(
            "/v1/campaigns",
            json!({"name": campaign.name.to_uppercase()}),
        )
        .await
        .problem(409);

    // A message is sent through its campaign's provider, unless it names another.
    let other = provider(stack, &receiver, "sms").await;
    let mut message = campaign.message();
    assert_eq!(
        stack
            .post("/v1/messages", message.clone())
            .await
            .expect(202)["provider_id"],
        sms["id"]
    );
    message["provider"] = other["name"].clone();
    assert_eq!(
        stack
            .post("/v1/messages", message.clone())
            .await
            .expect(202)["provider_id"],
        other["id"]
    );
    message["campaign_id"] = json!("camp_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_eq!(
        stack.post("/v1/messages", message).await.pointers(),
        ["/campaign_id"]
    );

    // A provider can't be deleted while a campaign uses it.
    stack.delete(&path_of(sms)).await.problem(409);
    let etag = stack
        .get_path(&campaign.path())
        .await
        .header("etag")
        .to_owned();
    let changed = stack
        .patch(
            &campaign.path(),
            json!({"sms_provider_id": other["id"], "description": null}),
        )
        .await;
    assert_eq!(changed.expect(200)["description"], Value::Null);
    let stale = stack
        .request(Method::DELETE, &campaign.path())
        .header("if-match", etag);
    stack.send(stale).await.problem(412);
    assert_eq!(stack.delete(&path_of(sms)).await.status, 204);
    for provider in [&other, email] {
        stack.delete(&path_of(provider)).await.problem(409);
    }
    assert_eq!(stack.delete(&campaign.path()).await.status, 204);
    for (method, rest) in [
        (Method::GET, ""),
        (Method::GET, "/export"),
        (Method::PATCH, ""),
        (Method::DELETE, ""),
    ] {
        let request = stack
            .request(method, &format!("{}{rest}", campaign.path()))
            .json(&json!({}));
        stack.send(request).await.problem(404);
    }
    for provider in [&other, email] {
        assert_eq!(stack.delete(&path_of(provider)).await.status, 204);
    }
}
