//! Entity tags (a resource's version, quoted), and changes that lose nobody else's.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::invalid::Problems;
use http::{HeaderMap, HeaderValue, header::IF_MATCH};
use platform::table::{TableError, WriteError};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Answer, Problem};

/// The tag of a version.
pub fn of(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The tag of what has no version, by what an answer shows of it.
pub fn of_shown(body: &Value) -> HeaderValue {
    let digest = Sha256::digest(body.to_string());
    let tag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..15]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Why a change was not made.
#[derive(Debug)]
pub enum Refusal {
    /// The client asked for what can't be.
    Problem(Problem),
    /// The table refused it.
    Write(WriteError),
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Problems> for Refusal {
    fn from(problems: Problems) -> Self {
        Self::Problem(problems.into())
    }
}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        Self::Write(error.into())
    }
}

/// What `If-Match` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precondition {
    /// Nothing: the latest version will do.
    None,
    /// The version that was checked.
    Held,
}

/// Refuses a version that `If-Match` does not name (RFC 9110 §13.1.1).
fn check(headers: &HeaderMap, version: u64) -> Answer<Precondition> {
    let mut tags = headers.get_all(IF_MATCH).iter().peekable();
    if tags.peek().is_none() {
        return Ok(Precondition::None);
    }
    let current = of(version);
    let named = tags
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let held = named.into_iter().any(|tag| tag == "*" || current == tag);
    if held {
        Ok(Precondition::Held)
    } else {
        Err(Problem::stale())
    }
}

/// How often a change is tried anew on what somebody else has just changed.
const TRIES: usize = 5;

/// Changes what `read` reads, by `write`, which fails where it has changed meanwhile. A client that
/// named a version learns of that; for others the change is tried anew on what is there now.
pub async fn change<T, D, F, G>(
    headers: &HeaderMap,
    version: impl Fn(&T) -> u64,
    read: impl Fn() -> F,
    write: impl Fn(T) -> G,
) -> Answer<D>
where
    F: Future<Output = Answer<T>>,
    G: Future<Output = Result<D, Refusal>>,
{
    for _ in 0..TRIES {
        let before = read().await?;
        let precondition = check(headers, version(&before))?;
        match (write(before).await, precondition) {
            (Err(Refusal::Write(WriteError::Changed)), Precondition::Held) => {
                return Err(Problem::stale());
            }
            (Err(Refusal::Write(WriteError::Changed)), Precondition::None) => {}
            (Err(Refusal::Write(error)), _) => return Err(error.into()),
            (Err(Refusal::Problem(problem)), _) => return Err(problem),
            (Ok(done), _) => return Ok(done),
        }
    }
    Err(WriteError::Changed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_current_version_passes() {
        let with = |value: &str| {
            HeaderMap::from_iter([(IF_MATCH, HeaderValue::try_from(value).expect("a value"))])
        };
        assert_eq!(check(&HeaderMap::new(), 3).ok(), Some(Precondition::None));
        for (value, held) in [
            ("\"3\"", true),
            ("*", true),
            ("\"1\", \"3\"", true),
            ("\"2\"", false),
            ("3", false),
            ("W/\"3\"", false),
        ] {
            assert_eq!(
                check(&with(value), 3).ok(),
                held.then_some(Precondition::Held),
                "{value}"
            );
        }
    }
}
