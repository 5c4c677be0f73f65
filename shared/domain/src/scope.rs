//! What a credential may do.
//!
//! In come the names of scopes; out come sets that answer whether they grant one, and whether they
//! cover another set (nobody hands on what they do not hold). `admin` grants everything; a
//! `*:write` does not grant its `*:read`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::invalid::{self, Checked, Problems};

macro_rules! scopes {
    ($($(#[doc = $doc:literal])+ $scope:ident $name:tt),* $(,)?) => {
        /// One permission.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Scope {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $scope,)*
        }

        impl Scope {
            /// Every scope there is.
            pub const ALL: &[Self] = &[$(Self::$scope),*];

            /// The scope's name, such as `users:read`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$scope => $name,)*
                }
            }

            /// What its holder can do, indirectly too.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$scope => concat!($($doc),+).trim_ascii_start(),)*
                }
            }
        }
    };
}

scopes! {
    /// Everything, event types that Tieline itself emits included.
    Admin "admin",
    /// Read users: names, e-mail addresses, roles.
    UsersRead "users:read",
    /// Create, change and delete users. Switching a user who has credentials takes every scope of
    /// these as well.
    UsersWrite "users:write",
    /// Read credentials, without their tokens.
    CredentialsRead "credentials:read",
    /// Create, change, rotate, revoke and delete credentials that have no scope that the holder
    /// lacks.
    CredentialsWrite "credentials:write",
    /// Read providers, without their keys. Their callback URLs are shown: whoever knows one can
    /// report a status.
    ProvidersRead "providers:read",
    /// Create, change and delete providers. Indirectly, a holder receives every message and call
    /// that is sent through a provider, by pointing it to an address of their own.
    ProvidersWrite "providers:write",
    /// Read connected services and their accounts, without secrets. Their inbound URLs are shown:
    /// whoever knows one can call it, where the service has no `verification`.
    ServicesRead "services:read",
    /// Create, change and delete connected services and their accounts. Indirectly, a holder
    /// receives what is sent to a service, by pointing it to an address of their own.
    ServicesWrite "services:write",
    /// Send requests to connected services, and read their responses: whatever the service's
    /// account can do and see.
    ServicesSend "services:send",
    /// Read webhooks, without their secrets.
    WebhooksRead "webhooks:read",
    /// Create, change, test, replay and delete webhooks. Indirectly, a holder receives every event,
    /// by subscribing a webhook to it.
    WebhooksWrite "webhooks:write",
    /// Read events with their data, what third parties sent to inbound URLs included, and event
    /// types.
    EventsRead "events:read",
    /// Publish events and create event types. Indirectly, a holder causes the calls of the webhooks
    /// that subscribe.
    EventsWrite "events:write",
    /// Read messages: recipients, texts and the providers' responses.
    MessagesRead "messages:read",
    /// Send messages through any provider of their channel.
    MessagesSend "messages:send",
    /// Read calls: numbers, texts and the providers' responses.
    CallsRead "calls:read",
    /// Trigger phone calls through any provider of calls.
    CallsTrigger "calls:trigger",
    /// Read deliveries: the receivers' responses and the URLs that were called, what looks like a
    /// secret in them masked.
    DeliveriesRead "deliveries:read",
    /// Retry deliveries.
    DeliveriesRetry "deliveries:retry",
    /// Read campaigns, and export those without providers.
    CampaignsRead "campaigns:read",
    /// Create, change, import and delete campaigns. Importing a provider takes `providers:write` as
    /// well.
    CampaignsWrite "campaigns:write",
    /// Read the audit log: who changed what, without values.
    AuditRead "audit:read",
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a known scope. Known scopes: {}", Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "))]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or(NotAScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scopes that a credential holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// A set from JSON: an array of at least one scope; one that is named twice counts once.
    pub fn parse(value: Value) -> Checked<Self> {
        let scope = |value| Ok::<_, Problems>(invalid::string(value)?.parse::<Scope>()?);
        invalid::list(1, 100, scope)(value).map(Self::from_iter)
    }

    /// Whether these allow what `scope` allows.
    pub fn grants(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// Those of `others` that these do not allow: where there are some, their holder may not hand
    /// `others` on.
    pub fn lack(&self, others: &Self) -> Vec<Scope> {
        others.iter().filter(|scope| !self.grants(*scope)).collect()
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_read_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(*scope));
            assert_eq!(
                serde_json::to_value(scope).expect("json"),
                json!(scope.as_str())
            );
        }
        for wrong in ["", "Admin", "users", "users:", "*", "webhooks:*"] {
            assert_eq!(wrong.parse::<Scope>(), Err(NotAScope), "{wrong}");
        }
    }

    #[test]
    fn admin_covers_all_and_writing_is_not_reading() {
        let set = |scopes: &[Scope]| scopes.iter().copied().collect::<Scopes>();
        let (admin, writer) = (set(&[Scope::Admin]), set(&[Scope::UsersWrite]));
        assert!(
            Scope::ALL.iter().all(|scope| admin.grants(*scope))
                && admin.lack(&set(Scope::ALL)).is_empty()
        );
        assert!(
            writer.grants(Scope::UsersWrite)
                && !writer.grants(Scope::UsersRead)
                && !writer.grants(Scope::Admin)
        );
        assert_eq!(set(&Scope::ALL[1..]).lack(&admin), [Scope::Admin]);
        assert!(
            writer.lack(&Scopes::default()).is_empty()
                && !Scopes::default().lack(&writer).is_empty()
        );
    }

    #[test]
    fn a_set_is_an_array_and_every_wrong_name_is_pointed_at() {
        let scopes = Scopes::parse(json!(["users:read", "admin", "admin"])).expect("scopes");
        assert_eq!(
            serde_json::to_value(&scopes).expect("json"),
            json!(["admin", "users:read"])
        );
        let problems = Scopes::parse(json!(["admin", "root", 1]))
            .expect_err("problems")
            .0;
        assert_eq!(
            problems
                .iter()
                .map(|problem| problem.pointer.as_str())
                .collect::<Vec<_>>(),
            ["/1", "/2"]
        );
        for wrong in [json!([]), json!("admin"), json!({})] {
            assert!(Scopes::parse(wrong).is_err());
        }
    }
}
