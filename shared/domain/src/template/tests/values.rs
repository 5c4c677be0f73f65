//! Values of tags, and how they are masked.

use super::*;

#[test]
fn roots_cannot_be_shadowed_and_missing_tags_are_listed() {
    let data = json!({"event": {"id": "no", "x": "no"}, "webhook": "no", "secret": {"t": "no", "y": "no"}, "a": [1], "z": null});
    let template = BodyTemplate::parse(
        Format::Json,
        r#""{event.id}|{event.x}|{event}|{webhook}|{secret}|{secret.t}|{secret.y}|{a.0}|{a.1}|{z}|{b}|{b}""#,
    );
    let template = template.expect("template");
    assert_eq!(template.tags().count(), 12);
    let (rendered, missing) = with(&data, |values, missing| {
        template.render(values, Audience::Receiver, missing)
    });
    assert_eq!(rendered.as_deref(), Ok(r#""evt_1|||||s3cr\"et/||1||||""#));
    assert_eq!(
        missing,
        [
            "a.1", "b", "event", "event.x", "secret", "secret.y", "webhook"
        ]
    );
}

#[test]
fn envelope_names_are_fallbacks() {
    let text = r#""{type}|{id}|{timestamp}|{data.a}|{a[1].b}|{data.a[1].b}""#;
    for (data, expected, left_out) in [
        (
            json!({"a": [1, {"b": 2}]}),
            r#""message|evt_1|2026-01-02T03:04:05Z|[1,{\"b\":2}]|2|2""#,
            vec![],
        ),
        (
            json!({"type": "mine", "id": 7, "timestamp": null, "data": {"a": "own"}}),
            r#""mine|7||own||""#,
            vec!["a.1.b", "data.a.1.b"],
        ),
    ] {
        let template = BodyTemplate::parse(Format::Json, text).expect("template");
        let (rendered, missing) = with(&data, |values, missing| {
            template.render(values, Audience::Receiver, missing)
        });
        assert_eq!(
            (rendered.as_deref(), missing),
            (
                Ok(expected),
                left_out.into_iter().map(String::from).collect()
            )
        );
    }
}

#[test]
fn masked_view_contains_no_secret() {
    let data = json!({});
    for (format, text, expected) in [
        (
            Format::Json,
            r#"["{secret.t}", {secret.t}]"#,
            r#"["•••", "•••"]"#,
        ),
        (Format::Xml, "<a b='{secret.t}'/>", "<a b='•••'/>"),
        (Format::Form, "a={secret.t}", "a=•••"),
    ] {
        let template = BodyTemplate::parse(format, text).expect(text);
        let rendered = with(&data, |values, missing| {
            template.render(values, Audience::Masked, missing)
        })
        .0;
        assert_eq!(rendered.as_deref(), Ok(expected));
    }
    let template =
        UrlTemplate::parse("https://h.example/bot{secret.t}/bot1:x/?q={secret.t}&t={gone}")
            .expect("url");
    let (rendered, unfit) = with(&data, |values, _| template.render_masked(values)).0;
    assert_eq!(unfit, None);
    assert_eq!(rendered, "https://h.example/bot•••/•••/?q=•••&t=");
    assert_eq!(
        format!("{template:?}"),
        "UrlTemplate(https://h.example/bot{secret.t}/•••/?q={secret.t}&t={gone})"
    );
    let template = HeaderTemplate::parse("Bearer {secret.t}").expect("header");
    assert_eq!(
        with(&data, |values, _| template.render_masked("x-up", values))
            .0
            .as_deref(),
        Ok("Bearer •••")
    );
}

#[test]
fn headers_contain_no_control_characters() {
    let data = json!({
        "ok": "a\t~", "nl": "a\r\nb: c", "del": "\u{7f}", "c1": "\u{85}", "uni": "Zoë ☃", "long": "é".repeat(2049),
    });
    for (template, expected) in [
        ("Bearer {ok}{gone}", Ok("Bearer a\t~")),
        ("{nl}", Err(unfit("nl", Reason::HeaderCharacter))),
        ("x{uni}", Ok("xZoë ☃")),
        ("Büro {ok}", Ok("Büro a\t~")),
        ("{del}", Err(unfit("del", Reason::HeaderCharacter))),
        ("{c1}", Err(unfit("c1", Reason::HeaderCharacter))),
        ("{long}", Err(unfit("long", Reason::TooLong))),
    ] {
        let template = HeaderTemplate::parse(template).expect(template);
        let rendered = with(&data, |values, missing| template.render(values, missing)).0;
        assert_eq!(rendered, expected.map(str::to_owned));
    }
    for wrong in ["a\nb", "é\u{85}", "\u{7f}"] {
        assert_eq!(
            HeaderTemplate::parse(wrong),
            Err(TemplateError::Header(HeaderError::Characters))
        );
    }
}
