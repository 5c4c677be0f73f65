//! Sending a request to a connected service, and handing its answer back.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    header,
    id::ServiceId,
    mask, media_type,
    redact::Redactor,
    service::{Connection, send},
};
use http::{HeaderMap, header::CONTENT_ENCODING};
use platform::{
    connected::{self, Answered, ConnectError},
    egress::{Call, CallError, Unreachable},
    oauth::Tokens,
};
use serde_json::{Value, json};

use crate::{
    App,
    http::{Answer, Document, Problem, access::Caller, problem::Reason},
    openapi::schema,
};

/// The largest answer of a service that is handed back, in bytes.
const ANSWER_LIMIT: usize = 1 << 20;

/// The most bytes of an answer's headers that are handed back. With a body of that size they fill
/// less than the 6 MB that Lambda takes, however they are escaped.
const MAX_HEADERS: usize = 64 * 1024;

/// A text with more control characters than this is handed back as base64.
const MOST_CONTROLS: usize = ANSWER_LIMIT / 4;

/// Headers of an answer that are about its transport, or belong between the service and Tieline.
const KEPT_BACK: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Sends a request to a service and returns the service's response.
///
/// The request carries the account's authorization. The response is 200 whatever the service's
/// status.
#[utoipa::path(post, path = "/v1/services/{id}/send", operation_id = "sendToService", tag = "services",
    security(("token" = ["services:send"])),
    params(("id" = schema::ServiceId, Path)), request_body = schema::SendInput,
    responses((status = 200, body = schema::Sent), schema::Refused, schema::ThirdParty))]
pub async fn send(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Document,
) -> Answer<Json<Value>> {
    let id: ServiceId = id.parse().map_err(|_| Problem::not_found("service"))?;
    let connection = app
        .table
        .connection(id, &app.keys)
        .await?
        .ok_or_else(|| Problem::not_found("service"))?;
    let (settings, account) = (&connection.service.settings, &connection.account);
    let request = send::parse(
        body.or_empty()?,
        settings,
        &account.settings.authorization,
        caller.hops,
    )?;
    let call = Call {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body.map(String::into_bytes),
        timeout: Duration::from_secs(settings.timeout_seconds.into()),
        limit: ANSWER_LIMIT,
    };
    let started = Instant::now();
    let tokens = Tokens {
        table: &app.table,
        keys: &app.keys,
        egress: &app.egress,
        hops: caller.hops,
    };
    let answered = connected::call(tokens, account, call)
        .await
        .and_then(complete);
    let elapsed_ms = started.elapsed().as_millis();
    match answered {
        Ok(answered) => {
            tracing::info!(service = %id, status_code = answered.answer.status.as_u16(), elapsed_ms, "sent");
            view(&connection, &answered, elapsed_ms).map(Json)
        }
        Err(error) => {
            tracing::warn!(service = %id, %error, elapsed_ms, "not sent");
            Err(problem(error, &settings.timeout_message))
        }
    }
}

/// Part of an answer is none: the client could not tell what is missing.
fn complete(answered: Answered) -> Result<Answered, ConnectError> {
    match answered.answer.incomplete {
        Some(error) => Err(error.into()),
        None => Ok(answered),
    }
}

fn problem(error: ConnectError, timeout_message: &str) -> Problem {
    match error {
        ConnectError::Call(error) => Problem::gateway_timeout(timeout_message, reason(error)),
        ConnectError::NoToken(why) => {
            Problem::bad_gateway(format!("The service's account got {why}"))
        }
        ConnectError::Table(error) => error.into(),
        ConnectError::Unsent(unsent) => unsent.into(),
    }
}

fn reason(error: CallError) -> Reason {
    match error {
        CallError::Blocked(_) => Reason::Blocked,
        CallError::Timeout | CallError::Unreachable(Unreachable::ConnectTimeout) => Reason::Timeout,
        CallError::Unreachable(Unreachable::Refused | Unreachable::Connect) => {
            Reason::ConnectionRefused
        }
        CallError::Unreachable(Unreachable::Dns) => Reason::Dns,
        CallError::Unreachable(Unreachable::Tls(_)) => Reason::Tls,
        CallError::Unreachable(Unreachable::Closed | Unreachable::Protocol) => Reason::Closed,
    }
}

