//! Custom event types as clients write them.

use domain::{
    event, event_type,
    pattern::EventType,
    validation::{FieldReader, Validated, ValidationErrors, string},
};
use platform::{clock, table::event_types::CustomType};
use serde_json::{Value, json};

use crate::http::patch::apply;

/// Maximum size of a custom type's example, in bytes of JSON. A page contains up to 100.
const MAX_EXAMPLE: usize = 16 * 1024;

pub(crate) fn parse(value: Value) -> Validated<CustomType> {
    let mut fields = FieldReader::of(value)?;
    let name = fields.required("name", name);
    let description = fields.defaulted("description", None, |value| description(value).map(Some));
    let example = fields.defaulted("example", None, |value| example(value).map(Some));
    let parsed = name.zip(description).zip(example);
    let created_at = clock::now();
    let new = |((name, description), example)| CustomType {
        name,
        description,
        example,
        created_at,
        version: 1,
    };
    fields.finish(parsed.map(new))
}

/// Applies a merge patch. Fields that it does not change may have been saved under older rules and
/// are not validated.
pub(super) fn patched(before: &CustomType, patch: &Value) -> Validated<CustomType> {
    let old = document(before);
    let mut new = old.clone();
    apply(&mut new, patch);
    let is_old = |field: &str, value: &Value| *value == old[field];
    let mut fields = FieldReader::of(new)?;
    let name = fields.required("name", |value| {
        if is_old("name", &value) {
            Ok(())
        } else {
            Err(ValidationErrors::here(
                "can't be changed. Create another event type",
            ))
        }
    });
    let description = fields.defaulted("description", None, |value| {
        if is_old("description", &value) {
            return Ok(before.description.clone());
        }
        description(value).map(Some)
    });
    let example = fields.defaulted("example", None, |value| {
        if is_old("example", &value) {
            return Ok(before.example.clone());
        }
        example(value).map(Some)
    });
    let parsed = name.and(description.zip(example));
    fields.finish(parsed.map(|(description, example)| CustomType {
        description,
        example,
        version: before.version + 1,
        ..before.clone()
    }))
}

/// Parses a name outside the reserved namespaces.
fn name(value: Value) -> Validated<EventType> {
    let name = EventType::parse(&string(value)?)?;
    if name.is_reserved() && event_type::find(name.as_str()).is_none() {
        return Err(ValidationErrors::here(
            "is in a namespace that is reserved for Tieline's own events. Choose another first word.",
        ));
    }
    Ok(name)
}

fn description(value: Value) -> Validated<String> {
    let text = string(value)?;
    if text.chars().count() > 1000 {
        return Err(ValidationErrors::here("must have at most 1,000 characters"));
    }
    Ok(text)
}

/// Parses the example into JSON text.
fn example(value: Value) -> Validated<String> {
    let text = Value::from(event::object(value)?).to_string();
    if text.len() > MAX_EXAMPLE {
        return Err(ValidationErrors::here(format!(
            "must have at most {MAX_EXAMPLE} bytes as JSON"
        )));
    }
    Ok(text)
}

/// The fields of a type that clients can set.
pub(super) fn document(own: &CustomType) -> Value {
    let example: Option<Value> = own
        .example
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    json!({"name": own.name, "description": own.description, "example": example})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_validates_only_what_it_changes() {
        // Each field violates a current rule.
        let before = CustomType {
            name: EventType::parse("ticket.own").expect("a name"),
            description: Some("x".repeat(1_001)),
            example: Some(json!({"a": "x".repeat(MAX_EXAMPLE)}).to_string()),
            created_at: clock::now(),
            version: 3,
        };
        for (patch, changed) in [
            (json!({}), [false, false]),
            (json!({"name": "ticket.own"}), [false, false]),
            (json!({"description": "y"}), [true, false]),
            (json!({"description": null}), [true, false]),
            (json!({"example": {"a": 1}}), [false, true]),
            (json!({"example": null}), [false, true]),
        ] {
            let after = patched(&before, &patch).expect("valid");
            assert_eq!(
                [
                    after.description != before.description,
                    after.example != before.example
                ],
                changed,
                "{patch}"
            );
            assert_eq!((&after.name, after.version), (&before.name, 4));
        }
    }

    #[test]
    fn patch_reports_every_error() {
        let before = parse(json!({"name": "own.type", "example": {"a": 1}})).expect("valid");
        for (patch, expected) in [
            (
                json!({"name": "own.other", "bogus": 1, "description": 2, "example": 3}),
                vec!["/bogus", "/description", "/example", "/name"],
            ),
            (
                json!({"name": null, "bogus": null}),
                vec!["/bogus", "/name"],
            ),
            (json!([]), vec![""]),
        ] {
            let errors = patched(&before, &patch).expect_err("invalid").0;
            let mut pointers: Vec<_> = errors.iter().map(|error| &*error.pointer).collect();
            pointers.sort_unstable();
            assert_eq!(pointers, expected, "{patch}");
        }
    }
}
