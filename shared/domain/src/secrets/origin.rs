//! Origins (scheme, host, port) of stored secrets.
//!
//! A secret belongs to the origin it was given for. If a patch changes a URL or sends a secret
//! somewhere new, it must include every stored secret that would be sent to another origin.
//! Otherwise, anyone who may change a URL could read the secrets that are sent to it.

use std::collections::BTreeMap;

use http::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::mask;
use crate::validation::{Validated, ValidationErrors};

/// Scheme, host and port of a URL, such as `https://example.com` (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(String);

impl Origin {
    /// Origin of an absolute URL.
    pub fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    /// An origin that no URL has (RFC 6454 §6.1).
    pub fn none() -> Self {
        Self("null".to_owned())
    }
}

/// A secret in the settings of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Path of its field in the resource's document.
    path: Vec<String>,
    /// Whether requests contain it with the current settings.
    sent: bool,
}

impl StoredSecret {
    /// A secret sent with every request.
    pub fn sent<const N: usize>(path: [&str; N]) -> Self {
        Self::sent_if(true, path)
    }

    /// A secret sent with requests if `sent` is true.
    pub fn sent_if<const N: usize>(sent: bool, path: [&str; N]) -> Self {
        Self {
            path: path.map(str::to_owned).into(),
            sent,
        }
    }

    /// The secrets among `headers`, which are at `path` in the document.
    pub(crate) fn of_headers<'a>(
        path: &'a [&'a str],
        headers: impl Iterator<Item = (&'a HeaderName, &'a str)> + 'a,
    ) -> impl Iterator<Item = Self> + 'a {
        headers
            .filter(|(name, value)| contains_secret(name, value))
            .map(|(name, _)| {
                let path = path
                    .iter()
                    .copied()
                    .chain([name.as_str()])
                    .map(str::to_owned)
                    .collect();
                Self { path, sent: true }
            })
    }

    /// Path of its field in the resource's document.
    pub(crate) fn path(&self) -> &[String] {
        &self.path
    }

    /// Whether the merge patch contains its value.
    pub(crate) fn is_given(&self, patch: &Value) -> bool {
        let mut place = patch;
        let mut in_headers = false;
        for field in &self.path {
            let Some(fields) = place.as_object() else {
                return false;
            };
            let named =
                |name: &String| name == field || in_headers && name.eq_ignore_ascii_case(field);
            let Some((_, value)) = fields.iter().find(|(name, _)| named(name)) else {
                return false;
            };
            (place, in_headers) = (value, field == "headers");
        }
        !place.is_null()
    }

    /// An error of its value.
    fn problem(&self, detail: String) -> ValidationErrors {
        self.path
            .iter()
            .rev()
            .fold(ValidationErrors::here(detail), |problems, field| {
                problems.under(field)
            })
    }
}

/// Whether a header value contains a secret itself, not only a tag (`Bearer {secret.token}`).
fn contains_secret(name: &HeaderName, value: &str) -> bool {
    mask::header_secrets(name.as_str(), value)
        .iter()
        .any(|part| !part.trim().is_empty())
}

/// Origins of secrets that were given for another origin than the current one, by field path. Such
/// a secret was not in use when the URL changed. It may only be used again at its own origin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretOrigins(BTreeMap<String, Origin>);

