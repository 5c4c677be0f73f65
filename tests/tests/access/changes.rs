//! Every change of credentials and users is one legal transaction, and derived items match it.

use domain::{
    credential::{Credential, Settings},
    scope::{Scope, Scopes},
    user::{self, User},
};
use jiff::{SignedDuration, Timestamp};
use platform::{
    clock,
    egress::Egress,
    table::{Key, WriteError, users::StoredUser},
};
use serde_json::json;
use tests::fake::system::{System, allow};

use crate::{
    fixture::{Fixture, day, entry, mark},
    invariants,
};

/// A change: its name, and a function that makes it at a given time.
type Change = (&'static str, fn(Credential, Timestamp) -> Credential);

const CHANGES: [Change; 12] = [
    ("rotate", |one, now| rotated(one, SignedDuration::ZERO, now)),
    ("rotate again", |one, now| {
        rotated(one, SignedDuration::ZERO, now)
    }),
    ("rotate with an overlap", |one, now| {
        rotated(one, SignedDuration::from_hours(72), now)
    }),
    ("rotate with an overlap within an overlap", |one, now| {
        rotated(one, SignedDuration::from_hours(72), now)
    }),
    ("change the scopes while two tokens count", |one, _| {
        with(one, |to| to.scopes = one_scope(Scope::UsersRead))
    }),
    ("rotate within an overlap", |one, now| {
        rotated(one, SignedDuration::ZERO, now)
    }),
    ("make it an admin's", |one, _| {
        with(one, |to| to.scopes = one_scope(Scope::Admin))
    }),
    ("let it end later", |one, _| {
        with(one, |to| to.expires_at = Some(day(300)))
    }),
    ("let it end never", |one, _| {
        with(one, |to| to.expires_at = None)
    }),
    ("another period", |one, _| {
        with(one, |to| to.rotate_after_days = 30)
    }),
    ("describe it", |one, _| {
        with(one, |to| "ERP".clone_into(&mut to.description))
    }),
    ("nothing", |one, _| with(one, |_| {})),
];

fn one_scope(scope: Scope) -> Scopes {
    Scopes::from_iter([scope])
}

fn with(credential: Credential, change: impl FnOnce(&mut Settings)) -> Credential {
    let mut settings = credential.settings.clone();
    change(&mut settings);
    credential.changed(settings)
}

fn rotated(credential: Credential, overlap: SignedDuration, now: Timestamp) -> Credential {
    let hash = format!("hash-{}-of-{}", credential.version, credential.id);
    credential
        .rotated(mark(hash), overlap, now)
        .expect("few overlaps")
}

async fn delete(fixture: &Fixture, credential: &Credential, now: Timestamp) {
    let before = fixture.stored(credential.id).await;
    let other = fixture
        .table()
        .another_admin(|one| one.id == before.id)
        .await
        .expect("read");
    let other = other.filter(|_| before.is_permanent_admin());
    fixture
        .table()
        .delete_credential(&before, other, now, &entry(&before.id))
        .await
        .expect("deleted");
}

#[tokio::test]
async fn credential_changes_keep_the_invariants() {
    for scope in [Scope::EventsWrite, Scope::Admin] {
        let fixture = Fixture::new().await;
        fixture
            .credential(&fixture.user, &[Scope::Admin], day(0))
            .await;
        let one = fixture.credential(&fixture.user, &[scope], day(0)).await;
        invariants::check(&fixture, day(0)).await;
        for (name, change) in CHANGES {
            eprintln!("{name}, {scope:?}");
            let now = fixture.stored(one.id).await.rotated_at.unwrap_or(day(0))
                + SignedDuration::from_hours(1);
            fixture.change(one.id, now, |one| change(one, now)).await;
            invariants::check(&fixture, now).await;
        }
        fixture
            .change(one.id, day(10), |one| {
                rotated(one, SignedDuration::from_hours(72), day(10))
            })
            .await;
        let revoked = fixture
            .change(one.id, day(11), |one| one.revoked(day(11)))
            .await;
        invariants::check(&fixture, day(11)).await;
        assert!(revoked.grants().is_empty());
        fixture
            .change(one.id, day(12), |one| one.revoked(day(12)))
            .await;
        invariants::check(&fixture, day(12)).await;
        delete(&fixture, &one, day(13)).await;
        invariants::check(&fixture, day(13)).await;
        let two = fixture.credential(&fixture.user, &[scope], day(14)).await;
        delete(&fixture, &two, day(14)).await;
        invariants::check(&fixture, day(14)).await;
    }
}

#[tokio::test]
async fn expired_admin_changes_keep_the_invariants() {
    let fixture = Fixture::new().await;
    let one = fixture
        .credential(&fixture.user, &[Scope::Admin], day(0))
        .await;
    fixture
        .change(one.id, day(1), |one| {
            with(one, |to| to.expires_at = Some(day(2)))
        })
        .await;
    fixture
        .change(one.id, day(3), |one| {
            with(one, |to| "ERP".clone_into(&mut to.description))
        })
        .await;
    invariants::check(&fixture, day(3)).await;
    fixture
        .change(one.id, day(4), |one| {
            with(one, |to| to.expires_at = Some(day(6)))
        })
        .await;
    invariants::check(&fixture, day(4)).await;
    delete(&fixture, &one, day(7)).await;
    invariants::check(&fixture, day(7)).await;
}

#[tokio::test]
async fn stale_change_is_rejected() {
    let fixture = Fixture::new().await;
    let before = fixture
        .credential(&fixture.user, &[Scope::Admin], day(0))
        .await;
    fixture
        .change(before.id, day(1), |one| {
            with(one, |to| to.rotate_after_days = 30)
        })
        .await;
    let after = before.clone().revoked(day(1));
    let refused = fixture
        .table()
        .update_credential(&before, &after, None, day(1), Some(&entry(&after.id)))
        .await;
    assert!(matches!(refused, Err(WriteError::Changed)));
    let refused = fixture
        .table()
        .delete_credential(&before, None, day(1), &entry(&before.id))
        .await;
    assert!(matches!(refused, Err(WriteError::Changed)));
    invariants::check(&fixture, day(1)).await;
}

#[tokio::test]
async fn concurrent_change_keeps_the_last_use() {
    let fixture = Fixture::new().await;
    let one = fixture
        .credential(&fixture.user, &[Scope::EventsWrite], day(0))
        .await;
    let token = one.token.clone().expect("a token");
    fixture
        .table()
        .record_token_use(&token, day(1))
        .await
        .expect("recorded");
    fixture
        .table()
        .record_token_use("a guess", day(1))
        .await
        .expect("nothing to note");
    fixture
        .change(one.id, day(2), |one| {
            rotated(one, SignedDuration::from_hours(72), day(2))
        })
        .await;
    let stored = fixture.stored(one.id).await;
    let uses = clock::at(day(2), fixture.table().last_uses(&[stored]))
        .await
        .expect("read");
    assert_eq!(uses.get(&one.id), Some(&day(1)));
    invariants::check(&fixture, day(2)).await;
}

async fn change_user(
    fixture: &Fixture,
    user: &User,
    change: impl FnOnce(&mut user::Settings),
) -> Result<(), WriteError> {
    let before: StoredUser = fixture.holder(user).await;
    let mut settings = before.user.settings.clone();
    change(&mut settings);
    let after = before.user.clone().changed(settings, day(1));
    let others = fixture
        .table()
        .another_admin(|one| one.settings.user_id == user.id)
        .await
        .expect("read");
    let other = others.filter(|_| !after.settings.active);
    clock::at(
        day(1),
        fixture
            .table()
            .update_user(&before, &after, other, &entry(&after.id)),
    )
    .await
}

#[tokio::test]
async fn user_changes_keep_the_invariants() {
    let fixture = Fixture::new().await;
    let eve = fixture.user("Eve").await;
    fixture
        .credential(&fixture.user, &[Scope::Admin], day(0))
        .await;
    let held = fixture.credential(&eve, &[Scope::Admin], day(0)).await;
    invariants::check(&fixture, day(0)).await;
    for name in ["Evi", "EVI", "evi", "Ève"] {
        change_user(&fixture, &eve, |to| name.clone_into(&mut to.name))
            .await
            .expect(name);
        invariants::check(&fixture, day(1)).await;
    }
    let taken = change_user(&fixture, &eve, |to| "ANA".clone_into(&mut to.name)).await;
    assert!(matches!(taken, Err(WriteError::NameTaken(_))));
    change_user(&fixture, &eve, |to| to.active = false)
        .await
        .expect("deactivated");
    invariants::check(&fixture, day(1)).await;
    delete(&fixture, &held, day(1)).await;
    let holder = fixture.holder(&eve).await;
    fixture
        .table()
        .delete_user(&holder, &entry(&eve.id))
        .await
        .expect("deleted");
    invariants::check(&fixture, day(1)).await;
    let gone = crate::fixture::credential(&eve, &[Scope::EventsWrite], day(1));
    let refused = fixture
        .table()
        .create_credential(&gone, day(1), &entry(&gone.id))
        .await;
    assert!(matches!(refused, Err(WriteError::Changed)));
    let free = fixture.user("ÈVE").await;
    assert_eq!(fixture.holder(&free).await.credentials, 0);
    invariants::check(&fixture, day(1)).await;
}

#[tokio::test]
async fn user_switch_conflicts_with_a_credential_that_gained_a_scope() {
    let fixture = Fixture::new().await;
    let eve = fixture.user("Eve").await;
    let one = fixture
        .credential(&eve, &[Scope::EventsWrite], day(0))
        .await;
    fixture
        .credential(&fixture.user, &[Scope::Admin], day(0))
        .await;
    for (scopes, refused) in [
        (vec![Scope::EventsWrite, Scope::Admin], true),
        (vec![Scope::EventsWrite], false),
    ] {
        let before = fixture.holder(&eve).await;
        fixture
            .change(one.id, day(1), |one| {
                with(one, |to| to.scopes = scopes.iter().copied().collect())
            })
            .await;
        let settings = user::Settings {
            name: format!("Eve {refused}"),
            ..before.user.settings.clone()
        };
        let after = before.user.clone().changed(settings, day(1));
        let switched = fixture
            .table()
            .update_user(&before, &after, None, &entry(&eve.id))
            .await;
        assert_eq!(
            matches!(switched, Err(WriteError::Changed)),
            refused,
            "{scopes:?}: {switched:?}"
        );
        invariants::check(&fixture, day(1)).await;
    }
}

#[tokio::test]
async fn webhook_rename_replaces_its_claimed_name() {
    let system = System::new(&Egress::new(allow())).await;
    let webhook = system.webhook("hook", json!({})).await;
    for name in ["HOOK", "Hook", "other"] {
        let settings = domain::webhook::Settings {
            name: name.to_owned(),
            ..webhook.settings.clone()
        };
        system
            .change(webhook.id, |webhook, now| webhook.changed(settings, now))
            .await;
        let state = system.fake.state();
        let names: Vec<&String> = state
            .table
            .items()
            .keys()
            .map(|(pk, _)| pk)
            .filter(|pk| pk.starts_with("name#"))
            .collect();
        assert_eq!(names, [&Key::name("webhook", name).pk]);
    }
}
