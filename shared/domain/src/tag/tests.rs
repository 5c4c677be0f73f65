//! Tags and filters as written.

use proptest::prelude::*;

use super::{
    filter::{Argument, Filter},
    *,
};

fn tag(text: &str, syntax: Syntax) -> Option<Result<Tag, String>> {
    let found = tag_at(text, syntax)?;
    Some(match found {
        Ok((tag, length)) => {
            assert_eq!(length, text.len(), "{text}");
            Ok(tag)
        }
        Err(error) => Err(error.to_string()),
    })
}

#[test]
fn filters_and_arguments_are_read() {
    use Argument::{Number, Text};
    use Syntax::{JsonString, Plain};
    let text = |text: &str| Text(text.to_owned());
    for (syntax, written, path, filters) in [
        (Plain, "{a}", "a", vec![]),
        (Plain, r#"{"First Name"}"#, r#""First Name""#, vec![]),
        (
            JsonString,
            r#"{body.\"data[email]\"}"#,
            r#"body."data[email]""#,
            vec![],
        ),
        (JsonString, "{'a b'.c[0]}", r#""a b".c.0"#, vec![]),
        (
            Plain,
            r#"{name | default: "there" | upper}"#,
            "name",
            vec![Filter::Default(text("there")), Filter::Upper],
        ),
        (
            Plain,
            "{a|lower|trim|truncate:5|html|markdown|url|base64|json}",
            "a",
            vec![
                Filter::Lower,
                Filter::Trim,
                Filter::Truncate(5),
                Filter::Html,
                Filter::Markdown,
                Filter::Url,
                Filter::Base64,
                Filter::Json,
            ],
        ),
        (
            JsonString,
            r#"{a.b\t|\njoin :\", \"|length }"#,
            "a.b",
            vec![Filter::Join(", ".to_owned()), Filter::Length],
        ),
        (
            JsonString,
            r#"{a | date: "%d.%m.%Y" | default: 'a}|\\n\"b'}"#,
            "a",
            vec![
                Filter::Date("%d.%m.%Y".to_owned()),
                Filter::Default(text("a}|\n\"b")),
            ],
        ),
        (
            Plain,
            "{a | default: -7}",
            "a",
            vec![Filter::Default(Number(-7))],
        ),
        (
            Plain,
            "{a | default: ''}",
            "a",
            vec![Filter::Default(text(""))],
        ),
        (
            Plain,
            r"{a | default: 'it\'s {b}'}",
            "a",
            vec![Filter::Default(text("it's {b}"))],
        ),
    ] {
        let tag = tag(written, syntax).expect(written).expect(written);
        assert_eq!(
            (tag.path.as_str(), tag.filters),
            (path, filters),
            "{written}"
        );
    }
}

#[test]
fn other_text_is_no_tag() {
    use Syntax::{JsonString, Plain};
    for (syntax, text) in [
        (Plain, "a}"),
        (Plain, "{}"),
        (Plain, "{ a}"),
        (Plain, "{a }"),
        (Plain, "{First Name}"),
        (Plain, "{First Name | upper}"),
        (Plain, r#"{"a": 1}"#),
        (Plain, r#"{"a"#),
        (Plain, "{a.}"),
        (Plain, "{|upper}"),
        (JsonString, r#"{", "}"#),
        (JsonString, r#"{"a"}"#),
        (JsonString, r#"{'", "'}"#),
        (JsonString, r"{a\}"),
    ] {
        assert_eq!(tag(text, syntax), None, "{text}");
    }
}

#[test]
fn errors_name_the_tag_and_the_filter() {
    let nine = "|upper".repeat(9);
    for (text, error) in [
        (
            "{a | uper}",
            "path `a`, which has the unknown filter `uper`. Filters are: default, upper,",
        ),
        ("{a | Upper}", "unknown filter `Upper`"),
        ("{a | upper: 1}", "a wrong argument: `upper` takes none"),
        ("{a | length: 'x'}", "a wrong argument: `length` takes none"),
        (
            "{a | default}",
            "a wrong argument: `default` takes a text or a whole number",
        ),
        ("{a | default: x}", "a wrong argument: `default`"),
        ("{a | default: 1.5}", "a wrong argument: `default`"),
        ("{a | default: \"x}", "a wrong argument: `default`"),
        (
            "{a | truncate: 0}",
            "a wrong argument: `truncate` takes the maximum number of characters",
        ),
        ("{a | truncate: -1}", "a wrong argument: `truncate`"),
        ("{a | truncate: +1}", "a wrong argument: `truncate`"),
        ("{a | truncate: '5'}", "a wrong argument: `truncate`"),
        (
            "{a | truncate: 99999999999999999999}",
            "a wrong argument: `truncate`",
        ),
        ("{a | truncate}", "a wrong argument: `truncate`"),
        ("{a | date: 5}", "a wrong argument: `date` takes a format"),
        (
            "{a | date: '%!'}",
            "a wrong argument: `date` takes a format",
        ),
        ("{a | date}", "a wrong argument: `date`"),
        ("{a | join}", "a wrong argument: `join`"),
        ("{a | join: 1}", "a wrong argument: `join`"),
        ("{a |}", "no valid filters after `|`"),
        ("{a | | upper}", "no valid filters after `|`"),
        ("{a | upper lower}", "no valid filters after `|`"),
        ("{a | default: 'a' 'b'}", "no valid filters after `|`"),
        ("{a | upper", "path `a`, which has no valid filters"),
        (&*format!("{{a{nine}}}"), "more than 8 filters"),
    ] {
        let found = tag(text, Syntax::Plain).expect(text).expect_err(text);
        assert!(found.contains(error), "{found}");
    }
    let eight = format!("{{a{}}}", "|upper".repeat(8));
    assert!(tag(&eight, Syntax::Plain).is_some_and(|tag| tag.is_ok()));
    let long = format!("{{a|date:'{}'}}", "x".repeat(201));
    assert!(tag(&long, Syntax::Plain).is_some_and(|tag| tag.is_err()));
    let error = tag(&format!("{{a|{}}}", "x".repeat(200)), Syntax::Plain);
    assert!(error.is_some_and(|error| error.is_err_and(|error| error.len() < 400)));
}

#[test]
fn text_is_split_outside_tags() {
    let text = r#"a/{b | date: "%Y/%m"}/{c|default:'x=y&z'}=d?{e|join:"?"}/f"#;
    let segments: Vec<&str> = split(text, &['/']).collect();
    assert_eq!(
        segments,
        [
            "a",
            r#"{b | date: "%Y/%m"}"#,
            r#"{c|default:'x=y&z'}=d?{e|join:"?"}"#,
            "f"
        ]
    );
    assert_eq!(
        split_once(text, '='),
        text.split_once("=d")
            .map(|(a, _)| (a, &text[a.len() + 1..]))
    );
    assert_eq!(find(text, &['&']), None);
    assert_eq!(split_inclusive(text, &['?', '=']).count(), 3);
    assert_eq!(split("", &['/']).collect::<Vec<_>>(), [""]);
    assert_eq!(split_inclusive("", &['/']).count(), 0);
    assert!(check(text).is_ok() && check("{a} {b | c} {d}").is_err());
}

fn looks(text: &str, syntax: Syntax) -> Vec<String> {
    lookalikes(&pieces(text).collect::<Vec<_>>(), syntax)
}

#[test]
fn text_that_looks_like_a_tag_is_described() {
    for (text, details) in [
        (
            "{First Name}",
            vec!["`{First Name}` is not a tag and is sent as it is. Write `{'First Name'}`."],
        ),
        (
            "{ name }",
            vec!["`{ name }` is not a tag and is sent as it is. Write `{name}`."],
        ),
        (
            "{{name}}",
            vec!["`{{name}}` is sent as the value in braces. Write `{name}`."],
        ),
        (
            "a {{ a.b }} c",
            vec!["`{{ a.b }}` is not a tag and is sent as it is. Write `{a.b}`."],
        ),
        (
            "{data[email]} {data[email]} {größe}",
            vec![
                "`{data[email]}` is not a tag and is sent as it is. Write `{'data[email]'}`.",
                "`{größe}` is not a tag and is sent as it is. Write `{'größe'}`.",
            ],
        ),
        (
            "{First Name | upper }",
            vec![
                "`{First Name | upper }` is not a tag and is sent as it is. Write `{'First Name' | upper}`.",
            ],
        ),
        (
            "{name} {} { } {1 2} {a: b} body{color:red} {a, b} {a\nb} {{ {",
            vec![],
        ),
    ] {
        assert_eq!(looks(text, Syntax::Plain), details, "{text}");
    }
    let stored = looks("{a | uper}", Syntax::Plain);
    assert!(stored[0].contains("unknown filter `uper`"), "{stored:?}");
    let many: Vec<String> = (0..50).map(|n| format!("{{a {n}}}")).collect();
    assert_eq!(looks(&many.concat(), Syntax::Plain).len(), 20);
}

proptest! {
    #[test]
    fn pieces_are_the_text(text in prop_oneof![any::<String>(), "[{}a.|:\"' \\\\upper/&=é]{0,40}"]) {
        prop_assert_eq!(pieces(&text).map(|piece| piece.text).collect::<String>(), text.clone());
        for syntax in [Syntax::Plain, Syntax::JsonString] {
            for (at, _) in text.match_indices('{') {
                if let Some(Ok((_, length))) = tag_at(&text[at..], syntax) {
                    prop_assert_eq!(text[at..at + length].chars().next_back(), Some('}'));
                }
            }
            looks(&text, syntax);
        }
        let segments: Vec<&str> = split(&text, &['/']).collect();
        prop_assert_eq!(segments.join("/"), text.clone());
        // Each segment has the tags that it has in the whole text.
        let tags = |text: &str| pieces(text).filter_map(|piece| piece.tag).collect::<Vec<_>>();
        prop_assert_eq!(segments.iter().flat_map(|segment| tags(segment)).collect::<Vec<_>>(), tags(&text));
    }
}
