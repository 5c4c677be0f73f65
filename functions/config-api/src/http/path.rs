//! IDs in paths.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use domain::id::{
    AccountId, CallId, CampaignId, CredentialId, DeliveryId, EventId, MessageId, ProviderId,
    ServiceId, UserId, WebhookId,
};
use http::request::Parts;

use super::{ApiResult, Problem};

/// The ID of a resource in the path. Text that is not such an ID gets the 404 of an unknown ID.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

/// An ID that identifies a resource in a path.
pub trait ResourceId: FromStr {
    /// What the ID identifies, for the detail of a 404.
    const RESOURCE: &'static str;
}

macro_rules! resources {
    ($($id:ty: $resource:literal),* $(,)?) => {$(
        impl ResourceId for $id {
            const RESOURCE: &'static str = $resource;
        }
    )*};
}

resources! {
    UserId: "user",
    CredentialId: "credential",
    AccountId: "account",
    ServiceId: "service",
    ProviderId: "provider",
    MessageId: "message",
    CallId: "call",
    CampaignId: "campaign",
    WebhookId: "webhook",
    EventId: "event",
    DeliveryId: "delivery",
}

impl<T: ResourceId, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        // Fails if the path is not UTF-8.
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::no_route(&parts.method, parts.uri.path()))?;
        text.parse()
            .map(Self)
            .map_err(|_| Problem::not_found(T::RESOURCE))
    }
}
