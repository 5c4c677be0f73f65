//! Error descriptions for stored documents. They name positions and never quote values, which may
//! be secrets, because these texts are logged.

use domain::validation::ValidationErrors;
use serde_json::error::Category;

/// Describes why text could not be parsed as JSON, and where.
pub fn describe_json_error(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Io => "unreadable",
        Category::Syntax => "not JSON",
        Category::Data => "unexpected structure",
        Category::Eof => "incomplete JSON",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// Describes why an item of the table could not be parsed.
pub fn describe_item_error(error: &serde_dynamo::Error) -> String {
    let text = error.to_string();
    // Serde's other messages may quote values.
    let names_a_place = ["missing field", "Expected"]
        .iter()
        .any(|begin| text.starts_with(begin));
    if names_a_place {
        text
    } else {
        "unexpected structure".to_owned()
    }
}

/// Lists the invalid fields of a document.
pub fn describe_validation_errors(problems: &ValidationErrors) -> String {
    let pointers: Vec<&str> = problems
        .0
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    format!("invalid values at {pointers:?}")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::{delivery::Status, egress_policy::AllowList, webhook::Settings};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "s3cr3t-value";

    #[test]
    fn descriptions_quote_no_values() {
        for (text, described) in [
            (
                json!({"a": SECRET}).to_string(),
                "unexpected structure at line 1, column 19",
            ),
            (format!("{{\"a\": {SECRET}"), "not JSON at line 1, column 7"),
            (
                format!("{{\"a\": \"{SECRET}"),
                "incomplete JSON at line 1, column 19",
            ),
        ] {
            let error = serde_json::from_str::<BTreeMap<String, u8>>(&text).expect_err("wrong");
            assert_eq!(describe_json_error(&error), described, "{text}");
        }
        for (value, described) in [
            (AttributeValue::N("1".to_owned()), "Expected enum"),
            (AttributeValue::S(SECRET.to_owned()), "unexpected structure"),
        ] {
            let item = HashMap::from([("a".to_owned(), value)]);
            let error =
                serde_dynamo::from_item::<_, BTreeMap<String, Status>>(item).expect_err("wrong");
            assert_eq!(describe_item_error(&error), described);
        }
        let document: Value =
            json!({"name": "x", "url": SECRET, "events": ["*"], "auth": {"type": SECRET}});
        let problems = Settings::parse(document, &AllowList::default()).expect_err("wrong");
        assert_eq!(
            describe_validation_errors(&problems),
            r#"invalid values at ["/url", "/auth/type"]"#
        );
    }
}
