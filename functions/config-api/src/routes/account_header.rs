//! Conflicts between an account's authenticating header and the webhooks and providers that send
//! with it.

use std::{collections::BTreeSet, fmt::Display};

use domain::{
    account::Authorization,
    id::{AccountId, ServiceId},
    provider::Provider,
    webhook::Webhook,
};
use platform::table::pagination::{Page, PageRequest};

use crate::{
    App,
    http::{ApiResult, Problem, problem::MAX_LISTED},
};

/// Number of items read concurrently.
const PAGE: usize = 100;

/// Returns 409 if the authorization changes from `before` to `after` and a webhook that sends to
/// one of the services sets the new header itself: each of its requests would be blocked.
pub(super) async fn check(
    app: &App,
    services: &BTreeSet<ServiceId>,
    before: &Authorization,
    after: &Authorization,
) -> ApiResult<()> {
    let Some(header) = after
        .header_name()
        .filter(|name| before.header_name().as_ref() != Some(name))
    else {
        return Ok(());
    };
    let conflicts = |webhook: &Webhook| {
        let settings = &webhook.settings;
        let service = settings.destination.service();
        service.is_some_and(|service| services.contains(&service))
            && settings.check_account(&header).is_err()
    };
    let (mut found, mut page_request) = (Vec::new(), PageRequest::new(None, PAGE));
    while !services.is_empty() && found.len() <= MAX_LISTED {
        let Page { items, next, .. } = app.table.webhooks(&page_request, &app.keys).await?;
        let webhooks = items.into_iter().filter(conflicts);
        found.extend(webhooks.map(|webhook| webhook.id));
        let Some(after) = next else { break };
        page_request.after = Some(after);
    }
    conflict(
        &format!("Webhooks of the account's services set the header `{header}`"),
        found,
    )
}

/// Returns 409 if a provider that uses the account sets the authorization's header itself: each of
/// its requests would be blocked.
pub(super) async fn check_providers(
    app: &App,
    account: AccountId,
    authorization: &Authorization,
) -> ApiResult<()> {
    let conflicts = |provider: &Provider| {
        let settings = &provider.settings;
        settings.auth.account() == Some(account) && settings.check_account(authorization).is_err()
    };
    let (mut found, mut page_request) = (Vec::new(), PageRequest::new(None, PAGE));
    while found.len() <= MAX_LISTED {
        let Page { items, next, .. } = app.table.providers(&page_request, &app.keys).await?;
        let providers = items.into_iter().map(|stored| stored.provider);
        found.extend(providers.filter(conflicts).map(|provider| provider.id));
        let Some(after) = next else { break };
        page_request.after = Some(after);
    }
    conflict(
        "Providers that use the account set its new authorization's header",
        found,
    )
}

/// Returns 409 if there are such resources.
fn conflict<I: Display>(why: &str, found: Vec<I>) -> ApiResult<()> {
    if found.is_empty() {
        return Ok(());
    }
    Err(Problem::in_use(why, found, "Change or delete them first"))
}

/// The account's services that webhooks send to.
pub(super) async fn services(app: &App, account: AccountId) -> ApiResult<BTreeSet<ServiceId>> {
    let (mut found, mut page_request) = (BTreeSet::new(), PageRequest::new(None, PAGE));
    loop {
        let Page { items, next, .. } = app.table.services(&page_request, &app.keys).await?;
        let used = items
            .into_iter()
            .filter(|stored| stored.service.settings.account_id == account && stored.webhooks > 0);
        found.extend(used.map(|stored| stored.service.id));
        let Some(after) = next else {
            return Ok(found);
        };
        page_request.after = Some(after);
    }
}
