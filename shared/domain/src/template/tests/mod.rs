//! Templates with known values, and properties for any value.

mod bodies;
mod filter_properties;
mod filters;
mod limits;
mod properties;
mod urls;
mod values;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;

/// Renders against `data`, with the secret `t` = `s3cr"et/`.
fn with<T>(
    data: &Value,
    render: impl FnOnce(&TagValues<'_>, &mut Missing) -> T,
) -> (T, Vec<String>) {
    let secrets = BTreeMap::from([("t".to_owned(), SecretString::from("s3cr\"et/"))]);
    let roots = json!({
        "event": {"id": "evt_1", "type": "message", "timestamp": "2026-01-02T03:04:05Z"},
        "webhook": {"id": "wh_1", "name": "Tom & \"Co\""},
    });
    let values = TagValues {
        roots: &roots,
        secrets: &secrets,
        whole: &[],
        secret_tags: &[],
        data,
        budget: Budget::default(),
    };
    let mut missing = Missing::default();
    let rendered = render(&values, &mut missing);
    (rendered, missing.into())
}

fn body(format: Format, text: &str, data: &Value) -> Result<String, RenderError> {
    let template = BodyTemplate::parse(format, text).expect(text);
    with(data, |values, missing| {
        template.render(values, Audience::Receiver, missing)
    })
    .0
}

fn url(text: &str, data: &Value) -> Result<String, RenderError> {
    let template = UrlTemplate::parse(text).expect(text);
    with(data, |values, missing| template.render(values, missing))
        .0
        .map(String::from)
}

fn unfit(tag: &str, reason: Reason) -> RenderError {
    RenderError {
        tag: tag.to_owned(),
        reason,
    }
}
