//! Bodies in each format.

use super::*;

#[test]
fn bodies_are_rendered() {
    use Format::{Form, Json, Xml};
    let data = json!({"s": "a\"<&>'b c", "n": 1.5, "b": true, "z": null, "o": {"k": ["v"]}, "list": [{"id": 7}], "cut": "]]>\r\u{1}", "br": "]]"});
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
            "<a><![CDATA[a\"<&>'b c]]]]><![CDATA[>]]>&#13;<![CDATA[\u{fffd}]]></a>",
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
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- x --><?p x?><a>&lt;&#233;{n}</a>\n",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- x --><?p x?><a>&lt;&#233;1.5</a>\n",
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
        (Xml, "<a/>x"),
        (Xml, "<a/>&lt;"),
        (Xml, "<? p?><a/>"),
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
        (Form, "a=%4z"),
        (Form, "a=%z4"),
        (Form, "%zz=1"),
    ] {
        assert!(BodyTemplate::parse(format, template).is_err(), "{template}");
    }
}

#[test]
fn errors_contain_cause_and_position() {
    for (format, text, message) in [
        (
            Format::Json,
            "{\"a\": {x.y},\n \"b\": \"{x.y}\" 1}",
            "JSON after replacing tags with values (line 2, column 15)",
        ),
        (
            Format::Xml,
            "<a>\n  é<{x}/></a>",
            "a valid XML template: `{x}` is not an element name (line 2, column 4)",
        ),
        (
            Format::Xml,
            "<?xml encoding=\"UTF-8\"?><a/>",
            "a valid XML template: the declaration must come first and say version 1.0 and, if any, \
             encoding UTF-8 (line 1, column 1)",
        ),
        (
            Format::Xml,
            "<a></b>",
            "a valid XML template: an end tag that is missing or does not match, or `--` in a comment \
             (line 1, column 4)",
        ),
        (
            Format::Xml,
            "<a",
            "a valid XML template: markup that is not closed (line 1, column 1)",
        ),
    ] {
        let error = BodyTemplate::parse(format, text).expect_err("rejected");
        assert!(error.to_string().ends_with(message), "{error}");
    }
}

#[test]
fn repeated_keys_are_unfit() {
    let template = r#"{"t": "{t}", "a": [{"{k}": 1, "role": {o}}], "{l}": {"role": 2}}"#;
    for (k, l, unfit_tag) in [
        ("a", "b", None),
        ("role", "b", Some("k")),
        ("a", "a", Some("k")),
    ] {
        let data = json!({"t": "t", "k": k, "l": l, "o": {"role": 1}});
        let unfit = unfit_tag.map(|tag| unfit(tag, Reason::RepeatedKey));
        assert_eq!(body(Format::Json, template, &data).err(), unfit, "{k} {l}");
    }
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
