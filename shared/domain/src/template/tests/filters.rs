//! Filters: results, values that they can't take, and limits.

use super::*;

/// The value of `x` after the filters, in a JSON value position, and the missing tags.
pub(super) fn filtered(filters: &str, x: &Value) -> (Value, Vec<String>) {
    let template = BodyTemplate::parse(Format::Json, &format!("{{x | {filters}}}")).expect(filters);
    let (text, missing) = with(&json!({"x": x}), |values, missing| {
        template.render(values, Audience::Receiver, missing)
    });
    (
        serde_json::from_str(&text.expect(filters)).expect(filters),
        missing,
    )
}

#[test]
fn filters_change_values() {
    let emoji = "Zoë 🎉 says hello";
    for (filters, x, expected) in [
        ("default: 'there'", json!(""), json!("there")),
        ("default: 'there'", json!(null), json!("there")),
        ("default: 7", json!(null), json!(7)),
        ("default: 'there'", json!("a"), json!("a")),
        ("default: 'there'", json!(0), json!(0)),
        ("default: 'there'", json!(false), json!(false)),
        ("default: 'there'", json!([]), json!([])),
        ("default: 'there' | upper", json!(null), json!("THERE")),
        ("trim | default: 'there'", json!(" \n"), json!("there")),
        ("upper", json!("straße é"), json!("STRASSE É")),
        ("upper", json!(true), json!("TRUE")),
        ("lower", json!("ÀB"), json!("àb")),
        ("trim", json!("\u{a0} a b\t\n"), json!("a b")),
        ("truncate: 5", json!(emoji), json!("Zoë …")),
        ("truncate: 6", json!(emoji), json!("Zoë 🎉…")),
        ("truncate: 16", json!(emoji), json!(emoji)),
        ("truncate: 15", json!(emoji), json!("Zoë 🎉 says hel…")),
        ("truncate: 1", json!("ab"), json!("…")),
        ("truncate: 1", json!("a"), json!("a")),
        ("truncate: 3", json!(12345), json!("12…")),
        (
            "date: '%d.%m.%Y %H:%M'",
            json!("2026-01-02T03:04:05+02:00"),
            json!("02.01.2026 01:04"),
        ),
        ("date: '%Y'", json!(0), json!("1970")),
        (
            "date: '%F %T %Z'",
            json!(1_767_323_045),
            json!("2026-01-02 03:04:05 UTC"),
        ),
        ("date: '%T%.3f'", json!(1.5), json!("00:00:01.500")),
        ("date: '%F'", json!("1767323045"), json!("2026-01-02")),
        ("date: '%F'", json!(-1), json!("1969-12-31")),
        (
            "date: '%A, %-d %B'",
            json!("2026-01-02T03:04:05Z"),
            json!("Friday, 2 January"),
        ),
        (
            "html",
            json!("<a b=\"c\">&'🎉</a>"),
            json!("&lt;a b=&quot;c&quot;&gt;&amp;&#39;🎉&lt;/a&gt;"),
        ),
        ("html", json!({"<": 1}), json!("{&quot;&lt;&quot;:1}")),
        (
            "markdown",
            json!(r"_*[]()~`>#+-=|{}.!\ a🎉<&"),
            json!(r"\_\*\[\]\(\)\~\`\>\#\+\-\=\|\{\}\.\!\\ a🎉<&"),
        ),
        ("markdown", json!(-1.5), json!(r"\-1\.5")),
        ("url", json!("a b/é?&~"), json!("a%20b%2F%C3%A9%3F%26~")),
        ("base64", json!("Zoë?>"), json!("Wm/Dqz8+")),
        ("base64", json!(1), json!("MQ==")),
        ("json", json!("a\"\n"), json!("\"a\\\"\\n\"")),
        ("json", json!({"a": [1, null]}), json!("{\"a\":[1,null]}")),
        ("json", json!(null), json!("null")),
        (
            "join: ', '",
            json!(["a", 1, null, true, {"b": "c"}, ["d"]]),
            json!("a, 1, , true, {\"b\":\"c\"}, [\"d\"]"),
        ),
        ("join: ''", json!([]), json!("")),
        ("length", json!("é🎉"), json!(2)),
        ("length", json!([1, [2, 3]]), json!(2)),
        ("length", json!({"a": {"b": 1}}), json!(1)),
        (
            "join: '-' | upper | truncate: 4 | length",
            json!(["ab", "cd"]),
            json!(4),
        ),
        ("html | html", json!("&"), json!("&amp;amp;")),
    ] {
        assert_eq!(filtered(filters, &x), (expected, vec![]), "{filters} {x}");
    }
}

