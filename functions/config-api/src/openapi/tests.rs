use std::collections::BTreeSet;

use super::*;

fn document() -> Value {
    complete(&crate::routes::documented(), "https://tieline.example.com")
}

/// The committed document, which shows in reviews how a change alters the API.
const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn document_matches_the_committed_one() {
    let document = document();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(SNAPSHOT, format!("{document:#}\n")).expect("openapi.json is written");
    }
    let committed = std::fs::read_to_string(SNAPSHOT).expect("openapi.json is read");
    let committed: Value = serde_json::from_str(&committed).expect("openapi.json is JSON");
    let mut changed = Vec::new();
    differences("", &committed, &document, &mut changed);
    assert!(
        changed.is_empty(),
        "the document differs from functions/config-api/openapi.json:\n{}\nIf that is intended, run\n\
         UPDATE_OPENAPI=1 cargo test --workspace --lib document_matches_the_committed_one\nand commit the file.",
        changed.join("\n")
    );
}

/// Collects pointers to the smallest parts that differ.
fn differences(at: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                differences(&format!("{at}/{name}"), &before[name], &after[name], found);
            }
        }
        _ if before == after => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn operation_ids_are_unique_and_good_names_in_clients() {
    let mut seen = BTreeSet::new();
    for (path, method, operation) in operations(&mut document()["paths"]) {
        let id = operation["operationId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let verb_and_noun =
            id.len() > 5 && id.starts_with(|first: char| first.is_ascii_lowercase());
        assert!(
            verb_and_noun
                && id.chars().all(char::is_alphanumeric)
                && !id.chars().all(char::is_lowercase),
            "{method} {path}: give it an operation_id such as listWebhooks in its annotation, not {id:?}"
        );
        assert!(
            seen.insert(id.clone()),
            "{method} {path}: operation_id {id} is in use"
        );
    }
}

#[test]
fn references_resolve() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let found = document.pointer(reference.trim_start_matches('#'));
                    assert!(found.is_some(), "{reference}");
                }
                map.values().for_each(|value| check(value, document));
            }
            Value::Array(values) => values.iter().for_each(|value| check(value, document)),
            _ => {}
        }
    }
    let document = document();
    check(&document, &document);
}

#[test]
fn every_field_and_parameter_has_a_description() {
    fn check(place: &str, schema: &Value) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                field["description"].is_string(),
                "{place}.{name}: describe it in its doc comment, or in openapi/fields.json"
            );
            check(&format!("{place}.{name}"), field);
        }
        for part in ["oneOf", "anyOf", "allOf"]
            .into_iter()
            .filter_map(|part| schema[part].as_array())
            .flatten()
        {
            check(place, part);
        }
    }
    let mut document = document();
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .expect("schemas")
    {
        assert!(
            schema["description"].is_string(),
            "{name}: describe it in its doc comment, or in openapi/fields.json"
        );
        check(name, schema);
    }
    for (path, method, operation) in operations(&mut document["paths"]) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["description"].is_string(),
                "{method} {path}: {} has no description",
                parameter["name"]
            );
        }
    }
}

#[test]
fn every_request_and_response_has_an_example() {
    for (path, method, operation) in operations(&mut document()["paths"]) {
        let responses = operation["responses"].as_object().expect("responses");
        for body in responses.values().chain(operation.get("requestBody")) {
            for media in body["content"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, media)| media)
            {
                let named = media["schema"]["$ref"].as_str().unwrap_or_default();
                let covered = media.get("example").is_some()
                    || named.is_empty()
                    || named.ends_with("/Problem");
                assert!(
                    covered,
                    "{method} {path}: add an example of {named} to openapi/examples.json"
                );
            }
        }
    }
}

#[test]
fn test_of_a_provider_has_an_example_that_names_it() {
    let mut document = document();
    for (path, _, operation) in operations(&mut document["paths"]) {
        let attempt =
            &operation["responses"]["200"]["content"]["application/json"]["example"]["attempt"];
        match operation["operationId"].as_str() {
            Some("testProvider") => assert!(
                attempt["provider"].is_string() && attempt["provider_id"].is_string(),
                "{path}"
            ),
            Some("testWebhook") => assert!(
                attempt["number"].is_number() && attempt["provider"].is_null(),
                "{path}"
            ),
            _ => {}
        }
    }
    let inbound = &document["components"]["schemas"]["ProviderInbound"]["properties"];
    let pointers = inbound.as_object().expect("fields").iter();
    let pointers: Vec<_> = pointers
        .filter(|(name, _)| name.ends_with("_pointer"))
        .collect();
    assert_eq!(pointers.len(), 6);
    for (name, pointer) in pointers {
        assert_eq!(
            (&pointer["maxLength"], &pointer["pattern"]),
            (&255.into(), &"^/".into()),
            "{name}"
        );
    }
}
