//! Checks of a service against accounts, users and the webhooks that send to it.

use std::collections::BTreeSet;

use domain::{
    account::Account, scope::Scope, secrets::origin::Origin, service::Settings,
    validation::ValidationErrors,
};
use platform::table::services::StoredService;

use crate::{
    App,
    http::{ApiResult, Problem, auth::Principal},
    routes::{account_header, account_origins},
};

/// Rejects an account or user that does not exist.
pub(super) async fn check_references(
    app: &App,
    before: Option<&Settings>,
    after: &Settings,
    account: Option<&Account>,
) -> ApiResult<()> {
    let mut problems = Vec::new();
    let same_account = before.is_some_and(|before| before.account_id == after.account_id);
    if account.is_none()
        && !same_account
        && app
            .table
            .account(after.account_id, &app.keys)
            .await?
            .is_none()
    {
        problems.extend(
            ValidationErrors::here("must be the ID of an existing account")
                .under("account_id")
                .0,
        );
    }
    if let Some(user) = after
        .user_id
        .filter(|_| before.and_then(|before| before.user_id) != after.user_id)
        && app.table.user(user).await?.is_none()
    {
        problems.extend(
            ValidationErrors::here("must be the ID of an existing user")
                .under("user_id")
                .0,
        );
    }
    Ok(ValidationErrors::check(problems)?)
}

/// Returns 403 without the scope `admin` if stored secrets would be sent to a new origin: those of
/// an existing account that does not serve the origin yet, or those of webhooks that send to the
/// service.
pub(super) async fn check_origin(
    app: &App,
    caller: &Principal,
    before: Option<&StoredService>,
    after: &Settings,
    fresh: Option<&Account>,
) -> ApiResult<()> {
    let origin = Origin::of(&after.server_url);
    let moves =
        before.is_none_or(|before| Origin::of(&before.service.settings.server_url) != origin);
    let same_account =
        before.is_some_and(|before| before.service.settings.account_id == after.account_id);
    if caller.scopes.grants(Scope::Admin) || (!moves && same_account) {
        return Ok(());
    }
    if moves && before.is_some_and(|before| before.webhooks > 0) {
        return Err(Problem::forbidden(Scope::Admin.as_str()));
    }
    if fresh.is_some() {
        return Ok(());
    }
    account_origins::check(app, caller, after.account_id, &origin).await
}

/// Returns 409 if a webhook that sends to the service sets the header of its new account.
pub(super) async fn check_header(
    app: &App,
    before: &StoredService,
    after: &Settings,
    fresh: Option<&Account>,
) -> ApiResult<()> {
    let old = before.service.settings.account_id;
    if before.webhooks == 0 || old == after.account_id {
        return Ok(());
    }
    let stored = async |id| app.table.account(id, &app.keys).await;
    let new = match fresh {
        Some(account) => Some(account.clone()),
        None => stored(after.account_id).await?.map(|used| used.account),
    };
    let (Some(old), Some(new)) = (stored(old).await?, new) else {
        return Ok(());
    };
    account_header::check(
        app,
        &BTreeSet::from([before.service.id]),
        &old.account.settings.authorization,
        &new.settings.authorization,
    )
    .await
}
