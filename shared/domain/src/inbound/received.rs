//! From a call to the `data` of the event `service.received`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Receiver, Request, Verification};
use crate::header::is_sensitive;

/// JSON nested deeper is given as text, so that whoever reads the event need not fear for its stack.
const MOST_LEVELS: usize = 64;

/// The event's data: what was called, by what, and with what. Of the headers, those that hold a credential, or a signature
/// that could be used again, are left out.
pub fn received(receiver: &Receiver, request: &Request<'_>) -> Map<String, Value> {
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("service_id", json!(receiver.service));
    put("service", json!(receiver.name));
    put("user_id", json!(receiver.user));
    put("method", json!(request.method.as_str()));
    put("query", form(query.as_bytes()));
    put("headers", headers(request.headers, &receiver.verification));
    put("content_type", json!(content_type));
    let (body, encoding) = body(request);
    put("body", body);
    if let Some(encoding) = encoding {
        put("body_encoding", json!(encoding));
    }
    data
}

/// Whether the body is `application/x-www-form-urlencoded`, by its content type.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    essence(headers).as_deref() == Some("application/x-www-form-urlencoded")
}

/// The media type without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The body as JSON, form or text; where it is none of these, as base64, with the name of that encoding.
pub(crate) fn body(request: &Request<'_>) -> (Value, Option<&'static str>) {
    if request.body.is_empty() {
        return (Value::Null, None);
    }
    if is_form(request.headers) {
        return (form(request.body), None);
    }
    let Ok(text) = std::str::from_utf8(request.body) else {
        return (json!(BASE64_STANDARD.encode(request.body)), Some("base64"));
    };
    // Some send JSON as text/plain; an object or array is hardly anything else.
    let essence = essence(request.headers).filter(|essence| !essence.is_empty());
    let is_json = essence.is_none_or(|essence| essence.ends_with("/json") || essence.ends_with("+json"));
    let parsed = (is_json || text.trim_start().starts_with(['{', '[']))
        .then(|| serde_json::from_str::<Value>(text).ok())
        .flatten()
        .filter(|value| !is_deep(value, MOST_LEVELS));
    (parsed.unwrap_or_else(|| json!(text)), None)
}

/// Whether arrays and objects lie inside each other in more than `levels` levels. (The parser itself stops at 128.)
fn is_deep(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(|value| is_deep(value, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|value| is_deep(value, levels - 1)),
        _ => false,
    }
}

/// Names with their values: a text, or a list of them where the name comes several times.
pub(crate) fn form(bytes: &[u8]) -> Value {
    let mut map = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        add(&mut map, &name, value.into_owned());
    }
    map.into()
}

fn add(map: &mut Map<String, Value>, name: &str, text: String) {
    match map.get_mut(name) {
        None => {
            map.insert(name.to_owned(), text.into());
        }
        Some(Value::Array(values)) => values.push(text.into()),
        Some(value) => *value = json!([value.take(), text]),
    }
}

fn headers(headers: &HeaderMap, verification: &Verification) -> Value {
    let shown = headers.keys().filter(|name| !holds_credential(name, verification));
    let text = |name: &HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        values.join(", ")
    };
    shown.map(|name| (name.to_string(), Value::from(text(name)))).collect::<Map<_, _>>().into()
}

/// Whether a header authenticates somebody: by its name, or because the service's verification reads it.
fn holds_credential(name: &HeaderName, verification: &Verification) -> bool {
    let verifies = match verification {
        Verification::Header { name: own, .. } => name == own,
        Verification::Hmac(hmac) => name == hmac.header,
        Verification::Shopify(_) => name == "x-shopify-hmac-sha256",
        _ => false,
    };
    // `Idempotency-Key` and `I-Twilio-Idempotency-Token` are names, not secrets.
    verifies
        || [COOKIE, PROXY_AUTHORIZATION].contains(name)
        || is_sensitive(name.as_str()) && !name.as_str().contains("idempotency")
}
