//! Checks of a provider against the account that authenticates its requests.

use domain::{provider::Provider, validation::ValidationErrors};

use crate::{
    App,
    http::{ApiResult, auth::Principal},
    routes::account_origins,
};

/// Rejects an account that does not exist, or that sets a header of the provider's template as well.
/// Returns 403 without the scope `admin` if the account does not serve the provider's origin yet.
pub(super) async fn check_account(
    app: &App,
    caller: &Principal,
    before: Option<&Provider>,
    after: &Provider,
) -> ApiResult<()> {
    let Some(id) = after.settings.auth.account() else {
        return Ok(());
    };
    let Some(used) = app.table.account(id, &app.keys).await? else {
        let error = ValidationErrors::here("must be the ID of an existing account");
        return Err(error.under("account_id").under("auth").into());
    };
    after
        .settings
        .check_account(&used.account.settings.authorization)?;
    let origin = after.origin();
    let approved =
        |before: &Provider| before.settings.auth.account() == Some(id) && before.origin() == origin;
    if before.is_some_and(approved) {
        return Ok(());
    }
    account_origins::check(app, caller, id, &origin).await
}
