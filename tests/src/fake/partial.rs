//! Batches that are processed only half, and conflicting transactions.

use serde_json::{Value, json};

use super::{AwsError, Call};

/// The response field that reports the omitted half, and its value.
type LeftOut = Option<(&'static str, Value)>;

/// Removes the second half of a call's batch, and returns how the response reports it. A batch of
/// one stays complete.
pub(super) fn halved(mut call: Call) -> (Call, LeftOut) {
    let left_out = match call.operation.as_str() {
        "SendMessageBatch" => {
            let entries = call.request["Entries"].as_array_mut().expect("Entries");
            let refused = |entry: Value| json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false});
            let refused = entries
                .split_off(entries.len().div_ceil(2))
                .into_iter()
                .map(refused);
            Some(("Failed", refused.collect()))
        }
        "BatchGetItem" => {
            let tables = call.request["RequestItems"]
                .as_object_mut()
                .expect("RequestItems");
            let mut unread = tables.clone();
            for (name, wanted) in tables {
                let keys = wanted["Keys"].as_array_mut().expect("Keys");
                unread[name]["Keys"] = keys.split_off(keys.len().div_ceil(2)).into();
            }
            Some(("UnprocessedKeys", unread.into()))
        }
        _ => None,
    };
    (call, left_out)
}

/// Adds the omitted half to a response.
pub(super) fn with(mut response: Value, left_out: LeftOut) -> Value {
    if let Some((field, left_out)) = left_out {
        response[field] = left_out;
    }
    response
}

/// The error of a transaction that conflicts with another one on its first item.
pub(super) fn conflict(request: &Value) -> AwsError {
    let writes = request["TransactItems"].as_array().map_or(1, Vec::len);
    let code = |index| json!({"Code": if index == 0 { "TransactionConflict" } else { "None" }});
    let reasons: Vec<Value> = (0..writes).map(code).collect();
    AwsError::new("TransactionCanceledException").with("CancellationReasons", json!(reasons))
}
