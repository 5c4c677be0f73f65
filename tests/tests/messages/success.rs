//! Providers that respond with 200 whatever happened.

use domain::message::Status;
use serde_json::json;
use tests::receiver::Reply;

use crate::api::{Api, egress};

/// A provider that reports the result of each message in its response, as some gateways do.
#[tokio::test]
async fn provider_that_reports_a_failure_with_200_is_asked_again() {
    let mut api = Api::new(&egress()).await;
    let response = json!({
        "id_pointer": "/messages/0/message-id",
        "success_when": {"all_of": "body.messages", "where": {"field": "status", "op": "eq", "value": "0"}},
    });
    let shown = api.provider("gateway", json!({"response": response})).await;
    assert_eq!(shown["response"], response);
    let mut requests = 0;
    api.system.receiver.script(move |_| {
        requests += 1;
        let status = if requests == 1 { "4" } else { "0" };
        let message = json!({"status": status, "message-id": format!("theirs-{requests}")});
        Reply::status(200).body(json!({"messages": [message]}).to_string())
    });
    let id = api.send("gateway").await;
    api.system.run().await;
    let message = api.message(id).await;
    assert_eq!(message.status, Status::Sent);
    assert_eq!(message.provider_message_id.as_deref(), Some("theirs-2"));
    let errors: Vec<_> = message
        .attempts
        .iter()
        .map(|attempt| attempt.error.as_deref())
        .collect();
    assert_eq!(errors, [Some("the answer does not report success"), None]);
}
