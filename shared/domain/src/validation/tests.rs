//! Validation errors and their listing.

use serde_json::json;

use super::*;

#[test]
fn numbers_without_a_fraction_are_whole() {
    for (text, number) in [
        ("60", Some(60)),
        ("60.0", Some(60)),
        ("6e1", Some(60)),
        ("6.0E+1", Some(60)),
        ("600e-1", Some(60)),
        ("0.0", None),
        ("-0.0", None),
        ("-60.0", None),
        ("60.5", None),
        ("60.000001", None),
        ("1e300", None),
        ("101.0", None),
        ("\"60\"", None),
        ("true", None),
    ] {
        let value = serde_json::from_str(text).expect("JSON");
        assert_eq!(whole(1, 100)(value).ok(), number, "{text}");
    }
    assert_eq!(whole(0, 100)(json!(-0.0)), Ok(0));
}

#[test]
fn all_invalid_fields_are_reported() {
    let mut fields = FieldReader::of(json!({"name": " ", "tags": ["a", 1], "a/b": 1, "size": 9}))
        .expect("object");
    let name = fields.required("name", name);
    let size = fields.defaulted("size", 1, whole(1, 5));
    let tags = fields.optional("tags", list(1, 3, string));
    let url = fields.required("url", string);
    let whole = name.zip(size).zip(tags).zip(url);
    let pointers: Vec<String> = fields
        .finish(whole)
        .expect_err("errors")
        .0
        .into_iter()
        .map(|i| i.pointer)
        .collect();
    assert_eq!(pointers, ["/name", "/size", "/tags/1", "/url", "/a~1b"]);
}

#[test]
fn unknown_fields_suggest_a_known_one() {
    let known = ["name", "timeout_seconds", "enabled", "events", "retry"].map(str::to_owned);
    for (name, expected) in [
        ("timeout", "timeout_seconds"),
        ("Name", "name"),
        ("enable", "enabled"),
        ("event", "events"),
        ("retries", "retry"),
        ("timeoutSeconds", "timeout_seconds"),
    ] {
        assert_eq!(suggestion(name, &known), Some(expected));
    }
    for name in ["colour", "x", "", &"name".repeat(17)] {
        assert_eq!(suggestion(name, &known), None);
    }
}

fn unknown(document: Value) -> Vec<(String, String)> {
    let mut fields = FieldReader::of(document).expect("object");
    fields.optional("name", name);
    fields.optional("url", string);
    let problems = fields.finish(Some(())).expect_err("errors").capped();
    problems
        .0
        .into_iter()
        .map(|problem| (problem.pointer, problem.detail))
        .collect()
}

#[test]
fn known_fields_are_listed_once() {
    let details = unknown(json!({"a": 1, "b": 2, "names": 3, "z": 4}))
        .into_iter()
        .map(|(_, detail)| detail);
    assert_eq!(
        details.collect::<Vec<_>>(),
        [
            "is not a known field. Known fields: name, url",
            "is not a known field.",
            "is not a known field. Did you mean `name`?",
            "is not a known field.",
        ]
    );
    let problems = FieldReader::of(json!({"a": 1})).and_then(|fields| fields.finish(Some(())));
    assert_eq!(
        problems,
        Err(ValidationErrors::here("is not a known field. No fields are allowed here.").under("a"))
    );
}

#[test]
fn errors_beyond_100_are_counted() {
    let fields = |count: usize| {
        (0..count)
            .map(|index| (format!("f{index:05}"), json!(0)))
            .collect::<Map<_, _>>()
    };
    let all = unknown(fields(100).into());
    assert_eq!((all.len(), all[99].0.as_str()), (100, "/f00099"));
    let many = unknown(fields(30_000).into());
    assert_eq!(many.len(), 100);
    assert_eq!(
        many[0],
        (
            String::new(),
            "has 30000 unknown fields; not all of them are listed".to_owned()
        )
    );
    assert_eq!(many[98].0, "/f00097");
    assert_eq!(
        many[99],
        (String::new(), "2 more errors are not listed".to_owned())
    );
}

#[test]
fn errors_beyond_64_kib_are_counted() {
    let long = "x".repeat(40_000);
    let problems = unknown(json!({format!("a{long}"): 1, format!("b{long}"): 1, "c": 1}));
    assert_eq!(problems.len(), 2);
    assert_eq!(
        problems[1],
        (String::new(), "2 more errors are not listed".to_owned())
    );
    let huge = "x".repeat(100_000);
    assert_eq!(
        unknown(json!({huge.clone(): 1})),
        [(
            format!("/{huge}"),
            unknown_field(&["name".to_owned(), "url".to_owned()])
        )]
    );
}
