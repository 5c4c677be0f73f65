//! Descriptions of what is wrong with a stored document. They name places and never quote values, which may be secrets:
//! these texts reach logs.

use domain::invalid::Problems;
use serde_json::error::Category;

/// What is wrong with a document that JSON could not be read from, and where.
pub fn fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Io => "unreadable",
        Category::Syntax => "not JSON",
        Category::Data => "another shape than expected",
        Category::Eof => "incomplete JSON",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// Which fields of a document are wrong.
pub fn faults(problems: &Problems) -> String {
    let pointers: Vec<&str> = problems.0.iter().map(|problem| problem.pointer.as_str()).collect();
    format!("wrong values at {pointers:?}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{target::Allow, webhook::Settings};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "s3cr3t-value";

    #[test]
    fn no_description_quotes_a_value() {
        for (text, described) in [
            (json!({"a": SECRET}).to_string(), "another shape than expected at line 1, column 19"),
            (format!("{{\"a\": {SECRET}"), "not JSON at line 1, column 7"),
            (format!("{{\"a\": \"{SECRET}"), "incomplete JSON at line 1, column 19"),
        ] {
            let error = serde_json::from_str::<BTreeMap<String, u8>>(&text).expect_err("wrong");
            assert_eq!(fault(&error), described, "{text}");
        }
        let document: Value = json!({"name": "x", "url": SECRET, "events": ["*"], "auth": {"type": SECRET}});
        let problems = Settings::parse(document, &Allow::default()).expect_err("wrong");
        assert_eq!(faults(&problems), r#"wrong values at ["/url", "/auth/type"]"#);
    }
}
