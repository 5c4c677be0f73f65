//! Users and the integration credentials that they hold.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{CredentialId, UserId},
    scope::Scopes,
};

/// A person or system that holds credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// What it is to the organisation.
    pub role: Role,
    /// Whether its credentials work.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a user is to the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Manages integrations.
    Admin,
    /// Everyone else.
    Member,
}

/// A scoped access token's record. The token itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// What it is for.
    pub description: String,
    /// Who holds it.
    pub user_id: UserId,
    /// What it may do.
    pub scopes: Scopes,
    /// The last characters of the token.
    pub token_hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its token was last replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Timestamp>,
    /// When it ends, in epoch seconds in the table; never, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}
