use super::*;

fn failing_row(policy: &RetryPolicy) -> Delivery {
    Delivery {
        stops: Some(DisabledReason::Failing),
        hops: 2,
        ..settle(None, &first_task(), &failed(500), policy, at(1))
    }
}

#[test]
fn row_has_its_first_attempt_if_it_is_small_or_succeeded() {
    let delivered = Outcome::Delivered { code: 200 };
    for (number, outcome, bytes, stored) in [
        (1, failed(500), 512, true),
        (1, failed(500), 513, false),
        (1, delivered.clone(), 513, true),
        (2, failed(500), 1, false),
        (2, delivered, 1, false),
    ] {
        let attempt = Attempt {
            response_body: Some("x".repeat(bytes)),
            ..attempt(number, at(1), &outcome)
        };
        let task = DeliveryTask {
            attempt: request(number, "t"),
            ..first_task()
        };
        let made = CompletedAttempt {
            task: &task,
            event_type: &kind("message"),
            attempt: &attempt,
            outcome: &outcome,
            stops: None,
        };
        let record = |before| {
            let policy = RetryPolicy::default();
            Delivery::record_attempt(before, &made, &policy, at(1), "next".to_owned()).first_attempt
        };
        let stored = stored.then(|| attempt.clone());
        assert_eq!(record(None), stored, "{number} {outcome:?} {bytes}");
        let before = failing_row(&RetryPolicy::default());
        assert_eq!(record(Some(before.clone())), before.first_attempt);
    }
}

#[test]
fn cancelled_row_waits_for_no_task() {
    let task = DeliveryTask {
        hops: 2,
        ..first_task()
    };
    let cancelled = |row: Delivery| row.cancelled(Cancellation::Disabled, at(3));
    let fresh = Delivery {
        id: id(),
        event_type: kind("message"),
        status: Status::Cancelled,
        queued_at: at(0),
        schedule: Chain {
            first_number: 1,
            started_at: None,
        },
        progress: Progress::default(),
        last_error: None,
        stops: None,
        cancelled: Some(Cancellation::Disabled),
        first_attempt: None,
        hops: 2,
        updated_at: at(3),
    };
    let new = Delivery::new(&task, &kind("message"), at(2));
    assert_eq!(cancelled(new), fresh);
    let (retried, task) = fresh.manual_retry(0, at(4), "manual".to_owned());
    assert_eq!(task.attempt, request(1, "manual"));
    assert_eq!(retried.cancelled, None);
    let mut row = failing_row(&RetryPolicy::default());
    let after = cancelled(row.clone());
    row.progress.awaited = None;
    (row.status, row.updated_at) = (Status::Cancelled, at(3));
    row.cancelled = Some(Cancellation::Disabled);
    assert_eq!(after, row);
}

#[test]
fn manual_retry_starts_a_new_chain() {
    // Sent before its row is written, the task replaces the awaited one.
    for (policy, hops, larger_hops, replaces, early) in [
        (RetryPolicy::default(), 1, 2, Some("t2"), Arrival::Attempt),
        (RetryPolicy::None, 3, 3, None, Arrival::Stale),
    ] {
        let row = failing_row(&policy);
        let (after, task) = row.clone().manual_retry(hops, at(10), "manual".to_owned());
        assert_eq!(arrive(Some(&row), &task), early);
        assert_eq!(arrive(Some(&after), &task), Arrival::Attempt);
        let id = request(2, "manual").id;
        let expected = Delivery {
            status: Status::Retrying,
            queued_at: at(10),
            schedule: Chain {
                first_number: 2,
                started_at: None,
            },
            progress: Progress {
                awaited: Some(NextAttempt { id, due_at: at(10) }),
                ..row.progress.clone()
            },
            stops: None,
            hops: larger_hops,
            updated_at: at(10),
            ..row
        };
        assert_eq!(after, expected);
        let expected = DeliveryTask {
            attempt: AttemptRequest {
                replaces: replaces.map(str::to_owned),
                ..request(2, "manual")
            },
            queued_at: at(10),
            hops: larger_hops,
            ..first_task()
        };
        assert_eq!(task, expected);
    }
}

#[test]
fn manual_retry_ends_older_chain() {
    let policy = RetryPolicy::Custom {
        delays_seconds: vec![10, 100],
    };
    let row = failing_row(&policy);
    let older = row.awaited_task().expect("a retry");
    let (row, task) = row.manual_retry(0, at(10), "manual".to_owned());
    assert_eq!(arrive(Some(&row), &older), Arrival::Stale);
    // The schedule starts again.
    let row = settle(Some(row), &task, &failed(500), &policy, at(20));
    let retry = DeliveryTask {
        attempt: AttemptRequest {
            due_at: Some(at(30)),
            ..request(3, "t3")
        },
        queued_at: at(10),
        hops: 2,
        ..first_task()
    };
    assert_eq!(row.awaited_task().as_ref(), Some(&retry));
    let row = settle(Some(row), &retry, &failed(500), &policy, at(30));
    let awaited = row
        .progress
        .awaited
        .map(|next| (next.id.number, next.due_at));
    assert_eq!(awaited, Some((4, at(130))));
    assert_eq!(row.first_attempt.map(|attempt| attempt.number), Some(1));
}

#[test]
fn overdue_task_is_due_now() {
    let mut row = failing_row(&RetryPolicy::default());
    let (after, task) = row
        .requeue_overdue(at(3_000), "t3".to_owned())
        .expect("awaited");
    let request = AttemptRequest {
        due_at: Some(at(3_000)),
        replaces: Some("t2".to_owned()),
        ..request(2, "t3")
    };
    row.progress.awaited = Some(NextAttempt {
        id: request.id.clone(),
        due_at: at(3_000),
    });
    row.updated_at = at(3_000);
    assert_eq!(after, row);
    let expected = DeliveryTask {
        attempt: request,
        hops: 2,
        ..first_task()
    };
    assert_eq!(task, expected);
}

#[test]
fn retention_starts_with_the_current_chain() {
    let row = failing_row(&RetryPolicy::None);
    for (queued, started, updated, from) in [
        (-2, Some(-1), 9, 0),
        (5, Some(1), 9, 5),
        (1, Some(5), 9, 5),
        (1, None, 9, 9),
    ] {
        let row = Delivery {
            queued_at: at(queued),
            schedule: Chain {
                first_number: 1,
                started_at: started.map(at),
            },
            updated_at: at(updated),
            ..row.clone()
        };
        assert_eq!(row.kept_from(), at(from));
    }
}
