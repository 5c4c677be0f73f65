//! Creation of the first admin, and its replacement.

use std::collections::BTreeSet;

use domain::{
    credential::Status,
    id::{CredentialId, UserId},
    scope::Scope,
    user::User,
};
use jiff::Timestamp;
use platform::{clock, random};
use rotation::{Admin, Request, Response, RotationError};
use tests::rights::unused_patterns;

use crate::{
    fixture::{Fixture, day, entry},
    invariants,
};

async fn bootstrap(
    fixture: &Fixture,
    reissue: bool,
    now: Timestamp,
) -> Result<Admin, RotationError> {
    match clock::at(
        now,
        rotation::handle(&fixture.app, Request::Bootstrap { reissue }),
    )
    .await?
    {
        Response::Admin(admin) => Ok(admin),
        response => panic!("{response:?} is no admin"),
    }
}

/// Whether a token is valid at a time.
async fn counts(fixture: &Fixture, admin: &Admin, now: Timestamp) -> bool {
    let hash = fixture
        .app
        .keys
        .get()
        .await
        .expect("a keyring")
        .token_key(&admin.token);
    let read = async |likely: Option<UserId>| {
        let found = clock::at(now, fixture.table().grant(&hash, likely)).await;
        let (grant, holder) = found.expect("read").expect("a grant");
        (grant, holder.expect("a user"))
    };
    let (grant, holder) = read(None).await;
    // Another user than the expected one: the token's row decides.
    for likely in [grant.user, random::id()] {
        let (same, user) = read(Some(likely)).await;
        assert_eq!((same.user, user.user.id), (grant.user, grant.user));
    }
    assert_eq!(grant.user.to_string(), admin.user_id);
    grant.is_live(now) && holder.user.settings.active && grant.scopes.grants(Scope::Admin)
}

fn id(admin: &Admin) -> CredentialId {
    admin.credential_id.parse().expect("an id")
}

#[tokio::test]
async fn second_bootstrap_is_rejected_and_reissue_revokes_the_old_token() {
    let fixture = Fixture::new().await;
    let first = bootstrap(&fixture, false, day(0)).await.expect("made");
    assert!(counts(&fixture, &first, day(0)).await);
    invariants::check(&fixture, day(0)).await;
    assert!(matches!(
        bootstrap(&fixture, false, day(1)).await,
        Err(RotationError::Exists)
    ));
    invariants::check(&fixture, day(1)).await;
    let second = bootstrap(&fixture, true, day(1)).await.expect("reissued");
    assert_eq!(
        (&second.credential_id, &second.user_id),
        (&first.credential_id, &first.user_id)
    );
    assert!(counts(&fixture, &second, day(1)).await && !counts(&fixture, &first, day(1)).await);
    invariants::check(&fixture, day(1)).await;
}

#[tokio::test]
async fn bootstrap_uses_exactly_the_rights_of_its_role() {
    let fixture = Fixture::new().await;
    fixture.fake.state().calls.clear();
    bootstrap(&fixture, false, day(0)).await.expect("made");
    bootstrap(&fixture, true, day(1)).await.expect("reissued");
    let remind = Request::Remind {
        now: day(91).to_string(),
    };
    clock::at(day(91), rotation::handle(&fixture.app, remind))
        .await
        .expect("reminded");
    let calls = fixture.fake.state().calls.clone();
    assert_eq!(unused_patterns("RotationFunction", &calls), BTreeSet::new());
}

#[tokio::test]
async fn concurrent_bootstraps_create_one_admin() {
    let fixture = Fixture::new().await;
    fixture.app.keys.bootstrap().await.expect("a keyring");
    let call = || Box::pin(bootstrap(&fixture, false, day(0)));
    let both = futures::future::join(call(), call()).await;
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    invariants::check(&fixture, day(0)).await;
}

