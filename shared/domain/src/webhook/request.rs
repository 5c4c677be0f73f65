//! From a webhook and an event to the HTTP request that goes out.

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

use super::{Webhook, settings::Signing};
use crate::{
    event::Event,
    excerpt,
    mask::MASK,
    service::address::has_dot_segment,
    signature,
    template::{self, Missing, Reason, Scope, Unfit, UrlTemplate, View},
    time,
};

/// Names our own hops: how many times this chain of events left Tieline. Inbound URLs read it to
/// end loops.
pub const HOPS_HEADER: HeaderName = HeaderName::from_static("tieline-hops");

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// The address as records show it: without secrets.
    pub shown_url: String,
    /// Every header, signature included.
    pub headers: HeaderMap,
    /// The body, where there is one.
    pub body: Option<String>,
    /// Tags that named nothing.
    pub missing: Missing,
}

/// A request as previews show it: without secrets, and without what only the moment of sending
/// adds.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// The address, secrets masked.
    pub url: String,
    /// The headers, secrets masked.
    pub headers: BTreeMap<String, String>,
    /// The body, secrets masked; at most its first 16 KiB.
    pub body: Option<String>,
    /// Whether the body was cut; absent where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub truncated: bool,
}

/// The signed request that takes `event` to `webhook`, which is at `address`, at `now`.
pub fn build(
    webhook: &Webhook,
    address: &UrlTemplate,
    event: &Event,
    now: Timestamp,
) -> Result<Request, Unfit> {
    let roots = roots(webhook, event);
    let scope = scope(&roots, webhook, event);
    let mut missing = Missing::default();
    let settings = &webhook.settings;
    let url = url(webhook, address, &scope, &mut missing)?;
    let (shown_url, _) = address.render_masked(&scope);
    let body = body(webhook, event, &scope, View::Wire, &mut missing)?;
    let mut headers = HeaderMap::new();
    for (name, text) in plain_headers(webhook, &scope, body.is_some(), &mut missing)? {
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

/// The request that [`build`] would make, with secrets masked, or why there is none; and the tags
/// that name nothing.
///
/// What is masked depends on where it comes from, and never on what the event's data holds: whoever
/// chooses the data learns nothing about the secrets. So a limit that only the secrets' own length
/// would break is not noticed here.
pub fn preview(
    webhook: &Webhook,
    address: &UrlTemplate,
    event: &Event,
) -> (Result<Preview, Unfit>, Missing) {
    (
        masked(webhook, address, event),
        missing(webhook, address, event),
    )
}

/// The tags of a webhook's URL, headers and body that name nothing in `event`, whether or not a
/// request can be made of it.
pub fn missing(webhook: &Webhook, address: &UrlTemplate, event: &Event) -> Missing {
    let roots = roots(webhook, event);
    let scope = scope(&roots, webhook, event);
    let mut missing = Missing::default();
    let settings = &webhook.settings;
    let headers = settings
        .headers
        .iter()
        .flat_map(|(_, template)| template.tags());
    let body = settings
        .body
        .iter()
        .flat_map(super::super::template::BodyTemplate::tags);
    scope.note_missing(address.tags().chain(headers).chain(body), &mut missing);
    missing
}

fn masked(webhook: &Webhook, address: &UrlTemplate, event: &Event) -> Result<Preview, Unfit> {
    let roots = roots(webhook, event);
    let scope = scope(&roots, webhook, event);
    let mut missing = Missing::default();
    let settings = &webhook.settings;
    let (shown_url, unfit) = address.render_masked(&scope);
    unfit.map_or(Ok(()), Err)?;
    if let Ok(url) = Url::parse(&shown_url) {
        stays_in_service(webhook, address, &url)?;
    }
    let mut headers = BTreeMap::new();
    let mut body = body(webhook, event, &scope, View::Masked, &mut missing)?;
    if body.is_some() {
        headers.insert(
            CONTENT_TYPE.to_string(),
            settings.format.content_type().to_owned(),
        );
    }
    for (name, template) in &settings.headers {
        headers.insert(
            name.to_string(),
            template.render_masked(name.as_str(), &scope)?,
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

/// What tags can name besides the event's data.
fn roots(webhook: &Webhook, event: &Event) -> Value {
    json!({
        "event": {"id": event.id, "type": event.kind, "timestamp": time::show(event.timestamp)},
        "webhook": {"id": webhook.id, "name": webhook.settings.name},
    })
}

fn scope<'a>(roots: &'a Value, webhook: &'a Webhook, event: &'a Event) -> Scope<'a> {
    Scope {
        roots,
        secrets: &webhook.settings.secrets,
        sealed: &[],
        data: &event.data,
    }
}

fn url(
    webhook: &Webhook,
    address: &UrlTemplate,
    scope: &Scope<'_>,
    missing: &mut Missing,
) -> Result<Url, Unfit> {
    let url = address.render(scope, missing)?;
    stays_in_service(webhook, address, &url).map(|()| url)
}

/// At a connected service, the address stays below that service's URL, whatever the values are.
fn stays_in_service(webhook: &Webhook, address: &UrlTemplate, url: &Url) -> Result<(), Unfit> {
    if webhook.settings.destination.service().is_some() && has_dot_segment(url.path()) {
        return Err(Unfit {
            tag: address.tags().next().unwrap_or_default().to_owned(),
            reason: Reason::DotSegment,
        });
    }
    Ok(())
}

fn body(
    webhook: &Webhook,
    event: &Event,
    scope: &Scope<'_>,
    view: View,
    missing: &mut Missing,
) -> Result<Option<String>, Unfit> {
    let settings = &webhook.settings;
    match &settings.body {
        Some(template) => template.render(scope, view, missing).map(Some),
        None if settings.method == Method::GET => Ok(None),
        None => Ok(Some(template::envelope(
            settings.format,
            event.kind.as_str(),
            &time::show(event.timestamp),
            &event.data,
        ))),
    }
}

/// The headers that are not secret by themselves; the webhook's own win over ours.
fn plain_headers(
    webhook: &Webhook,
    scope: &Scope<'_>,
    has_body: bool,
    missing: &mut Missing,
) -> Result<Vec<(HeaderName, HeaderValue)>, Unfit> {
    let settings = &webhook.settings;
    let mut headers = Vec::with_capacity(settings.headers.len() + 1);
    if has_body {
        headers.push((
            CONTENT_TYPE,
            HeaderValue::from_static(settings.format.content_type()),
        ));
    }
    for (name, template) in &settings.headers {
        let text = template.render(scope, missing)?;
        headers.push((name.clone(), sensitive(&text)?));
    }
    Ok(headers)
}

/// A value that must not be printed by HTTP libraries.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue, Unfit> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Unfit {
        tag: "secret".to_owned(),
        reason: Reason::HeaderCharacter,
    })?;
    value.set_sensitive(true);
    Ok(value)
}
