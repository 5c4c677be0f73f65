//! Cross-field validation on create and update. Skipped when loading, so that stored webhooks
//! always load.

use std::collections::BTreeMap;

use http::HeaderName;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Auth, signing::Signing};
use crate::{
    template::HeaderTemplate,
    validation::{Validated, ValidationErrors},
};

/// Maximum size of the settings as JSON including secrets, in bytes. Encrypted they take 256 KiB; a
/// DynamoDB item is limited to 400 KB.
const MAX_BYTES: usize = 192 * 1024;

/// Tags that name an unknown secret. Unlike event data, secrets are known at this point.
pub(super) fn undefined_secrets<'a>(
    tags: impl Iterator<Item = &'a str>,
    secrets: &BTreeMap<String, SecretString>,
) -> Vec<String> {
    let unknown = |tag: &&str| {
        tag.strip_prefix("secret.")
            .is_some_and(|name| !secrets.contains_key(name))
    };
    tags.filter(unknown).map(str::to_owned).collect()
}

/// Validates that nothing else sets the header of the signing secret.
pub(super) fn check_signing_header(signing: &Signing, auth: Option<&Auth>) -> Validated<()> {
    match signing {
        Signing::Header(name) if auth.and_then(Auth::header_name).as_ref() == Some(name) => {
            Err(ValidationErrors::here("is already set by `auth`").under("name"))
        }
        _ => Ok(()),
    }
}

/// Validates that nothing else sets an extra header.
pub(super) fn check_extra_header(
    name: &HeaderName,
    auth: Option<&Auth>,
    signing: Option<&Signing>,
) -> Validated<()> {
    if auth.and_then(Auth::header_name).as_ref() == Some(name) {
        return Err(ValidationErrors::here("is already set by `auth`"));
    }
    match signing {
        Some(Signing::Header(signed)) if signed == name => {
            Err(ValidationErrors::here("is already set by `signing`"))
        }
        _ => Ok(()),
    }
}

/// Validates that no header is also set by the connected service's account.
pub(super) fn check_account_headers(
    headers: &[(HeaderName, HeaderTemplate)],
    signing: &Signing,
    authenticating: &HeaderName,
) -> Validated<()> {
    let detail = "is already set by the service's account";
    let mut problems = Vec::new();
    for (name, _) in headers.iter().filter(|(name, _)| name == authenticating) {
        problems.extend(
            ValidationErrors::here(detail)
                .under(name.as_str())
                .under("headers")
                .0,
        );
    }
    if matches!(signing, Signing::Header(name) if name == authenticating) {
        problems.extend(
            ValidationErrors::here(detail)
                .under("name")
                .under("signing")
                .0,
        );
    }
    ValidationErrors::check(problems)
}

/// Validates the size of the settings. An error names the largest field.
pub(super) fn check_size(settings: Map<String, Value>) -> Validated<()> {
    let sizes: Vec<(String, usize)> = settings
        .into_iter()
        .map(|(name, value)| (name, value.to_string().len()))
        .collect();
    let whole: usize = sizes.iter().map(|(_, size)| size).sum();
    let largest = sizes
        .into_iter()
        .max_by_key(|(_, size)| *size)
        .filter(|_| whole > MAX_BYTES);
    largest.map_or(Ok(()), |(name, size)| {
        let detail =
            format!("has {size} of the webhook's {whole} bytes as JSON, but only {MAX_BYTES} are allowed in total");
        Err(ValidationErrors::here(detail).under(&name))
    })
}
