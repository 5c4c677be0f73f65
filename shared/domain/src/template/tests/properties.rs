//! For any value, a real parser reads back exactly that value.

use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use serde_json::{Value, json};

use super::*;

/// Any text, often one with a meaning to a parser.
pub(super) fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\]>\\[<!&;\"'{}a%2e./?#=+ \r\n\t\u{0}\u{1}é🎉-]{0,20}",
        Just("{secret.t}".to_owned()),
        Just("]]>".to_owned()),
    ]
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        hostile().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(hostile(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// The document as an XML parser reads it: one line per tag, attribute and run of text.
pub(super) fn read_xml(text: &str) -> Vec<String> {
    let mut reader = Reader::from_str(text);
    let mut seen: Vec<String> = Vec::new();
    let mut run = String::new();
    loop {
        let event = reader.read_event().expect(text);
        match &event {
            Event::Text(text) => {
                assert!(!text.contains("]]>"));
                run.push_str(&text.xml10_content());
            }
            Event::CData(text) => run.push_str(&text.xml10_content()),
            Event::GeneralRef(name) => match name.resolve_char_ref().expect("reference") {
                Some(c) => run.push(c),
                None => run.push_str(quick_xml::escape::resolve_xml_entity(name).expect("entity")),
            },
            other => {
                seen.push(format!("text {:?}", std::mem::take(&mut run)));
                match other {
                    Event::Start(element) => {
                        seen.push(format!("start {:?}", element.name().as_ref()));
                        for attribute in element.attributes() {
                            let attribute = attribute.expect("attribute");
                            let value = attribute
                                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                                .expect("value");
                            seen.push(format!("{} {:?}", attribute.key.as_ref(), value));
                        }
                    }
                    Event::End(element) => seen.push(format!("end {:?}", element.name().as_ref())),
                    Event::Eof => return seen,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

fn xml_characters(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c < ' ' && !"\t\r\n".contains(c) || "\u{fffe}\u{ffff}".contains(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn json_round_trips(x in hostile(), y in hostile(), v in any_json()) {
        let data = json!({"x": x, "y": y, "v": v});
        let text = body(Format::Json, r#"{"a{x}": "b{y}{x}\\", "v": [{v}, {x}], "s": {}}"#, &data).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        let key = format!("a{x}");
        let pair = format!("b{y}{x}\\");
        prop_assert_eq!(read, json!({key: pair, "v": [v, x], "s": {}}));
    }

    #[test]
    fn xml_round_trips(x in hostile(), y in hostile()) {
        let data = json!({"x": x, "y": y});
        let template = "<r a=\"b{x}\" c='{x}{y}'>]{x}]{y}><d>{y}</d><![CDATA[]{x}>{y}]>]]{x}]{y}]]></r>";
        let text = body(Format::Xml, template, &data).unwrap();
        let (x, y) = (xml_characters(&x), xml_characters(&y));
        prop_assert_eq!(read_xml(&text), [
            "text \"\"".to_owned(), "start \"r\"".to_owned(), format!("a {:?}", format!("b{x}")),
            format!("c {:?}", format!("{x}{y}")), format!("text {:?}", format!("]{x}]{y}>")), "start \"d\"".to_owned(),
            format!("text {y:?}"), "end \"d\"".to_owned(), format!("text {:?}", format!("]{x}>{y}]>]]{x}]{y}")),
            "end \"r\"".to_owned(), "text \"\"".to_owned(),
        ]);
    }

    #[test]
    fn default_bodies_parse(data in any_json()) {
        let xml = envelope(Format::Xml, "message", "2026-01-02T03:04:05Z", &data);
        read_xml(&xml);
        let (again, _) = with(&data, |scope, missing| BodyTemplate::parse(Format::Xml, "<a>{x}</a>").map(|t| t.render(scope, Audience::Receiver, missing)));
        prop_assert!(again.is_ok());
        let read: Value = serde_json::from_str(&envelope(Format::Json, "message", "2026-01-02T03:04:05Z", &data)).unwrap();
        prop_assert_eq!(&read["data"], &data);
    }

    #[test]
    fn form_round_trips(x in hostile(), y in hostile()) {
        let text = body(Format::Form, "a={x}&{y}=b{y}c\n& d e = {x}", &json!({"x": x, "y": y})).unwrap();
        let read: Vec<_> = ::url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let expected = [("a".to_owned(), x.clone()), (y.clone(), format!("b{y}c")), ("d e ".to_owned(), format!(" {x}"))];
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn url_round_trips(x in hostile(), y in hostile()) {
        let template = UrlTemplate::parse("https://h.example/p/{x}/v{x}.{y}?a={y}&{x}=b{x}").unwrap();
        let data = json!({"x": x, "y": y});
        let (rendered, _) = with(&data, |scope, missing| template.render(scope, missing));
        let url = match rendered {
            Ok(url) => url,
            Err(error) => {
                prop_assert!(x.is_empty() || y.is_empty() || matches!(error.reason, Reason::DotSegment | Reason::TooLong));
                return Ok(());
            }
        };
        prop_assert_eq!(url.origin().ascii_serialization(), "https://h.example");
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let segments: Vec<String> = url.path_segments().unwrap().map(decode).collect();
        prop_assert_eq!(segments, ["p".to_owned(), x.clone(), format!("v{x}.{y}")]);
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        prop_assert_eq!(pairs, [("a".to_owned(), y), (x.clone(), format!("b{x}"))]);
        prop_assert_eq!(url.fragment(), None);
    }

    #[test]
    fn valid_templates_render_to_their_format(
        texts in proptest::collection::vec(prop_oneof![
            Just("{x}".to_owned()), "[{}\\[\\]\":,\\\\u01a ]{0,6}", "[<>/a='\"!\\[\\]&;?-]{0,8}", any::<String>(),
            Just("<a>".to_owned()), Just("</a>".to_owned()), Just("<![CDATA[".to_owned()), Just("]]>".to_owned()),
        ], 0..8),
        x in hostile(),
    ) {
        let text = texts.concat();
        let data = json!({"x": x});
        if let Ok(template) = BodyTemplate::parse(Format::Json, &text) {
            let rendered = with(&data, |scope, missing| template.render(scope, Audience::Receiver, missing)).0;
            prop_assert!(rendered.is_err_and(|error| error.reason == Reason::RepeatedKey) || serde_json::from_str::<Value>(&body(Format::Json, &text, &data).unwrap()).is_ok());
        }
        if BodyTemplate::parse(Format::Xml, &text).is_ok() {
            let rendered = body(Format::Xml, &text, &data).unwrap();
            prop_assert!(BodyTemplate::parse(Format::Xml, &rendered).is_ok(), "{}", rendered);
        }
        let _ = BodyTemplate::parse(Format::Form, &text);
        let _ = HeaderTemplate::parse(&text);
        let _ = UrlTemplate::parse(&text);
        let _ = UrlTemplate::parse(&format!("https://h.example/{text}"));
    }
}
