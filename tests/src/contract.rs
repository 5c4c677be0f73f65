//! Checks responses against the OpenAPI document: the status must be documented, and the body must
//! match the schema without undocumented fields.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use axum::http::HeaderMap;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = config_api::openapi::complete(
        &config_api::routes::documented(),
        "https://tieline.example.com",
    );
    document["components"]["schemas"]
        .as_object_mut()
        .expect("schemas")
        .values_mut()
        .for_each(close);
    document
});

/// Fails if the document does not describe this response to this request.
#[track_caller]
pub fn check(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &[u8]) {
    let name = format!("{method} {path}: {status}");
    let text = String::from_utf8_lossy(body);
    let operation = match operation(method, path) {
        Route::Found(operation) => operation,
        Route::NoMethod => return assert!(status == 405 || status == 401, "{name} {text}"),
        Route::NoPath => {
            return assert!(
                status == 404 || status == 400,
                "{name} is not documented: {text}"
            );
        }
    };
    let responses = &operation["responses"];
    let response = responses.get(status.to_string());
    let response = resolve(response.unwrap_or_else(|| panic!("{name} is not documented: {text}")));
    for header in response["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(header, _)| header)
    {
        assert!(
            headers.contains_key(header),
            "{name} has no header {header}"
        );
    }
    if headers.contains_key("etag") {
        assert!(
            response["headers"].get("ETag").is_some(),
            "{name}: its ETag is not documented"
        );
    }
    if method == "HEAD" {
        return;
    }
    let Some(content) = response["content"].as_object() else {
        return assert!(
            body.is_empty(),
            "{name} is documented without a body: {text}"
        );
    };
    let content_type = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    let media = content
        .get(essence)
        .unwrap_or_else(|| panic!("{name}: {content_type} is not documented"));
    if essence.ends_with("json") {
        let body: Value =
            serde_json::from_slice(body).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        let validator = validator(&media["schema"]);
        let errors: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{} at {:?}", error, error.instance_path().to_string()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?} in {body}");
        check_times(&name, &body);
    }
}

/// Fails if a timestamp set by Tieline does not have exactly three decimals. An event's time may
/// also have one or two, because clients may set it to a whole second.
fn check_times(name: &str, value: &Value) {
    const OURS: [&str; 8] = [
        "at",
        "created_at",
        "updated_at",
        "rotated_at",
        "rotation_due_at",
        "last_used_at",
        "next_attempt_at",
        "failing_since",
    ];
    match value {
        Value::Object(fields) => {
            // Data from clients is returned unchanged.
            let given = ["data", "example", "body"];
            for (field, value) in fields
                .iter()
                .filter(|(field, _)| !given.contains(&field.as_str()))
            {
                if let Some(time) = value.as_str().filter(|_| OURS.contains(&field.as_str())) {
                    let decimals = time.split_once('.').map_or("", |(_, decimals)| decimals);
                    assert!(
                        decimals.len() == 4 && decimals.ends_with('Z'),
                        "{name}: `{field}` is {time}"
                    );
                }
                if let Some(time) = value.as_str().filter(|_| field == "timestamp") {
                    let decimals = time.split_once('.').map_or("", |(_, decimals)| decimals);
                    assert!(
                        decimals.is_empty() || decimals.len() >= 4,
                        "{name}: `{field}` is {time}"
                    );
                }
                check_times(name, value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check_times(name, item)),
        _ => {}
    }
}

enum Route {
    Found(&'static Value),
    NoMethod,
    NoPath,
}

/// Finds the operation of a path. A literal path takes precedence over one with parameters.
fn operation(method: &str, path: &str) -> Route {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let matches = |template: &str| {
        let (mut known, mut given) = (template.split('/'), path.split('/'));
        let same = known
            .by_ref()
            .zip(given.by_ref())
            .all(|(known, given)| known == given || (known.starts_with('{') && !given.is_empty()));
        same && template.split('/').count() == path.split('/').count()
    };
    let found = paths.get(path).or_else(|| {
        paths
            .iter()
            .find(|(template, _)| matches(template))
            .map(|(_, item)| item)
    });
    let Some(item) = found else {
        return Route::NoPath;
    };
    let method = if method == "HEAD" {
        "get".to_owned()
    } else {
        method.to_lowercase()
    };
    item.get(&method).map_or(Route::NoMethod, Route::Found)
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT
            .pointer(reference.trim_start_matches('#'))
            .expect("a reference that resolves"),
        None => value,
    }
}

/// Returns the cached validator of a schema.
fn validator(schema: &Value) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let mut whole = schema.clone();
        whole["components"] = json!({"schemas": DOCUMENT["components"]["schemas"]});
        let built = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole);
        Arc::new(built.unwrap_or_else(|error| panic!("{schema}: {error}")))
    };
    Arc::clone(made.entry(schema.to_string()).or_insert_with(build))
}

/// Disallows fields that a schema does not describe.
fn close(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    let closed = |map: &Map<String, Value>| {
        ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|key| map.contains_key(*key))
    };
    if map.contains_key("allOf") {
        map.insert("unevaluatedProperties".to_owned(), false.into());
    } else if map.get("properties").is_some_and(Value::is_object) && !closed(map) {
        map.insert("additionalProperties".to_owned(), false.into());
    }
}
