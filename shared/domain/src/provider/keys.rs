//! Validation of a provider's two keys.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{Auth, template::check_placeholders};
use crate::{
    outgoing,
    signature::{self, SigningSecret},
    validation::{Source, Validated, ValidationErrors, secret},
};

/// Printable ASCII, for headers. A user name (RFC 7617) must not contain a colon.
pub(super) fn api_key(
    value: Value,
    auth: Option<&Auth>,
    source: Source,
) -> Validated<SecretString> {
    let key = source.secret(outgoing::header_secret)(value)?;
    check_placeholders(key.expose_secret(), source)?;
    if auth == Some(&Auth::Basic) && key.expose_secret().contains(':') {
        return Err(ValidationErrors::here(
            "must not contain a colon, because it is the user name of HTTP Basic authentication",
        ));
    }
    Ok(key)
}

/// A key with the prefix of an encoded signing key must be a valid one.
pub(super) fn secret_key(
    value: Value,
    auth: Option<&Auth>,
    source: Source,
) -> Validated<SecretString> {
    let key = source.secret(secret)(value)?;
    check_placeholders(key.expose_secret(), source)?;
    if auth == Some(&Auth::Signed) && source == Source::Client {
        signature::check_plausible(key.expose_secret())?;
        if key.expose_secret().starts_with("whsec_") {
            SigningSecret::parse(key.expose_secret())?;
        }
    }
    Ok(key)
}
