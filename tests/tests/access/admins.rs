//! At least one admin remains, however admins remove each other's access.

use domain::{credential::Credential, scope::Scope, user::User};
use platform::table::WriteError;
use serde_json::{Value, json};
use tests::{client::Response, fake::Fake, fixture::Api};

use crate::{
    fixture::{Fixture, day, entry},
    invariants,
};

/// How one of two admins removes the other's access concurrently: both read before either writes.
#[derive(Debug, Clone, Copy)]
enum End {
    Revoke,
    Delete,
    Deactivate,
}

/// Removes the access of `victim`, whose credential was `read` earlier. The write requires that
/// `other` remains.
async fn end(
    fixture: &Fixture,
    how: End,
    victim: &User,
    read: &Credential,
) -> Result<(), WriteError> {
    let table = fixture.table();
    let other = table
        .another_admin(|one| one.settings.user_id == victim.id)
        .await
        .expect("read");
    let entry = entry(&read.id);
    let holder = fixture.holder(victim).await;
    tokio::task::yield_now().await;
    match how {
        End::Revoke => {
            table
                .update_credential(
                    read,
                    &read.clone().revoked(day(1)),
                    other,
                    day(1),
                    Some(&entry),
                )
                .await
        }
        End::Delete => table.delete_credential(read, other, day(1), &entry).await,
        End::Deactivate => {
            let mut settings = holder.user.settings.clone();
            settings.active = false;
            table
                .update_user(
                    &holder,
                    &holder.user.clone().changed(settings, day(1)),
                    other,
                    &entry,
                )
                .await
        }
    }
}

#[tokio::test]
async fn concurrent_mutual_revocation_leaves_one_admin() {
    for first in [End::Revoke, End::Delete, End::Deactivate] {
        for second in [End::Revoke, End::Delete, End::Deactivate] {
            let fixture = Fixture::new().await;
            let eve = fixture.user("Eve").await;
            let (ana, anas) = (
                &fixture.user,
                fixture
                    .credential(&fixture.user, &[Scope::Admin], day(0))
                    .await,
            );
            let eves = fixture.credential(&eve, &[Scope::Admin], day(0)).await;
            let both = futures::future::join(
                end(&fixture, first, &eve, &eves),
                end(&fixture, second, ana, &anas),
            );
            let (a, b) = both.await;
            let left = fixture
                .table()
                .another_admin(|_| false)
                .await
                .expect("read");
            assert!(left.is_some(), "{first:?} and {second:?}: {a:?} and {b:?}");
            assert!(
                a.is_ok() != b.is_ok(),
                "{first:?} and {second:?}: {a:?} and {b:?}"
            );
            invariants::check(&fixture, day(1)).await;
        }
    }
}

#[tokio::test]
async fn concurrent_revocation_of_a_users_credentials_leaves_one() {
    for deleted in [false, true] {
        let fixture = Fixture::new().await;
        let one = fixture
            .credential(&fixture.user, &[Scope::Admin], day(0))
            .await;
        let two = fixture
            .credential(&fixture.user, &[Scope::Admin], day(0))
            .await;
        let table = fixture.table();
        let other = |of: &Credential| {
            let id = of.id;
            async move {
                table
                    .another_admin(move |one| one.id == id)
                    .await
                    .expect("read")
            }
        };
        let (beside_one, beside_two) = (other(&one).await, other(&two).await);
        assert!(beside_one.is_some() && beside_two.is_some());
        let entries = (entry(&one.id), entry(&two.id));
        let ended = if deleted {
            table
                .delete_credential(&one, beside_one, day(1), &entries.0)
                .await
        } else {
            table
                .update_credential(
                    &one,
                    &one.clone().revoked(day(1)),
                    beside_one,
                    day(1),
                    Some(&entries.0),
                )
                .await
        };
        ended.expect("ended");
        let refused = table
            .delete_credential(&two, beside_two, day(1), &entries.1)
            .await;
        assert!(matches!(refused, Err(WriteError::Changed)), "{refused:?}");
        invariants::check(&fixture, day(1)).await;
    }
}

/// Every way in which the API removes an admin's access.
const ENDS: [&str; 7] = [
    "revoke",
    "delete",
    "other scopes",
    "an end",
    "an end that is near",
    "deactivate",
    "delete the user",
];

