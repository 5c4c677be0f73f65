//! Entity tags (the quoted version of a resource) and optimistic concurrency control.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::validation::ValidationErrors;
use http::{HeaderMap, HeaderValue, header::IF_MATCH};
use platform::table::{TableError, WriteError};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ApiResult, Problem};

/// Returns the `ETag` of a version.
pub fn of(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Returns the `ETag` of a resource without a version: a hash of its representation.
pub fn of_shown(body: &Value) -> HeaderValue {
    let digest = Sha256::digest(body.to_string());
    let tag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..15]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Error of a change.
#[derive(Debug)]
pub enum UpdateError {
    /// The request can't be fulfilled; returned to the client as it is.
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
    /// No `If-Match` header: any version.
    None,
    /// `If-Match` matches the current version.
    Matched,
}

/// Returns 412 if `If-Match` does not include the version (RFC 9110 §13.1.1).
fn check(headers: &HeaderMap, version: u64) -> ApiResult<Precondition> {
    let mut tags = headers.get_all(IF_MATCH).iter().peekable();
    if tags.peek().is_none() {
        return Ok(Precondition::None);
    }
    let current = of(version);
    let named = tags
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let matched = named.into_iter().any(|tag| tag == "*" || current == tag);
    if matched {
        Ok(Precondition::Matched)
    } else {
        Err(Problem::stale())
    }
}

/// Maximum attempts of a change that conflicts with concurrent changes.
const MAX_ATTEMPTS: usize = 5;

/// Reads a resource with `read` and changes it with `write`, which fails if the resource has
/// changed in the meantime. With `If-Match` the conflict is returned as 412; without it, the change
/// is retried on the new version.
pub async fn change<T, D, F, G>(
    headers: &HeaderMap,
    version: impl Fn(&T) -> u64,
    read: impl Fn() -> F,
    write: impl Fn(T) -> G,
) -> ApiResult<D>
where
    F: Future<Output = ApiResult<T>>,
    G: Future<Output = Result<D, UpdateError>>,
{
    for _ in 0..MAX_ATTEMPTS {
        let before = read().await?;
        let precondition = check(headers, version(&before))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_accepts_only_the_current_version() {
        let with = |value: &str| {
            HeaderMap::from_iter([(IF_MATCH, HeaderValue::try_from(value).expect("a value"))])
        };
        assert_eq!(check(&HeaderMap::new(), 3).ok(), Some(Precondition::None));
        for (value, matched) in [
            ("\"3\"", true),
            ("*", true),
            ("\"1\", \"3\"", true),
            ("\"2\"", false),
            ("3", false),
            ("W/\"3\"", false),
        ] {
            assert_eq!(
                check(&with(value), 3).ok(),
                matched.then_some(Precondition::Matched),
                "{value}"
            );
        }
    }
}
