//! No value changes the structure of its template, whatever its filters.

use proptest::prelude::*;

use super::{
    filters::filtered,
    properties::{any_json, hostile, read_xml},
    *,
};

/// Filters in the syntax of a JSON template, up to the maximum number.
fn chain() -> impl Strategy<Value = String> {
    let filter = proptest::sample::select(vec![
        "upper",
        "lower",
        "trim",
        "truncate: 1",
        "truncate: 9",
        "html",
        "markdown",
        "url",
        "base64",
        "json",
        "length",
        r#"default: '\\\"\n<&>{x}]]>'"#,
        r#"default: \"}|/?#\""#,
        "default: -1",
        "join: ', '",
        r"join: '\\u0000\\r\\n'",
        "date: '%d/%m%n%t%Y'",
    ]);
    proptest::collection::vec(filter, 1..=8).prop_map(|filters| filters.join(" | "))
}

proptest! {
    #[test]
    fn any_filtered_value_leaves_json_intact(v in any_json(), s in hostile(), a in chain(), b in chain()) {
        let text = format!(r#"{{"k{{s | {a}}}": "b{{v | {a}}}{{s | {b}}}\\", "v": [{{v | {b}}}, {{s | {a}}}, 1], "s": {{}}}}"#);
        let data = json!({"v": v, "s": s});
        let read: Value = serde_json::from_str(&body(Format::Json, &text, &data).unwrap()).unwrap();
        prop_assert_eq!(read.as_object().unwrap().len(), 3);
        prop_assert_eq!(read["v"].as_array().unwrap().len(), 3);
        prop_assert_eq!(&read["s"], &json!({}));
        let key = read.as_object().unwrap().keys().find(|key| key.starts_with('k')).unwrap();
        let text = read[key].as_str().unwrap();
        prop_assert!(text.starts_with('b') && text.ends_with('\\'));
        // Both places get the same value.
        let (value, _) = filtered(&a, &data["s"]);
        prop_assert_eq!(&value, &read["v"][1]);
    }

    #[test]
    fn any_filtered_value_leaves_xml_urls_and_headers_intact(v in prop_oneof![any_json(), hostile().prop_map(Value::from)], a in chain()) {
        let a = a.replace("\\\"", "\"").replace("\\\\", "\\");
        let data = json!({"v": v});
        let xml = format!("<r a=\"{{v | {a}}}\"><d>{{v | {a}}}</d><![CDATA[]{{v | {a}}}>]]></r>");
        let rendered = read_xml(&body(Format::Xml, &xml, &data).unwrap());
        let structure: Vec<_> = rendered.iter().filter(|line| !line.starts_with("text") && !line.starts_with("a ")).collect();
        prop_assert_eq!(structure, ["start \"r\"", "start \"d\"", "end \"d\"", "end \"r\""]);

        let template = UrlTemplate::parse(&format!("https://h.example/p/{{v | {a}}}/x?q={{v | {a}}}&r")).unwrap();
        let (rendered, _) = with(&data, |values, missing| template.render(values, missing));
        if let Ok(url) = rendered {
            prop_assert_eq!(url.origin().ascii_serialization(), "https://h.example");
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert!(segments.len() == 3 && segments[0] == "p" && segments[2] == "x", "{}", url);
            prop_assert_eq!(url.query_pairs().count(), 2);
            prop_assert_eq!(url.fragment(), None);
        }

        let header = HeaderTemplate::parse(&format!("a{{v | {a}}}b").replace('\n', " ")).unwrap();
        if let (Ok(text), _) = with(&data, |values, missing| header.render(values, missing)) {
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\t'));
        }
    }
}