/// Applies one of [`ENDS`] to a user or to its credential.
async fn ends(api: &Api, how: &str, user: &str, credential: &str) -> Response {
    let (user, credential) = (
        format!("/v1/users/{user}"),
        format!("/v1/credentials/{credential}"),
    );
    match how {
        "revoke" => {
            api.call("POST", &format!("{credential}/revoke"), Value::Null)
                .await
        }
        "delete" => api.call("DELETE", &credential, Value::Null).await,
        "other scopes" => {
            api.call("PATCH", &credential, json!({"scopes": ["users:read"]}))
                .await
        }
        "an end" => {
            api.call(
                "PATCH",
                &credential,
                json!({"expires_at": "2999-01-01T00:00:00Z"}),
            )
            .await
        }
        "an end that is near" => {
            api.call(
                "PATCH",
                &credential,
                json!({"expires_at": day(1).to_string()}),
            )
            .await
        }
        "deactivate" => api.call("PATCH", &user, json!({"active": false})).await,
        _ => api.call("DELETE", &user, Value::Null).await,
    }
}

/// Whether an admin credential without an expiry remains.
async fn an_admin_remains(fake: &Fake) -> bool {
    tests::fake::functions::rotation(fake)
        .table
        .another_admin(|_| false)
        .await
        .expect("read")
        .is_some()
}

#[tokio::test]
async fn last_permanent_admin_can_not_be_removed() {
    let fake = Fake::default();
    let (api, first) = Api::of_admin(&fake, day(0)).await;
    // Other admin credentials exist: one that expires, one that is revoked, one of an inactive
    // user.
    let (_, ending, _) = api.admin("Eve").await;
    ends(&api, "an end", "", &ending).await.field(200, "id");
    let (_, revoked, _) = api.admin("Bob").await;
    ends(&api, "revoke", "", &revoked).await.field(200, "id");
    let (stopped, _, _) = api.admin("Joe").await;
    ends(&api, "deactivate", &stopped, "")
        .await
        .field(200, "id");
    for how in ENDS {
        let refused = ends(&api, how, &first.user_id, &first.credential_id).await;
        assert_eq!(refused.status, 409, "{how}: {}", refused.body);
    }
    assert_eq!(api.call("GET", "/v1/users", Value::Null).await.status, 200);
    assert!(an_admin_remains(&fake).await);
}

/// Anything read earlier may have changed by the time of the write, so the write itself must check.
#[tokio::test]
async fn removals_of_an_admin_check_another_in_the_same_transaction() {
    for how in ENDS.into_iter().filter(|how| *how != "delete the user") {
        let fake = Fake::default();
        let (api, _) = Api::of_admin(&fake, day(0)).await;
        let (user, credential, _) = api.admin("Eve").await;
        fake.state().calls.clear();
        assert!(
            ends(&api, how, &user, &credential).await.status < 300,
            "{how}"
        );
        assert!(checks_an_admin(&fake), "{how}");
    }
    // Another request may turn one of the user's credentials into an admin credential before the
    // write.
    let fake = Fake::default();
    let (api, _) = Api::of_admin(&fake, day(0)).await;
    let user = api
        .call("POST", "/v1/users", json!({"name": "Eve"}))
        .await
        .field(201, "id");
    fake.state().calls.clear();
    ends(&api, "deactivate", &user, "").await.field(200, "id");
    assert!(checks_an_admin(&fake));
}

/// Whether the last transaction checks that an active admin exists.
fn checks_an_admin(fake: &Fake) -> bool {
    let state = fake.state();
    let last = state
        .calls
        .iter()
        .rfind(|call| call.operation == "TransactWriteItems")
        .expect("a transaction");
    let writes = last.request["TransactItems"].as_array().expect("writes");
    let condition = |write: &Value, pk: &str| {
        let checked = ["ConditionCheck", "Update"].map(|kind| &write[kind]);
        checked.into_iter().any(|checked| {
            let key = checked["Key"]["pk"]["S"].as_str().unwrap_or_default();
            key.starts_with(pk) && checked["ConditionExpression"].is_string()
        })
    };
    ["live-admins", "user#"]
        .into_iter()
        .all(|pk| writes.iter().any(|write| condition(write, pk)))
}

#[tokio::test]
async fn concurrent_mutual_revocation_through_the_api_leaves_one_admin() {
    for one in ENDS {
        for two in ENDS {
            let fake = Fake::default();
            let (ana, first) = Api::of_admin(&fake, day(0)).await;
            let (user, credential, token) = ana.admin("Eve").await;
            let eve = ana.with_token(&token);
            let both = futures::future::join(
                ends(&ana, one, &user, &credential),
                ends(&eve, two, &first.user_id, &first.credential_id),
            );
            let (a, b) = both.await;
            assert!(
                an_admin_remains(&fake).await,
                "{one} and {two}: {} and {}",
                a.status,
                b.status
            );
            assert!(
                a.status >= 400 || b.status >= 400,
                "{one} and {two}: {} and {}",
                a.status,
                b.status
            );
        }
    }
}
