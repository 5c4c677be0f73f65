//! Checks of a webhook against event types, services and other webhooks.

use std::collections::BTreeSet;

use domain::{
    event_type,
    pattern::{EventType, MAX_PATTERNS, Pattern},
    scope::Scope,
    secrets::origin::Origin,
    service::Connection,
    validation::{FieldError, ValidationErrors},
    webhook::{Destination, Settings},
};
use platform::table::{events::MAX_MATCHES, webhooks::Role};
use serde_json::Value;

use crate::{
    App,
    http::{ApiResult, Problem, auth::Principal},
    known_types,
};

/// The patterns of one of a webhook's lists.
#[derive(Clone, Copy)]
struct PatternList<'a> {
    role: Role,
    /// Steps of the list's pointer.
    steps: &'static [&'static str],
    patterns: &'a [Pattern],
}

const EVENTS: &[&str] = &["events"];
const UNLESS_EVENTS: &[&str] = &["unless", "events"];

fn pattern_lists(settings: &Settings) -> [PatternList<'_>; 2] {
    let unless = settings.delay.unless.as_ref();
    [
        PatternList {
            role: Role::Subscription,
            steps: EVENTS,
            patterns: &settings.events,
        },
        PatternList {
            role: Role::Unless,
            steps: UNLESS_EVENTS,
            patterns: unless.map_or(&[], |unless| &unless.events),
        },
    ]
}

/// Errors of event types that do not exist, except those that the `previous` settings contain.
/// Each pattern has the steps of its pointer.
async fn unknown_types(
    app: &App,
    patterns: impl Iterator<Item = (Vec<String>, Pattern)>,
    previous: Option<&Settings>,
) -> ApiResult<Vec<FieldError>> {
    let (mut problems, mut names) = (Vec::new(), known_types::Names::default());
    let previous: Vec<_> = previous.into_iter().flat_map(pattern_lists).collect();
    let is_new = |pattern: &Pattern| {
        let mut lists = previous.iter();
        !lists.any(|list| list.patterns.contains(pattern))
    };
    for (steps, pattern) in patterns.filter(|(_, pattern)| is_new(pattern)) {
        if let Some(kind) = pattern.exact()
            && !known_types::is_known(app, &kind).await?
        {
            let unknown = known_types::unknown(app, &kind, &mut names).await?;
            let unknown = steps
                .iter()
                .rev()
                .fold(unknown, |problems, step| problems.under(step));
            problems.extend(unknown.0);
        }
    }
    Ok(problems)
}

/// Adds unknown event types to the other invalid fields of a request. `document` is the webhook or
/// the patch as the client sent it.
pub(super) async fn with_unknown_types(
    app: &App,
    problem: Problem,
    document: &Value,
    previous: Option<&Settings>,
) -> ApiResult<Problem> {
    let lists = [EVENTS, UNLESS_EVENTS].map(|steps| {
        let list = steps.iter().fold(document, |value, step| &value[*step]);
        (steps, list.as_array().map_or(&[][..], Vec::as_slice))
    });
    if problem.errors.is_empty() || lists.iter().any(|(_, list)| list.len() > MAX_PATTERNS) {
        return Ok(problem);
    }
    let parse = |event: &Value| Pattern::parse(event.as_str()?).ok();
    let patterns = lists.iter().flat_map(|(steps, list)| {
        let patterns = list.iter().map(parse).enumerate();
        patterns.filter_map(|(index, pattern)| Some((steps_of(steps, index), pattern?)))
    });
    let unknown = unknown_types(app, patterns, previous).await?;
    Ok(ValidationErrors([problem.errors, unknown].concat()).into())
}

/// The steps of the pointer to an item of a list.
fn steps_of(list: &[&str], index: usize) -> Vec<String> {
    let list = list.iter().map(|step| (*step).to_owned());
    list.chain([index.to_string()]).collect()
}

/// Rejects unknown event types, and a connected service that does not exist or whose account sets
/// one of the webhook's headers. Accepts what the `previous` settings already contain. Returns the
/// origin that requests go to.
pub(super) async fn check_references(
    app: &App,
    settings: &Settings,
    previous: Option<&Settings>,
) -> ApiResult<Origin> {
    let patterns = pattern_lists(settings).into_iter().flat_map(|list| {
        let patterns = list.patterns.iter().cloned().enumerate();
        patterns.map(move |(index, pattern)| (steps_of(list.steps, index), pattern))
    });
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

/// Rejects patterns that the `previous` settings do not have and with which one event could concern
/// more webhooks than its row can store.
pub(super) async fn check_match_limit(
    app: &App,
    settings: &Settings,
    previous: Option<&Settings>,
) -> ApiResult<()> {
    if !settings.enabled {
        return Ok(());
    }
    let previous = previous.filter(|previous| previous.enabled);
    let previous = previous.map(pattern_lists);
    for (index, list) in pattern_lists(settings).into_iter().enumerate() {
        let old = previous.map_or(&[][..], |lists| lists[index].patterns);
        let is_new = |pattern: &&Pattern| !old.contains(pattern);
        let added: Vec<&Pattern> = list.patterns.iter().filter(is_new).collect();
        if !added.is_empty() && is_full(app, &added, list.role).await? {
            let problems = ValidationErrors::here(match list.role {
                Role::Subscription => {
                    "match events that 1,000 webhooks already receive, which is the maximum"
                }
                Role::Unless => {
                    "match events that already end the delays of 1,000 webhooks, which is the maximum"
                }
            });
            let under = |problems: ValidationErrors, step: &&str| problems.under(step);
            return Err(list.steps.iter().rev().fold(problems, under).into());
        }
    }
    Ok(())
}

/// Whether as many webhooks as an event's row can store already have this role for an event of the
/// patterns `added`.
async fn is_full(app: &App, added: &[&Pattern], role: Role) -> ApiResult<bool> {
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
    Ok(app.table.most_webhooks(&kinds, role).await? >= MAX_MATCHES)
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
