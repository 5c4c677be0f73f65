//! Properties of the template that the emulator does not enforce.

/// The template's text from one resource's name to the next.
fn resource(name: &str) -> String {
    let template =
        std::fs::read_to_string(local::root().join("infra/template.yaml")).expect("template");
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
fn only_delivery_may_send_to_the_queue_it_reads() {
    assert!(resource("DeliveryFunction").contains("\n      RecursiveLoop: Allow\n"));
    for function in [
        "ConfigApiFunction",
        "InboundFunction",
        "DispatchFunction",
        "RotationFunction",
        "SweeperFunction",
    ] {
        assert!(!resource(function).contains("RecursiveLoop"), "{function}");
    }
}

#[test]
fn unprocessable_messages_are_dead_lettered() {
    for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
        let text = resource(queue);
        for line in [
            "RedrivePolicy:",
            "deadLetterTargetArn: !GetAtt DeadQueue.Arn",
            "maxReceiveCount: 200",
        ] {
            assert!(text.contains(line), "{queue}: {line}");
        }
        assert!(text.contains("SqsManagedSseEnabled: true"), "{queue}");
    }
    assert!(resource("DeadLettersAlarm").contains("DeadQueue.QueueName"));
}

#[test]
fn batches_report_failures_per_message() {
    for mapping in [
        "EventsToDispatch",
        "DeliveriesToDelivery",
        "RetriesToDelivery",
    ] {
        assert!(
            resource(mapping).contains("FunctionResponseTypes: [ReportBatchItemFailures]"),
            "{mapping}"
        );
    }
}

#[test]
fn irreplaceable_resources_are_retained() {
    for kept in [
        "Table",
        "Keyring",
        "EventsQueue",
        "DeliveriesQueue",
        "RetriesQueue",
        "DeadQueue",
    ] {
        let text = resource(kept);
        assert!(
            text.contains("DeletionPolicy: Retain") && text.contains("UpdateReplacePolicy: Retain"),
            "{kept}"
        );
    }
    let table = resource("Table");
    for line in [
        "AttributeName: expires_at",
        "DeletionProtectionEnabled: true",
        "PointInTimeRecoveryEnabled: true",
        "SSEEnabled: true",
    ] {
        assert!(table.contains(line), "{line}");
    }
}

#[test]
fn queues_take_the_largest_message_and_wait_for_six_timeouts() {
    for queue in ["EventsQueue", "DeliveriesQueue", "RetriesQueue"] {
        let text = resource(queue);
        assert!(text.contains("MaximumMessageSize: 1048576"), "{queue}");
        assert!(
            text.contains(
                "VisibilityTimeout: !FindInMap [VisibilityTimeout, !Ref WorkerTimeout, Seconds]"
            ),
            "{queue}"
        );
    }
    let timeouts: Vec<u32> = numbers(
        resource("WorkerTimeout")
            .lines()
            .find(|line| line.contains("AllowedValues")),
    );
    let mapped: Vec<Vec<u32>> = resource("VisibilityTimeout")
        .lines()
        .map(|line| numbers(Some(line)))
        .collect();
    let expected: Vec<Vec<u32>> = timeouts
        .iter()
        .map(|seconds| vec![*seconds, 6 * seconds])
        .collect();
    assert_eq!(
        mapped
            .into_iter()
            .filter(|pair| !pair.is_empty())
            .collect::<Vec<_>>(),
        expected
    );
}

fn numbers(line: Option<&str>) -> Vec<u32> {
    let words = line
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn failed_scheduled_runs_are_dead_lettered() {
    for (function, schedule) in [
        ("RotationFunction", "Reminders"),
        ("SweeperFunction", "Sweep"),
    ] {
        for name in [function, schedule] {
            let text = resource(name);
            for setting in [
                "MaximumRetryAttempts: ",
                "MaximumEventAgeInSeconds: ",
                "!GetAtt DeadQueue.Arn",
            ] {
                assert!(text.contains(setting), "{name}: {setting}");
            }
        }
    }
}

#[test]
fn errors_of_every_function_raise_an_alarm() {
    for function in [
        "ConfigApi",
        "Inbound",
        "Dispatch",
        "Delivery",
        "Rotation",
        "Sweeper",
    ] {
        let filter = resource(&format!("{function}ErrorLines"));
        assert!(
            filter.contains(&format!("LogGroupName: !Ref {function}Logs")),
            "{function}"
        );
        assert!(
            filter.contains(r#"FilterPattern: '{ $.level = "ERROR" }'"#),
            "{function}"
        );
        let alarm = resource(&format!("{function}ErrorsAlarm"));
        assert!(
            alarm.contains(&format!("MetricName: {function}ErrorLines")),
            "{function}"
        );
        assert!(
            alarm.contains(&format!("Value: !Ref {function}Function")),
            "{function}"
        );
        assert!(
            resource("ThrottlesAlarm").contains(&format!("Value: !Ref {function}Function")),
            "{function}"
        );
    }
}
