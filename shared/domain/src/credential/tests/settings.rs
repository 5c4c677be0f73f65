use super::*;

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "description": " ", "scopes": [], "user_id": "x", "expires_at": day(-1), "rotate_after_days": 366, "x": 1,
    });
    let problems = settings(&wrong).expect_err("all invalid").0;
    let pointers: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/user_id",
            "/description",
            "/scopes",
            "/expires_at",
            "/rotate_after_days",
            "/x"
        ]
    );
}

#[test]
fn description_is_a_trimmed_line_of_at_most_200_characters() {
    let long = |count| "é".repeat(count);
    for (text, expected) in [
        (" CRM ".to_owned(), Ok("CRM".to_owned())),
        (long(200), Ok(long(200))),
        (long(201), Err("must have at most 200 characters")),
        ("\t".to_owned(), Err("must not be empty")),
        (
            "a\nb".to_owned(),
            Err("must not contain control characters"),
        ),
    ] {
        let parsed = settings(&json!({"description": text})).map(|settings| settings.description);
        let expected =
            expected.map_err(|detail| ValidationErrors::here(detail).under("description"));
        assert_eq!(parsed, expected, "{text}");
    }
}

#[test]
fn patch_keeps_owner_and_past_expiry() {
    let before = settings(&json!({"expires_at": day(5)})).expect("valid");
    assert_eq!(
        before.patched(before.to_value(), day(9)).expect("valid"),
        before
    );
    let holder = json!({"description": "x", "scopes": ["admin"], "user_id": user()});
    assert_eq!(
        before.patched(holder, day(9)).expect_err("rejected").0[0].pointer,
        "/user_id"
    );
}

#[test]
fn new_expiry_must_be_in_the_future() {
    let before = settings(&json!({})).expect("valid");
    for (end, valid) in [(-1, false), (0, false), (1, true)] {
        let change = json!({"expires_at": day(end)});
        let mut patch = before.to_value();
        patch["expires_at"] = change["expires_at"].clone();
        let expected = if valid {
            Ok(Settings {
                expires_at: Some(day(end)),
                ..before.clone()
            })
        } else {
            Err(ValidationErrors::here("must be in the future").under("expires_at"))
        };
        assert_eq!(settings(&change), expected, "day {end}");
        assert_eq!(before.patched(patch, day(0)), expected, "day {end}");
    }
}
