//! IAM rights that the template grants a function, and rights that its calls need.
//!
//! A right on the table covers actions on items whose partition key matches a pattern
//! (`dynamodb:LeadingKeys`).

use std::collections::BTreeSet;

use crate::fake::Call;
use serde_json::Value;

/// Actions on resources, such as `dynamodb:GetItem` on `Table`.
pub type Rights = BTreeSet<(String, String)>;

/// Actions on the table, with the patterns of their partition keys.
struct TableRights {
    actions: BTreeSet<String>,
    patterns: BTreeSet<String>,
}

/// Returns the rights of a function's role.
///
/// # Panics
/// If the template has no such function.
pub fn allowed(function: &str) -> Rights {
    let policies = policies(function);
    let statements = policies.split("- Effect: Allow").skip(1);
    statements
        .flat_map(|statement| {
            let (actions, resources) = statement.split_once("Resource:").expect("a resource");
            let resources = resources.split("Condition:").next().unwrap_or_default();
            let resources = words(resources)
                .into_iter()
                .filter(|word| !word.starts_with('!'));
            let resources: Vec<String> = resources
                .map(|name| {
                    name.replace(".Arn", "")
                        .replace("${Table}/index/*", "listing")
                })
                .collect();
            let actions = words(actions)
                .into_iter()
                .filter(|word| word.contains(':') && !word.ends_with(':'));
            actions
                .flat_map(|action| {
                    resources
                        .iter()
                        .map(|name| (action.clone(), name.clone()))
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the policies of a function's role in a stack that creates the table and the keyring.
fn policies(function: &str) -> String {
    let template =
        std::fs::read_to_string(local::root().join("infra/template.yaml")).expect("the template");
    let of_function = template
        .split(&format!("\n  {function}:\n"))
        .nth(1)
        .expect("the function");
    let policies = of_function
        .split("      Policies:\n")
        .nth(1)
        .expect("policies");
    let policies = policies.split("\n\n").next().unwrap_or_default();
    policies
        .replace(
            "!If [CreatesTable, !GetAtt Table.Arn, !Ref TableArn]",
            "!GetAtt Table.Arn",
        )
        .replace(
            r#"!Sub ["${Arn}/index/*", { Arn: !GetAtt Table.Arn }]"#,
            "!Sub ${Table}/index/*",
        )
        .replace(
            "!If [CreatesKeyring, !Ref Keyring, !Ref KeyringArn]",
            "!Ref Keyring",
        )
}

/// Splits a YAML list or scalar into words.
fn words(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let words = lines
        .flat_map(|line| line.split([' ', ',', '[', ']', '"']))
        .map(str::to_owned);
    words.filter(|word| !word.is_empty()).collect()
}

/// Returns the rights of a function's role on the table's items.
fn table_rights(function: &str) -> Vec<TableRights> {
    let policies = policies(function);
    let statements = policies
        .split("- Effect: Allow")
        .filter(|statement| statement.contains("Resource: !GetAtt Table.Arn\n"));
    let rights = statements.map(|statement| {
        let (actions, rest) = statement.split_once("Resource:").expect("a resource");
        let (_, patterns) = rest
            .split_once("dynamodb:LeadingKeys:")
            .expect("the partition keys that it is for");
        let actions = words(actions)
            .into_iter()
            .filter(|word| word.starts_with("dynamodb:"));
        let patterns = words(patterns).into_iter().filter(|word| *word != "-");
        TableRights {
            actions: actions.collect(),
            patterns: patterns.collect(),
        }
    });
    rights.collect()
}

/// Returns the patterns of a function that none of these calls need, such as `read claim#*`.
///
/// # Panics
/// If the function lacks the right to make one of the calls.
pub fn unused_patterns(function: &str, calls: &[Call]) -> BTreeSet<String> {
    let rights = table_rights(function);
    let named = |right: &TableRights, pattern: &str| {
        format!(
            "{} {pattern}",
            if right.actions.contains("dynamodb:GetItem") {
                "read"
            } else {
                "write"
            }
        )
    };
    let all = rights
        .iter()
        .flat_map(|right| right.patterns.iter().map(|pattern| named(right, pattern)));
    let mut unused: BTreeSet<String> = all.collect();
    for (action, key) in calls.iter().flat_map(items) {
        let of_action = rights
            .iter()
            .filter(|right| right.actions.contains(&action));
        let matching: Vec<String> = of_action
            .flat_map(|right| {
                right
                    .patterns
                    .iter()
                    .filter(|pattern| matches(pattern, &key))
                    .map(|it| named(right, it))
            })
            .collect();
        assert!(
            !matching.is_empty(),
            "{function} needs {action} on {key}, which infra/template.yaml does not allow"
        );
        unused.retain(|pattern| !matching.contains(pattern));
    }
    unused
}

fn matches(pattern: &str, key: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == key, |prefix| key.starts_with(prefix))
}

/// Returns the actions of a call with their partition keys.
fn items(
    Call {
        operation, request, ..
    }: &Call,
) -> Vec<(String, String)> {
    let one = |operation: &str, key: &Value| {
        (
            format!("dynamodb:{operation}"),
            key["pk"]["S"].as_str().expect("a partition key").to_owned(),
        )
    };
    match operation.as_str() {
        "GetItem" | "UpdateItem" | "DeleteItem" => vec![one(operation, &request["Key"])],
        "PutItem" => vec![one(operation, &request["Item"])],
        "BatchGetItem" => {
            let tables = request["RequestItems"]
                .as_object()
                .expect("tables")
                .values();
            let keys = tables.flat_map(|table| table["Keys"].as_array().expect("keys"));
            keys.map(|key| one(operation, key)).collect()
        }
        "Query" if request["IndexName"].is_null() => {
            vec![one(
                operation,
                &serde_json::json!({"pk": request["ExpressionAttributeValues"][":pk"]}),
            )]
        }
        "TransactWriteItems" => {
            let writes = request["TransactItems"].as_array().expect("writes").iter();
            let writes = writes.filter_map(Value::as_object).flatten();
            let key = |write: &Value| {
                if write["Item"].is_null() {
                    write["Key"].clone()
                } else {
                    write["Item"].clone()
                }
            };
            writes
                .map(|(kind, write)| one(&format!("{kind}Item"), &key(write)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the rights that calls need.
///
/// # Panics
/// If a call does not have the form that the SDK uses.
pub fn taken(calls: &[Call]) -> Rights {
    calls.iter().flat_map(taken_by).collect()
}

fn taken_by(
    Call {
        operation, request, ..
    }: &Call,
) -> Vec<(String, String)> {
    let one = |service: &str, action: &str, resource: &str| {
        vec![(format!("{service}:{action}"), resource.to_owned())]
    };
    match operation.as_str() {
        // Each write requires the right of its own operation.
        "TransactWriteItems" => {
            let writes = request["TransactItems"].as_array().expect("writes").iter();
            let kinds = writes
                .filter_map(Value::as_object)
                .flat_map(|write| write.keys());
            kinds
                .flat_map(|kind| one("dynamodb", &format!("{kind}Item"), "Table"))
                .collect()
        }
        "Query" if request["IndexName"].is_string() => one("dynamodb", "Query", "listing"),
        "SendMessage"
        | "SendMessageBatch"
        | "ChangeMessageVisibilityBatch"
        | "ReceiveMessage"
        | "DeleteMessage" => {
            let queue = request["QueueUrl"]
                .as_str()
                .and_then(|url| url.rsplit('/').next())
                .expect("a queue");
            one(
                "sqs",
                operation.trim_end_matches("Batch"),
                &format!("{queue}Queue"),
            )
        }
        operation if operation.contains("Secret") => one("secretsmanager", operation, "Keyring"),
        operation => one("dynamodb", operation, "Table"),
    }
}
