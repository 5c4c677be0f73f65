//! An organization with users and credentials, and the rotation function.

use std::fmt::Display;

use domain::{
    audit::{Actor, Entry},
    credential::{AllowedIps, Credential, ROTATE_AFTER_DAYS, Settings, TokenMark},
    id::CredentialId,
    scope::{Scope, Scopes},
    user::{self, Role, User},
};
use jiff::{SignedDuration, Timestamp};
use platform::{
    clock, random,
    table::{Table, audit, users::StoredUser},
};
use rotation::{App, Reminded, Request, Response, RotationError};
use serde_json::Value;
use tests::fake::{
    Fake,
    functions::rotation,
    sqs::{Message, Name},
};

/// The organization, with one user.
pub(crate) struct Fixture {
    pub(crate) fake: Fake,
    pub(crate) app: App,
    pub(crate) user: User,
}

/// An event that was queued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) credential: String,
}

/// A time, in days since the organization was created.
pub(crate) fn day(days: i64) -> Timestamp {
    "2026-01-01T08:00:00Z".parse::<Timestamp>().expect("a time")
        + SignedDuration::from_hours(24 * days)
}

pub(crate) fn entry(resource: &impl Display) -> Entry {
    audit::entry(Actor::System, "test", resource, Vec::new())
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let fake = Fake::default();
        let app = rotation(&fake);
        let user = make_user(&app.table, "Ana", day(0)).await;
        Self { fake, app, user }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.app.table
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        make_user(self.table(), name, day(0)).await
    }

    pub(crate) async fn holder(&self, user: &User) -> StoredUser {
        self.table()
            .user(user.id)
            .await
            .expect("read")
            .expect("a user")
    }

    /// Creates a credential of a user with these scopes at a time.
    pub(crate) async fn credential(
        &self,
        user: &User,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Credential {
        let new = credential(user, scopes, now);
        let made = clock::at(now, async {
            self.table()
                .create_credential(&new, now, &entry(&new.id))
                .await
        });
        made.await.expect("created");
        new
    }

    pub(crate) async fn stored(&self, id: CredentialId) -> Credential {
        self.table()
            .credential(id)
            .await
            .expect("read")
            .expect("a credential")
    }

    /// Replaces a stored credential by the result of `change`.
    pub(crate) async fn change(
        &self,
        id: CredentialId,
        now: Timestamp,
        change: impl FnOnce(Credential) -> Credential,
    ) -> Credential {
        let before = self.stored(id).await;
        let after = change(before.clone());
        let changed = clock::at(now, async {
            self.table()
                .update_credential(&before, &after, None, now, Some(&entry(&id)))
                .await
        });
        changed.await.expect("changed");
        after
    }

    /// Runs the reminders as of a time.
    pub(crate) async fn try_remind(&self, now: Timestamp) -> Result<Reminded, RotationError> {
        let request = Request::Remind {
            now: now.to_string(),
        };
        match clock::at(now, rotation::handle(&self.app, request)).await? {
            Response::Reminded(reminded) => Ok(reminded),
            response => panic!("{response:?} is no response to a reminder"),
        }
    }

    /// Returns how many reminders a run as of a time sent, and how many credentials were overdue.
    pub(crate) async fn remind(&self, now: Timestamp) -> (usize, usize) {
        let Reminded { reminded, overdue } = self.try_remind(now).await.expect("reminded");
        (reminded, overdue)
    }

    /// The queued events so far, in order.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        let state = self.fake.state();
        let events = state
            .queues
            .sent()
            .iter()
            .filter(|message| message.queue == Name::Events);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        events
            .map(Message::json)
            .map(|event| Sent {
                id: text(&event["id"]),
                kind: text(&event["type"]),
                credential: text(&event["data"]["credential_id"]),
            })
            .collect()
    }
}

async fn make_user(table: &Table, name: &str, now: Timestamp) -> User {
    let settings = user::Settings {
        name: name.to_owned(),
        email: None,
        role: Role::Member,
        active: true,
    };
    let user = User::new(random::id(), settings, now);
    table
        .create_user(&user, &entry(&user.id))
        .await
        .expect("created");
    user
}

/// A credential that is not stored yet. Its ID serves as its token's hash.
pub(crate) fn credential(user: &User, scopes: &[Scope], now: Timestamp) -> Credential {
    let id: CredentialId = random::id();
    let settings = Settings {
        description: "CRM".to_owned(),
        scopes: scopes.iter().copied().collect::<Scopes>(),
        user_id: user.id,
        expires_at: None,
        rotate_after_days: ROTATE_AFTER_DAYS,
        allowed_ips: AllowedIps::default(),
    };
    Credential::new(id, settings, mark(format!("hash-of-{id}")), None, now)
}

/// A token with this keyed hash.
pub(crate) fn mark(hash: String) -> TokenMark {
    TokenMark {
        hash,
        hint: "abcd".to_owned(),
    }
}
