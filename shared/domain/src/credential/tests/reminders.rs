use super::*;

#[test]
fn reminders_are_due_once_per_stage() {
    let mut credential = credential(&json!({}));
    for (at, kind, overdue) in [
        (82, None, 0),
        (83, Some("credential.rotation_due_soon"), 0),
        (83, None, 0),
        (89, None, 0),
        (90, Some("credential.rotation_due"), 0),
        (96, None, 0),
        (97, Some("credential.rotation_due"), 7),
        // A missed week: one reminder, not two.
        (112, Some("credential.rotation_due"), 22),
        (112, None, 0),
    ] {
        let reminder = credential.reminder(day(at));
        let event = reminder.map(|reminder| credential.reminder_event(reminder, day(at), day(at)));
        assert_eq!(
            event.as_ref().map(|event| event.kind.as_str()),
            kind,
            "day {at}"
        );
        if let (Some(reminder), Some(event)) = (reminder, event) {
            assert!(credential.next_reminder_at() <= day(at));
            assert_eq!(
                (&event.data["days_overdue"], event.hops),
                (&json!(overdue), 0)
            );
            assert_eq!(
                event.id,
                credential.reminder_event(reminder, day(at + 1), day(at)).id
            );
            credential = credential.reminded(reminder);
            assert!(credential.next_reminder_at() > day(at));
        }
    }
    let rotated = credential.clone().reissued(token(2), day(112));
    assert_eq!(
        (rotated.reminder(day(112)), rotated.next_reminder_at()),
        (None, day(112 + 83))
    );
    assert_eq!(
        credential.clone().revoked(day(113)).reminder(day(140)),
        None
    );
}

#[test]
fn reminder_id_time_is_between_token_and_now() {
    let listed = |settings: &Value, at: i64, clock: i64| {
        let credential = credential(settings);
        let reminder = credential.reminder(day(at)).expect("a reminder");
        credential
            .reminder_event(reminder, day(at), day(clock))
            .id
            .made_at()
    };
    assert_eq!(listed(&json!({}), 99, 99), day(97), "a run that comes late");
    assert_eq!(
        listed(&json!({}), 90, 3),
        day(3),
        "a run as of a time to come"
    );
    assert_eq!(
        listed(&json!({"rotate_after_days": 1}), 0, 0),
        day(0),
        "due so soon that the warning is late"
    );
}
