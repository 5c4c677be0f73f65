//! What a response must report, besides its status, to count as a success. Some receivers respond
//! with 200 whatever happened.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::{
    condition::{Condition, subject::Subject},
    json, media_type,
    secrets::redact::Redactor,
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

    /// Whether a response meets the condition. One that would take more than 5 ms is not met. The
    /// secrets of the request are masked first: a condition must not find out what they are if the
    /// receiver returns them.
    pub fn is_met(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &Redactor,
    ) -> bool {
        let values = headers.keys().map(|name| {
            let values = headers.get_all(name).iter();
            let texts: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.to_string(), texts.join(", ").into())
        });
        let values: Map<String, Value> = values.collect();
        let mut text = media_type::text_lossy(headers, body);
        if matches!(text, Cow::Owned(_)) {
            // Whatever charset the response declares, its bytes may contain a secret.
            let bytes = String::from_utf8_lossy(body);
            if secrets.finds_any(&bytes) {
                text = bytes;
            }
        }
        // A text may be cut within a secret.
        let body = json::read(text.as_bytes()).unwrap_or_else(|_| secrets.cut(&text).into());
        let response = json!({"status_code": status, "headers": values, "body": body});
        self.0
            .matches(&Subject::of_value(&secrets.values(response)))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::secrets::redact::Secrets;

    /// A search for these secrets.
    fn secrets(secrets: &[&str]) -> Redactor {
        let mut found = Secrets::default();
        for secret in secrets {
            found.add(secret);
        }
        Redactor::new(found)
    }

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
                when(condition.clone()).is_met(200, &headers, body, &secrets(&[])),
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
                condition.is_met(200, &HeaderMap::new(), body.as_bytes(), &secrets(&[])),
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
        let (plain, none) = (HeaderMap::new(), secrets(&[]));
        assert!(starts.is_met(200, &plain, b"OK: 17", &none));
        assert!(!starts.is_met(200, &plain, b"ERR: 17", &none));
        assert!(!starts.is_met(200, &plain, b"", &none));
        assert!(ends.is_met(200, &latin1, b"caf\xe9", &none));
    }

    #[test]
    fn secrets_are_masked_before_the_condition_is_evaluated() {
        let found = secrets(&["s3cret-token", "12345678"]);
        let value = |text: &'static str| HeaderValue::from_static(text);
        let mut headers = HeaderMap::new();
        headers.insert("x-sent", value("Bearer s3cret-token"));
        let mut utf16 = HeaderMap::new();
        utf16.insert("content-type", value("text/plain; charset=utf-16le"));
        let json = br#"{"sent": {"token": "s3cret-token", "pin": 12345678}, "pin": 123}"#;
        let starts =
            |field: &str, text: &str| json!({"field": field, "op": "starts_with", "value": text});
        let least = |field: &str| json!({"field": field, "op": "gte", "value": 100});
        for (condition, headers, body, met) in [
            (starts("body.sent.token", "s"), &headers, &json[..], false),
            (starts("body.sent.token", "\u{2022}"), &headers, json, true),
            (starts("headers.x-sent", "Bearer s"), &headers, json, false),
            (starts("headers.x-sent", "Bearer "), &headers, json, true),
            (least("body.sent.pin"), &headers, json, false),
            (least("body.pin"), &headers, json, true),
            (starts("body", "a s"), &headers, b"a s3cret-token", false),
            (starts("body", "a s"), &headers, b"a s3cret-to", false),
            (starts("body", "a s3"), &headers, b"a s3", true),
            // In UTF-16 these bytes are other characters.
            (starts("body", "\u{3373}"), &utf16, b"s3cret-token", false),
            (starts("body", "\u{3373}"), &utf16, b"s3", true),
        ] {
            assert_eq!(
                when(condition.clone()).is_met(200, headers, body, &found),
                met,
                "{condition}"
            );
        }
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
