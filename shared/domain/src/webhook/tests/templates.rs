//! Templates of a webhook: errors and warnings about their tags.

use super::*;

#[test]
fn invalid_filters_are_named_at_their_field() {
    let broken = [
        ("url", json!({"url": "https://example.com/{a|nope}"})),
        ("headers", json!({"headers": {"x-a": "{a | truncate: 0}"}})),
        ("body", json!({"body": "{\"a\": \"{a | date: 5}\"}"})),
    ];
    for (field, change) in &broken {
        let errors = settings(change).expect_err(field).0;
        let pointers: Vec<&str> = errors.iter().map(|error| &*error.pointer).collect();
        let pointer = if *field == "headers" {
            "/headers/x-a"
        } else {
            &*format!("/{field}")
        };
        assert_eq!(pointers, [pointer]);
        assert!(
            errors[0]
                .detail
                .starts_with("contains a tag with the path `a`"),
            "{errors:?}"
        );
        // Stored under older rules, it is text.
        let stored = Settings::restore(with(change)).expect(field);
        assert_eq!(stored.to_map()[*field], change[*field]);
        assert_eq!(stored.warnings().len(), 1);
    }
    let path = json!({
        "url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/a/{at | date: '%Y//%m#\\t'}?q={x | default: ' '}",
    });
    assert!(settings(&path).is_ok(), "{:?}", settings(&path).err());
}

#[test]
fn warnings_name_the_template() {
    let warnings = settings(&json!({
        "url": "https://example.com/{{id}}?a={a..b}",
        "headers": {"x~name": "{First Name}", "x-api-key": "{First Name}"},
        "body": "{\"a\": \"{ name } {ok | upper}\"}",
    }))
    .expect("valid")
    .warnings();
    let pointers: Vec<&str> = warnings.iter().map(|warning| &*warning.pointer).collect();
    assert_eq!(pointers, ["/url", "/url", "/headers/x~0name", "/body"]);
    assert_eq!(
        warnings[3].detail,
        "`{ name }` is not a tag and is sent as it is. Write `{name}`."
    );
    assert!(
        settings(&json!({"body": "{\"a\": {x}}"}))
            .expect("valid")
            .warnings()
            .is_empty()
    );
    let service =
        json!({"url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/{{id}}"});
    assert_eq!(
        settings(&service).expect("valid").warnings()[0].pointer,
        "/path"
    );
}
