//! JSON merge patches (RFC 7396).

use serde_json::{Map, Value};

/// Applies `patch` to the document. Removed fields stay as null, which parsers treat as absent, so
/// that removing an unknown field is an error instead of being ignored.
pub fn apply(document: &mut Value, patch: &Value) {
    merge(document, patch);
    if let (Value::Object(document), Value::Object(patch)) = (document, patch) {
        let removed = patch.iter().filter(|(_, value)| value.is_null());
        document.extend(removed.map(|(name, _)| (name.clone(), Value::Null)));
    }
}

/// Merges `patch` into `target`: null removes, objects merge, everything else replaces.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Renames headers of `document` to the case that `patch` uses, because header names are
/// case-insensitive and a merge is not. `pointer` locates the headers in both.
pub fn respell(document: &mut Value, patch: &Value, pointer: &str) {
    let headers = (document.pointer_mut(pointer), patch.pointer(pointer));
    let (Some(Value::Object(target)), Some(Value::Object(patch))) = headers else {
        return;
    };
    for name in patch.keys() {
        let previous = target
            .keys()
            .find(|previous| previous.eq_ignore_ascii_case(name))
            .cloned();
        if let Some(value) = previous.and_then(|previous| target.remove(&previous)) {
            target.insert(name.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Examples of RFC 7396, appendix A.
    #[test]
    fn patches_merge_as_in_rfc_7396() {
        for (target, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            let mut value = target.clone();
            merge(&mut value, &patch);
            assert_eq!(value, merged, "{target} with {patch}");
        }
    }
    #[test]
    fn header_names_match_case_insensitively() {
        for (patch, merged) in [
            (json!({"X-A": null}), json!({"x-b": "2"})),
            (json!({"X-A": "3"}), json!({"X-A": "3", "x-b": "2"})),
            (json!({"x-a": "3"}), json!({"x-a": "3", "x-b": "2"})),
            (
                json!({"X-A": "3", "x-a": null}),
                json!({"X-A": "3", "x-b": "2"}),
            ),
            (
                json!({"X-A": null, "x-a": "3"}),
                json!({"x-a": "3", "x-b": "2"}),
            ),
            (
                json!({"X-A": "3", "x-a": "4"}),
                json!({"X-A": "3", "x-a": "4", "x-b": "2"}),
            ),
            (
                json!({"x-c": "3"}),
                json!({"x-a": "1", "x-b": "2", "x-c": "3"}),
            ),
            (json!("x"), json!("x")),
            (json!(null), json!(null)),
        ] {
            let mut headers = json!({"x-a": "1", "x-b": "2"});
            respell(&mut headers, &patch, "");
            merge(&mut headers, &patch);
            assert_eq!(headers, merged, "{patch}");
        }
    }
}
