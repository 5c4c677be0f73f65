//! Examples: one for each schema of a request or a response, or for the response of one operation.

use serde_json::{Value, json};

use super::operations;

/// Examples by schema name, or by operation ID.
const EXAMPLES: &str = include_str!("examples.json");

/// Adds examples to every request and response.
pub(super) fn add(document: &mut Value) {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap_or_default();
    for (_, _, operation) in operations(&mut document["paths"]) {
        let own = operation["operationId"].as_str();
        let own = own.and_then(|id| examples.get(id)).cloned();
        let responses = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flatten();
        let bodies: Vec<&mut Value> = responses.map(|(_, response)| response).collect();
        for body in bodies {
            exemplify(body, &examples);
        }
        if let Some(own) = own {
            operation["responses"]["200"]["content"]["application/json"]["example"] = own;
        }
        if let Some(body) = operation.get_mut("requestBody") {
            exemplify(body, &examples);
        }
    }
    let responses = document["components"]["responses"]
        .as_object_mut()
        .into_iter()
        .flatten();
    for (name, response) in responses {
        if let Some(example) = examples.get(name) {
            response["content"]["application/problem+json"]["example"] = example.clone();
        }
    }
}

fn exemplify(body: &mut Value, examples: &Value) {
    let Some(content) = body.get_mut("content").and_then(Value::as_object_mut) else {
        return;
    };
    for media in content.values_mut() {
        if let Some(example) = media["schema"]["$ref"]
            .as_str()
            .and_then(|name| example(name, examples))
        {
            media["example"] = example;
        }
    }
}

/// Returns the example of a schema. A page's example has one item.
fn example(reference: &str, examples: &Value) -> Option<Value> {
    let name = reference.rsplit('/').next()?;
    match name.strip_suffix("List") {
        Some(entry) => Some(json!({"data": [examples.get(entry)?], "next_cursor": null})),
        None => examples.get(name).cloned(),
    }
}
