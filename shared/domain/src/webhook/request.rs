//! Builds the HTTP request for a webhook and an event.

use std::collections::BTreeMap;

use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, HeaderMap},
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::{Webhook, signing::Signing};
use crate::{
    event::Event,
    excerpt,
    outgoing::{HOPS_HEADER, Request},
    secrets::mask::MASK,
    service::address::has_dot_segment,
    signature,
    template::{self, Audience, Budget, Missing, Reason, RenderError, TagValues, UrlTemplate},
    time,
};

/// A request in a preview: without secrets, and without headers that are only added when sending.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// HTTP method.
    pub method: String,
    /// URL, with secrets masked.
    pub url: String,
    /// Headers, with secrets masked.
    pub headers: BTreeMap<String, String>,
    /// Body, with secrets masked; at most its first 16 KiB.
    pub body: Option<String>,
    /// True if the body was truncated; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Builds the signed request for `event` to `webhook` at `address`, as of `now`.
///
/// # Errors
/// Returns [`RenderError`] for the first tag whose value can't be inserted.
pub fn build(
    webhook: &Webhook,
    address: &UrlTemplate,
    event: &Event,
    now: Timestamp,
) -> Result<Request, RenderError> {
    let roots = roots(webhook, event);
    let values = tag_values(&roots, webhook, event);
    let mut missing = Missing::default();
    let settings = &webhook.settings;
    let url = url(webhook, address, &values, &mut missing)?;
    let (shown_url, _) = address.render_masked(&values);
    let body = body(webhook, event, &values, Audience::Receiver, &mut missing)?;
    let mut headers = HeaderMap::new();
    for (name, text) in plain_headers(webhook, &values, body.is_some(), &mut missing)? {
        headers.insert(name, text);
    }
    if let Some((name, secret)) = settings.auth.header() {
        headers.insert(name, sensitive(secret.expose_secret())?);
    }
    let id = event.id.to_string();
    headers.insert("webhook-id", sensitive(&id)?);
    headers.insert("webhook-timestamp", now.as_second().into());
    headers.insert(HOPS_HEADER, u16::from(event.hops.saturating_add(1)).into());
    match &settings.signing {
        Signing::Standard => {
            let bytes = body.as_deref().unwrap_or_default().as_bytes();
            let signatures = signature::sign(&id, now.as_second(), bytes, &webhook.secrets.at(now));
            headers.insert("webhook-signature", sensitive(&signatures)?);
        }
        Signing::Header(name) => {
            headers.insert(name.clone(), sensitive(webhook.secrets.current.expose())?);
        }
    }
    Ok(Request {
        method: settings.method.clone(),
        url,
        shown_url,
        headers,
        body,
        missing,
    })
}

/// Returns the request that [`build`] would make, with secrets masked, or why it can't be built,
/// and the tags without a
/// value or with one that a filter can't take.
///
/// What is masked depends on where a value comes from, never on the event's data, so that a client
/// that chooses the data learns nothing about the secrets. A preview therefore does not detect that
/// a secret's length exceeds a limit.
pub fn preview(
    webhook: &Webhook,
    address: &UrlTemplate,
    event: &Event,
) -> (Result<Preview, RenderError>, Missing) {
    (
        masked(webhook, address, event),
        missing(webhook, address, event),
    )
}

/// Returns the tags in URL, headers and body that have no value in `event`, even if no request can
/// be built.
pub fn missing(webhook: &Webhook, address: &UrlTemplate, event: &Event) -> Missing {
    let roots = roots(webhook, event);
    let values = tag_values(&roots, webhook, event);
    let mut missing = Missing::default();
    let tags = address.parsed_tags().chain(webhook.settings.request_tags());
    values.record_missing(tags, &mut missing);
    missing
}

