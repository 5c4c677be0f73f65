//! Users, credentials and the audit log.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{
    audit::Entry,
    credential, scope,
    time::{show, show_millis},
    user,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

mirror! {
    /// Role in the organization. Informational only: scopes grant permissions.
    #[serde(rename_all = "lowercase")]
    Role of user::Role {
        /// Manages integrations.
        Admin,
        /// Everyone else.
        Member,
    }
}

mirror! {
    /// Status of a credential.
    #[serde(rename_all = "lowercase")]
    CredentialStatus of credential::Status {
        /// The token is valid.
        Active,
        /// Revoked by an admin.
        Revoked,
        /// Expired.
        Expired,
    }
}

/// A permission. `openapi::names` completes its schema.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = String)]
pub struct Scope(scope::Scope);

#[derive(Debug, ToSchema)]
pub struct UserInput {
    /// Unique, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    pub email: Option<String>,
    #[schema(default = "member")]
    pub role: Option<Role>,
    /// If false, the user's credentials and inbound URLs stop working.
    #[schema(default = true)]
    pub active: Option<bool>,
}

/// Fields of a user to change (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct UserPatch(pub UserInput);

#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    pub role: Role,
    pub active: bool,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl From<&user::User> for User {
    fn from(user: &user::User) -> Self {
        let user::Settings {
            name,
            email,
            role,
            active,
        } = &user.settings;
        Self {
            id: user.id.to_string(),
            name: name.clone(),
            email: email.clone(),
            role: (*role).into(),
            active: *active,
            created_at: show_millis(user.created_at),
            updated_at: show_millis(user.updated_at),
        }
    }
}

#[derive(Debug, ToSchema)]
pub struct CredentialInput {
    /// What the credential is used for.
    #[schema(min_length = 1, max_length = 200)]
    pub description: String,
    /// At least one. Limited to the caller's own scopes.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// The user who owns the credential. Default: the caller's user.
    pub user_id: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    #[schema(minimum = 1, maximum = 365, default = 90)]
    pub rotate_after_days: Option<u32>,
    /// IP addresses and CIDR ranges (IPv4 and IPv6) from which the token is accepted. Default, or
    /// if empty: any address.
    #[schema(max_items = 20, example = json!(["203.0.113.7", "2001:db8::/32"]))]
    pub allowed_ips: Option<Vec<String>>,
}

/// Fields of a credential to change: `description`, `scopes`, `expires_at`, `rotate_after_days`,
/// `allowed_ips` (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct CredentialPatch(pub CredentialInput);

#[derive(Debug, ToSchema)]
pub struct RotateInput {
    /// How long the old token stays valid, in seconds. With 0, the old token and those of earlier
    /// rotations stop working immediately.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_seconds: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Credential {
    pub id: String,
    pub description: String,
    pub scopes: Vec<Scope>,
    pub user_id: String,
    pub status: CredentialStatus,
    /// The token. Only in the response to the request that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token: Option<String>,
    pub token_hint: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The user who created it; null for the first admin credential.
    pub created_by: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    pub rotate_after_days: u32,
    /// IP addresses and CIDR ranges from which the token is accepted. If empty: any address.
    pub allowed_ips: Vec<String>,
    #[schema(format = DateTime)]
    pub rotated_at: Option<String>,
    #[schema(format = DateTime)]
    pub rotation_due_at: String,
    pub rotation_overdue: bool,
    /// When the token was last used, to within 15 minutes; null if it was never used.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

impl Credential {
    /// The credential at `now`, without its token.
    pub fn at(
        now: Timestamp,
        credential: &credential::Credential,
        last_used_at: Option<Timestamp>,
    ) -> Self {
        let credential::Settings {
            description,
            scopes,
            user_id,
            expires_at,
            rotate_after_days,
            allowed_ips,
        } = &credential.settings;
        Self {
            id: credential.id.to_string(),
            description: description.clone(),
            scopes: scopes.iter().map(Scope).collect(),
            user_id: user_id.to_string(),
            status: credential.status(now).into(),
            token: None,
            token_hint: credential.token_hint.clone(),
            created_at: show_millis(credential.created_at),
            created_by: credential.created_by.map(|user| user.to_string()),
            expires_at: expires_at.map(show),
            rotate_after_days: *rotate_after_days,
            allowed_ips: allowed_ips.clone().into(),
            rotated_at: credential.rotated_at.map(show_millis),
            rotation_due_at: show_millis(credential.rotation_due_at()),
            rotation_overdue: credential.is_overdue(now),
            last_used_at: last_used_at.map(show_millis),
        }
    }
}

/// The user and the credential that a token belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    pub user: User,
    pub credential: OwnCredential,
}

/// The caller's own credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnCredential {
    pub id: String,
    pub description: String,
    pub scopes: Vec<Scope>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    #[schema(format = DateTime)]
    pub rotation_due_at: String,
    /// IP addresses and CIDR ranges from which the token is accepted. If empty: any address.
    pub allowed_ips: Vec<String>,
}

impl From<&credential::Credential> for OwnCredential {
    fn from(credential: &credential::Credential) -> Self {
        let settings = &credential.settings;
        Self {
            id: credential.id.to_string(),
            description: settings.description.clone(),
            scopes: settings.scopes.iter().map(Scope).collect(),
            expires_at: settings.expires_at.map(show),
            rotation_due_at: show_millis(credential.rotation_due_at()),
            allowed_ips: settings.allowed_ips.clone().into(),
        }
    }
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rotation {
    Overdue,
    DueSoon,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: String,
    #[schema(format = DateTime)]
    pub at: String,
    /// The ID of a credential, or `system`.
    pub actor: String,
    /// The action, such as `webhook.updated` or `token.refused`.
    pub action: String,
    pub resource: String,
    /// Names of the changed fields, never their values.
    pub changes: Vec<String>,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: show_millis(entry.at),
            actor: entry.actor.to_string(),
            action: entry.action,
            resource: entry.resource,
            changes: entry.changes,
        }
    }
}
