//! Documents of the API.
//!
//! Responses are built from the domain's types and serialized as they are documented. Input types
//! (`…Input`, `…Patch`) only describe requests; the parsers in the domain crate validate.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

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
mod bundle;
mod call;
mod callback;
mod campaign;
mod condition;
mod delivery;
mod event;
mod ids;
mod message;
mod problem;
mod provider;
mod provider_auth;
mod retry;
mod service;
mod validation;
mod verification;
mod webhook;
mod webhook_action;
mod webhook_auth;

use std::collections::BTreeMap;

use domain::{secrets::mask, template::HeaderTemplate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, IntoResponses, ToSchema};

pub use self::{
    access::*, account::*, attempt::*, bundle::*, call::*, callback::*, campaign::*, condition::*,
    delivery::*, event::*, ids::*, message::*, problem::*, provider::*, provider_auth::*, retry::*,
    service::*, validation::*, verification::*, webhook::*, webhook_action::*, webhook_auth::*,
};

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
mod tests;
