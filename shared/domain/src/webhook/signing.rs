//! How a webhook's requests prove their origin.

use http::HeaderName;
use serde_json::{Value, json};

use crate::{
    outgoing::header_name,
    validation::{FieldReader, Validated, ValidationErrors, string},
};

/// How a request proves that it comes from Tieline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Standard Webhooks signature headers.
    Standard,
    /// The signing secret itself in a header.
    Header(HeaderName),
}

impl Signing {
    pub(super) fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let signing = match fields.required("type", string).as_deref() {
            Some("standard") => Some(Self::Standard),
            Some("header") => fields.required("name", header_name).map(Self::Header),
            Some(_) => {
                return Err(
                    ValidationErrors::here("must be one of: standard, header").under("type")
                );
            }
            None => None,
        };
        fields.finish(signing)
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Standard => json!({"type": "standard"}),
            Self::Header(name) => json!({"type": "header", "name": name.as_str()}),
        }
    }
}