impl SecretOrigins {
    /// Whether every secret belongs to the current origin.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the origins after `patch` led to settings with these `secrets`. Requests were sent
    /// to `before` and are now sent to `after`.
    ///
    /// # Errors
    /// Names every secret that the patch must include.
    pub fn patched(
        &self,
        secrets: impl IntoIterator<Item = StoredSecret>,
        patch: &Value,
        before: &Origin,
        after: &Origin,
    ) -> Validated<Self> {
        let (mut origins, mut missing) = (BTreeMap::new(), Vec::new());
        for secret in secrets.into_iter().filter(|secret| !secret.is_given(patch)) {
            let place = secret.path.join("/");
            let origin = self.0.get(&place).unwrap_or(before);
            if origin == after {
                continue;
            }
            if secret.sent {
                let detail = format!(
                    "is required: the stored value was given for {} and can't be sent to {}. Supply it again or remove it.",
                    origin.0, after.0
                );
                missing.extend(secret.problem(detail).0);
            } else {
                origins.insert(place, origin.clone());
            }
        }
        ValidationErrors::check(missing).map(|()| Self(origins))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn origin_is_scheme_host_and_port() {
        let a = origin("https://a.example/x?y#z");
        for same in [
            "https://a.example",
            "https://A.example:443/",
            "https://user@a.example/y",
        ] {
            assert_eq!(origin(same), a, "{same}");
        }
        for other in [
            "http://a.example",
            "https://a.example:8443",
            "https://b.example",
            "https://x.a.example",
        ] {
            assert_ne!(origin(other), a, "{other}");
        }
    }

    #[test]
    fn stored_secret_at_another_origin_is_required() {
        let (a, b) = (&origin("https://a.example"), &origin("https://b.example"));
        let secrets = || {
            let headers = [
                ("x-api-key", "abc"),
                ("authorization", "Bearer {secret.t}"),
                ("accept", "text/plain"),
            ];
            let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
            let headers = headers.iter().map(|(name, value)| (name, *value));
            let headers: Vec<_> = StoredSecret::of_headers(&["headers"], headers).collect();
            let own = [
                StoredSecret::sent(["auth", "password"]),
                StoredSecret::sent_if(true, ["secrets", "a/b"]),
                StoredSecret::sent_if(false, ["secret"]),
            ];
            own.into_iter().chain(headers)
        };
        let missing = |patch: Value, before, after| {
            let patched = SecretOrigins::default().patched(secrets(), &patch, before, after);
            patched
                .err()
                .map_or_else(Vec::new, |problems| problems.0)
                .into_iter()
                .map(|one| one.pointer)
                .collect::<Vec<_>>()
        };
        let none: Vec<String> = Vec::new();
        assert_eq!(missing(json!({}), a, a), none);
        assert_eq!(
            missing(json!({}), a, b),
            ["/auth/password", "/secrets/a~1b", "/headers/x-api-key"]
        );
        assert_eq!(
            missing(json!({"auth": {"password": "p"}}), a, b),
            ["/secrets/a~1b", "/headers/x-api-key"]
        );
        assert_eq!(
            missing(
                json!({"auth": {"password": null}, "secrets": {"A/B": "x"}, "headers": "x"}),
                a,
                b
            ),
            ["/auth/password", "/secrets/a~1b", "/headers/x-api-key"]
        );
        let all = json!({"auth": {"password": "p"}, "secrets": {"a/b": "x"}, "headers": {"X-API-Key": "y"}});
        assert_eq!(missing(all, a, b), none);
    }

    #[test]
    fn unused_secret_stays_with_its_origin() {
        let (a, b) = (&origin("https://a.example"), &origin("https://b.example"));
        let (unused, used) = (
            StoredSecret::sent_if(false, ["secret"]),
            StoredSecret::sent(["secret"]),
        );
        let moved = SecretOrigins::default()
            .patched([unused.clone()], &json!({}), a, b)
            .expect("nothing is sent");
        assert!(!moved.is_empty());
        for (patch, refused) in [(json!({}), true), (json!({"secret": "new"}), false)] {
            assert_eq!(
                moved.patched([used.clone()], &patch, b, b).is_err(),
                refused,
                "{patch}"
            );
        }
        assert!(
            moved
                .patched([used.clone()], &json!({}), b, a)
                .expect("at home")
                .is_empty()
        );
        assert_eq!(moved.patched([unused], &json!({}), b, b), Ok(moved.clone()));
        assert!(
            moved
                .patched([], &json!({}), b, b)
                .expect("no secret")
                .is_empty()
        );
    }
}
