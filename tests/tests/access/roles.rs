//! The rights that the template grants a function.

use tests::rights::{Rights, allowed};

fn rights(lines: &[(&str, &str, &str)]) -> Rights {
    let right = |service: &str, action: &str, resource: &str| {
        (format!("{service}:{action}"), resource.to_owned())
    };
    let of_line = |(service, actions, resources): &(&str, &str, &str)| -> Vec<_> {
        let each = |action: &str| {
            resources
                .split(' ')
                .map(|name| right(service, action, name))
                .collect::<Vec<_>>()
        };
        actions.split(' ').flat_map(each).collect()
    };
    lines.iter().flat_map(of_line).collect()
}

#[test]
fn functions_use_exactly_the_rights_of_their_roles() {
    let consume = "ChangeMessageVisibility ReceiveMessage DeleteMessage GetQueueAttributes";
    for (function, lines) in [
        (
            "InboundFunction",
            [
                ("dynamodb", "GetItem BatchGetItem PutItem", "Table"),
                ("sqs", "SendMessage", "EventsQueue DeliveriesQueue"),
                ("secretsmanager", "GetSecretValue", "Keyring"),
            ]
            .as_slice(),
        ),
        (
            "DispatchFunction",
            &[
                ("dynamodb", "GetItem PutItem Query UpdateItem", "Table"),
                ("sqs", consume, "EventsQueue"),
                (
                    "sqs",
                    "SendMessage",
                    "DeliveriesQueue RetriesQueue DeadQueue",
                ),
            ],
        ),
        (
            "DeliveryFunction",
            &[
                (
                    "dynamodb",
                    "BatchGetItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem",
                    "Table",
                ),
                ("sqs", consume, "DeliveriesQueue RetriesQueue"),
                ("sqs", "SendMessage", "RetriesQueue EventsQueue DeadQueue"),
                ("secretsmanager", "GetSecretValue", "Keyring"),
            ],
        ),
        (
            "RotationFunction",
            &[
                (
                    "dynamodb",
                    "BatchGetItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem",
                    "Table",
                ),
                ("sqs", "SendMessage", "EventsQueue"),
                (
                    "secretsmanager",
                    "DescribeSecret GetSecretValue PutSecretValue UpdateSecretVersionStage",
                    "Keyring",
                ),
            ],
        ),
        (
            "SweeperFunction",
            &[
                ("dynamodb", "Query", "listing"),
                ("dynamodb", "GetItem BatchGetItem PutItem", "Table"),
                (
                    "sqs",
                    "SendMessage",
                    "EventsQueue DeliveriesQueue RetriesQueue",
                ),
                (
                    "sqs",
                    "ChangeMessageVisibility ReceiveMessage DeleteMessage",
                    "DeadQueue",
                ),
            ],
        ),
    ] {
        assert_eq!(allowed(function), rights(lines), "{function}");
    }
}
