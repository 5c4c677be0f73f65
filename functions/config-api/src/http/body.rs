//! Request bodies: JSON of at most 256 KiB, nested at most 64 deep.
//!
//! What is kept of a document is later read inside of others. Readers end at 128 levels: a document
//! that came nearer to that could be stored, and never read again.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
};
use domain::{
    invalid::{Checked, Fields, Invalid, Problems},
    json,
};
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::{Answer, Problem};

/// The largest body that is read, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// The deepest document, in arrays and objects within each other.
const DEEPEST: usize = 64;

/// How deep a document is read of which some part is too deep.
const PRUNED: usize = 100;

/// The JSON document in the body; `None` when there is no body.
#[derive(Debug)]
pub struct Document(Option<Value>);

impl Document {
    /// The document, which must be there.
    pub fn required(self) -> Answer<Value> {
        Ok(shallow(self.batch()?)?)
    }

    /// The document, which must be there, of a batch: each of its entries is for the caller to
    /// check by [`shallow`].
    pub fn batch(self) -> Answer<Value> {
        self.0
            .ok_or_else(|| Problem::bad_request("The request has no body. Send a JSON document."))
    }

    /// Refuses fields where none is asked for.
    pub fn nothing(self) -> Answer<()> {
        Ok(Fields::of(self.or_empty()?).and_then(|fields| fields.finish(Some(())))?)
    }

    /// The document, or an empty object where there is none, or null.
    pub fn or_empty(self) -> Answer<Value> {
        let given = self.0.filter(|value| !value.is_null());
        Ok(given.map_or_else(|| Ok(Value::Object(serde_json::Map::new())), shallow)?)
    }
}

/// The value, nested at most [`DEEPEST`] deep; else the problem, with every field that goes deeper.
pub fn shallow(value: Value) -> Checked<Value> {
    if depth(&value) <= DEEPEST {
        return Ok(value);
    }
    let Value::Object(fields) = value else {
        return Err(too_deep());
    };
    let deep = fields.iter().filter(|(_, value)| depth(value) >= DEEPEST);
    Err(Problems(
        deep.flat_map(|(name, _)| too_deep().under(name).0)
            .collect::<Vec<Invalid>>(),
    ))
}

fn too_deep() -> Problems {
    Problems::here(format!(
        "is nested too deeply: a document may have at most {DEEPEST} levels"
    ))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl<S: Sync> FromRequest<S> for Document {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
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
                return pruned(&bytes).ok_or_else(|| Problem::from(too_deep()));
            }
            let place = format!("line {}, column {}", error.line(), error.column());
            Err(Problem::bad_request(format!(
                "The body is not valid JSON ({place})."
            )))
        })?;
        Ok(Self(Some(value)))
    }
}

/// The document with null in place of what lies below [`PRUNED`] levels. Only what lies above is
/// read: the part that goes so deep is refused all the same, and of a batch nothing else.
fn pruned(bytes: &[u8]) -> Option<Value> {
    let (mut kept, mut levels, mut in_string, mut escaped) =
        (Vec::with_capacity(bytes.len()), 0_usize, false, false);
    for byte in bytes {
        if levels < PRUNED {
            kept.push(*byte);
        }
        if !in_string && matches!(byte, b']' | b'}') {
            levels = levels.saturating_sub(1);
        }
        if !in_string && matches!(byte, b'[' | b'{') {
            levels += 1;
            if levels == PRUNED {
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

async fn read(body: Body) -> Answer<Vec<u8>> {
    // Lambda hands over whole bodies, so the only way to fail is by size.
    let bytes = to_bytes(body, MOST_BYTES)
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
    fn documents_are_at_most_64_deep() {
        for fine in [
            json!(null),
            json!("x"),
            json!([]),
            nested(64),
            json!({"a": nested(63), "b": {}}),
        ] {
            assert_eq!(shallow(fine.clone()), Ok(fine));
        }
        for (deep, pointers) in [
            (nested(65), vec![""]),
            (
                json!({"a/b": nested(64), "b": nested(63), "c": nested(100)}),
                vec!["/a~1b", "/c"],
            ),
        ] {
            let problems = shallow(deep).expect_err("too deep").0;
            let found: Vec<&str> = problems
                .iter()
                .map(|problem| problem.pointer.as_str())
                .collect();
            assert_eq!(found, pointers);
        }
    }

    #[tokio::test]
    async fn what_no_reader_would_read_is_refused_like_it() {
        let read = async |body: String| {
            let request = Request::builder()
                .header(CONTENT_TYPE, "application/json")
                .body(Body::from(body));
            Document::from_request(request.expect("a request"), &()).await
        };
        for levels in [128, 100_000] {
            let problem = read("[".repeat(levels)).await.expect_err("too deep");
            assert_eq!(problem.status, http::StatusCode::UNPROCESSABLE_ENTITY);
        }
        let batch = read(nested(120).to_string())
            .await
            .expect("a document")
            .batch()
            .expect("a document");
        assert!(shallow(batch).is_err());
        let deep = format!(r#"{{"a": {}"]}}\\" {}}}"#, "[".repeat(200), "]".repeat(200));
        let text = format!(r#"{{"events": [{{"b": "\ud83d"}}, {deep}, {{"c": 1e400}}]}}"#);
        let mut batch = read(text)
            .await
            .expect("a document")
            .batch()
            .expect("a document");
        assert!(shallow(batch["events"][1].take()).is_err());
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
                .required()
                .is_ok()
        );
    }
}
