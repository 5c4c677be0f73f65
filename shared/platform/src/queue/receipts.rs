//! The messages of a batch that Lambda hands over, and the answer about them.
//!
//! A message that a function names as failed stays hidden for the queue's visibility timeout, which
//! has to be a multiple of the function's timeout: minutes. So its visibility is changed: it comes
//! back in seconds, and then slower with each receive. Where that call fails, or the whole
//! invocation, the visibility timeout brings the message back.

use std::{collections::HashSet, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use domain::retry::redelivery_delay;
use futures::future::join_all;

use super::{MAX_COUNT, Queue, named};
use crate::aws::AwsError;

/// The longest that handing back may take: what it is too late for, the visibility timeout brings
/// back.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The receipts of a batch's messages.
#[derive(Debug)]
pub struct Receipts(Vec<Receipt>);

#[derive(Debug)]
struct Receipt {
    message_id: String,
    queue_arn: String,
    handle: String,
    /// How often the message was received, this time included.
    receives: u32,
}

impl Receipts {
    /// Those of a batch.
    pub fn of(batch: &SqsEvent) -> Self {
        Self(batch.records.iter().filter_map(Receipt::of).collect())
    }

    /// The response that names the messages that `failed`, by their ids. They come back from those
    /// of `queues` that they were received from, after [`redelivery_delay`] seconds.
    pub async fn response(
        self,
        queues: &[&Queue],
        failed: impl IntoIterator<Item = String>,
    ) -> SqsBatchResponse {
        let failed: HashSet<String> = failed.into_iter().collect();
        if !failed.is_empty() {
            let changes = queues
                .iter()
                .map(|queue| self.change_visibility(queue, &failed));
            if tokio::time::timeout(TIMEOUT, join_all(changes))
                .await
                .is_err()
            {
                tracing::warn!(
                    "failed messages were not made visible in time: they come back after the visibility timeout"
                );
            }
        }
        let mut response = SqsBatchResponse::default();
        response.set_failures(failed);
        response
    }

    async fn change_visibility(&self, queue: &Queue, failed: &HashSet<String>) {
        let ours = |receipt: &&Receipt| {
            failed.contains(&receipt.message_id) && named(&queue.url, &receipt.queue_arn)
        };
        let receipts: Vec<&Receipt> = self.0.iter().filter(ours).collect();
        // Lambda's batches are of at most ten for these functions, as the request's are; whatever
        // the template says.
        for some in receipts.chunks(MAX_COUNT) {
            let entries = some
                .iter()
                .enumerate()
                .map(|(index, receipt)| receipt.entry(index))
                .collect();
            let request = queue
                .client
                .change_message_visibility_batch()
                .queue_url(&queue.url)
                .set_entries(Some(entries));
            match request.send().await {
                Ok(answer) if answer.failed().is_empty() => {}
                Ok(answer) => {
                    tracing::warn!(
                        failed = answer.failed().len(),
                        "visibility of failed messages not changed"
                    );
                }
                Err(error) => {
                    tracing::warn!(error = %AwsError::from(error), "visibility of failed messages not changed");
                }
            }
        }
    }
}

impl Receipt {
    fn of(record: &SqsMessage) -> Option<Self> {
        let receives = record
            .attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok());
        Some(Self {
            message_id: record.message_id.clone()?,
            queue_arn: record.event_source_arn.clone()?,
            handle: record.receipt_handle.clone()?,
            receives: receives.unwrap_or(1),
        })
    }

    fn entry(&self, index: usize) -> ChangeMessageVisibilityBatchRequestEntry {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(index.to_string())
            .receipt_handle(&self.handle)
            .set_visibility_timeout(i32::try_from(redelivery_delay(self.receives)).ok())
            .build()
            .expect("id and receipt handle are set")
    }
}
