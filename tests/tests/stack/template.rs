//! What the template says and the emulator does not enforce.

/// The template's text from a resource's name to the next one's.
fn resource(name: &str) -> String {
    let template = std::fs::read_to_string(local::root().join("infra/template.yaml")).expect("template");
    let block: Vec<&str> = template
        .lines()
        .skip_while(|line| *line != format!("  {name}:"))
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .collect();
    assert!(!block.is_empty(), "{name} is not in the template");
    block.join("\n")
}

#[test]
fn only_delivery_may_send_to_the_queue_that_it_reads() {
    assert!(resource("DeliveryFunction").contains("\n      RecursiveLoop: Allow\n"));
    for function in ["ConfigApiFunction", "InboundFunction", "DispatchFunction", "RotationFunction", "SweeperFunction"]
    {
        assert!(!resource(function).contains("RecursiveLoop"), "{function}");
    }
}

#[test]
fn what_no_function_can_handle_ends_in_the_dead_letters() {
    for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
        let text = resource(queue);
        for line in ["RedrivePolicy:", "deadLetterTargetArn: !GetAtt DeadQueue.Arn", "maxReceiveCount: 200"] {
            assert!(text.contains(line), "{queue}: {line}");
        }
        assert!(text.contains("SqsManagedSseEnabled: true"), "{queue}");
    }
    assert!(resource("DeadLettersAlarm").contains("DeadQueue.QueueName"));
}

#[test]
fn a_batch_fails_message_by_message() {
    for mapping in ["EventsToDispatch", "DeliveriesToDelivery", "RetriesToDelivery"] {
        assert!(resource(mapping).contains("FunctionResponseTypes: [ReportBatchItemFailures]"), "{mapping}");
    }
}

#[test]
fn what_cannot_be_had_again_outlives_the_stack() {
    for kept in ["Table", "Keyring"] {
        let text = resource(kept);
        assert!(text.contains("DeletionPolicy: Retain") && text.contains("UpdateReplacePolicy: Retain"), "{kept}");
    }
    let table = resource("Table");
    for line in ["AttributeName: expires_at", "PointInTimeRecoveryEnabled: true", "SSEEnabled: true"] {
        assert!(table.contains(line), "{line}");
    }
}
