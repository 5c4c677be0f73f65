//! Request bodies: JSON of at most 256 KiB, nested at most 64 levels deep.
//!
//! Parts of a document are later read as parts of larger ones. The JSON parser stops at 128 levels,
//! so a deeper document could be stored but never read again.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
};
use domain::{
    json,
    validation::{FieldError, FieldReader, Validated, ValidationErrors},
};
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::{ApiResult, Problem};

/// Maximum size of a request body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// Maximum nesting depth of a document, in arrays and objects.
const MAX_DEPTH: usize = 64;

/// Depth at which too deep documents are pruned for validation. Below the parser's limit of 128.
const PRUNE_DEPTH: usize = 100;

/// The JSON document in the body; `None` if the body is empty.
#[derive(Debug)]
pub struct JsonBody(Option<Value>);

impl JsonBody {
    /// Returns the document. Fails with 400 if the body is empty, and with 422 if it is too deep.
    pub fn json(self) -> ApiResult<Value> {
        Ok(check_depth(self.json_unchecked()?)?)
    }

    /// Returns the document without a depth check. The caller checks each entry with
    /// [`check_depth`].
    pub fn json_unchecked(self) -> ApiResult<Value> {
        self.0
            .ok_or_else(|| Problem::bad_request("The request has no body. Send a JSON document."))
    }

    /// Checks that the body is empty, null or `{}`.
    pub fn empty(self) -> ApiResult<()> {
        Ok(FieldReader::of(self.json_or_default()?).and_then(|fields| fields.finish(Some(())))?)
    }

    /// Returns the document, or an empty object if the body is empty or null.
    pub fn json_or_default(self) -> ApiResult<Value> {
        let given = self.0.filter(|value| !value.is_null());
        Ok(given.map_or_else(|| Ok(Value::Object(serde_json::Map::new())), check_depth)?)
    }
}

/// Returns the value if its depth is at most [`MAX_DEPTH`]; otherwise an error for each field that
/// is deeper.
pub fn check_depth(value: Value) -> Validated<Value> {
    if depth(&value) <= MAX_DEPTH {
        return Ok(value);
    }
    let Value::Object(fields) = value else {
        return Err(too_deep());
    };
    let deep = fields.iter().filter(|(_, value)| depth(value) >= MAX_DEPTH);
    Err(ValidationErrors(
        deep.flat_map(|(name, _)| too_deep().under(name).0)
            .collect::<Vec<FieldError>>(),
    ))
}

fn too_deep() -> ValidationErrors {
    ValidationErrors::here(format!(
        "is nested too deeply: a document may have at most {MAX_DEPTH} levels"
    ))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        let (parts, body) = request.into_parts();
        let content_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let bytes = read(body).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if essence != "application/json" && essence != "application/merge-patch+json" {
            return Err(Problem::unsupported_media_type());
        }
        let value = json::read(&bytes).or_else(|error| {
            if json::is_too_deep(&error) {
                return prune(&bytes).ok_or_else(|| Problem::from(too_deep()));
            }
            let place = format!("line {}, column {}", error.line(), error.column());
            Err(Problem::bad_request(format!(
                "The body is not valid JSON ({place})."
            )))
        })?;
        Ok(Self(Some(value)))
    }
}

/// Parses a document with null in place of everything deeper than [`PRUNE_DEPTH`]. The depth check
/// still rejects exactly the pruned fields, so the other entries of a batch stay valid.
fn prune(bytes: &[u8]) -> Option<Value> {
    let (mut kept, mut levels, mut in_string, mut escaped) =
        (Vec::with_capacity(bytes.len()), 0_usize, false, false);
    for byte in bytes {
        if levels < PRUNE_DEPTH {
            kept.push(*byte);
        }
        if !in_string && matches!(byte, b']' | b'}') {
            levels = levels.saturating_sub(1);
        }
        if !in_string && matches!(byte, b'[' | b'{') {
            levels += 1;
            if levels == PRUNE_DEPTH {
                kept.pop();
                kept.extend(b"null");
            }
        }
        (in_string, escaped) = (
            in_string != (*byte == b'"' && !escaped),
            in_string && *byte == b'\\' && !escaped,
        );
    }
    json::read(&kept).ok()
}

async fn read(body: Body) -> ApiResult<Vec<u8>> {
    // Lambda passes complete bodies, so only the size can fail.
    let bytes = to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| Problem::too_large("The body is larger than 256 KiB."))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, level| {
            if level % 2 == 0 {
                json!([inner])
            } else {
                json!({"a": inner})
            }
        })
    }

    #[test]
    fn documents_deeper_than_64_levels_are_rejected() {
        for fine in [
            json!(null),
            json!("x"),
            json!([]),
            nested(64),
            json!({"a": nested(63), "b": {}}),
        ] {
            assert_eq!(check_depth(fine.clone()), Ok(fine));
        }
        for (deep, pointers) in [
            (nested(65), vec![""]),
            (
                json!({"a/b": nested(64), "b": nested(63), "c": nested(100)}),
                vec!["/a~1b", "/c"],
            ),
        ] {
            let problems = check_depth(deep).expect_err("too deep").0;
            let found: Vec<&str> = problems
                .iter()
                .map(|problem| problem.pointer.as_str())
                .collect();
            assert_eq!(found, pointers);
        }
    }

    #[tokio::test]
    async fn json_too_deep_for_the_parser_is_rejected_by_field() {
        let read = async |body: String| {
            let request = Request::builder()
                .header(CONTENT_TYPE, "application/json")
                .body(Body::from(body));
            JsonBody::from_request(request.expect("a request"), &()).await
        };
        for levels in [128, 100_000] {
            let problem = read("[".repeat(levels)).await.expect_err("too deep");
            assert_eq!(problem.status, http::StatusCode::UNPROCESSABLE_ENTITY);
        }
        let batch = read(nested(120).to_string())
            .await
            .expect("a document")
            .json_unchecked()
            .expect("a document");
        assert!(check_depth(batch).is_err());
        let deep = format!(r#"{{"a": {}"]}}\\" {}}}"#, "[".repeat(200), "]".repeat(200));
        let text = format!(r#"{{"events": [{{"b": "\ud83d"}}, {deep}, {{"c": 1e400}}]}}"#);
        let mut batch = read(text)
            .await
            .expect("a document")
            .json_unchecked()
            .expect("a document");
        assert!(check_depth(batch["events"][1].take()).is_err());
        assert_eq!(
            batch,
            json!({"events": [{"b": "\u{fffd}"}, null, {"c": "1e400"}]})
        );
        let unclosed = format!("{}{}", "[".repeat(200), "]".repeat(100));
        let problem = read(unclosed).await.expect_err("not JSON");
        assert_eq!(problem.status, http::StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            read(nested(64).to_string())
                .await
                .expect("a document")
                .json()
                .is_ok()
        );
    }
}
