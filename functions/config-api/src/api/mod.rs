//! Documents of the API.
//!
//! Responses are built from the domain's types and serialized as they are documented. Input types
//! (`…Input`, `…Patch`) only describe requests; the parsers in the domain crate validate.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

/// Defines an enum of the API and its conversion from the domain's.
macro_rules! mirror {
    (
        $(#[$attribute:meta])*
        $name:ident of $source:ty { $($(#[$description:meta])* $variant:ident),* $(,)? }
    ) => {
        #[derive(Debug, Clone, Copy, serde::Serialize, utoipa::ToSchema)]
        $(#[$attribute])*
        pub enum $name {
            $($(#[$description])* $variant,)*
        }

        impl From<$source> for $name {
            fn from(source: $source) -> Self {
                match source {
                    $(<$source>::$variant => Self::$variant,)*
                }
            }
        }
    };
}

mod access;
mod account;
mod attempt;
mod campaign;
mod condition;
mod delivery;
mod event;
mod ids;
mod message;
mod provider;
mod retry;
mod service;
mod validation;
mod verification;
mod webhook;
mod webhook_action;

use std::collections::BTreeMap;

use domain::{secrets::mask, template::HeaderTemplate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, IntoResponses, ToSchema};

pub use self::{
    access::*, account::*, attempt::*, campaign::*, condition::*, delivery::*, event::*, ids::*,
    message::*, provider::*, retry::*, service::*, validation::*, verification::*, webhook::*,
    webhook_action::*,
};
use crate::http::Problem;

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items of this page.
    pub data: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last page.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Maximum items per page. Pages may be shorter; there are more pages while `next_cursor` is
    /// not null.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` from the previous page. Use the same filters.
    pub cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ByName {
    /// Only the resource with exactly this name (case-insensitive).
    #[param(max_length = 100)]
    pub name: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// Only if the resource still has this `ETag`; otherwise 412.
    #[serde(rename = "If-Match")]
    pub if_match: Option<String>,
}

mirror! {
    /// Format of a body.
    #[serde(rename_all = "lowercase")]
    Format of domain::template::Format {
        /// JSON (RFC 8259).
        Json,
        /// XML 1.0.
        Xml,
        /// `application/x-www-form-urlencoded` (WHATWG URL).
        Form,
    }
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Parsers accept no other methods.
impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match method.as_str() {
            "GET" => Self::Get,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Post,
        }
    }
}

/// Returns extra headers by name, with values that look secret masked.
fn headers(extra: &[(http::HeaderName, HeaderTemplate)]) -> BTreeMap<String, String> {
    extra
        .iter()
        .map(|(name, value)| {
            let shown = mask::header(name.as_str(), value.as_str());
            (name.to_string(), shown)
        })
        .collect()
}

/// Marker for error responses. `openapi::responses` derives them from the operation's inputs.
#[derive(Debug, IntoResponses)]
pub enum ErrorResponses {}

/// A conflict with the resource's state.
#[derive(Debug, IntoResponses)]
pub enum ConflictResponse {
    /// A name is already in use, or the resource's state does not allow the request.
    #[response(status = 409, content_type = "application/problem+json")]
    ConflictResponse(Problem),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{
        egress_policy::AllowList, event::NewEvent, validation::ValidationErrors, webhook::Settings,
    };
    use serde_json::{Map, Value, json};
    use utoipa::PartialSchema;

    use super::*;

    /// Sends a value of a wrong type for every described field: the parser must report each, and no
    /// unknown or missing field.
    fn assert_described<T: PartialSchema>(parse: impl Fn(Value) -> Result<(), ValidationErrors>) {
        let described = json!(T::schema());
        let names = described["properties"]
            .as_object()
            .expect("an object schema")
            .keys();
        let document: Map<String, Value> = names.map(|name| (name.clone(), json!(-0.5))).collect();
        let described: BTreeSet<String> = document.keys().map(|name| format!("/{name}")).collect();
        let problems = parse(document.into()).expect_err("every field is wrong").0;
        assert!(
            problems
                .iter()
                .all(|problem| !problem.detail.contains("known field")),
            "{problems:?}"
        );
        let known: BTreeSet<String> = problems
            .into_iter()
            .map(|problem| problem.pointer)
            .collect();
        assert_eq!(known, described);
    }

    #[test]
    fn schemas_match_the_parsers() {
        assert_described::<WebhookInput>(|value| {
            Settings::parse(value, &AllowList::default()).map(drop)
        });
        let (user, now) = (platform::random::id(), platform::clock::now());
        assert_described::<UserInput>(|value| domain::user::Settings::parse(value).map(drop));
        assert_described::<CredentialInput>(|value| {
            domain::credential::Settings::parse(value, user, now).map(drop)
        });
        assert_described::<AccountInput>(|value| {
            domain::account::Settings::parse(value, &AllowList::default()).map(drop)
        });
        let account = platform::random::id();
        assert_described::<ServiceInput>(|value| {
            domain::service::Settings::parse(value, &AllowList::default(), account).map(drop)
        });
        assert_described::<ProviderInput>(|value| {
            domain::provider::Settings::parse(
                value,
                &AllowList::default(),
                domain::provider::Keys::Required,
            )
            .map(drop)
        });
        assert_described::<MessageInput>(|value| {
            domain::message::NewMessage::parse(value).map(drop)
        });
        assert_described::<CallInput>(|value| {
            domain::message::NewMessage::parse_call(value).map(drop)
        });
        assert_described::<CampaignInput>(|value| {
            domain::campaign::Settings::parse(value).map(drop)
        });
        assert_described::<ImportInput>(|value| {
            domain::campaign::Import::parse(value, &AllowList::default()).map(drop)
        });
        assert_described::<EventInput>(|value| NewEvent::parse(value).map(drop));
        assert_described::<EventTypeInput>(|value| {
            crate::routes::event_types::parse(value).map(drop)
        });
    }
}
