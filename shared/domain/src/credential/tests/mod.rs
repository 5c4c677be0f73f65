mod reminders;
mod settings;
mod tokens;

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
        hint: format!("abc{number}"),
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
fn status_decides_admin_rights_and_overdue_rotation() {
    let admin = |end: Option<i64>| json!({"scopes": ["admin"], "expires_at": end.map(day)});
    let revoked = |change: &Value| credential(change).revoked(day(0));
    // On day 90, when rotation is due: live admin, permanent admin, and overdue.
    for (credential, expected) in [
        (credential(&json!({})), [false, false, true]),
        (credential(&admin(None)), [true, true, true]),
        (credential(&admin(Some(91))), [true, false, true]),
        (credential(&admin(Some(90))), [false; 3]),
        (revoked(&admin(None)), [false; 3]),
    ] {
        let now = day(90);
        let found = [
            credential.is_live_admin(now),
            credential.is_permanent_admin(),
            credential.is_overdue(now),
        ];
        assert_eq!(found, expected, "{credential:?}");
        assert!(!credential.is_overdue(day(89)));
    }
}

#[test]
fn changes_keep_all_other_fields() {
    let before = Credential {
        previous: vec![("hash-0".to_owned(), day(4))],
        created_by: Some(user()),
        rotated_at: Some(day(1)),
        last_used_at: Some(day(2)),
        ..credential(&json!({}))
    };
    let reminder = before.reminder(day(91)).expect("due");
    let before = before.reminded(reminder);
    let changed = |days| Settings {
        description: "ERP".to_owned(),
        rotate_after_days: days,
        ..before.settings.clone()
    };
    let next = || Credential {
        version: 3,
        ..before.clone()
    };
    let revoked = Credential {
        token: None,
        previous: Vec::new(),
        revoked_at: Some(day(3)),
        ..next()
    };
    for (after, expected) in [
        (
            before.clone().reissued(token(2), day(3)),
            Credential {
                token: Some("hash-2".to_owned()),
                token_hint: "abc2".to_owned(),
                previous: Vec::new(),
                rotated_at: Some(day(3)),
                reminded: None,
                ..next()
            },
        ),
        (before.clone().revoked(day(3)), revoked.clone()),
        (
            revoked.clone().revoked(day(4)),
            Credential {
                version: 4,
                ..revoked
            },
        ),
        (
            before.clone().changed(changed(ROTATE_AFTER_DAYS)),
            Credential {
                settings: changed(ROTATE_AFTER_DAYS),
                ..next()
            },
        ),
        (
            before.clone().changed(changed(30)),
            Credential {
                settings: changed(30),
                reminded: None,
                ..next()
            },
        ),
    ] {
        assert_eq!(after, expected);
    }
    assert_eq!((before.version, before.reminded), (2, Some(reminder)));
}
