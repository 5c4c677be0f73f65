//! The first start: the first keyring, the user *Administrator* and its credential, whose token is shown this once.

use domain::{
    credential::{Credential, Role, User},
    scope::{Scope, Scopes},
    token::Token,
};
use platform::{clock, random, table::Written};
use serde::Serialize;

use crate::{App, RotationError};

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

/// Makes what is missing. An admin who exists gets a new token only with `reissue`.
pub(crate) async fn run(app: &App, reissue: bool) -> Result<Admin, RotationError> {
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
