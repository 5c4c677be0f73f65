//! Scopes of credentials.
//!
//! A set of scopes can be asked whether it grants a scope and whether it includes another set:
//! clients must not grant scopes that they lack. `admin` grants everything. `*:write` does not
//! grant `*:read`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::validation::{self, ClientError, Validated, ValidationErrors};

macro_rules! scopes {
    ($($(#[doc = $doc:literal])+ $scope:ident $name:tt),* $(,)?) => {
        /// A permission.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Scope {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $scope,)*
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &[Self] = &[$(Self::$scope),*];

            /// Name of the scope, such as `users:read`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$scope => $name,)*
                }
            }

            /// What a credential with this scope can do, including indirectly.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$scope => concat!($($doc),+).trim_ascii_start(),)*
                }
            }
        }
    };
}

scopes! {
    /// Everything, including publishing event types that Tieline itself emits.
    Admin "admin",
    /// Read users: names, e-mail addresses, roles.
    UsersRead "users:read",
    /// Create, change and delete users. Activating or deactivating a user also requires every scope
    /// of the user's credentials.
    UsersWrite "users:write",
    /// Read credentials, without their tokens.
    CredentialsRead "credentials:read",
    /// Create, change, rotate, revoke and delete credentials, limited to scopes that the caller
    /// has.
    CredentialsWrite "credentials:write",
    /// Read providers, without their secrets. Includes their callback URLs: anyone who knows one can
    /// report a status or an inbound message if the provider has no `verification`.
    ProvidersRead "providers:read",
    /// Create, change and delete providers. Indirectly grants access to every message and call sent
    /// through a provider, by pointing it to another address, and the use of accounts at origins that
    /// they already serve.
    ProvidersWrite "providers:write",
    /// Read connected services and their accounts, without secrets. Includes their inbound URLs:
    /// anyone who knows one can send requests to it if the service has no `verification`.
    ServicesRead "services:read",
    /// Create, change and delete connected services and their accounts. Indirectly grants access to
    /// everything sent to a service, by pointing it to another address.
    ServicesWrite "services:write",
    /// Test accounts, send requests to connected services and read their responses. Grants everything
    /// that the service's account can do and see.
    ServicesSend "services:send",
    /// Read webhooks, without their secrets.
    WebhooksRead "webhooks:read",
    /// Create, change, test, replay and delete webhooks. Indirectly grants access to every event,
    /// by subscribing a webhook to it.
    WebhooksWrite "webhooks:write",
    /// Read event types, and events with their data, including what third parties sent to inbound
    /// URLs.
    EventsRead "events:read",
    /// Publish events and create event types. Indirectly triggers the requests of subscribed
    /// webhooks.
    EventsWrite "events:write",
    /// Read messages: recipients, texts and the providers' responses.
    MessagesRead "messages:read",
    /// Send messages through any provider of their channel.
    MessagesSend "messages:send",
    /// Read calls: numbers, texts and the providers' responses.
    CallsRead "calls:read",
    /// Trigger phone calls through any provider for calls.
    CallsTrigger "calls:trigger",
    /// Read deliveries: the receivers' responses and the requested URLs, with values that look like
    /// secrets masked.
    DeliveriesRead "deliveries:read",
    /// Retry deliveries.
    DeliveriesRetry "deliveries:retry",
    /// Read campaigns, and export those without providers.
    CampaignsRead "campaigns:read",
    /// Create, change, import and delete campaigns. An import that creates providers also requires
    /// `providers:write`.
    CampaignsWrite "campaigns:write",
    /// Read the audit log: who changed which fields, without values.
    AuditRead "audit:read",
}

/// Not the name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a known scope. Known scopes: {}", Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "))]
pub struct ParseScopeError;

impl ClientError for ParseScopeError {}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or(ParseScopeError)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scopes of a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Parses an array of at least one scope. Duplicates are ignored.
    ///
    /// # Errors
    /// Reports every unknown scope, by index.
    pub fn parse(value: Value) -> Validated<Self> {
        let scope = |value| Ok::<_, ValidationErrors>(validation::string(value)?.parse::<Scope>()?);
        validation::list(1, 100, scope)(value).map(Self::from_iter)
    }

    /// Whether these scopes grant `scope`.
    pub fn grants(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// Returns the scopes in `others` that these do not grant. A client with such missing scopes
    /// must not grant `others`.
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
    fn names_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(*scope));
            assert_eq!(
                serde_json::to_value(scope).expect("json"),
                json!(scope.as_str())
            );
        }
        for wrong in ["", "Admin", "users", "users:", "*", "webhooks:*"] {
            assert_eq!(wrong.parse::<Scope>(), Err(ParseScopeError), "{wrong}");
        }
    }

    #[test]
    fn admin_grants_all_and_write_does_not_grant_read() {
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
    fn invalid_scopes_are_reported_by_index() {
        let scopes = Scopes::parse(json!(["users:read", "admin", "admin"])).expect("scopes");
        assert_eq!(
            serde_json::to_value(&scopes).expect("json"),
            json!(["admin", "users:read"])
        );
        let problems = Scopes::parse(json!(["admin", "root", 1]))
            .expect_err("errors")
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
