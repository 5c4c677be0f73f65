//! Token endpoint responses: RFC 6749, sections 5.1 and 5.2, and common deviations.
//!
//! A refresh token may be single-use: once the server has replaced it, the old one is invalid.
//! [`TokenResponse::read`] therefore finds the new one in every 2xx response, even without a usable
//! access token.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use super::oauth_tokens::IssuedToken;
use crate::{form, json, secrets::redact::Redactor};

/// Lifetime of a token without `expires_in`.
const UNKNOWN_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long before its expiry a token counts as expired, to allow for request time and clock
/// differences.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Maximum length of an error name that is shown, in characters.
const MAX_ERROR: usize = 50;

/// The used part of a token endpoint's response.
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// Access token, or the reason why there is none, without secrets.
    pub token: Result<IssuedToken, String>,
    /// Refresh token that replaces the current one.
    pub refresh: Option<SecretString>,
}

impl TokenResponse {
    /// Parses the response (JSON or a form) to a request made at `now` under `lease`. `secrets` are
    /// masked in the reason.
    pub fn read(
        status: StatusCode,
        body: &[u8],
        secrets: &Redactor,
        lease: &str,
        now: Timestamp,
    ) -> Self {
        let document = document(body);
        let token = token(status, &document, secrets).map(|access| IssuedToken {
            access: access.into(),
            good_until: now
                .saturating_add(lifetime(&document["expires_in"]))
                .unwrap_or(now),
            lease: lease.to_owned(),
        });
        let refresh = text(&document, "refresh_token").filter(|_| status.is_success());
        Self {
            token,
            refresh: refresh.map(SecretString::from),
        }
    }
}

/// Fields of the response; null if it has none.
fn document(body: &[u8]) -> Value {
    let object = json::read(body).ok().filter(Value::is_object);
    let form = || form::read(body.trim_ascii(), None).map(Value::Object);
    let known = |form: &Value| {
        ["access_token", "refresh_token", "error"]
            .iter()
            .any(|name| !form[*name].is_null())
    };
    object.or_else(|| form().filter(known)).unwrap_or_default()
}

fn text<'a>(document: &'a Value, field: &str) -> Option<&'a str> {
    document[field].as_str().filter(|text| !text.is_empty())
}

/// The access token. It is sent as a bearer token whatever its type: servers name theirs
/// `BearerToken`, `bot` or `jwt`.
fn token<'a>(
    status: StatusCode,
    document: &'a Value,
    secrets: &Redactor,
) -> Result<&'a str, String> {
    let error = error(&document["error"], secrets);
    if let Some(error) = error {
        return Err(format!(
            "the token endpoint responded with {}: {error}",
            status.as_u16()
        ));
    }
    if !status.is_success() {
        return Err(format!(
            "the token endpoint responded with {}",
            status.as_u16()
        ));
    }
    if document.is_null() {
        return Err("the token endpoint's response is neither a JSON object nor a form".to_owned());
    }
    let Some(access) = text(document, "access_token") else {
        return Err("the token endpoint's response contains no access_token".to_owned());
    };
    // It becomes a header value (RFC 6750, section 2.1).
    if access.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(access)
    } else {
        Err("the token endpoint's response contains an access_token with characters that are not allowed in headers".to_owned())
    }
}

/// The name of an error. RFC 6749, section 5.2 defines a fixed set, but servers send any text, or
/// an object with a code.
fn error(value: &Value, secrets: &Redactor) -> Option<String> {
    let name = match value {
        Value::String(text) => text.clone(),
        Value::Number(code) if code.as_f64() != Some(0.0) => code.to_string(),
        Value::Object(_) => {
            let named = ["code", "type", "status"]
                .iter()
                .find_map(|field| error(&value[*field], secrets));
            return Some(named.unwrap_or_else(|| "error".to_owned()));
        }
        _ => return None,
    };
    let legal = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let shown: String = secrets
        .whole(&name)
        .chars()
        .filter(legal)
        .take(MAX_ERROR)
        .collect();
    (!name.trim().is_empty()).then(|| {
        if shown.is_empty() {
            "error".to_owned()
        } else {
            shown
        }
    })
}