#[test]
fn values_that_a_filter_cannot_take_are_unchanged_and_noted() {
    for (filters, x) in [
        ("upper", json!(null)),
        ("upper", json!(["a"])),
        ("lower", json!({"A": 1})),
        ("trim", json!([])),
        ("truncate: 1", json!(["ab"])),
        ("date: '%Y'", json!("yesterday")),
        ("date: '%Y'", json!("2026-01-02")),
        ("date: '%Y'", json!(1_767_323_045_000_000_i64)),
        ("date: '%Y'", json!(1e300)),
        ("date: '%Y'", json!(true)),
        ("html", json!(null)),
        ("base64", json!(null)),
        ("join: ','", json!("a,b")),
        ("join: ','", json!({"a": 1})),
        ("length", json!(5)),
        ("length", json!(null)),
    ] {
        let noted = (x.clone(), vec!["x".to_owned()]);
        assert_eq!(filtered(filters, &x), noted, "{filters} {x}");
    }
    // The other filters still apply.
    let (value, missing) = filtered("join: ',' | upper", &json!("a"));
    assert_eq!((value, missing), (json!("A"), vec!["x".to_owned()]));
}

#[test]
fn only_default_gives_a_missing_tag_a_value() {
    let text = r#"["{a | upper}", {a | json}, {a | length}, "{b | default: \"B\"}", {c | upper | default: 'x'}, {c | default: "y"}]"#;
    let template = BodyTemplate::parse(Format::Json, text).expect("template");
    let (rendered, missing) = with(&json!({}), |values, missing| {
        template.render(values, Audience::Receiver, missing)
    });
    assert_eq!(
        rendered.as_deref(),
        Ok(r#"["", null, null, "B", "x", "y"]"#)
    );
    assert_eq!(missing, ["a"]);
}

#[test]
fn results_are_escaped_for_their_place_and_not_expanded() {
    let data = json!({
        "First Name": "a<b> & \"c\"", "tags": ["x&y", "{secret.t}"], "at": "2026-01-02T03:04:05Z", "body": {"data[email]": "e@x"},
    });
    for (format, template, expected) in [
        (
            Format::Json,
            r#"{"a": "{\"First Name\" | html}", "b": {'First Name' | upper}, "{tags|join: "|"}": {\"First Name\"|length}}"#,
            r#"{"a": "a&lt;b&gt; &amp; &quot;c&quot;", "b": "A<B> & \"C\"", "x&y|{secret.t}": 10}"#,
        ),
        (
            Format::Json,
            r#"["{body.\"data[email]\"}", "{body.'data[email]' | default: 'a\"}'}", "{none | default: '{tags}'}"]"#,
            r#"["e@x", "e@x", "{tags}"]"#,
        ),
        (
            Format::Xml,
            r#"<a b="{"First Name" | default: "<&>"}" c='{none | default: "<'"}'>{tags | join: " < "}<![CDATA[{none | default: "]]>"}]]></a>"#,
            "<a b=\"a&lt;b&gt; &amp; &quot;c&quot;\" c='&lt;&apos;'>x&amp;y &lt; {secret.t}<![CDATA[]]]]><![CDATA[>]]></a>",
        ),
        (
            Format::Form,
            "a={tags | join: '&'}&{none | default: \"=\"}={at | date: \"%d/%m=%Y\"}",
            "a=x%26y%26%7Bsecret.t%7D&%3D=02%2F01%3D2026",
        ),
    ] {
        let template_is_valid = BodyTemplate::parse(format, template).map(|_| ());
        assert_eq!(template_is_valid, Ok(()), "{template}");
        assert_eq!(body(format, template, &data).as_deref(), Ok(expected));
    }
    let text = "https://h.example/{at | date: \"%Y/%m\"}/{\"First Name\" | truncate: 2}?q={tags | join: '&#='}&{none | default: '?'}";
    assert_eq!(
        url(text, &data).as_deref(),
        Ok("https://h.example/2026%2F01/a%E2%80%A6?q=x%26y%26%23%3D%7Bsecret.t%7D&%3F")
    );
    let header = HeaderTemplate::parse("{\"First Name\" | url}; {none | default: \"d\\n\"}")
        .expect("header");
    let (rendered, _) = with(&data, |values, missing| header.render(values, missing));
    assert_eq!(rendered, Err(unfit("none", Reason::HeaderCharacter)));
    let header = HeaderTemplate::parse("{at | date: '%F'} {none | default: \"{secret.t}\"}")
        .expect("header");
    let (rendered, _) = with(&data, |values, missing| header.render(values, missing));
    assert_eq!(rendered.as_deref(), Ok("2026-01-02 {secret.t}"));
}

#[test]
fn invalid_filters_are_rejected_but_load() {
    let check = |rejected: Option<TemplateError>, text: &str| {
        let error = rejected.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            error.starts_with("contains a tag with the path `x`, which "),
            "{text}: {error}"
        );
    };
    for (format, text) in [
        (Format::Json, r#"{"a": "{x | nope}"}"#),
        (Format::Json, r#"{"a": "{x | default: \"b}"}"#),
        (Format::Json, r#"{"a": {x | truncate: "1"}}"#),
        (Format::Xml, "<a>{x | nope}</a>"),
        (Format::Form, "a={x | nope}"),
    ] {
        check(BodyTemplate::parse(format, text).err(), text);
    }
    let (text, header) = ("https://h.example/{x | nope}", "a {x | nope: 1}");
    check(UrlTemplate::parse(text).err(), text);
    check(HeaderTemplate::parse(header).err(), header);
    let data = json!({"x": 1, "y": 2});
    for (format, text, expected) in [
        (
            Format::Json,
            r#"{"a": "{x | nope} {y}"}"#,
            r#"{"a": "{x | nope} 2"}"#,
        ),
        (Format::Xml, "<a>{x|'}{y}</a>", "<a>{x|'}2</a>"),
    ] {
        let template =
            BodyTemplate::read(format, text, crate::validation::Source::Table).expect(text);
        let (rendered, _) = with(&data, |values, missing| {
            template.render(values, Audience::Receiver, missing)
        });
        assert_eq!(rendered.as_deref(), Ok(expected));
        assert_eq!(template.lookalikes().len(), 1, "{text}");
    }
    let header = HeaderTemplate::restore(header).expect("header");
    let (rendered, _) = with(&data, |values, missing| header.render(values, missing));
    assert_eq!(rendered.as_deref(), Ok("a {x | nope: 1}"));
}

#[test]
fn lookalikes_of_each_template_are_described() {
    for (format, text, count) in [
        (
            Format::Json,
            r#"{"a": "{First Name}", "b": [{}, {x}, { }], "c": "{{x}} { x }", "d": "{\"k\": 1}"}"#,
            3,
        ),
        (Format::Xml, "<a b='{First Name}'>{{x}}</a>", 2),
        (Format::Form, "a={ x }", 1),
    ] {
        let template = BodyTemplate::parse(format, text).expect(text);
        assert_eq!(
            template.lookalikes().len(),
            count,
            "{:?}",
            template.lookalikes()
        );
    }
    let url = UrlTemplate::parse("https://h.example/{{x}}?{a..b}").expect("URL");
    assert_eq!(url.lookalikes().len(), 2);
    let header = HeaderTemplate::parse("{a b}").expect("header");
    assert_eq!(header.lookalikes("x-name").len(), 1);
    assert_eq!(header.lookalikes("x-token"), Vec::<String>::new());
}

#[test]
fn secrets_stay_masked_and_their_forms_are_known() {
    let text = r#"["{secret.t | base64}", {secret.t | length}, "{secret.none | default: 'd'}", {secret.t | date: '%Y'}]"#;
    let template = BodyTemplate::parse(Format::Json, text).expect("template");
    let rendered = |view| {
        with(&json!({}), |values, missing| {
            template.render(values, view, missing)
        })
    };
    let (sent, missing) = rendered(Audience::Receiver);
    assert_eq!(
        sent.as_deref(),
        Ok(r#"["czNjciJldC8=", 8, "d", "s3cr\"et/"]"#)
    );
    assert_eq!(missing, Vec::<String>::new());
    let (shown, missing) = rendered(Audience::Masked);
    assert_eq!(shown.as_deref(), Ok(r#"["•••", "•••", "d", "•••"]"#));
    assert_eq!(missing, Vec::<String>::new());
    let secrets = BTreeMap::from([("t".to_owned(), SecretString::from("s3cr\"et/"))]);
    let forms = filtered_secrets(template.parsed_tags(), &secrets);
    assert_eq!(forms, ["czNjciJldC8=", "8", "d", "s3cr\"et/"]);
}

#[test]
fn work_and_size_are_bounded() {
    let big = "\"".repeat(350_000);
    let data = json!({"x": big, "list": vec![""; 100_000]});
    for (text, error) in [
        ("\"{x | length}\"", None),
        ("\"{x | truncate: 3 | json | json | json | json}\"", None),
        (
            "\"{x | json | json | json | json | json | json | json | json}\"",
            Some(("x", Reason::TooLong)),
        ),
        ("\"{x | markdown | url | json | base64}\"", None),
        (
            "\"{x | url | html | json | base64 | base64 | base64 | base64}\"",
            Some(("x", Reason::TooLong)),
        ),
        ("\"{list | json | length}\"", None),
        (
            "\"{list | join: '0123456789012345678901234567890123456789' | truncate: 1}\"",
            Some(("list", Reason::TooLong)),
        ),
    ] {
        let error = error.map(|(tag, reason)| unfit(tag, reason));
        assert_eq!(body(Format::Json, text, &data).err(), error, "{text}");
    }
    // Joining empty texts writes nothing, but reads the list.
    for (field, tag) in [("x", "{x | length}"), ("list", "{list | join: ''}")] {
        let many = format!("\"{}\"", tag.repeat(200));
        assert_eq!(
            body(Format::Json, &many, &data),
            Err(unfit(field, Reason::TooCostly))
        );
    }
    let url = UrlTemplate::parse(&format!("https://h.example/{}", "{x | length}".repeat(200)))
        .expect("URL");
    let (rendered, _) = with(&data, |values, missing| url.render(values, missing));
    assert_eq!(rendered, Err(unfit("x", Reason::TooCostly)));
    let header = HeaderTemplate::parse(&"{x|trim|length}{x|length}".repeat(90)).expect("header");
    let (rendered, _) = with(&data, |values, missing| header.render(values, missing));
    assert_eq!(rendered, Err(unfit("x", Reason::TooCostly)));
}

#[test]
fn stored_comment_may_contain_what_is_a_tag_now() {
    let text = "<a><!-- {x | upper} {\"b\"} -->{x}</a>";
    assert!(BodyTemplate::parse(Format::Xml, text).is_err());
    let stored = BodyTemplate::read(Format::Xml, text, crate::validation::Source::Table);
    let (rendered, _) = with(&json!({"x": "1"}), |values, missing| {
        stored
            .expect("loads")
            .render(values, Audience::Receiver, missing)
    });
    assert_eq!(rendered.as_deref(), Ok(&*text.replace("{x}", "1")));
}

#[test]
fn error_does_not_show_what_follows_the_path() {
    let unclosed = "Bearer {x | default: 'sk_live_0123456789";
    for text in [
        unclosed,
        "{x | botAAE0123456789token}",
        "{x | sk_live_0123}",
    ] {
        let error = HeaderTemplate::parse(text)
            .expect_err("invalid")
            .to_string();
        assert!(!error.contains("0123"), "{error}");
    }
}
