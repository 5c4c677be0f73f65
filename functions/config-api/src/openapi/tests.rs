use std::collections::BTreeSet;

use super::*;

fn document() -> Value {
    complete(&crate::routes::all().into_openapi(), "https://tieline.example.com")
}

#[test]
fn operation_ids_are_unique_and_good_names_in_clients() {
    let mut seen = BTreeSet::new();
    for (path, method, operation) in operations(&mut document()["paths"]) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let verb_and_noun = id.len() > 5 && id.starts_with(|first: char| first.is_ascii_lowercase());
        assert!(
            verb_and_noun && id.chars().all(char::is_alphanumeric) && !id.chars().all(char::is_lowercase),
            "{method} {path}: give it an operation_id such as listWebhooks in its annotation, not {id:?}"
        );
        assert!(seen.insert(id.clone()), "{method} {path}: operation_id {id} is in use");
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
