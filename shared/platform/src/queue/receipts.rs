//! The response to Lambda for a batch of messages.
//!
//! A failed message stays invisible for the queue's visibility timeout, which must be a multiple of
//! the function's timeout: minutes. So its visibility is changed: it becomes visible after seconds,
//! with a backoff by receive count. If that request or the whole invocation fails, the visibility
//! timeout applies.

use std::{collections::HashSet, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use domain::retry::redelivery_delay;
use futures::future::join_all;

use super::{MAX_COUNT, Queue, is_same_queue};
use crate::aws::AwsError;

/// Timeout of changing visibilities. After that, the visibility timeout applies.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The receipts of a batch's messages.
#[derive(Debug)]
pub struct Receipts(Vec<Receipt>);

#[derive(Debug)]
struct Receipt {
    message_id: String,
    queue_arn: String,
    handle: String,
    /// Receive count, including this one.
    receives: u32,
}

impl Receipts {
    /// Reads the receipts of a batch.
    pub fn of(batch: &SqsEvent) -> Self {
        Self(batch.records.iter().filter_map(Receipt::of).collect())
    }

    /// Returns the response that lists the `failed` messages by ID, after making them visible again
    /// in their queue (one of `queues`) after [`redelivery_delay`] seconds.
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
                    "timed out changing the visibility of failed messages; the visibility timeout applies"
                );
            }
        }
        let mut response = SqsBatchResponse::default();
        response.set_failures(failed);
        response
    }

    async fn change_visibility(&self, queue: &Queue, failed: &HashSet<String>) {
        let ours = |receipt: &&Receipt| {
            failed.contains(&receipt.message_id) && is_same_queue(&queue.url, &receipt.queue_arn)
        };
        let receipts: Vec<&Receipt> = self.0.iter().filter(ours).collect();
        // Lambda's batches have at most ten messages for these functions, but the template could
        // change that.
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
                Ok(response) if response.failed().is_empty() => {}
                Ok(response) => {
                    tracing::warn!(
                        failed = response.failed().len(),
                        "failed to change the visibility of failed messages"
                    );
                }
                Err(error) => {
                    tracing::warn!(error = %AwsError::from(error), "failed to change the visibility of failed messages");
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