fn view(connection: &Connection, answered: &Answered, elapsed_ms: u128) -> Answer<Value> {
    let Answered { answer, token } = answered;
    if answer.truncated {
        return Err(Problem::bad_gateway(
            "The service's response is larger than 1 MiB.",
        ));
    }
    // Nobody asked for one that is packed, and it could not be searched for what it echoes.
    if !answer.body.is_empty() && is_packed(&answer.headers) {
        return Err(Problem::bad_gateway(
            "The service sent a compressed response, which Tieline does not support.",
        ));
    }
    // A service may echo what it was sent. Only whole secrets are masked: clients choose what is
    // echoed beside them.
    let redactor = Redactor::new(connection.secrets(token.as_ref()));
    let redact = |text: &str| redactor.whole(text);
    let (headers, cut) = headers(&answer.headers, redact);
    let mut view = json!({
        "status": answer.status.as_u16(),
        "headers": headers,
        "elapsed_ms": u64::try_from(elapsed_ms).unwrap_or(u64::MAX),
    });
    if cut {
        view["headers_truncated"] = true.into();
    }
    // Lambda takes answers of 6 MB, in which a control character that JSON has no short name for
    // needs 7 bytes.
    let long = |byte: &u8| byte.is_ascii_control() && !b"\n\r\t".contains(byte);
    let is_text =
        |text: &Cow<'_, str>| text.bytes().filter(|byte| long(byte)).count() <= MOST_CONTROLS;
    let text = media_type::text(&answer.headers, &answer.body).filter(is_text);
    // In another charset, or in base64, a secret would be there and not be found.
    if !matches!(text, Some(Cow::Borrowed(_))) {
        let text = String::from_utf8_lossy(&answer.body);
        if redact(&text) != text {
            return Err(Problem::bad_gateway(
                "The service's response contains a secret and is not UTF-8 text, so the secret can't be masked.",
            ));
        }
    }
    if let Some(text) = text {
        let text = redact(&text);
        view["body"] = domain::json::read(text.as_bytes()).unwrap_or_else(|_| Value::from(text));
    } else {
        view["body"] = BASE64_STANDARD.encode(&answer.body).into();
        view["body_encoding"] = "base64".into();
    }
    Ok(view)
}

/// Whether a body is compressed or the like (RFC 9110, section 8.4).
fn is_packed(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CONTENT_ENCODING);
    let is_none = |coding: &[u8]| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    };
    fields
        .iter()
        .any(|field| !field.as_bytes().split(|byte| *byte == b',').all(is_none))
}

/// The headers by name, several values joined as RFC 9110, section 5.3, has it; and whether some
/// were left out because all of them are longer than [`MAX_HEADERS`].
fn headers(
    headers: &HeaderMap,
    redact: impl Fn(&str) -> String,
) -> (BTreeMap<String, String>, bool) {
    let mut map: BTreeMap<String, String> = BTreeMap::new();
    let mut room = MAX_HEADERS;
    for (name, value) in headers {
        if KEPT_BACK.contains(&name.as_str()) || header::is_sensitive(name.as_str()) {
            continue;
        }
        // A field that is no UTF-8 may hold a secret that is.
        let (lossy, text) = (
            String::from_utf8_lossy(value.as_bytes()),
            media_type::field_text(value.as_bytes()),
        );
        let text = if redact(&lossy) == lossy {
            redact(&text)
        } else {
            redact(&lossy)
        };
        let text = mask::received_header(name.as_str(), &text);
        let Some(left) = room.checked_sub(name.as_str().len() + text.len()) else {
            return (map, true);
        };
        room = left;
        map.entry(name.to_string())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&text);
            })
            .or_insert(text);
    }
    (map, false)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(fields: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static [u8])| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_bytes(value).expect("a value"),
            )
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn identity_is_no_coding() {
        for (coding, packed) in [
            (&b"identity"[..], false),
            (b"Identity", false),
            (b"", false),
            (b"identity, IDENTITY", false),
            (b"gzip", true),
            (b"identity, br", true),
        ] {
            assert_eq!(
                is_packed(&of(&[("content-encoding", coding)])),
                packed,
                "{coding:?}"
            );
        }
        assert!(!is_packed(&HeaderMap::new()));
    }

    #[test]
    fn header_values_are_text_without_credentials() {
        let answered = of(&[
            ("x-name", b"Jos\xe9"),
            ("x-upstream", b"Bearer abc"),
            ("x-session", b"0123456789abcdef0123456789abcdef"),
            ("etag", b"\"0123456789abcdef0123456789abcdef\""),
            ("x-api-key", b"k"),
            ("set-cookie", b"a=b"),
        ]);
        let (shown, cut) = headers(&answered, str::to_owned);
        let shown: Vec<(&str, &str)> = shown
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let etag = "\"0123456789abcdef0123456789abcdef\"";
        assert_eq!(
            shown,
            [
                ("etag", etag),
                ("x-name", "José"),
                ("x-session", "•••"),
                ("x-upstream", "Bearer •••")
            ]
        );
        assert!(!cut);
    }

    #[test]
    fn headers_past_the_limit_are_left_out() {
        let long: HeaderMap = (0..1_000_u32)
            .map(|number| {
                let name = format!("x-{number}")
                    .parse::<http::HeaderName>()
                    .expect("a name");
                (
                    name,
                    HeaderValue::from_bytes(&[b'"'; 400]).expect("a value"),
                )
            })
            .collect();
        let (shown, cut) = headers(&long, str::to_owned);
        assert!(
            cut && shown
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
                <= MAX_HEADERS
        );
        assert!(shown.len() > 150);
    }
}
