//! Invariants of the table after every change.

use std::collections::{BTreeMap, BTreeSet};

use domain::credential::{Credential, Grant, Status};
use jiff::Timestamp;
use platform::{
    clock,
    table::{Key, pagination::PageRequest, users::StoredUser},
};
use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Kinds of items that the table may contain.
const KINDS: [&str; 9] = [
    "user",
    "name",
    "credential",
    "token",
    "live-admins",
    "reminders",
    "audit",
    "admin",
    "claim",
];

/// Checks that all items follow from the credentials and users, and that there are no others.
pub(crate) async fn check(fixture: &Fixture, now: Timestamp) {
    let all = PageRequest::new(None, 1_000);
    let credentials = fixture.table().credentials(&all).await.expect("read").items;
    let users = fixture.table().users(&all).await.expect("read").items;
    let items: BTreeMap<(String, String), Value> = {
        let state = fixture.fake.state();
        state
            .table
            .items()
            .iter()
            .map(|(key, item)| (key.clone(), json!(item)))
            .collect()
    };
    let partition = |pk: &str| -> BTreeSet<String> {
        items
            .keys()
            .filter(|(of, _)| of == pk)
            .map(|(_, sk)| sk.clone())
            .collect()
    };
    for (pk, _) in items.keys() {
        let kind = pk.split('#').next().unwrap_or_default();
        assert!(KINDS.contains(&kind), "{pk}");
    }

    let lasting = credentials
        .iter()
        .filter(|one| one.is_permanent_admin())
        .map(|one| one.id.to_string());
    assert_eq!(
        partition("live-admins"),
        lasting.collect(),
        "the admins without an end"
    );

    let place =
        |credential: &Credential| Key::reminder(credential.next_reminder_at(), credential.id).sk;
    let with = |status| {
        credentials
            .iter()
            .filter(move |credential| credential.status(now) == status)
    };
    let (active, expired): (BTreeSet<_>, BTreeSet<_>) = (
        with(Status::Active).map(place).collect(),
        with(Status::Expired).map(place).collect(),
    );
    let reminders = partition("reminders");
    assert!(
        active.is_subset(&reminders),
        "{active:?} must be among the reminders {reminders:?}"
    );
    assert!(
        reminders.is_subset(&(&active | &expired)),
        "the reminders {reminders:?} contain more than {active:?}"
    );

    tokens(fixture, &items, &credentials, now).await;
    holders(&items, &credentials, &users);
}

async fn tokens(
    fixture: &Fixture,
    items: &BTreeMap<(String, String), Value>,
    credentials: &[Credential],
    now: Timestamp,
) {
    let wanted: BTreeMap<String, Grant> = credentials.iter().flat_map(Credential::grants).collect();
    let stored: Vec<&str> = items
        .keys()
        .filter_map(|(pk, _)| pk.strip_prefix("token#"))
        .collect();
    assert!(
        wanted.keys().all(|token| stored.contains(&token.as_str())),
        "{wanted:?} are not all among {stored:?}"
    );
    for token in stored {
        let item = &items[&(format!("token#{token}"), "token".to_owned())];
        let Some((grant, _)) = clock::at(now, fixture.table().grant(token, None))
            .await
            .expect("read")
        else {
            let swept = item["expires_at"]["N"]
                .as_str()
                .and_then(|at| at.parse::<i64>().ok());
            assert!(
                swept.is_some_and(|at| at <= now.as_second()),
                "{token} has not expired"
            );
            continue;
        };
        // Items that never expire must have no TTL.
        assert_eq!(
            grant.expires_at.is_some(),
            item["expires_at"]["N"].is_string(),
            "{token}"
        );
        match wanted.get(token) {
            Some(wanted) => assert_eq!(
                &Grant {
                    used_at: None,
                    ..grant
                },
                wanted,
                "{token}"
            ),
            None => assert!(!grant.is_live(now), "{token} still counts"),
        }
    }
}

fn holders(
    items: &BTreeMap<(String, String), Value>,
    credentials: &[Credential],
    users: &[StoredUser],
) {
    for StoredUser {
        user,
        credentials: count,
        ..
    } in users
    {
        let held = credentials
            .iter()
            .filter(|credential| credential.settings.user_id == user.id)
            .count();
        assert_eq!(
            usize::try_from(*count).expect("few"),
            held,
            "{}",
            user.settings.name
        );
    }
    let known: BTreeSet<_> = users.iter().map(|holder| holder.user.id).collect();
    assert!(
        credentials
            .iter()
            .all(|credential| known.contains(&credential.settings.user_id)),
        "the owner does not exist"
    );
    let names: BTreeMap<String, String> = users
        .iter()
        .map(|StoredUser { user, .. }| {
            (
                Key::name("user", &user.settings.name).pk,
                user.id.to_string(),
            )
        })
        .collect();
    let stored: BTreeMap<String, String> = items
        .iter()
        .filter(|((pk, _), _)| pk.starts_with("name#user#"))
        .map(|((pk, _), item)| {
            (
                pk.clone(),
                item["id"]["S"].as_str().expect("an id").to_owned(),
            )
        })
        .collect();
    assert_eq!(stored, names, "the names");
}
