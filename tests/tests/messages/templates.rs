//! Messages and calls that name a template of their provider.

use serde_json::{Value, json};
use tests::{fake::Fake, receiver::Reply};

use crate::api::{Api, egress};

/// The requests to AWS so far, by operation and key.
fn reads(fake: &Fake) -> usize {
    let counts = fake.counts();
    ["GetItem", "BatchGetItem", "Query"]
        .iter()
        .filter_map(|operation| counts.get(*operation))
        .sum()
}

#[tokio::test]
async fn template_and_fields_reach_the_provider_and_are_read_back() {
    let mut api = Api::new(&egress()).await;
    let body = r#"{
        "template": "{message.template}", "fields": {message.fields}, "order": {message.fields.order},
        "campaign": ["{campaign.id}", "{campaign.name}"]
    }"#;
    for channel in ["sms", "call"] {
        let callback = json!({"id_pointer": "/id", "status_pointer": "/status", "statuses": {}});
        let url = format!(
            "{}?template={{message.template}}&campaign={{campaign.name}}",
            api.system.receiver.url_of(channel)
        );
        let fields = json!({
            "channel": channel, "request": {"body": body}, "send_url": url, "callback": callback,
        });
        api.provider(channel, fields).await;
    }
    let campaign = api
        .call("POST", "/v1/campaigns", json!({"name": "Spring"}))
        .await
        .field(201, "id");
    // A double that DynamoDB's numbers can't represent.
    let fields = json!({"order": 1e300, "paid": true, "First Name": "Zoë"});
    for (path, provider, more, expected) in [
        (
            "/v1/messages",
            "sms",
            json!({"channel": "sms", "campaign_id": campaign}),
            json!([campaign, "Spring"]),
        ),
        ("/v1/calls", "call", json!({}), json!(["", ""])),
    ] {
        let mut document = json!({
            "provider": provider, "to": "+15555550100", "template": "order shipped", "fields": fields,
        });
        let added = more.as_object().expect("an object").clone();
        document.as_object_mut().expect("an object").extend(added);
        let sent = api.call("POST", path, document).await.expect(202);
        api.system.run().await;
        let id = sent["id"].as_str().expect("an ID");
        let shown = api.call("GET", &format!("{path}/{id}"), Value::Null).await;
        let shown = shown.expect(200);
        assert_eq!(shown["status"], "sent");
        assert_eq!(
            (&shown["template"], &shown["fields"], &shown["text"]),
            (&json!("order shipped"), &fields, &Value::Null)
        );
        let requests = api.requests(provider);
        let request = requests.last().expect("a request").json();
        assert_eq!(
            (
                &request["template"],
                &request["order"],
                &request["campaign"]
            ),
            (&json!("order shipped"), &json!(1e300), &expected)
        );
        assert_eq!(request["fields"].as_array().map(Vec::len), Some(3));
        let query = &requests.last().expect("a request").query;
        assert!(query.contains("template=order%20shipped"), "{query}");
    }
    let listed = api
        .call("GET", "/v1/messages", Value::Null)
        .await
        .expect(200);
    assert_eq!(listed["data"][0]["fields"], fields);
    // A test of a provider has no campaign.
    let providers = api
        .call("GET", "/v1/providers?channel=sms", Value::Null)
        .await;
    let id = providers.expect(200)["data"][0]["id"].clone();
    let path = format!("/v1/providers/{}/test", id.as_str().expect("an ID"));
    let test = json!({"to": "+15555550100", "template": "t", "fields": {"order": 7}});
    api.system.receiver.script(|_| Reply::status(200));
    api.call("POST", &path, test).await.expect(200);
    let requests = api.requests("sms");
    let request = requests.last().expect("a request").json();
    assert_eq!(
        (
            &request["template"],
            &request["order"],
            &request["campaign"]
        ),
        (&json!("t"), &json!(7), &json!(["", ""]))
    );
}

/// The campaign is read when the message is accepted, for its provider and its name.
#[tokio::test]
async fn campaign_costs_one_read() {
    let mut api = Api::new(&egress()).await;
    let body = r#"["{campaign.name}", {message.fields}]"#;
    api.provider("sms", json!({"request": {"body": body}}))
        .await;
    let campaign = api
        .call("POST", "/v1/campaigns", json!({"name": "Spring"}))
        .await
        .field(201, "id");
    let mut reads_of = Vec::new();
    for more in [json!({}), json!({}), json!({"campaign_id": campaign})] {
        let mut sms = crate::api::sms("sms");
        let added = more.as_object().expect("an object").clone();
        sms.as_object_mut().expect("an object").extend(added);
        api.system.begin_count();
        api.call("POST", "/v1/messages", sms).await.expect(202);
        let accepted = reads(&api.system.fake);
        api.system.begin_count();
        api.system.run().await;
        reads_of.push((accepted, reads(&api.system.fake)));
    }
    // The first one warms the processes up.
    let [_, without, with] = reads_of.as_slice() else {
        panic!("{reads_of:?}")
    };
    assert_eq!(*with, (without.0 + 1, without.1));
    assert_eq!(api.requests("sms")[2].json(), json!(["Spring", []]));
}
