//! AWS behind the stack: functions, table and queues.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stack, invoke};
use crate::client::Response;

impl Stack {
    /// Returns the endpoint of the emulator.
    pub fn endpoint(&self) -> &local::Aws {
        &self.shared.running.stack().aws
    }

    /// Invokes a function.
    pub async fn invoke(&self, function: &str, event: &Value) -> Response {
        invoke(&self.client, self.shared.running.stack(), function, event).await
    }

    /// Returns every item of the table, in DynamoDB's JSON.
    pub async fn table_dump(&self) -> String {
        let stack = self.shared.running.stack();
        let mut dump = String::new();
        let mut query = json!({"TableName": stack.table});
        loop {
            let page = self.aws("DynamoDB_20120810.Scan", &query).await;
            dump.push_str(&page["Items"].to_string());
            if page["LastEvaluatedKey"].is_null() {
                return dump;
            }
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
        }
    }

    /// Returns every message on a queue, without receiving it.
    pub async fn queues_dump(&self) -> String {
        let url = format!("{}/_ministack/sqs/messages", self.endpoint().endpoint_url);
        self.client
            .send(self.client.request(Method::GET, &url))
            .await
            .expect(200)
            .to_string()
    }

    /// Enqueues a message on the queue of this URL.
    pub async fn put_on_queue(&self, queue: &str, body: &str) {
        self.aws(
            "AmazonSQS.SendMessage",
            &json!({"QueueUrl": queue, "MessageBody": body}),
        )
        .await;
    }

    /// Waits until a queue contains a message with this text.
    pub async fn on_queue(&self, queue: &str, text: &str) {
        let base = &self.endpoint().endpoint_url;
        let url = format!("{base}/_ministack/sqs/messages?QueueUrl={queue}");
        self.until(&format!("{queue} contains {text}"), async || {
            let request = self.client.request(Method::GET, &url);
            let dump = self.client.send(request).await.expect(200);
            if dump.to_string().contains(text) {
                Ok(())
            } else {
                Err(dump)
            }
        })
        .await;
    }

    /// Returns the URLs of the queues.
    pub fn queues(&self) -> &local::Queues {
        &self.shared.running.stack().queues
    }

    /// Calls a service of the emulator like the AWS SDKs. `target` is for example
    /// `secretsmanager.DescribeSecret`.
    pub async fn aws(&self, target: &str, body: &Value) -> Value {
        let aws = self.endpoint();
        let request = self
            .client
            .request(Method::POST, &aws.endpoint_url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string());
        self.client.send(request).await.expect(200)
    }
}
