//! What a response must report, besides its status, to count as a success. Some receivers respond
//! with 200 whatever happened.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::{
    condition::{Condition, subject::Subject},
    json, media_type,
    validation::{Source, Validated, ValidationErrors},
};

/// A condition on a response: `status_code`, `headers` by lower-case name, and `body`, which is
/// JSON if it can be parsed, otherwise text. At most the first 1 MiB of a body are read.
#[derive(Debug, Clone, PartialEq)]
pub struct SuccessWhen(Condition);

/// The names that its fields begin with.
const ROOTS: [&str; 3] = ["status_code", "headers", "body"];

impl SuccessWhen {
    /// Parses a condition from a client, or loads a stored one.
    ///
    /// # Errors
    /// Reports every invalid part, and a field that no response has; for a stored one only unknown
    /// structure.
    pub fn read(value: Value, source: Source) -> Validated<Self> {
        match source {
            Source::Client => Self::parse(value),
            Source::Table => Condition::restore(value).map(Self),
        }
    }

    fn parse(value: Value) -> Validated<Self> {
        let condition = Condition::parse_for_documents(value)?;
        let is_of_response = |field: &str| {
            let root = field.split('.').next().unwrap_or_default();
            ROOTS.contains(&root)
        };
        match condition
            .fields()
            .into_iter()
            .find(|field| !is_of_response(field))
        {
            Some(field) => Err(ValidationErrors::here(format!(
                "uses the field `{field}`. The fields of a response are `status_code`, `headers.<name>` and `body`"
            ))),
            None => Ok(Self(condition)),
        }
    }

    /// The condition.
    pub fn condition(&self) -> &Condition {
        &self.0
    }

    /// Whether a response meets the condition. One that would take more than 5 ms is not met.
    pub fn is_met(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> bool {
        let values = headers.keys().map(|name| {
            let values = headers.get_all(name).iter();
            let texts: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.to_string(), texts.join(", ").into())
        });
        let values: Map<String, Value> = values.collect();
        let text = media_type::text_lossy(headers, body);
        let body = json::read(text.as_bytes()).unwrap_or_else(|_| text.into());
        let response = json!({"status_code": status, "headers": values, "body": body});
        self.0
            .matches(&Subject::of_value(&response))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn when(condition: Value) -> SuccessWhen {
        SuccessWhen::parse(condition).expect("a condition")
    }

    #[test]
    fn condition_reads_status_headers_and_body() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.append("x-state", HeaderValue::from_static("done"));
        headers.append("x-state", HeaderValue::from_static("ok"));
        let body = br#"{"messages": [{"status": "0"}, {"status": "4"}], "ok": true}"#;
        for (condition, met) in [
            (json!({"field": "body.ok", "op": "eq", "value": true}), true),
            (
                json!({"field": "body.messages.0.status", "op": "eq", "value": "0"}),
                true,
            ),
            (
                json!({"all_of": "body.messages", "where": {"field": "status", "op": "eq", "value": "0"}}),
                false,
            ),
            (
                json!({"field": "status_code", "op": "eq", "value": 200}),
                true,
            ),
            (
                json!({"field": "headers.x-state", "op": "eq", "value": "done, ok"}),
                true,
            ),
            (json!({"field": "headers.missing", "op": "exists"}), false),
        ] {
            assert_eq!(
                when(condition.clone()).is_met(200, &headers, body),
                met,
                "{condition}"
            );
        }
    }

    #[test]
    fn elements_may_have_fields_named_like_those_of_events() {
        let is_ok = json!({"field": "event.type", "op": "eq", "value": "ok"});
        let condition = when(json!({"any_of": "body.events", "where": is_ok}));
        for (kind, met) in [("ok", true), ("failed", false)] {
            let body = json!({"events": [{"event": {"type": kind}}]}).to_string();
            assert_eq!(
                condition.is_met(200, &HeaderMap::new(), body.as_bytes()),
                met
            );
        }
    }

    #[test]
    fn other_bodies_are_text() {
        let starts = when(json!({"field": "body", "op": "starts_with", "value": "OK"}));
        let ends = when(json!({"field": "body", "op": "ends_with", "value": "é"}));
        let mut latin1 = HeaderMap::new();
        let kind = HeaderValue::from_static("text/plain; charset=iso-8859-1");
        latin1.insert("content-type", kind);
        assert!(starts.is_met(200, &HeaderMap::new(), b"OK: 17"));
        assert!(!starts.is_met(200, &HeaderMap::new(), b"ERR: 17"));
        assert!(!starts.is_met(200, &HeaderMap::new(), b""));
        assert!(ends.is_met(200, &latin1, b"caf\xe9"));
    }

    #[test]
    fn fields_that_no_response_has_are_rejected() {
        let fine = json!({"field": "body", "op": "exists"});
        for field in [
            "status",
            "event.type",
            "webhook.name",
            "data.body",
            "header.x",
        ] {
            let wrong = json!({"field": field, "op": "exists"});
            for condition in [wrong.clone(), json!({"all": [fine, {"not": wrong}]})] {
                let problems = SuccessWhen::parse(condition).expect_err("wrong").0;
                assert!(problems[0].detail.contains(field), "{}", problems[0].detail);
            }
        }
        let of_element =
            json!({"any_of": "body.list", "where": {"field": "status", "op": "exists"}});
        assert_eq!(
            SuccessWhen::read(of_element.clone(), Source::Table),
            Ok(when(of_element))
        );
    }
}
