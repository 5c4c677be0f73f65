//! The keys' own function: it makes the first admin and the first keyring.
//!
//! Only those who may invoke it (IAM on AWS) reach it; it has no HTTP address.

use domain::{
    credential::{Credential, Role, User},
    scope::{Scope, Scopes},
    token::Token,
};
use platform::{
    clock,
    keyring::{KeyringError, Keys},
    random,
    table::{Table, TableError, Written},
};
use serde::{Deserialize, Serialize};

/// What rotation works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// The keyring.
    pub keys: Keys,
}

/// What it can be asked for.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Make the first keyring, the user *Administrator* and its credential.
    Bootstrap {
        /// Give the credential a new token when it exists already: a lost answer must not lock the owner out.
        #[serde(default)]
        reissue: bool,
    },
}

/// The first admin, with the token that is shown this once.
#[derive(Debug, Serialize)]
pub struct Admin {
    /// The token, with scope `admin`.
    pub token: String,
    /// The user *Administrator*.
    pub user_id: String,
    /// Its credential.
    pub credential_id: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The admin exists, and nobody asked for a new token.
    #[error("the first admin exists already; \"reissue\": true replaces its token")]
    Exists,
    /// Two requests at once.
    #[error("somebody else is making a token just now: try again")]
    Busy,
    /// The admin's credential was deleted.
    #[error("the first admin's credential is gone")]
    Gone,
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The keyring could not be read or written.
    #[error(transparent)]
    Keys(#[from] KeyringError),
}

/// Does what it is asked for.
pub async fn handle(app: &App, request: Request) -> Result<Admin, RotationError> {
    let Request::Bootstrap { reissue } = request;
    let keyring = app.keys.bootstrap().await?;
    let token = Token::from_random(random::bytes());
    let hash = keyring.token_key(token.expose());
    let credential = match app.table.admin().await? {
        None => create(app, &token, &hash).await?,
        Some(_) if !reissue => return Err(RotationError::Exists),
        Some(mark) => {
            let credential = app.table.credential(mark.credential).await?.ok_or(RotationError::Gone)?;
            let credential =
                Credential { token_hint: token.hint().to_owned(), rotated_at: Some(clock::now()), ..credential };
            match app.table.replace_admin_token(&mark, &credential, &hash).await? {
                Written::Yes => credential,
                Written::Refused => return Err(RotationError::Busy),
            }
        }
    };
    tracing::info!(credential = %credential.id, reissue, "admin token issued");
    Ok(Admin {
        token: token.expose().to_owned(),
        user_id: credential.user_id.to_string(),
        credential_id: credential.id.to_string(),
    })
}

async fn create(app: &App, token: &Token, hash: &str) -> Result<Credential, RotationError> {
    let now = clock::now();
    let user =
        User { id: random::id(), name: "Administrator".to_owned(), role: Role::Admin, active: true, created_at: now };
    let credential = Credential {
        id: random::id(),
        description: "First admin".to_owned(),
        user_id: user.id,
        scopes: Scopes::from_iter([Scope::Admin]),
        token_hint: token.hint().to_owned(),
        created_at: now,
        rotated_at: None,
        expires_at: None,
    };
    match app.table.create_admin(&user, &credential, hash).await? {
        Written::Yes => Ok(credential),
        Written::Refused => Err(RotationError::Busy),
    }
}
