//! Users, credentials and the audit log.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use domain::{credential::Status as CredentialStatus, scope::Scope, user::Role};
use utoipa::ToSchema;

#[derive(Debug, ToSchema)]
pub struct UserInput {
    /// Unique without regard to case.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    pub email: Option<String>,
    #[schema(default = "member")]
    pub role: Option<Role>,
    /// Whether its credentials and inbound URLs work.
    #[schema(default = true)]
    pub active: Option<bool>,
}

/// Any of a user's fields (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct UserPatch(pub UserInput);

#[derive(Debug, ToSchema)]
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

#[derive(Debug, ToSchema)]
pub struct CredentialInput {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    pub description: String,
    /// Not more than the caller's own.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Who holds it; by default the caller's user.
    pub user_id: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    #[schema(minimum = 1, maximum = 365, default = 90)]
    pub rotate_after_days: Option<u32>,
    /// IP addresses and CIDR ranges, IPv4 and IPv6, that the token may be used from; by default, or
    /// when empty, from anywhere.
    #[schema(max_items = 20, example = json!(["203.0.113.7", "2001:db8::/32"]))]
    pub allowed_ips: Option<Vec<String>>,
}

/// `description`, `scopes`, `expires_at`, `rotate_after_days`, `allowed_ips` (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct CredentialPatch(pub CredentialInput);

#[derive(Debug, ToSchema)]
pub struct RotateInput {
    /// How long the old token is valid beside the new one; by default, or with 0, it and those of
    /// earlier rotations stop at once.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_seconds: Option<u32>,
}

#[derive(Debug, ToSchema)]
pub struct Credential {
    pub id: String,
    pub description: String,
    pub scopes: Vec<Scope>,
    pub user_id: String,
    pub status: CredentialStatus,
    /// The token, only in the answer to the request that made it.
    #[schema(required = false)]
    pub token: Option<String>,
    pub token_hint: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The user who made it; null for the first admin's.
    pub created_by: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    pub rotate_after_days: u32,
    /// Addresses that the token may be used from; when empty, from anywhere.
    pub allowed_ips: Vec<String>,
    #[schema(format = DateTime)]
    pub rotated_at: Option<String>,
    #[schema(format = DateTime)]
    pub rotation_due_at: String,
    pub rotation_overdue: bool,
    /// To within 15 minutes.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

/// Whom a token belongs to.
#[derive(Debug, ToSchema)]
pub struct Me {
    pub user: User,
    pub credential: OwnCredential,
}

/// What a caller may know of its own credential.
#[derive(Debug, ToSchema)]
pub struct OwnCredential {
    pub id: String,
    pub description: String,
    pub scopes: Vec<Scope>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    #[schema(format = DateTime)]
    pub rotation_due_at: String,
    /// Addresses that the token may be used from; when empty, from anywhere.
    pub allowed_ips: Vec<String>,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rotation {
    Overdue,
    DueSoon,
}

#[derive(Debug, ToSchema)]
pub struct AuditEntry {
    pub id: String,
    #[schema(format = DateTime)]
    pub at: String,
    /// A credential, or `system`.
    pub actor: String,
    /// Such as `webhook.updated` or `token.refused`.
    pub action: String,
    pub resource: String,
    /// The names of the fields that changed.
    pub changes: Vec<String>,
}
