//! Request bodies: JSON of at most 256 KiB.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
};
use domain::invalid::Fields;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::{Answer, Problem};

/// The largest body that is read, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// The JSON document in the body; `None` when there is no body.
#[derive(Debug)]
pub struct Document(pub Option<Value>);

impl Document {
    /// The document, which must be there.
    pub fn required(self) -> Answer<Value> {
        self.0.ok_or_else(|| Problem::bad_request("The request has no body: send a JSON document"))
    }

    /// Refuses fields where none is asked for.
    pub fn nothing(self) -> Answer<()> {
        Ok(Fields::of(self.or_empty()).and_then(|fields| fields.finish(Some(())))?)
    }

    /// The document, or an empty object where there is none, or null.
    pub fn or_empty(self) -> Value {
        self.0.filter(|value| !value.is_null()).unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}

impl<S: Sync> FromRequest<S> for Document {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let bytes = read(body).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if essence != "application/json" && essence != "application/merge-patch+json" {
            return Err(Problem::unsupported_media_type());
        }
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::bad_request(format!("The body is not JSON: {error}")))?;
        Ok(Self(Some(value)))
    }
}

async fn read(body: Body) -> Answer<Vec<u8>> {
    // Lambda hands over whole bodies, so the only way to fail is by size.
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| Problem::too_large("The body has more than 256 KiB"))?;
    Ok(bytes.into())
}
