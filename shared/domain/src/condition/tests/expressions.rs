use super::*;

fn matches(text: &str) -> Value {
    compare("a", "matches", text)
}

#[test]
fn expressions_are_limited_separately_and_in_total() {
    for usual in [
        r"^\w+@\w+\.\w+$",
        r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$",
        r"^ORD-\d{4}-\d{6}$",
        r"(?i)\b(refund|cancel|chargeback|invoice)\b",
        "^.{1,200}$",
        &"x".repeat(1_000),
        "x{3000}",
        &(r"[\w]{0}".repeat(110) + "x"),
    ] {
        assert!(Condition::parse(matches(usual)).is_ok(), "{usual}");
    }
    for large in [
        r"^\w{3,20}$",
        "[ab]{5000}",
        "(?i)[\u{0}-\u{10ffff}]{0}a",
        r"(?i)[\W]{0}a",
        r"(?i)\p{any}{0}a",
        r"(?i)[[^a]b]{0}a",
        &r"[\w\w\w]{0}".repeat(80),
        &(r"[\w]{0}".repeat(110) + "x{3000}"),
        "((x{100}){100}){100}",
        &"x".repeat(1_001),
    ] {
        let (pointer, detail) = problem(json!({"not": matches(large)}));
        assert_eq!(pointer, "/not/value", "{large}");
        assert!(detail.starts_with("is too large"), "{large}: {detail}");
    }
    // Only expressions that cost less are translated, which finds the unknown property.
    for (rest, start) in [(45, "must be"), (46, "is too large")] {
        let detail = problem(matches(&(r"\p{x}".repeat(181) + &"x".repeat(rest)))).1;
        assert!(detail.starts_with(start), "{rest}: {detail}");
    }
    let many = |count: usize| json!({"any": vec![matches(r"^ORD-\d{4}$"); count]});
    assert!(Condition::parse(many(20)).is_ok());
    let (pointer, detail) = problem(many(50));
    assert_eq!(pointer, "");
    assert!(detail.contains("in total"), "{detail}");
    // Stored conditions load and match regardless.
    let saved = Condition::restore(many(50)).expect("a condition");
    assert!(saved.on(&json!({"a": "ORD-1234"})) && !saved.on(&json!({"a": 1})));
    let broken = Condition::restore(matches("(")).expect("a condition");
    assert!(!broken.on(&json!({"a": "("})));
}

#[test]
fn released_expressions_use_no_memory_and_match_again() {
    let mut negated = Condition::restore(json!({"not": {"all": [
        {"field": "a", "op": "matches", "value": "^([a-z]{40}[0-9]{40}){20}$"},
        {"field": "b", "op": "matches", "value": "x"},
    ]}}))
    .expect("a condition");
    let stored = negated.clone();
    assert_eq!(negated.compiled_bytes(), 0);
    let data = json!({"a": "ab", "b": "x"});
    assert!(negated.on(&data));
    let bytes = negated.compiled_bytes();
    assert!((20_000..200_000).contains(&bytes), "{bytes}");
    negated.release();
    assert_eq!(negated.compiled_bytes(), 0);
    assert!(negated.on(&data) && negated == stored);
    assert_ne!(condition(&matches("a")), condition(&matches("b")));
}

#[test]
fn expressions_match_like_the_reference() {
    for (text, expression, expected) in [
        ("a\nb", r"a[\s\S]b", true),
        ("A\nB", r"(?i)a[\S\s]b", true),
        ("[x]", r"\[\s\S]", false),
        ("[ 1]", r"\[\s\S]", true),
        ("Grüße", r"\bGrüße\b", true),
        ("Grüße", r"\bße\b", false),
        ("Über", r"(?i)^über$", true),
        ("naïve zebra, café", r"\bz[ae]bra\b", true),
        ("naïve xzebra", r"\bzebra\b", false),
        ("é", r"^\w$", true),
        ("é", "^.$", true),
        ("é", "^..$", false),
        ("", "^$", true),
        ("", "x*", true),
        ("aé", r"a\B", true),
        ("a", r"a\b", true),
        ("é!", r"é\b!$", true),
        ("line\nend", "(?m)^end$", true),
        ("x", "x{2}", false),
    ] {
        let comparison = condition(&matches(expression));
        assert_eq!(
            comparison.on(&json!({"a": text})),
            expected,
            "{expression} in {text:?}"
        );
    }
}

#[test]
fn long_texts_are_searched_up_to_the_limit() {
    let late = |length: usize| json!({"a": format!("{}urgent", "é".repeat(length / 2))});
    let urgent = condition(&matches("urgent"));
    assert!(urgent.on(&late(64 * 1024 - 6)) && !urgent.on(&late(64 * 1024 - 4)));
    assert!(urgent.on(&json!({"a": format!("urgent{}", "é".repeat(100_000))})));
}
