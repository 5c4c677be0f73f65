//! Checks of a provider against the account that authenticates its requests, and against other
//! providers of its channel.

use domain::{
    provider::{Provider, fallback},
    validation::ValidationErrors,
};

use crate::{
    App,
    http::{ApiResult, Problem, auth::Principal},
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

/// Rejects a new fallback that does not exist, serves another channel, or makes a circle or a chain
/// that is too long.
pub(super) async fn check_fallback(
    app: &App,
    before: Option<&Provider>,
    after: &Provider,
) -> ApiResult<()> {
    let fallback = after.settings.fallback_provider_id;
    let unchanged = before.and_then(|before| before.settings.fallback_provider_id) == fallback;
    let Some(fallback) = fallback.filter(|_| !unchanged) else {
        return Ok(());
    };
    let channel = after.settings.channel;
    let all = app.table.fallbacks(channel).await?;
    Ok(fallback::check(after.id, fallback, channel, &all)?)
}

/// Returns 409 if the provider is the fallback of another one.
pub(super) async fn check_not_a_fallback(app: &App, provider: &Provider) -> ApiResult<()> {
    let all = app.table.fallbacks(provider.settings.channel).await?;
    let used_by = all
        .into_iter()
        .filter_map(|(id, fallback)| (fallback == Some(provider.id)).then_some(id));
    let mut used_by = used_by.peekable();
    if used_by.peek().is_none() {
        return Ok(());
    }
    let (why, remedy) = (
        "The provider is the fallback of other providers",
        "Change or delete them first",
    );
    Err(Problem::in_use(why, used_by, remedy))
}
