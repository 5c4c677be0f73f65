//! Users, credentials and the audit log.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use domain::{credential::Status as CredentialStatus, scope::Scope, user::Role};
use utoipa::ToSchema;

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

#[derive(Debug, ToSchema)]
pub struct Credential {
    pub id: String,
    pub description: String,
    pub scopes: Vec<Scope>,
    pub user_id: String,
    pub status: CredentialStatus,
    /// The token. Only in the response to the request that created it.
    #[schema(required = false)]
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
    /// When the token was last used, accurate to 15 minutes; null: never.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

/// The user and the credential that a token belongs to.
#[derive(Debug, ToSchema)]
pub struct Me {
    pub user: User,
    pub credential: OwnCredential,
}

/// The caller's own credential.
#[derive(Debug, ToSchema)]
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
    /// The ID of a credential, or `system`.
    pub actor: String,
    /// The action, such as `webhook.updated` or `token.refused`.
    pub action: String,
    pub resource: String,
    /// Names of the changed fields, never their values.
    pub changes: Vec<String>,
}
