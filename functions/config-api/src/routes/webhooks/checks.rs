//! Checks of a webhook against event types, services and other webhooks.

use std::collections::BTreeSet;

use domain::{
    event_type,
    pattern::{EventType, Pattern},
    scope::Scope,
    secrets::origin::Origin,
    service::Connection,
    validation::{FieldError, ValidationErrors},
    webhook::{Destination, MAX_PATTERNS, Settings},
};
use platform::table::events::MAX_MATCHES;
use serde_json::Value;

use crate::{
    App,
    http::{ApiResult, Problem, auth::Principal},
    known_types,
};

/// Errors of event types that do not exist, except those that the `previous` settings contain.
/// Each pattern has its index.
async fn unknown_types(
    app: &App,
    patterns: impl Iterator<Item = (usize, Pattern)>,
    previous: Option<&Settings>,
) -> ApiResult<Vec<FieldError>> {
    let (mut problems, mut names) = (Vec::new(), known_types::Names::default());
    let is_new =
        |pattern: &Pattern| !previous.is_some_and(|previous| previous.events.contains(pattern));
    for (index, pattern) in patterns.filter(|(_, pattern)| is_new(pattern)) {
        if let Some(kind) = pattern.exact()
            && !known_types::is_known(app, &kind).await?
        {
            problems.extend(
                known_types::unknown(app, &kind, &mut names)
                    .await?
                    .under(&index.to_string())
                    .under("events")
                    .0,
            );
        }
    }
    Ok(problems)
}

/// Adds unknown event types to the other invalid fields of a request. `events` is the field as the
/// client sent it.
pub(super) async fn with_unknown_types(
    app: &App,
    problem: Problem,
    events: &Value,
    previous: Option<&Settings>,
) -> ApiResult<Problem> {
    let events = events.as_array().map_or(&[][..], Vec::as_slice);
    if problem.errors.is_empty() || events.len() > MAX_PATTERNS {
        return Ok(problem);
    }
    let parse = |event: &Value| Pattern::parse(event.as_str()?).ok();
    let patterns = events
        .iter()
        .enumerate()
        .filter_map(|(index, event)| Some((index, parse(event)?)));
    let unknown = unknown_types(app, patterns, previous).await?;
    Ok(ValidationErrors([problem.errors, unknown].concat()).into())
}

/// Rejects unknown event types, and a connected service that does not exist or whose account sets
/// one of the webhook's headers. Accepts what the `previous` settings already contain. Returns the
/// origin that requests go to.
pub(super) async fn check_references(
    app: &App,
    settings: &Settings,
    previous: Option<&Settings>,
) -> ApiResult<Origin> {
    let patterns = settings.events.iter().cloned().enumerate();
    let mut problems = unknown_types(app, patterns, previous).await?;
    let origin = match &settings.destination {
        Destination::Url(url) => Some(Origin::of(url.origin_url())),
        Destination::Service { service, .. } => {
            match app.table.connection(*service, &app.keys).await? {
                None => {
                    problems.extend(
                        ValidationErrors::here("must be the ID of an existing service")
                            .under("service_id")
                            .0,
                    );
                    None
                }
                Some(Connection { service, account }) => {
                    let authenticating = account.settings.authorization.header_name();
                    let clashes = |settings: &Settings| {
                        settings.check_account(authenticating.as_ref()?).err()
                    };
                    let is_old = previous.is_some_and(|previous| {
                        previous.destination.service() == Some(service.id)
                            && clashes(previous).is_some()
                    });
                    problems.extend(
                        clashes(settings)
                            .filter(|_| !is_old)
                            .into_iter()
                            .flat_map(|clash| clash.0),
                    );
                    Some(Origin::of(&service.settings.server_url))
                }
            }
        }
    };
    origin
        .filter(|_| problems.is_empty())
        .ok_or_else(|| ValidationErrors(problems).into())
}

/// Rejects patterns not in `subscribed` with which one event could match more webhooks than its row
/// can store.
pub(super) async fn check_match_limit(
    app: &App,
    settings: &Settings,
    subscribed: &[Pattern],
) -> ApiResult<()> {
    let added: Vec<&Pattern> = settings
        .events
        .iter()
        .filter(|pattern| !subscribed.contains(pattern))
        .collect();
    if added.is_empty() || !settings.enabled {
        return Ok(());
    }
    let wildcard = added.iter().any(|pattern| pattern.as_str().ends_with('*'));
    let own = if wildcard {
        app.table.event_type_names().await?
    } else {
        Vec::new()
    };
    let known = event_type::catalogue()
        .iter()
        .map(|known| known.name.to_owned());
    // For a wildcard, include a type that does not exist yet. New types are checked on creation.
    let named = added
        .iter()
        .map(|pattern| pattern.as_str().replace('*', "_"));
    let named = known
        .chain(named)
        .filter_map(|name| EventType::parse(&name).ok());
    let kinds: BTreeSet<EventType> = named.chain(own).collect();
    let kinds: Vec<EventType> = kinds
        .into_iter()
        .filter(|kind| added.iter().any(|pattern| pattern.matches(kind)))
        .collect();
    if app.table.most_subscribers(&kinds).await? >= MAX_MATCHES {
        return Err(ValidationErrors::here(
            "match events that 1,000 webhooks already receive, which is the maximum",
        )
        .under("events")
        .into());
    }
    Ok(())
}

/// Requires `services:send` for webhooks that send to a connected service.
pub(super) fn require_send_scope(caller: &Principal, settings: &Settings) -> ApiResult<()> {
    if settings.destination.service().is_some() {
        caller.require_scope(Scope::ServicesSend)
    } else {
        Ok(())
    }
}

/// Returns the origin that requests go to, or `None` if the connected service does not exist.
pub(super) async fn origin(app: &App, settings: &Settings) -> ApiResult<Option<Origin>> {
    Ok(match &settings.destination {
        Destination::Url(url) => Some(Origin::of(url.origin_url())),
        Destination::Service { service, .. } => {
            let stored = app.table.service(*service, &app.keys).await?;
            stored.map(|stored| Origin::of(&stored.service.settings.server_url))
        }
    })
}
