//! Origins that an account serves: those of the services and providers that use it.

use domain::{id::AccountId, scope::Scope, secrets::origin::Origin};
use platform::table::pagination::{Page, PageRequest};

use crate::{
    App,
    http::{ApiResult, Problem, auth::Principal},
};

/// Number of items read at once.
const PAGE: usize = 100;

/// Returns 403 without the scope `admin` if the account does not serve this origin yet.
pub(super) async fn check(
    app: &App,
    caller: &Principal,
    account: AccountId,
    origin: &Origin,
) -> ApiResult<()> {
    if caller.scopes.grants(Scope::Admin) || serves(app, account, origin).await? {
        Ok(())
    } else {
        Err(Problem::forbidden(Scope::Admin.as_str()))
    }
}

/// Whether a service or provider at this origin already uses the account.
async fn serves(app: &App, account: AccountId, origin: &Origin) -> ApiResult<bool> {
    let mut page_request = PageRequest::new(None, PAGE);
    loop {
        let Page { items, next, .. } = app.table.services(&page_request, &app.keys).await?;
        let mut settings = items.iter().map(|stored| &stored.service.settings);
        if settings.any(|one| one.account_id == account && Origin::of(&one.server_url) == *origin) {
            return Ok(true);
        }
        let Some(after) = next else { break };
        page_request.after = Some(after);
    }
    let mut page_request = PageRequest::new(None, PAGE);
    loop {
        let Page { items, next, .. } = app.table.providers(&page_request, &app.keys).await?;
        let mut providers = items.iter().map(|stored| &stored.provider);
        if providers
            .any(|one| one.settings.auth.account() == Some(account) && one.origin() == *origin)
        {
            return Ok(true);
        }
        let Some(after) = next else { return Ok(false) };
        page_request.after = Some(after);
    }
}
