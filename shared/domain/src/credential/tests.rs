use super::*;

fn day(days: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + days * 86_400).expect("a time of this century")
}

fn user() -> UserId {
    UserId::new(day(0), 1)
}

fn settings(change: &Value) -> Validated<Settings> {
    let mut document = json!({"description": "CRM", "scopes": ["events:write"]});
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    Settings::parse(document, user(), day(0))
}

fn token(number: u32) -> TokenMark {
    TokenMark {
        hash: format!("hash-{number}"),
        hint: "abcd".to_owned(),
    }
}

fn credential(change: &Value) -> Credential {
    Credential::new(
        CredentialId::new(day(0), 2),
        settings(change).expect("valid"),
        token(1),
        None,
        day(0),
    )
}

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "description": " ", "scopes": [], "user_id": "x", "expires_at": day(-1), "rotate_after_days": 366, "x": 1,
    });
    let problems = settings(&wrong).expect_err("all invalid").0;
    let pointers: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/user_id",
            "/description",
            "/scopes",
            "/expires_at",
            "/rotate_after_days",
            "/x"
        ]
    );
}

#[test]
fn patch_keeps_owner_and_past_expiry() {
    let before = settings(&json!({"expires_at": day(5)})).expect("valid");
    assert_eq!(
        before.patched(before.to_value(), day(9)).expect("valid"),
        before
    );
    let holder = json!({"description": "x", "scopes": ["admin"], "user_id": user()});
    assert_eq!(
        before.patched(holder, day(9)).expect_err("rejected").0[0].pointer,
        "/user_id"
    );
}

#[test]
fn rotation_without_overlap_ends_all_overlaps() {
    let overlap = SignedDuration::from_hours(1);
    let first = credential(&json!({}));
    let hashes = |credential: &Credential| {
        credential
            .grants()
            .into_iter()
            .map(|(hash, _)| hash)
            .collect::<Vec<_>>()
    };
    let rotate =
        |credential: &Credential, n, overlap, at| credential.clone().rotated(token(n), overlap, at);
    let second = rotate(&first, 2, overlap * 24, day(1)).expect("rotated");
    assert_eq!(hashes(&second), ["hash-2", "hash-1"]);
    let third = rotate(&second, 3, overlap, day(1)).expect("rotated");
    let fourth = rotate(&third, 4, overlap * 48, day(1)).expect("rotated");
    assert_eq!(hashes(&fourth), ["hash-4", "hash-3", "hash-2", "hash-1"]);
    let live = |at: Timestamp| {
        fourth
            .grants()
            .iter()
            .map(|(_, grant)| grant.is_live(at))
            .collect::<Vec<_>>()
    };
    assert_eq!(live(day(1)), [true; 4]);
    assert_eq!(live(day(1) + overlap), [true, true, false, true]);
    assert_eq!(live(day(2)), [true, true, false, false]);
    assert_eq!(
        rotate(&fourth, 5, overlap, day(1)),
        Err(TooManyOverlaps(day(1) + overlap))
    );
    assert_eq!(
        hashes(&rotate(&fourth, 5, overlap, day(2)).expect("rotated")),
        ["hash-5", "hash-4", "hash-3"]
    );
    let last = rotate(&fourth, 5, SignedDuration::ZERO, day(1)).expect("rotated");
    assert_eq!(hashes(&last), ["hash-5"]);
    assert_eq!(last.rotation_due_at(), day(91));
    assert_eq!(hashes(&fourth.revoked(day(2))), Vec::<String>::new());
}

#[test]
fn rotated_token_of_an_older_row_loads() {
    let (rotated, until) = (credential(&json!({})), day(2));
    let rotated = rotated
        .rotated(token(2), SignedDuration::from_hours(48), day(0))
        .expect("rotated");
    let mut row = serde_json::to_value(&rotated).expect("a row");
    row["previous"] = json!({"token": "hash-1", "until": until});
    assert_eq!(
        serde_json::from_value::<Credential>(row).expect("a credential"),
        rotated
    );
}

#[test]
fn expiry_ends_all_tokens() {
    let ending = credential(&json!({"expires_at": day(1)}));
    let rotated = ending
        .rotated(token(2), SignedDuration::from_hours(72), day(0))
        .expect("rotated");
    assert!(
        rotated
            .grants()
            .iter()
            .all(|(_, grant)| grant.ends_at == Some(day(1)))
    );
    assert_eq!(
        (rotated.status(day(0)), rotated.status(day(1))),
        (Status::Active, Status::Expired)
    );
    assert_eq!(rotated.revoked(day(0)).status(day(1)), Status::Revoked);
}

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
            assert_eq!(event.data["days_overdue"], overdue);
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
    assert_eq!(listed(&json!({}), 95, 95), day(90), "a run that comes late");
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

#[test]
fn uses_are_recorded_every_15_minutes() {
    let (_, mut grant) = credential(&json!({})).grants().remove(0);
    assert!(grant.should_record_use(day(1)));
    grant.used_at = Some(day(1));
    assert!(!grant.should_record_use(day(1)));
    assert!(grant.should_record_use(day(1) + USE));
    assert!(grant.clone().ended(day(1)).ends_at == Some(day(1)));
}

const USE: SignedDuration = grant::USE_INTERVAL;
