//! Request schemas: closed objects, and merge patches (RFC 7396) derived from the create schemas.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{PREFIX, fields::requests};

/// Fields that can be set only on creation.
const CREATE_ONLY: [(&str, &str); 2] = [("CredentialPatch", "user_id"), ("EventTypePatch", "name")];

/// Replaces each `<Name>Patch` by the merge patch of `<Name>Input`, and disallows unknown fields in
/// requests.
pub(super) fn complete(schemas: &mut Value) {
    let Some(schemas) = schemas.as_object_mut() else {
        return;
    };
    close(schemas);
    let names: Vec<String> = schemas
        .keys()
        .filter_map(|name| Some(name.strip_suffix("Patch")?.to_owned()))
        .collect();
    let mut patches = BTreeMap::new();
    for name in names {
        let description = schemas[&format!("{name}Patch")]["description"].take();
        let input = format!("{name}Input");
        let Some(whole) = schemas.get(&input) else {
            continue;
        };
        let mut patch = patch(schemas, whole, &mut patches);
        if !description.is_null() {
            patch["description"] = description;
        }
        patches.insert(format!("{name}Patch"), patch);
    }
    for (patch, field) in CREATE_ONLY {
        if let Some(properties) = patches
            .get_mut(patch)
            .and_then(|patch| patch["properties"].as_object_mut())
        {
            properties.remove(field);
        }
    }
    schemas.extend(patches);
}

/// Returns the merge patch schema of a schema: all fields optional, nullable where null resets.
/// Named schemas are added to `patches`.
fn patch(
    schemas: &Map<String, Value>,
    whole: &Value,
    patches: &mut BTreeMap<String, Value>,
) -> Value {
    if let Some(reference) = whole["$ref"].as_str() {
        let name = reference.trim_start_matches(PREFIX);
        let Some(target) = schemas.get(name).filter(|target| merges(schemas, target)) else {
            return whole.clone();
        };
        let patch_name = format!("{}Patch", name.trim_end_matches("Input"));
        if !patches.contains_key(&patch_name) {
            // Placeholder, because the schema may be recursive.
            patches.insert(patch_name.clone(), Value::Null);
            let schema = patch(schemas, target, patches);
            patches.insert(patch_name.clone(), schema);
        }
        let mut reference = whole.clone();
        reference["$ref"] = format!("{PREFIX}{patch_name}").into();
        return reference;
    }
    let mut optional = whole.clone();
    let Some(map) = optional.as_object_mut() else {
        return optional;
    };
    // The discriminator field is optional, too.
    for name in ["default", "discriminator"] {
        map.remove(name);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(Value::Array(choices)) = map.remove(choice) {
            let choices: Vec<Value> = choices
                .iter()
                .map(|each| patch(schemas, each, patches))
                .collect();
            map.insert("anyOf".to_owned(), choices.into());
        }
    }
    let required = map.remove("required").unwrap_or_default();
    let required = |name: &str| {
        required
            .as_array()
            .is_some_and(|names| names.iter().any(|required| required == name))
    };
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for (name, field) in properties {
            let patch = patch(schemas, field, patches);
            *field = if required(name) {
                patch
            } else {
                nullable(patch)
            };
        }
    }
    if let Some(values) = map
        .get_mut("additionalProperties")
        .filter(|values| values.is_object())
    {
        *values = nullable(values.take());
    }
    optional
}

/// Whether a patch is merged into the existing value. Otherwise it replaces the value.
fn merges(schemas: &Map<String, Value>, schema: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return schemas
            .get(reference.trim_start_matches(PREFIX))
            .is_some_and(|target| merges(schemas, target));
    }
    let choices = ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|choice| schema[choice].as_array())
        .flatten();
    schema["properties"].is_object() || choices.into_iter().any(|choice| merges(schemas, choice))
}

/// Makes a schema nullable.
fn nullable(schema: Value) -> Value {
    let Value::Object(mut map) = schema else {
        return schema;
    };
    if map.keys().all(|key| key == "description") {
        return map.into();
    }
    let null = || json!({"type": "null"});
    match map.get_mut("type") {
        Some(Value::Array(kinds)) if kinds.iter().any(|kind| kind == "null") => {}
        Some(Value::Array(kinds)) => kinds.push("null".into()),
        Some(kind) => *kind = json!([kind.take(), "null"]),
        None => match map.get_mut("anyOf").and_then(Value::as_array_mut) {
            Some(choices) if choices.iter().any(|choice| choice["type"] == "null") => {}
            Some(choices) => choices.push(null()),
            None => {
                let description = map.remove("description");
                let mut outer = Map::from_iter([(
                    "anyOf".to_owned(),
                    Value::from(vec![Value::from(map), null()]),
                )]);
                outer.extend(description.map(|text| ("description".to_owned(), text)));
                map = outer;
            }
        },
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.push(Value::Null);
    }
    map.into()
}

/// Disallows unknown fields in every object of a request.
fn close(schemas: &mut Map<String, Value>) {
    let requests = requests(schemas);
    for (_, schema) in schemas
        .iter_mut()
        .filter(|(name, _)| requests.contains(*name))
    {
        close_objects(schema);
    }
}

fn close_objects(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("properties").is_some_and(Value::is_object)
                && !map.contains_key("additionalProperties")
            {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(close_objects);
        }
        Value::Array(items) => items.iter_mut().for_each(close_objects),
        _ => {}
    }
}