#[tokio::test]
async fn reissue_replaces_an_expired_credential() {
    let fixture = Fixture::new().await;
    let first = bootstrap(&fixture, false, day(0)).await.expect("made");
    // Another admin first revokes it, then deletes its replacement.
    fixture
        .credential(&fixture.user, &[Scope::Admin], day(0))
        .await;
    fixture
        .change(id(&first), day(1), |one| one.revoked(day(1)))
        .await;
    let second = bootstrap(&fixture, true, day(2)).await.expect("reissued");
    assert_ne!(second.credential_id, first.credential_id);
    assert!(counts(&fixture, &second, day(2)).await && !counts(&fixture, &first, day(2)).await);
    assert_eq!(
        fixture.stored(id(&first)).await.status(day(2)),
        Status::Revoked
    );
    invariants::check(&fixture, day(2)).await;
    let stored = fixture.stored(id(&second)).await;
    fixture
        .table()
        .delete_credential(&stored, None, day(3), &entry(&stored.id))
        .await
        .expect("deleted");
    let third = bootstrap(&fixture, true, day(4)).await.expect("reissued");
    assert!(counts(&fixture, &third, day(4)).await && !counts(&fixture, &second, day(4)).await);
    invariants::check(&fixture, day(4)).await;
    // The marker names the newest credential: the next reissue replaces that one's token.
    let fourth = bootstrap(&fixture, true, day(5)).await.expect("reissued");
    assert_eq!(fourth.credential_id, third.credential_id);
    invariants::check(&fixture, day(5)).await;
}

/// The audited actions on a resource, oldest first. All of them must be by the function itself.
fn actions(fixture: &Fixture, resource: &str) -> Vec<String> {
    let state = fixture.fake.state();
    let items = state.table.items().iter().filter(|((pk, _), item)| {
        pk.starts_with("audit#")
            && item["resource"]["S"] == resource
            && item["actor"]["S"] == "system"
    });
    items
        .map(|(_, item)| item["action"]["S"].as_str().expect("an action").to_owned())
        .collect()
}

#[tokio::test]
async fn bootstrap_is_audited() {
    let fixture = Fixture::new().await;
    fixture.app.keys.bootstrap().await.expect("a keyring");
    fixture.fake.state().calls.clear();
    let first = bootstrap(&fixture, false, day(0)).await.expect("made");
    assert_eq!(
        fixture.fake.counts()["TransactWriteItems"],
        1,
        "in one transaction"
    );
    assert_eq!(actions(&fixture, &first.user_id), ["user.created"]);
    assert_eq!(
        actions(&fixture, &first.credential_id),
        ["credential.created"]
    );
    bootstrap(&fixture, true, day(1)).await.expect("reissued");
    let rotated = actions(&fixture, &first.credential_id);
    assert_eq!(rotated.len(), 2);
    assert!(
        rotated.contains(&"credential.rotated".to_owned()),
        "{rotated:?}"
    );
}

#[tokio::test]
async fn reissue_replaces_a_deleted_admin() {
    let fixture = Fixture::new().await;
    let mut before = bootstrap(&fixture, false, day(0)).await.expect("made");
    // The second time, another user has taken the name.
    for at in [1, 3] {
        let stored = fixture.stored(id(&before)).await;
        fixture
            .table()
            .delete_credential(&stored, None, day(at), &entry(&stored.id))
            .await
            .expect("deleted");
        let holder = fixture
            .table()
            .user(before.user_id.parse().expect("an id"))
            .await
            .expect("read")
            .expect("a user");
        fixture
            .table()
            .delete_user(&holder, &entry(&holder.user.id))
            .await
            .expect("deleted");
        if at == 3 {
            fixture.user("ADMINISTRATOR").await;
        }
        let after = bootstrap(&fixture, true, day(at + 1))
            .await
            .expect("reissued");
        assert_ne!(after.user_id, before.user_id);
        assert!(counts(&fixture, &after, day(at + 1)).await);
        assert_eq!(actions(&fixture, &after.user_id), ["user.created"]);
        assert_eq!(
            actions(&fixture, &after.credential_id),
            ["credential.created"]
        );
        invariants::check(&fixture, day(at + 1)).await;
        before = after;
    }
    let again = bootstrap(&fixture, true, day(5)).await.expect("reissued");
    assert_eq!(again.credential_id, before.credential_id);
}

#[tokio::test]
async fn reissue_reactivates_an_inactive_admin() {
    let fixture = Fixture::new().await;
    let first = bootstrap(&fixture, false, day(0)).await.expect("made");
    let holder = fixture
        .table()
        .user(first.user_id.parse().expect("an id"))
        .await
        .expect("read")
        .expect("a user");
    let mut settings = holder.user.settings.clone();
    settings.active = false;
    let stopped: User = holder.user.clone().changed(settings, day(1));
    fixture
        .table()
        .update_user(&holder, &stopped, None, &entry(&stopped.id))
        .await
        .expect("stopped");
    assert!(!counts(&fixture, &first, day(1)).await);
    let second = bootstrap(&fixture, true, day(2)).await.expect("reissued");
    assert!(counts(&fixture, &second, day(2)).await && !counts(&fixture, &first, day(2)).await);
    invariants::check(&fixture, day(2)).await;
}