fn masked(webhook: &Webhook, address: &UrlTemplate, event: &Event) -> Result<Preview, RenderError> {
    let roots = roots(webhook, event);
    let values = tag_values(&roots, webhook, event);
    let mut missing = Missing::default();
    let settings = &webhook.settings;
    let (shown_url, unfit) = address.render_masked(&values);
    unfit.map_or(Ok(()), Err)?;
    if let Ok(url) = Url::parse(&shown_url) {
        check_service_path(webhook, address, &url)?;
    }
    let mut headers = BTreeMap::new();
    let mut body = body(webhook, event, &values, Audience::Masked, &mut missing)?;
    if body.is_some() {
        headers.insert(
            CONTENT_TYPE.to_string(),
            settings.format.content_type().to_owned(),
        );
    }
    for (name, template) in &settings.headers {
        headers.insert(
            name.to_string(),
            template.render_masked(name.as_str(), &values)?,
        );
    }
    if let Some((name, _)) = settings.auth.header() {
        headers.insert(name.to_string(), MASK.to_owned());
    }
    let signature = match &settings.signing {
        Signing::Standard => "webhook-signature",
        Signing::Header(name) => name.as_str(),
    };
    headers.insert("webhook-id".to_owned(), event.id.to_string());
    headers.insert(signature.to_owned(), MASK.to_owned());
    let cut = body
        .as_deref()
        .and_then(excerpt::of_text)
        .map(str::to_owned);
    let truncated = cut.is_some();
    body = cut.or(body);
    Ok(Preview {
        method: settings.method.to_string(),
        url: shown_url,
        headers,
        body,
        truncated,
    })
}

/// Roots for tags other than the event's data.
fn roots(webhook: &Webhook, event: &Event) -> Value {
    json!({
        "event": {"id": event.id, "type": event.kind, "timestamp": time::show_event(event.timestamp)},
        "webhook": {"id": webhook.id, "name": webhook.settings.name},
    })
}

fn tag_values<'a>(roots: &'a Value, webhook: &'a Webhook, event: &'a Event) -> TagValues<'a> {
    TagValues {
        roots,
        secrets: &webhook.settings.secrets,
        whole: &[],
        secret_tags: &[],
        data: &event.data,
        budget: Budget::default(),
    }
}

fn url(
    webhook: &Webhook,
    address: &UrlTemplate,
    values: &TagValues<'_>,
    missing: &mut Missing,
) -> Result<Url, RenderError> {
    let url = address.render(values, missing)?;
    check_service_path(webhook, address, &url).map(|()| url)
}

/// At a connected service, the URL must stay below the service's URL, whatever the values are.
fn check_service_path(
    webhook: &Webhook,
    address: &UrlTemplate,
    url: &Url,
) -> Result<(), RenderError> {
    if webhook.settings.destination.service().is_some() && has_dot_segment(url.path()) {
        return Err(RenderError {
            tag: address.tags().next().unwrap_or_default().to_owned(),
            reason: Reason::DotSegment,
        });
    }
    Ok(())
}

fn body(
    webhook: &Webhook,
    event: &Event,
    values: &TagValues<'_>,
    view: Audience,
    missing: &mut Missing,
) -> Result<Option<String>, RenderError> {
    let settings = &webhook.settings;
    match &settings.body {
        Some(template) => template.render(values, view, missing).map(Some),
        None if settings.method == Method::GET => Ok(None),
        None => Ok(Some(template::envelope(
            settings.format,
            event.kind.as_str(),
            &time::show_event(event.timestamp),
            &event.data,
        ))),
    }
}

/// Headers that are not secret. The webhook's own override Tieline's.
fn plain_headers(
    webhook: &Webhook,
    values: &TagValues<'_>,
    has_body: bool,
    missing: &mut Missing,
) -> Result<Vec<(HeaderName, HeaderValue)>, RenderError> {
    let settings = &webhook.settings;
    let mut headers = Vec::with_capacity(settings.headers.len() + 1);
    if has_body {
        headers.push((
            CONTENT_TYPE,
            HeaderValue::from_static(settings.format.content_type()),
        ));
    }
    for (name, template) in &settings.headers {
        let text = template.render(values, missing)?;
        headers.push((name.clone(), sensitive(&text)?));
    }
    Ok(headers)
}

/// A header value that HTTP libraries must not print.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue, RenderError> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| RenderError {
        tag: "secret".to_owned(),
        reason: Reason::HeaderCharacter,
    })?;
    value.set_sensitive(true);
    Ok(value)
}
