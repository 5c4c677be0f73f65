//! Unions: each variant gets a named schema, so that generated clients have a type for it.

use serde_json::{Map, Value, json};

/// Names the variants of every union and adds a discriminator.
pub(super) fn complete(schemas: &mut Value) {
    let Some(schemas) = schemas.as_object_mut() else {
        return;
    };
    let mut named = Map::new();
    for (union, schema) in schemas.iter_mut() {
        let Some(variants) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else {
            continue;
        };
        if !variants
            .iter()
            .all(|variant| variant["properties"].is_object())
        {
            continue;
        }
        let mut mapping = Map::new();
        for variant in variants.iter_mut() {
            let tag = tag(variant);
            let name = name(union, tag.as_deref(), variant);
            let reference = json!({"$ref": format!("#/components/schemas/{name}")});
            mapping.extend(tag.map(|tag| (tag, reference["$ref"].clone())));
            named.insert(name, std::mem::replace(variant, reference));
        }
        if mapping.len() == variants.len() {
            schema["discriminator"] = json!({"propertyName": "type", "mapping": mapping});
        }
    }
    schemas.extend(named);
}

/// Returns the variant's constant value of `type`.
fn tag(variant: &mut Value) -> Option<String> {
    let kind = variant["properties"].as_object_mut()?.get_mut("type")?;
    let tag = kind["enum"].as_array()?.first()?.as_str()?.to_owned();
    *kind = json!({"type": "string", "const": tag});
    Some(tag)
}

/// Returns the name of a variant, such as `FixedRetryPolicy`. Conditions are named after their
/// required field.
fn name(union: &str, tag: Option<&str>, variant: &Value) -> String {
    let needed = variant["required"][0].as_str().unwrap_or_default();
    match (tag, needed) {
        (Some(tag), _) => format!("{}{union}", pascal(tag)),
        (None, "op") => "FieldCondition".to_owned(),
        (None, needed) => format!("{}{union}", pascal(needed)),
    }
}

fn pascal(text: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    text.split(['_', '-'])
        .filter(|word| !word.is_empty())
        .map(word)
        .collect()
}
