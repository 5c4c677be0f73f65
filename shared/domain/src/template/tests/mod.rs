//! Rendering of known values in each place.

mod limits;
mod properties;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;

/// Renders against `data`, with the secret `t` = `s3cr"et/`.
fn with<T>(
    data: &Value,
    render: impl FnOnce(&TagValues<'_>, &mut Missing) -> T,
) -> (T, Vec<String>) {
    let secrets = BTreeMap::from([("t".to_owned(), SecretString::from("s3cr\"et/"))]);
    let roots = json!({
        "event": {"id": "evt_1", "type": "message", "timestamp": "2026-01-02T03:04:05Z"},
        "webhook": {"id": "wh_1", "name": "Tom & \"Co\""},
    });
    let values = TagValues {
        roots: &roots,
        secrets: &secrets,
        secret_tags: &[],
        data,
    };
    let mut missing = Missing::default();
    let rendered = render(&values, &mut missing);
    (rendered, missing.into())
}

fn body(format: Format, text: &str, data: &Value) -> Result<String, RenderError> {
    let template = BodyTemplate::parse(format, text).expect(text);
    with(data, |values, missing| {
        template.render(values, Audience::Receiver, missing)
    })
    .0
}

fn url(text: &str, data: &Value) -> Result<String, RenderError> {
    let template = UrlTemplate::parse(text).expect(text);
    with(data, |values, missing| template.render(values, missing))
        .0
        .map(String::from)
}

fn unfit(tag: &str, reason: Reason) -> RenderError {
    RenderError {
        tag: tag.to_owned(),
        reason,
    }
}

#[test]
fn telegram_message_accepts_any_text() {
    let text =
        r#"{"parse_mode": "html", "chat_id": "42", "text": "link for request: {link_staff}"}"#;
    for value in [
        "https://a.example/?x=1&y=2",
        "\"}, {\"a\": \"",
        "a\nb\\",
        "<b>",
        "{secret.t}{link_staff}",
        "🎉 é \u{0}",
    ] {
        let sent: Value =
            serde_json::from_str(&body(Format::Json, text, &json!({"link_staff": value})).unwrap())
                .unwrap();
        let expected = json!({"parse_mode": "html", "chat_id": "42", "text": format!("link for request: {value}")});
        assert_eq!(sent, expected);
    }
}

#[test]
fn bodies_are_rendered() {
    use Format::{Form, Json, Xml};
    let data = json!({"s": "a\"<&>'b c", "n": 1.5, "b": true, "z": null, "o": {"k": ["v"]}, "list": [{"id": 7}], "cut": "]]>", "br": "]]"});
    for (format, template, expected) in [
        (
            Json,
            r#"{"a": {n}, "b": {o}, "c": {list.0.id}, "d": {s}, "e": {gone}}"#,
            r#"{"a": 1.5, "b": {"k":["v"]}, "c": 7, "d": "a\"<&>'b c", "e": null}"#,
        ),
        (
            Json,
            r#"["{n} {b} {z} {o} {gone}", {z}, {}, {"k":{}}]"#,
            r#"["1.5 true  {\"k\":[\"v\"]} ", null, {}, {"k":{}}]"#,
        ),
        (Json, "{o}", r#"{"k":["v"]}"#),
        (
            Json,
            r#"{"{s}": 1, "\"{n}" : 2, "a\\": {b}}"#,
            r#"{"a\"<&>'b c": 1, "\"1.5" : 2, "a\\": true}"#,
        ),
        (
            Json,
            r#"["{ s}", "{}", "{a b}", "{{n}}", "{n", "{é}"]"#,
            r#"["{ s}", "{}", "{a b}", "{1.5}", "{n", "{é}"]"#,
        ),
        (
            Json,
            r#"[{event.id}, "{webhook.name}", "{secret.t}", {secret.t}]"#,
            r#"["evt_1", "Tom & \"Co\"", "s3cr\"et/", "s3cr\"et/"]"#,
        ),
        (
            Xml,
            "<a b='{s}'>{s} {n}<c/>{o}</a>",
            "<a b='a&quot;&lt;&amp;&gt;&apos;b c'>a&quot;&lt;&amp;&gt;&apos;b c 1.5<c/>{&quot;k&quot;:[&quot;v&quot;]}</a>",
        ),
        (
            Xml,
            "<a><![CDATA[{s}{cut}]]></a>",
            "<a><![CDATA[a\"<&>'b c]]]]><![CDATA[>]]></a>",
        ),
        (
            Xml,
            "<a><![CDATA[{br}>{br}]]></a>",
            "<a><![CDATA[]]]]><![CDATA[>]]]]></a>",
        ),
        (
            Xml,
            "<a b='\"' c = \"'\" >{n}</a >",
            "<a b='\"' c = \"'\" >1.5</a >",
        ),
        (Xml, "<a>]{gone}]{gone}></a>", "<a>]]&gt;</a>"),
        (
            Xml,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- x --><a>&lt;&#233;{n}</a>\n",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- x --><a>&lt;&#233;1.5</a>\n",
        ),
        (Form, "a={s}&b={n}", "a=a%22%3C%26%3E%27b%20c&b=1.5"),
        (
            Form,
            " a=x y+%20é=\n&\n{s}&&{gone}={b}\n",
            "a=x%20y+%20%C3%A9%3D&a%22%3C%26%3E%27b%20c=&=true",
        ),
        (Form, "", ""),
    ] {
        assert_eq!(
            body(format, template, &data).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
}

#[test]
fn invalid_templates_are_rejected() {
    use Format::{Form, Json, Xml};
    for (format, template) in [
        (Json, ""),
        (Json, "{"),
        (Json, "text {x}"),
        (Json, "{x}{y}"),
        (Json, "1{x}"),
        (Json, "-{x}"),
        (Json, "{x}1"),
        (Json, r"{{x}: 1}"),
        (Json, r#"{"a": 1, {x}}"#),
        (Json, r#""\{x}""#),
        (Json, r#""\u00{x}""#),
        (Json, r#""\u{x}""#),
        (Json, r#"["a"{x}]"#),
        (Json, "\"a\n{x}\""),
        (Json, r#""{x}"#),
        (Xml, ""),
        (Xml, "{x}"),
        (Xml, "<a>{x}"),
        (Xml, "<a>{x}</b>"),
        (Xml, "<{x}/>"),
        (Xml, "<a {x}='1'/>"),
        (Xml, "<a {x}/>"),
        (Xml, "<a b={x}/>"),
        (Xml, "<a></a{x}>"),
        (Xml, "<a></a {x}>"),
        (Xml, "<a><!-- {x} --></a>"),
        (Xml, "<a><?p {x}?></a>"),
        (Xml, "<!DOCTYPE a><a>{x}</a>"),
        (Xml, "<a/>{x}"),
        (Xml, "<a/><b/>"),
        (Xml, "<a>&{x};</a>"),
        (Xml, "<a>&foo;</a>"),
        (Xml, "<a>&am{x}p;</a>"),
        (Xml, "<a b='&{x};'/>"),
        (Xml, "<a b='&foo;'/>"),
        (Xml, "<a b='<'/>"),
        (Xml, "<a>]]></a>"),
        (Xml, "<a>\u{1}</a>"),
        (Xml, "<a>&#1;</a>"),
        (Xml, "<a b='&#1;'/>"),
        (Xml, "<a>&#{x};</a>"),
        (Xml, "<a b='1' b='{x}'/>"),
        (Xml, "<a b='1'c='{x}'/>"),
        (Xml, "<a><![CDATA[{x}</a>"),
        (Xml, "<?xml version='1.1'?><a/>"),
        (Xml, "<?xml encoding='UTF-8'?><a/>"),
        (Xml, "<?xml version='1.0' encoding='latin1'?><a/>"),
        (Xml, "<?xml version='{x}'?><a/>"),
        (Xml, "\u{feff}<a/>"),
        (Xml, "<a/><![CDATA[x]]>"),
        (Form, "a=%"),
        (Form, "a=%4{x}"),
        (Form, "a=%{x}"),
        (Form, "%zz=1"),
    ] {
        assert!(BodyTemplate::parse(format, template).is_err(), "{template}");
    }
    let long = format!("a={}", "b".repeat(MAX_BODY - 2));
    assert!(BodyTemplate::parse(Form, &long).is_ok());
    assert_eq!(
        BodyTemplate::parse(Form, &(long + "b")),
        Err(TemplateError::TooLong(MAX_BODY))
    );
}

#[test]
fn error_contains_the_position() {
    let message = |format, text| {
        BodyTemplate::parse(format, text)
            .expect_err("rejected")
            .to_string()
    };
    assert_eq!(
        message(Format::Json, "{\"a\": {x.y},\n \"b\": \"{x.y}\" 1}"),
        "is not valid JSON after replacing tags with values (line 2, column 15)"
    );
    assert_eq!(
        message(Format::Xml, "<a>\n  é<{x}/></a>"),
        "is not a valid XML template: `{x}` is not an element name (line 2, column 4)"
    );
    assert_eq!(
        message(Format::Xml, "<?xml encoding=\"UTF-8\"?><a/>"),
        "is not a valid XML template: the declaration must come first and say version 1.0 and, if any, \
         encoding UTF-8 (line 1, column 1)"
    );
}

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
fn urls_are_rendered() {
    let data = json!({"id": 7, "s": "a/../b?c#d&e=f%2e é", "e": "", "dot": ".", "dots": "..", "enc": "%2e%2E", "long": "x".repeat(9000), "nl": "\t\n", "segment": "a:b@c!$&'()*+,;=-._~"});
    let zendesk = "https://x.example.com/api/v2/tickets/{id}/comments/";
    for (template, expected) in [
        (
            zendesk,
            Ok("https://x.example.com/api/v2/tickets/7/comments/"),
        ),
        (
            "https://h.example/{s}/x",
            Ok("https://h.example/a%2F..%2Fb%3Fc%23d%26e%3Df%252e%20%C3%A9/x"),
        ),
        (
            "https://h.example/?{s}={s}&x={e}&{gone}&{dots}",
            Ok(
                "https://h.example/?a%2F..%2Fb%3Fc%23d%26e%3Df%252e%20%C3%A9=a%2F..%2Fb%3Fc%23d%26e%3Df%252e%20%C3%A9&x=&&..",
            ),
        ),
        (
            "https://h.example/{segment}?{segment}",
            Ok(
                "https://h.example/a:b@c%21%24%26%27%28%29%2A%2B%2C%3B%3D-._~?a%3Ab%40c%21%24%26%27%28%29%2A%2B%2C%3B%3D-._~",
            ),
        ),
        ("https://h.example?{id}", Ok("https://h.example/?7")),
        ("HTTPS://H.example:443", Ok("https://h.example/")),
        ("http://[::1]:8080/{nl}", Ok("http://[::1]:8080/%09%0A")),
        (
            "https://h.example/v{id}.{id}//é{{}",
            Ok("https://h.example/v7.7//%C3%A9%7B%7B%7D"),
        ),
        (
            "https://h.example/{e}",
            Err(unfit("e", Reason::EmptySegment)),
        ),
        (
            "https://h.example/{gone}/x",
            Err(unfit("gone", Reason::EmptySegment)),
        ),
        (
            "https://h.example/x{gone}",
            Err(unfit("gone", Reason::EmptySegment)),
        ),
        (
            "https://h.example/{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/a/{dots}/x",
            Err(unfit("dots", Reason::DotSegment)),
        ),
        (
            "https://h.example/a/{enc}/x",
            Err(unfit("enc", Reason::DotSegment)),
        ),
        (
            "https://h.example/.{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/%2e{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/{dot}{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/?{long}",
            Err(unfit("long", Reason::TooLong)),
        ),
    ] {
        assert_eq!(
            url(template, &data),
            expected.map(str::to_owned),
            "{template}"
        );
    }
    assert_eq!(
        UrlTemplate::parse(zendesk)
            .expect("url")
            .origin_url()
            .as_str(),
        "https://x.example.com/"
    );
}

#[test]
fn invalid_urls_are_rejected() {
    use TemplateError as E;
    for (template, error) in [
        ("", E::NotAbsolute),
        ("/x", E::NotAbsolute),
        ("https:/h.example", E::NotAbsolute),
        ("ftp://h.example", E::NotAbsolute),
        ("{x}://h.example", E::TagInAuthority),
        ("https://{x}/", E::TagInAuthority),
        ("https://a.{x}.example/", E::TagInAuthority),
        ("https://h.example:{x}/", E::TagInAuthority),
        ("https://{x}@h.example/", E::TagInAuthority),
        ("https://a:b@h.example/", E::UserInfo),
        ("https://@h.example/", E::UserInfo),
        ("https://", E::Host),
        ("https:///x", E::Host),
        ("https://h.example:99999/", E::Host),
        ("https://h.example/#{x}", E::Fragment),
        ("https://h.example\\{x}", E::UrlCharacter),
        ("https://h.example/a b", E::UrlCharacter),
        ("https://h.example/a\nb", E::UrlCharacter),
        ("https://h.example/a/../{x}", E::DotSegment),
        ("https://h.example/%2E./{x}", E::DotSegment),
        ("https://h.example/%2{x}", E::Percent),
        ("https://h.example/?a=%", E::Percent),
    ] {
        assert_eq!(UrlTemplate::parse(template), Err(error), "{template}");
    }
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

#[test]
fn duplicate_keys_and_oversized_bodies_are_unfit() {
    let template = r#"{"{k}": 1, "role": {o}, "{l}": {"role": 2}}"#;
    let with = |k, l| {
        body(
            Format::Json,
            template,
            &json!({"k": k, "l": l, "o": {"role": 1}}),
        )
    };
    assert!(with("a", "b").is_ok());
    assert_eq!(with("role", "b"), Err(unfit("k", Reason::RepeatedKey)));
    assert_eq!(with("a", "a"), Err(unfit("k", Reason::RepeatedKey)));
    let many = "{x}".repeat(10_000);
    assert_eq!(
        body(Format::Form, &many, &json!({"x": "y".repeat(300)})),
        Err(unfit("x", Reason::TooLong))
    );
}

#[test]
fn default_bodies_are_rendered() {
    let data = json!({"a": [1, null, "<x>"], "b c": {"1": true}, "xmlns": "\u{1}", "é": [], "a:b": "\"", "": 1});
    let rendered = |format| envelope(format, "message", "2026-01-02T03:04:05Z", &data);
    assert_eq!(
        rendered(Format::Json),
        format!(r#"{{"type":"message","timestamp":"2026-01-02T03:04:05Z","data":{data}}}"#)
    );
    assert_eq!(
        rendered(Format::Xml),
        "<event><type>message</type><timestamp>2026-01-02T03:04:05Z</timestamp><data><entry name=\"\">1</entry>\
         <a><item>1</item><item></item><item>&lt;x&gt;</item></a><entry name=\"a:b\">&quot;</entry>\
         <entry name=\"b c\"><entry name=\"1\">true</entry></entry><entry name=\"xmlns\">\u{fffd}</entry>\
         <entry name=\"é\"></entry></data></event>"
    );
    let form = rendered(Format::Form);
    let pairs: Vec<(String, String)> = ::url::form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect();
    let expected = [
        ("type", "message"),
        ("timestamp", "2026-01-02T03:04:05Z"),
        ("data", &data.to_string()),
    ];
    assert_eq!(
        pairs,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}
