//! Converts an inbound request to the `data` of the event `service.received`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::{Receiver, Request, Verification};
use crate::{
    form, json,
    media_type::{self, MediaType, field_text},
    secrets::mask::{self, is_secret_header},
};

/// Maximum nesting depth of JSON. Deeper documents are given as text, so that readers of the event
/// don't risk a stack overflow.
const MAX_LEVELS: usize = 64;

/// The event's data: method, query, headers and body of the request. Headers with a credential or a
/// reusable signature are omitted. In the others, values that look like secrets are masked.
pub fn received(receiver: &Receiver, request: &Request<'_>) -> Map<String, Value> {
    let content_type = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("service_id", json!(receiver.service));
    put("service", json!(receiver.name));
    put("user_id", json!(receiver.user));
    put("method", json!(request.method.as_str()));
    put("query", query(request.url).into());
    put("headers", headers(request.headers, &receiver.verification));
    put("content_type", json!(content_type));
    let (body, encoding) = body(request);
    put("body", body);
    if let Some(encoding) = encoding {
        put("body_encoding", json!(encoding));
    }
    data
}

/// Parses the query of a URL like a form.
pub(crate) fn query(url: &str) -> Map<String, Value> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form::query(query.split('#').next().unwrap_or_default())
}

/// Whether the content type is `application/x-www-form-urlencoded`.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    MediaType::of(headers).is_form()
}

/// The body as JSON, form or text; otherwise as base64 with the name of that encoding.
pub(crate) fn body(request: &Request<'_>) -> (Value, Option<&'static str>) {
    let bytes = request.body;
    if bytes.is_empty() {
        return (Value::Null, None);
    }
    let media = MediaType::of(request.headers);
    let read = if media.is_form() {
        form::read(bytes, media.charset).map(|form| unwrap_payload(form, MAX_LEVELS))
    } else {
        media_type::text(request.headers, bytes).map(|text| {
            document(&text, &media, MAX_LEVELS).unwrap_or_else(|| text.into_owned().into())
        })
    };
    read.map_or_else(
        || (json!(BASE64_STANDARD.encode(bytes)), Some("base64")),
        |value| (value, None),
    )
}

/// The body as JSON of any depth, or as a form parsed [pair by pair](form::pair_by_pair). For
/// callers that only need single fields.
pub(crate) fn fields(request: &Request<'_>) -> Option<Value> {
    let media = MediaType::of(request.headers);
    if media.is_form() && !request.body.is_empty() {
        return Some(unwrap_payload(
            form::pair_by_pair(request.body, media.charset),
            usize::MAX,
        ));
    }
    let text = media_type::text(request.headers, request.body)?;
    document(&text, &media, usize::MAX)
}

/// A document for use in an event; converted to text if it is nested too deep.
pub(crate) fn limit_depth(document: Value) -> Value {
    if is_deep(&document, MAX_LEVELS) {
        document.to_string().into()
    } else {
        document
    }
}

/// Parses a body of this content type as JSON.
fn document(text: &str, media: &MediaType, levels: usize) -> Option<Value> {
    if !media.may_be_json(text.as_bytes()) {
        return None;
    }
    json::read(text.as_bytes())
        .ok()
        .filter(|value| !is_deep(value, levels))
}

/// Returns the form, or the JSON document in it: some senders put their whole document into a field
/// `payload`.
fn unwrap_payload(form: Map<String, Value>, levels: usize) -> Value {
    let payload = form
        .get("payload")
        .filter(|_| form.len() == 1)
        .and_then(Value::as_str);
    let document = payload.and_then(|text| json::read(text.as_bytes()).ok());
    let document =
        document.filter(|value| (value.is_object() || value.is_array()) && !is_deep(value, levels));
    document.unwrap_or(Value::Object(form))
}

/// Whether arrays and objects are nested more than `levels` deep. (The parser itself stops at 128.)
fn is_deep(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => {
            levels == 0 || values.iter().any(|value| is_deep(value, levels - 1))
        }
        Value::Object(map) => levels == 0 || map.values().any(|value| is_deep(value, levels - 1)),
        _ => false,
    }
}

fn headers(headers: &HeaderMap, verification: &Verification) -> Value {
    let shown = headers
        .keys()
        .filter(|name| !contains_credential(name, verification));
    let text = |name: &HeaderName| {
        let values = headers
            .get_all(name)
            .iter()
            .map(|value| field_text(value.as_bytes()));
        values
            .map(|value| mask::received_header(name.as_str(), &value))
            .collect::<Vec<_>>()
            .join(", ")
    };
    shown
        .map(|name| (name.to_string(), Value::from(text(name))))
        .collect::<Map<_, _>>()
        .into()
}

/// Whether a header contains a credential, by its name or because the service's verification uses
/// it.
fn contains_credential(name: &HeaderName, verification: &Verification) -> bool {
    let verifies = match verification {
        Verification::Header { name: own, .. } => name == own,
        Verification::Hmac(hmac) => name == hmac.header,
        Verification::Shopify(_) => name == "x-shopify-hmac-sha256",
        _ => false,
    };
    // `Idempotency-Key` and `I-Twilio-Idempotency-Token` are identifiers, not secrets.
    verifies || is_secret_header(name.as_str()) && !name.as_str().contains("idempotency")
}
