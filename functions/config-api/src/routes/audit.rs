//! The audit log.

use std::sync::Arc;

use axum::{Json, extract::State};
use platform::table::walk::Page;
use serde_json::{Value, json};

use super::deliveries::span;
use crate::{
    App,
    http::{Answer, query::Query},
    openapi::schema,
};

/// Lists configuration changes and rejected requests by known credentials, newest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "listAuditEntries", tag = "audit",
    security(("token" = ["audit:read"])),
    params(
        ("since" = Option<String>, Query, description = "At this RFC 3339 time or later"),
        ("until" = Option<String>, Query, description = "At this RFC 3339 time or earlier"),
        schema::Paging,
    ),
    responses((status = 200, body = schema::List<schema::AuditEntry>), schema::Refused))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> Answer<Json<Value>> {
    let span = span(&app, &mut query);
    let paging = query.paging()?;
    let slice = paging.slice(&app).await?;
    let Page { items, next, .. } = app.table.audit(span, &slice).await?;
    paging.page(&app, items.iter().map(|entry| json!(entry)).collect(), next).await.map(Json)
}
