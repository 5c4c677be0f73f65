//! The rights that the template gives a function, and those that calls take: the one must be the other.

use std::collections::BTreeSet;

use crate::fake::Call;
use serde_json::Value;

/// The actions on a resource that a function may take, such as `dynamodb:GetItem` on `Table`.
pub type Rights = BTreeSet<(String, String)>;

/// What a function's role allows.
///
/// # Panics
/// When the template has no such function.
pub fn allowed(function: &str) -> Rights {
    let template = std::fs::read_to_string(local::root().join("infra/template.yaml")).expect("the template");
    let of_function = template.split(&format!("\n  {function}:\n")).nth(1).expect("the function");
    let policies = of_function.split("      Policies:\n").nth(1).expect("policies");
    let policies = policies.split("\n\n").next().unwrap_or_default();
    let statements = policies.split("- Effect: Allow").skip(1);
    statements
        .flat_map(|statement| {
            let (actions, resources) = statement.split_once("Resource:").expect("a resource");
            let words = |text: &str| -> Vec<String> {
                let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                let words = lines.flat_map(|line| line.split([' ', ',', '[', ']', '"'])).map(str::to_owned);
                words.filter(|word| !word.is_empty()).collect()
            };
            let resources = words(resources).into_iter().filter(|word| !word.starts_with('!'));
            let resources: Vec<String> =
                resources.map(|name| name.replace(".Arn", "").replace("${Table}/index/*", "listing")).collect();
            let actions = words(actions).into_iter().filter(|word| word.contains(':') && !word.ends_with(':'));
            actions
                .flat_map(|action| resources.iter().map(|name| (action.clone(), name.clone())).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The rights that calls take.
///
/// # Panics
/// When a call has not the form that the SDK gives it.
pub fn taken(calls: &[Call]) -> Rights {
    calls.iter().flat_map(taken_by).collect()
}

fn taken_by(Call { operation, request, .. }: &Call) -> Vec<(String, String)> {
    let one = |service: &str, action: &str, resource: &str| vec![(format!("{service}:{action}"), resource.to_owned())];
    match operation.as_str() {
        // Each write takes the right of its own operation.
        "TransactWriteItems" => {
            let writes = request["TransactItems"].as_array().expect("writes").iter();
            let kinds = writes.filter_map(Value::as_object).flat_map(|write| write.keys());
            kinds.flat_map(|kind| one("dynamodb", &format!("{kind}Item"), "Table")).collect()
        }
        "Query" if request["IndexName"].is_string() => one("dynamodb", "Query", "listing"),
        "SendMessage" | "SendMessageBatch" | "ChangeMessageVisibilityBatch" | "ReceiveMessage" | "DeleteMessage" => {
            let queue = request["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).expect("a queue");
            one("sqs", operation.trim_end_matches("Batch"), &format!("{queue}Queue"))
        }
        operation if operation.contains("Secret") => one("secretsmanager", operation, "Keyring"),
        operation => one("dynamodb", operation, "Table"),
    }
}
