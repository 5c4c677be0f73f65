//! The audit log.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::audit::Entry;
use platform::table::pagination::{Page, PageRequest};

use crate::{
    App, api,
    http::{
        ApiResult,
        query::{self, Query},
        time_range::time_range,
    },
};

/// Lists configuration changes and rejected requests by known credentials, newest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "listAuditEntries", tag = "audit",
    security(("token" = ["audit:read"])),
    params(
        ("resource" = Option<String>, Query, description = "Only entries about this resource: an ID, or the name of an event type."),
        ("actor" = Option<String>, Query, description = "Only actions of this actor: the ID of a credential, or `system`."),
        ("action" = Option<String>, Query, description = "Only this action, such as `webhook.updated`."),
        ("since" = Option<String>, Query, description = "Only entries at or after this RFC 3339 time."),
        ("until" = Option<String>, Query, description = "Only entries at or before this RFC 3339 time."),
        api::Paging,
    ),
    responses((status = 200, body = api::List<api::AuditEntry>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::AuditEntry>>> {
    let range = time_range(&app, &mut query);
    let [resource, actor, action] =
        ["resource", "actor", "action"].map(|name| query.filter(name, query::text));
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let app = &*app;
    let read =
        |page_request: PageRequest| async move { Ok(app.table.audit(range, &page_request).await?) };
    let wanted = |entry: &Entry| {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&resource, &entry.resource)
            && is(&actor, &entry.actor.to_string())
            && is(&action, &entry.action)
    };
    let Page { items, next, .. } = query::fill_page(page_request, read, wanted).await?;
    let entries = items.into_iter().map(api::AuditEntry::from);
    paging.page(app, entries, next).await
}
