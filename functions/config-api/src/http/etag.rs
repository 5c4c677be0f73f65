//! Entity tags: a resource's version, quoted.

use http::{HeaderMap, HeaderValue, header::IF_MATCH};

use super::{Answer, Problem};

/// The tag of a version.
pub fn of(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What `If-Match` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the latest version will do.
    None,
    /// The version that was checked.
    Held,
}

/// Refuses a version that `If-Match` does not name (RFC 9110 §13.1.1).
pub fn check(headers: &HeaderMap, version: u64) -> Answer<Precondition> {
    let mut tags = headers.get_all(IF_MATCH).iter().peekable();
    if tags.peek().is_none() {
        return Ok(Precondition::None);
    }
    let current = of(version);
    let named = tags.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim);
    let held = named.into_iter().any(|tag| tag == "*" || current == tag);
    if held { Ok(Precondition::Held) } else { Err(Problem::stale()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_current_version_passes() {
        let with = |value: &str| HeaderMap::from_iter([(IF_MATCH, HeaderValue::try_from(value).expect("a value"))]);
        assert_eq!(check(&HeaderMap::new(), 3).ok(), Some(Precondition::None));
        for (value, held) in
            [("\"3\"", true), ("*", true), ("\"1\", \"3\"", true), ("\"2\"", false), ("3", false), ("W/\"3\"", false)]
        {
            assert_eq!(check(&with(value), 3).ok(), held.then_some(Precondition::Held), "{value}");
        }
    }
}