/// How long a token is used. Some servers send the seconds as a string.
fn lifetime(expires_in: &Value) -> SignedDuration {
    let seconds = expires_in
        .as_f64()
        .or_else(|| expires_in.as_str()?.trim().parse().ok());
    let life = seconds
        .filter(|seconds: &f64| !seconds.is_nan())
        .map_or(UNKNOWN_LIFE, |seconds| {
            #[expect(clippy::cast_possible_truncation, reason = "clamped to a year")]
            let seconds = seconds.clamp(0.0, 31_536_000.0) as i64;
            SignedDuration::from_secs(seconds)
        });
    life - MARGIN.min(life / 10)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::secrets::redact::Secrets;

    const OK: StatusCode = StatusCode::OK;

    fn read(status: StatusCode, body: &str) -> TokenResponse {
        let mut secrets = Secrets::default();
        secrets.add("s3cret-of-the-client");
        TokenResponse::read(
            status,
            body.as_bytes(),
            &Redactor::new(secrets),
            "l",
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn access_token_is_parsed_in_every_form() {
        for (body, life) in [
            (
                r#"{"access_token": "a", "token_type": "Bearer", "expires_in": 3600}"#,
                3540,
            ),
            (
                r#"{"access_token": "a", "token_type": "BearerToken", "expires_in": "600"}"#,
                540,
            ),
            (
                r#"{"access_token": "a", "token_type": "mac", "expires_in": 100}"#,
                90,
            ),
            (
                r#"{"access_token": "a", "token_type": 7, "error": null}"#,
                3540,
            ),
            (r#"{"access_token": "a", "error": "", "expires_in": -5}"#, 0),
            (
                r#"{"access_token": "a", "error": 0, "expires_in": 1e300}"#,
                31_535_940,
            ),
            (r#"{"access_token": "a", "expires_in": [1]}"#, 3540),
            (r#"{"access_token": "a", "expires_in": "NaN"}"#, 3540),
            (
                "\u{feff}{\"access_token\": \"a\", \"note\": \"\\ud83d\"}",
                3540,
            ),
            (r#"{"access_token": "a", "id": 1e400}"#, 3540),
            ("access_token=a&scope=repo%2Cgist&token_type=bearer", 3540),
            ("access_token=a&expires_in=600\n", 540),
        ] {
            let TokenResponse { token, refresh } = read(OK, body);
            let token = token.expect(body);
            assert_eq!(
                (token.access.expose_secret(), &*token.lease),
                ("a", "l"),
                "{body}"
            );
            assert_eq!(token.good_until.as_second(), life, "{body}");
            assert!(refresh.is_none(), "{body}");
        }
    }

    #[test]
    fn response_without_token_has_a_reason() {
        let bad = StatusCode::BAD_REQUEST;
        let header = "the token endpoint's response contains an access_token with characters that are not allowed in headers";
        for (status, body, reason) in [
            (
                OK,
                "{}",
                "the token endpoint's response contains no access_token",
            ),
            (
                OK,
                r#"{"access_token": ""}"#,
                "the token endpoint's response contains no access_token",
            ),
            (
                OK,
                "[]",
                "the token endpoint's response is neither a JSON object nor a form",
            ),
            (
                OK,
                "<html>",
                "the token endpoint's response is neither a JSON object nor a form",
            ),
            (
                OK,
                "",
                "the token endpoint's response is neither a JSON object nor a form",
            ),
            (OK, r#"{"access_token": "a b"}"#, header),
            (OK, r#"{"access_token": "a\r\nx-admin: 1"}"#, header),
            (OK, r#"{"access_token": "ä"}"#, header),
            (
                OK,
                r#"{"ok": false, "error": "invalid_code"}"#,
                "the token endpoint responded with 200: invalid_code",
            ),
            (
                OK,
                "error=bad_verification_code&error_description=x",
                "the token endpoint responded with 200: bad_verification_code",
            ),
            (
                bad,
                r#"{"error": "invalid_grant"}"#,
                "the token endpoint responded with 400: invalid_grant",
            ),
            (
                bad,
                r#"{"error": {"code": 190, "type": "OAuthException"}}"#,
                "the token endpoint responded with 400: 190",
            ),
            (
                bad,
                r#"{"error": {"message": "no"}}"#,
                "the token endpoint responded with 400: error",
            ),
            (
                bad,
                r#"{"error": "no s3cret-of-the-client"}"#,
                "the token endpoint responded with 400: no",
            ),
            (
                bad,
                r#"{"error": "s3cret-of-the-client"}"#,
                "the token endpoint responded with 400: error",
            ),
            (bad, "", "the token endpoint responded with 400"),
            (
                bad,
                r#"{"access_token": "a"}"#,
                "the token endpoint responded with 400",
            ),
        ] {
            assert_eq!(read(status, body).token.expect_err(body), reason, "{body}");
        }
    }

    #[test]
    fn new_refresh_token_is_kept_despite_other_errors() {
        for body in [
            r#"{"access_token": "a", "refresh_token": "new"}"#,
            r#"{"access_token": "a b", "refresh_token": "new"}"#,
            r#"{"refresh_token": "new"}"#,
            r#"{"error": "temporarily_unavailable", "refresh_token": "new"}"#,
            "\u{feff}{\"refresh_token\": \"new\", \"x\": \"\\udc00\"}",
            "refresh_token=new&access_token=a+b",
        ] {
            let refresh = read(OK, body).refresh.expect(body);
            assert_eq!(refresh.expose_secret(), "new", "{body}");
            assert!(
                read(StatusCode::BAD_REQUEST, body).refresh.is_none(),
                "{body}"
            );
        }
    }
}
