//! IDs in paths. `openapi::names` completes their schemas.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

macro_rules! ids {
    ($($name:ident),*) => {$(
        /// An ID in a path.
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Ref::from_schema_name(stringify!($name)).into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

ids!(
    UserId,
    CredentialId,
    AccountId,
    ServiceId,
    ProviderId,
    MessageId,
    CallId,
    CampaignId,
    WebhookId,
    EventId,
    DeliveryId
);
