//! Token endpoint responses: RFC 6749, sections 5.1 and 5.2, and common deviations.
//!
//! A refresh token may be single-use: once the server has replaced it, the old one is invalid.
//! [`TokenResponse::read`] therefore finds the new one in every response, whatever its status and
//! even without a usable access token, and [`refresh_token_of_part`] in one that is cut.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use super::{oauth_tokens::IssuedToken, oauth2::TokenType};
use crate::{
    form, json,
    secrets::redact::{Redactor, Secrets},
};

/// Fields of tokens.
const TOKENS: [&str; 3] = ["access_token", "id_token", "refresh_token"];

/// Lifetime of a token without `expires_in`, in seconds.
const UNKNOWN_LIFE: u32 = 3_600;
/// Maximum time for which a token is used, in seconds.
const MAX_LIFE: u32 = 31_536_000;
/// Maximum `expires_in` that is reported, in seconds: clients may read it into 32 bits.
const MAX_EXPIRES_IN: i32 = i32::MAX;
/// How long before its expiry a token counts as expired, to allow for request time and clock
/// differences.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Maximum length of an error name in the reason of a failure, in characters.
const MAX_ERROR: usize = 50;
/// Maximum length of the endpoint's words in a report, in characters.
const MAX_REPORTED: usize = 500;

/// The used part of a token endpoint's response.
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// The token for services, or the reason why there is none, without secrets.
    pub token: Result<IssuedToken, String>,
    /// Refresh token that replaces the current one.
    pub refresh: Option<SecretString>,
    /// What the endpoint reports about the token or the error.
    pub report: Report,
}

/// What a token endpoint reports in its own words, without secrets and tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// `error` and `error_description` of a response without a usable token.
    pub error: Option<String>,
    /// `token_type`, whatever its text.
    pub token_type: Option<String>,
    /// `expires_in`, in seconds.
    pub expires_in: Option<u32>,
}

impl TokenResponse {
    /// Parses the response (JSON or a form) to a request made at `now` under `lease`. `token_type`
    /// is the token that services get; `secrets` are masked in texts from the endpoint.
    pub fn read(
        status: StatusCode,
        body: &[u8],
        token_type: TokenType,
        mut secrets: Secrets,
        lease: &str,
        now: Timestamp,
    ) -> Self {
        let document = document(body);
        for field in TOKENS {
            secrets.add(text(&document, field).unwrap_or_default());
        }
        let secrets = Redactor::new(secrets);
        let expires_in = seconds(&document["expires_in"]);
        let token = token(status, &document, token_type.field(), &secrets).map(|token| {
            let good_until = now.saturating_add(lifetime(expires_in));
            IssuedToken {
                access: token.into(),
                good_until: good_until.unwrap_or(now),
                lease: lease.to_owned(),
            }
        });
        let report = Report {
            error: token
                .is_err()
                .then(|| described_error(&document, &secrets))
                .flatten(),
            token_type: text(&document, "token_type").and_then(|text| shown(text, &secrets)),
            expires_in,
        };
        Self {
            token,
            refresh: refresh_token(&document),
            report,
        }
    }
}

/// The new refresh token in the received part of a response.
pub fn refresh_token_of_part(body: &[u8]) -> Option<SecretString> {
    let members = json::members_of_part(body);
    if !members.is_empty() {
        return refresh_token(&members.into());
    }
    // The last value may be cut.
    let end = body.iter().rposition(|byte| *byte == b'&')?;
    refresh_token(&document(&body[..end]))
}

fn refresh_token(document: &Value) -> Option<SecretString> {
    text(document, "refresh_token").map(SecretString::from)
}

/// Fields of the response; null if it has none.
fn document(body: &[u8]) -> Value {
    let object = json::read(body).ok().filter(Value::is_object);
    let form = || form::read(body.trim_ascii(), None).map(Value::Object);
    let known = |form: &Value| {
        TOKENS
            .iter()
            .chain(&["error"])
            .any(|name| !form[*name].is_null())
    };
    object.or_else(|| form().filter(known)).unwrap_or_default()
}

fn text<'a>(document: &'a Value, field: &str) -> Option<&'a str> {
    document[field].as_str().filter(|text| !text.is_empty())
}

/// The token in `field`. It is sent as a bearer token whatever its type: servers name theirs
/// `BearerToken`, `bot` or `jwt`.
fn token<'a>(
    status: StatusCode,
    document: &'a Value,
    field: &str,
    secrets: &Redactor,
) -> Result<&'a str, String> {
    if let Some(error) = error(&document["error"]) {
        return Err(format!(
            "the token endpoint responded with {}: {}",
            status.as_u16(),
            short(&error, secrets)
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
    let Some(token) = text(document, field) else {
        return Err(format!("the token endpoint's response contains no {field}"));
    };
    // It becomes a header value (RFC 6750, section 2.1).
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(format!(
            "the token endpoint's response contains an {field} with characters that are not allowed in headers"
        ))
    }
}

/// The name of an error. RFC 6749, section 5.2 defines a fixed set, but servers send any text, or
/// an object with a code, or only that there is one.
fn error(value: &Value) -> Option<String> {
    let unnamed = || "error".to_owned();
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(code) => (code.as_f64() != Some(0.0)).then(|| code.to_string()),
        Value::Bool(failed) => failed.then(unnamed),
        Value::Object(fields) => {
            let mut codes = ["code", "type", "status"]
                .into_iter()
                .filter_map(|field| error(fields.get(field)?));
            Some(codes.next().unwrap_or_else(unnamed))
        }
        Value::Null | Value::Array(_) => None,
    }
}

/// The name of an error as one short word.
fn short(error: &str, secrets: &Redactor) -> String {
    let legal = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let masked = secrets.whole(error);
    let word: String = masked.chars().filter(legal).take(MAX_ERROR).collect();
    if word.is_empty() {
        "error".to_owned()
    } else {
        word
    }
}

/// The error with its description, which is the `message` of an error that is an object.
fn described_error(document: &Value, secrets: &Redactor) -> Option<String> {
    let named = &document["error"];
    let description = text(document, "error_description").or_else(|| text(named, "message"));
    let parts = [error(named), description.map(str::to_owned)];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter_map(|part| shown(&part, secrets))
        .collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// A text from the endpoint as it is reported: masked, on one line, of limited length.
fn shown(text: &str, secrets: &Redactor) -> Option<String> {
    let masked = secrets.whole(text);
    let line: String = masked
        .split(|char: char| char.is_whitespace() || char.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    (!line.is_empty()).then(|| line.chars().take(MAX_REPORTED).collect())
}

/// `expires_in`. Some servers send the seconds as a string. None if it is not a number.
fn seconds(expires_in: &Value) -> Option<u32> {
    let seconds = expires_in
        .as_f64()
        .or_else(|| expires_in.as_str()?.trim().parse().ok())
        .filter(|seconds: &f64| !seconds.is_nan())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a part of the range of the type"
    )]
    Some(seconds.clamp(0.0, f64::from(MAX_EXPIRES_IN)) as u32)
}

/// How long a token is used.
fn lifetime(expires_in: Option<u32>) -> SignedDuration {
    let seconds = expires_in.map_or(UNKNOWN_LIFE, |seconds| seconds.min(MAX_LIFE));
    let life = SignedDuration::from_secs(seconds.into());
    life - MARGIN.min(life / 10)
}

#[cfg(test)]
mod tests;
