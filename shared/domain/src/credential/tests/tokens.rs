use super::*;

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
            .all(|(_, grant)| grant.expires_at == Some(day(1)))
    );
    assert_eq!(
        (rotated.status(day(0)), rotated.status(day(1))),
        (Status::Active, Status::Expired)
    );
    assert_eq!(rotated.revoked(day(0)).status(day(1)), Status::Revoked);
}

#[test]
fn uses_are_recorded_every_15_minutes() {
    let (_, grant) = credential(&json!({})).grants().remove(0);
    assert!(grant.should_record_use(day(1)), "the first use");
    let used = Grant {
        used_at: Some(day(1)),
        ..grant
    };
    for (seconds, expected) in [(0, false), (899, false), (900, true)] {
        let now = day(1) + SignedDuration::from_secs(seconds);
        assert_eq!(used.should_record_use(now), expected, "{seconds}");
    }
}

#[test]
fn ended_grant_never_lives_longer() {
    let grant = |change: Value| credential(&change).grants().remove(0).1;
    for (before, end) in [
        (grant(json!({})), day(3)),
        (grant(json!({"expires_at": day(2)})), day(2)),
        (grant(json!({"expires_at": day(4)})), day(3)),
    ] {
        let ended = Grant {
            expires_at: Some(end),
            ..before.clone()
        };
        assert_eq!(before.ended(day(3)), ended);
    }
}

/// Stored rows outlive releases. A name that changes would let credentials never expire.
#[test]
fn stored_form_has_fixed_names() {
    let credential = credential(&json!({"expires_at": day(9), "allowed_ips": ["203.0.113.0/24"]}));
    assert_eq!(
        serde_json::to_value(&credential).expect("a row"),
        json!({
            "id": credential.id, "description": "CRM", "scopes": ["events:write"], "user_id": user(), "ends_at": day(9),
            "rotate_after_days": 90, "allowed_ips": ["203.0.113.0/24"], "token_hint": "abc1", "token": "hash-1",
            "created_at": day(0), "version": 1,
        })
    );
    let (_, grant) = credential.grants().remove(0);
    assert_eq!(
        serde_json::to_value(&grant).expect("a row"),
        json!({
            "credential": credential.id, "user": user(), "scopes": ["events:write"], "allowed_ips": ["203.0.113.0/24"],
            "ends_at": day(9),
        })
    );
}
