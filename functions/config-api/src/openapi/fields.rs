//! Field metadata that the schemas lack: default descriptions, limits of request fields and
//! required response fields.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::PREFIX;

/// Metadata by schema and field. `*` matches every schema, `$` is the schema itself.
const FIELDS: &str = include_str!("fields.json");

/// Adds the metadata to all schemas. Request schemas are those that request bodies refer to,
/// directly or indirectly; all others are response schemas.
pub(super) fn complete(schemas: &mut Value) {
    let table: Value = serde_json::from_str(FIELDS).unwrap_or_default();
    let Some(schemas) = schemas.as_object_mut() else {
        return;
    };
    let requests = requests(schemas);
    for (name, schema) in schemas.iter_mut() {
        let known = &table["descriptions"][name.as_str()];
        if schema["description"].is_null() && known["$"].is_string() {
            schema["description"] = known["$"].clone();
        }
        let request = requests.contains(name);
        each_object(schema, &mut |object| {
            let required = object.get("required").cloned().unwrap_or_default();
            let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut)
            else {
                return;
            };
            let required = required.as_array().map_or(&[][..], Vec::as_slice);
            let mut names = Vec::new();
            for (field, property) in properties {
                describe(property, &known[field], &table["descriptions"]["*"][field]);
                if request {
                    limit(property, &table["limits"][name.as_str()][field]);
                    limit(property, &table["limits"]["*"][field]);
                }
                // Absent instead of null: optional, but not nullable.
                let optional = !required.contains(&field.as_str().into()) && !is_nullable(property);
                let either = &table["optional or null"][name.as_str()];
                let either = either.as_array().map_or(&[][..], Vec::as_slice);
                if !optional && !either.contains(&field.as_str().into()) {
                    names.push(Value::from(field.as_str()));
                }
            }
            if !request {
                object.insert("required".to_owned(), names.into());
            }
        });
    }
}

fn describe(property: &mut Value, known: &Value, general: &Value) {
    if property["description"].is_null()
        && let Some(text) = known.as_str().or(general.as_str())
    {
        property["description"] = text.into();
    }
}

/// Adds limits that the schema does not state itself. String limits apply only to string fields.
fn limit(property: &mut Value, limits: &Value) {
    let typed = |kind: &str| match &property["type"] {
        Value::String(one) => one == kind,
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        _ => false,
    };
    let applies = (typed("string") && property["enum"].is_null() && property["const"].is_null())
        || typed("object");
    let Some(map) = property.as_object_mut().filter(|_| applies) else {
        return;
    };
    for (key, value) in limits.as_object().into_iter().flatten() {
        map.entry(key.as_str()).or_insert_with(|| value.clone());
    }
}

/// Whether a property can be null: an untyped one can be anything.
fn is_nullable(property: &Value) -> bool {
    let null = |kind: &Value| *kind == "null" || kind["type"] == "null";
    let kinds = ["type", "oneOf", "anyOf"].map(|key| &property[key]);
    if kinds.iter().all(|kind| kind.is_null()) {
        return property["$ref"].is_null();
    }
    kinds
        .iter()
        .any(|kinds| kinds.as_array().is_some_and(|kinds| kinds.iter().any(null)))
}

/// Removes null from the schema of a field that is absent instead of null.
pub(super) fn never_null(property: &mut Value) {
    if let Some([kind, _]) = property["type"].as_array().map(Vec::as_slice) {
        property["type"] = kind.clone();
    }
}

/// Calls `change` for each object schema, including those in `oneOf`, `anyOf` and `allOf`.
fn each_object(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for parts in ["oneOf", "allOf"] {
        for part in map
            .get_mut(parts)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            each_object(part, change);
        }
    }
    if map.get("properties").is_some_and(Value::is_object) {
        change(map);
    }
}

/// Names of the request schemas.
pub(super) fn requests(schemas: &Map<String, Value>) -> BTreeSet<String> {
    let input = |name: &&String| {
        name.ends_with("Input") || name.ends_with("Patch") || *name == "ProviderTest"
    };
    let mut queue: Vec<String> = schemas.keys().filter(input).cloned().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = queue.pop() {
        if let Some(schema) = schemas.get(&name).filter(|_| seen.insert(name)) {
            referred(schema, &mut queue);
        }
    }
    seen
}

fn referred(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            found.extend(
                map.get("$ref")
                    .and_then(Value::as_str)
                    .map(|name| name.trim_start_matches(PREFIX).to_owned()),
            );
            map.values().for_each(|inner| referred(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, found)),
        _ => {}
    }
}
