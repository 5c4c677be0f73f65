//! Bootstrap: creates the first keyring, the user *Administrator* and its credential. The
//! credential's token is shown only once.

use std::fmt::Display;

use domain::{
    audit::{Actor, Entry},
    credential::{self, AllowedIps, Credential, ROTATE_AFTER_DAYS, TokenMark},
    id::UserId,
    scope::{Scope, Scopes},
    token::Token,
    user::{self, Role, User},
};
use jiff::Timestamp;
use platform::{
    clock, random,
    table::{WriteError, admin::FirstAdmin, audit, users::StoredUser},
};
use serde::Serialize;

use crate::{App, RotationError};

/// The first admin and its token, which is shown only once.
#[derive(Debug, Serialize)]
pub struct Admin {
    /// Token with scope `admin`.
    pub token: String,
    /// ID of the user *Administrator*.
    pub user_id: String,
    /// ID of the user's credential.
    pub credential_id: String,
}

/// Creates what is missing. An existing admin gets a new token only with `reissue`.
pub(crate) async fn run(app: &App, reissue: bool) -> Result<Admin, RotationError> {
    let keyring = app.keys.bootstrap().await?;
    let token = Token::from_random(random::bytes());
    let mark = TokenMark {
        hash: keyring.token_key(token.expose()),
        hint: token.hint().to_owned(),
    };
    let now = clock::now();
    let credential = match app.table.first_admin().await? {
        None => create(app, None, mark, now).await?,
        Some(_) if !reissue => return Err(RotationError::Exists),
        Some(first) => match app.table.user(first.user).await? {
            Some(holder) => replace(app, first, &holder, mark, now).await?,
            None => create(app, Some(first), mark, now).await?,
        },
    };
    tracing::info!(credential = %credential.id, reissue, "admin token issued");
    Ok(Admin {
        token: token.expose().to_owned(),
        user_id: credential.settings.user_id.to_string(),
        credential_id: credential.id.to_string(),
    })
}

/// Creates a user and its credential. `gone` is the first admin to replace, if its user was
/// deleted. Another user may have taken the name since.
async fn create(
    app: &App,
    gone: Option<FirstAdmin>,
    token: TokenMark,
    now: Timestamp,
) -> Result<Credential, RotationError> {
    let id: UserId = random::id();
    for name in ["Administrator".to_owned(), format!("Administrator {id}")] {
        let settings = user::Settings {
            name,
            email: None,
            role: Role::Admin,
            active: true,
        };
        let user = User::new(id, settings, now);
        let credential = new_credential(user.id, token.clone(), now);
        let entries = [
            entry("user.created", &user.id, &[]),
            entry("credential.created", &credential.id, &[]),
        ];
        match app
            .table
            .create_first_admin(gone, &user, &credential, now, &entries)
            .await
        {
            Err(WriteError::NameTaken(_)) => {}
            written => return Ok(written.map(|()| credential)?),
        }
    }
    Err(RotationError::NameTaken)
}

/// Issues a new token for the first admin's credential, or a new credential if that one was revoked
/// or has expired. Activates the user if necessary.
async fn replace(
    app: &App,
    first: FirstAdmin,
    holder: &StoredUser,
    token: TokenMark,
    now: Timestamp,
) -> Result<Credential, RotationError> {
    if !holder.user.settings.active {
        let settings = user::Settings {
            active: true,
            ..holder.user.settings.clone()
        };
        let active = holder.user.clone().changed(settings, now);
        app.table
            .update_user(
                holder,
                &active,
                None,
                &entry("user.updated", &active.id, &["active"]),
            )
            .await?;
    }
    let before = app.table.credential(first.credential).await?;
    if let Some(before) = before.filter(|before| before.is_live_admin(now)) {
        let after = before.clone().reissued(token, now);
        let entry = entry("credential.rotated", &after.id, &[]);
        app.table
            .update_credential(&before, &after, None, now, Some(&entry))
            .await?;
        return Ok(after);
    }
    let credential = new_credential(first.user, token, now);
    let entry = entry("credential.created", &credential.id, &[]);
    app.table
        .replace_first_admin(first, &credential, now, &entry)
        .await?;
    Ok(credential)
}

fn new_credential(user_id: UserId, token: TokenMark, now: Timestamp) -> Credential {
    let settings = credential::Settings {
        description: "First admin".to_owned(),
        scopes: Scopes::from_iter([Scope::Admin]),
        user_id,
        expires_at: None,
        rotate_after_days: ROTATE_AFTER_DAYS,
        allowed_ips: AllowedIps::default(),
    };
    Credential::new(random::id(), settings, token, None, now)
}

fn entry(action: &str, resource: &impl Display, changes: &[&str]) -> Entry {
    audit::entry(
        Actor::System,
        action,
        resource,
        changes.iter().map(ToString::to_string).collect(),
    )
}
