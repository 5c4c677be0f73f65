//! Entity tags (the quoted version of a resource) and optimistic concurrency control.

use std::convert::Infallible;

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::validation::ValidationErrors;
use http::{
    HeaderValue, StatusCode,
    header::{ETAG, IF_MATCH},
    request::Parts,
};
use platform::table::{TableError, WriteError};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{ApiResult, Problem};

/// A resource with its `ETag`.
#[derive(Debug)]
pub struct Tagged<T> {
    etag: HeaderValue,
    body: T,
}

impl<T> Tagged<T> {
    /// A resource with a version.
    pub fn new(version: u64, body: T) -> Self {
        let etag = tag(&version.to_string());
        Self { etag, body }
    }

    /// Changes the representation of the resource.
    #[must_use]
    pub fn map(self, change: impl FnOnce(T) -> T) -> Self {
        Self {
            body: change(self.body),
            ..self
        }
    }

    /// A resource without a version: its `ETag` is a hash of its representation.
    pub fn hashed(body: T) -> Self
    where
        T: Serialize,
    {
        // If it can't be serialized, there is no response either.
        let digest = Sha256::digest(serde_json::to_vec(&body).unwrap_or_default());
        let etag = tag(&BASE64_URL_SAFE_NO_PAD.encode(&digest[..15]));
        Self { etag, body }
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(ETAG, self.etag)], Json(self.body)).into_response()
    }
}

fn tag(text: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// A stored resource with a version for optimistic locking.
pub trait Versioned {
    /// The current version.
    fn version(&self) -> u64;
}

/// Error of a change.
#[derive(Debug)]
pub enum UpdateError {
    /// The request can't be fulfilled; returned to the client unchanged.
    Problem(Problem),
    /// The table rejected the write. [`WriteError::Changed`] is retried.
    Write(WriteError),
}

impl From<WriteError> for UpdateError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<Problem> for UpdateError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ValidationErrors> for UpdateError {
    fn from(problems: ValidationErrors) -> Self {
        Self::Problem(problems.into())
    }
}

impl From<TableError> for UpdateError {
    fn from(error: TableError) -> Self {
        Self::Write(error.into())
    }
}

/// Result of the `If-Match` check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precondition {
    /// No `If-Match` header, or `*`: any version.
    None,
    /// `If-Match` matches the current version.
    Matched,
}

/// The `If-Match` headers of a request (RFC 9110 §13.1.1).
#[derive(Debug)]
pub struct IfMatch(Vec<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(
            parts.headers.get_all(IF_MATCH).iter().cloned().collect(),
        ))
    }
}

/// Maximum attempts of a change that conflicts with concurrent changes.
const MAX_ATTEMPTS: usize = 5;

impl IfMatch {
    /// The entity tags in all headers, in order.
    fn named(&self) -> impl Iterator<Item = &str> + Clone {
        let values = self.0.iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim)
    }

    /// Returns 412 if there is an `If-Match` that does not include the version.
    fn check(&self, version: u64) -> ApiResult<Precondition> {
        if self.0.is_empty() {
            return Ok(Precondition::None);
        }
        let current = tag(&version.to_string());
        let mut named = self.named();
        if named.clone().any(|tag| tag == "*") {
            return Ok(Precondition::None);
        }
        if named.any(|tag| current == tag) {
            Ok(Precondition::Matched)
        } else {
            Err(Problem::stale())
        }
    }

    /// Reads a resource with `read` and changes it with `write`, which fails if the resource has
    /// changed in the meantime. With `If-Match` the conflict is returned as 412; without it, the
    /// change is retried on the new version.
    pub async fn change<T, D, F, G>(
        &self,
        read: impl Fn() -> F,
        write: impl Fn(T) -> G,
    ) -> ApiResult<D>
    where
        T: Versioned,
        F: Future<Output = ApiResult<T>>,
        G: Future<Output = Result<D, UpdateError>>,
    {
        for _ in 0..MAX_ATTEMPTS {
            let before = read().await?;
            let precondition = self.check(before.version())?;
            match (write(before).await, precondition) {
                (Err(UpdateError::Write(WriteError::Changed)), Precondition::Matched) => {
                    return Err(Problem::stale());
                }
                (Err(UpdateError::Write(WriteError::Changed)), Precondition::None) => {}
                (Err(UpdateError::Write(error)), _) => return Err(error.into()),
                (Err(UpdateError::Problem(problem)), _) => return Err(problem),
                (Ok(done), _) => return Ok(done),
            }
        }
        Err(WriteError::Changed.into())
    }

    /// Like [`Self::change`], for a deletion. Returns 204.
    pub async fn delete<T, F, G>(
        &self,
        read: impl Fn() -> F,
        write: impl Fn(T) -> G,
    ) -> ApiResult<StatusCode>
    where
        T: Versioned,
        F: Future<Output = ApiResult<T>>,
        G: Future<Output = Result<(), UpdateError>>,
    {
        self.change(read, write).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_accepts_only_the_current_version() {
        let with = |value: &str| IfMatch(vec![HeaderValue::try_from(value).expect("a value")]);
        for any in [IfMatch(Vec::new()), with("*"), with("\"1\", *")] {
            assert_eq!(any.check(3).ok(), Some(Precondition::None), "any version");
        }
        for (value, matched) in [
            ("\"3\"", true),
            ("\"1\", \"3\"", true),
            ("\"2\"", false),
            ("3", false),
            ("W/\"3\"", false),
        ] {
            assert_eq!(
                with(value).check(3).ok(),
                matched.then_some(Precondition::Matched),
                "{value}"
            );
        }
    }
}
