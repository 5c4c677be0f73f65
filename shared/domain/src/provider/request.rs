//! Builds the HTTP request for a provider and a message.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Auth, Provider, RequestTemplate, Settings, Status, limits::twiml};
use crate::{
    email::Mailbox,
    message::{Channel, Content, Message},
    outgoing::{HOPS_HEADER, Request},
    signature::{self, SigningSecret},
    template::{Audience, Budget, Missing, RenderError, TagValues},
    webhook::request::sensitive,
};

/// Why a request can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A key is missing.
    #[error(
        "the provider lacks its `api_key`, its `secret_key` or the secret of `callback.verification`"
    )]
    NeedsSecrets,
    /// A value can't be inserted at its tag.
    #[error(transparent)]
    RenderError(#[from] RenderError),
}

/// Builds the request that sends `message` through `provider` at `now`. `callback_url` is the
/// provider's URL for status reports.
///
/// # Errors
/// Fails if a key is missing, or a value can't be inserted at its tag.
pub fn build(
    provider: &Provider,
    message: &Message,
    callback_url: Option<&str>,
    now: Timestamp,
) -> Result<Request, RequestError> {
    let Settings {
        send_url,
        auth,
        request,
        api_key,
        secret_key,
        ..
    } = &provider.settings;
    let default = RequestTemplate::default();
    let RequestTemplate {
        method,
        format,
        headers: extra,
        body,
        limits: _,
    } = request.as_ref().unwrap_or(&default);
    let secrets = secrets(&provider.settings);
    if provider.settings.status() == Status::NeedsSecrets {
        return Err(RequestError::NeedsSecrets);
    }
    let roots = roots(provider, message, callback_url);
    let lists = lists(message);
    let values = tag_values(&roots, &lists, &secrets);
    let mut missing = Missing::default();
    let url = send_url.render(&values, &mut missing)?;
    let (shown_url, _) = send_url.render_masked(&values);
    let body = match body {
        Some(template) => Some(template.render(&values, Audience::Receiver, &mut missing)?),
        None if *method == Method::GET => None,
        None => Some(standard(provider, message).to_string()),
    };
    let mut headers = HeaderMap::new();
    if body.is_some() {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(format.content_type()),
        );
    }
    for (name, template) in extra {
        headers.insert(
            name.clone(),
            sensitive(&template.render(&values, &mut missing)?)?,
        );
    }
    if let Some(name) = auth.header_name() {
        let credential = auth
            .header_value(api_key.as_ref(), secret_key.as_ref())
            .ok_or(RequestError::NeedsSecrets)?;
        headers.insert(name, sensitive(credential.expose_secret())?);
    }
    headers.insert(
        HOPS_HEADER,
        u16::from(message.hops.saturating_add(1)).into(),
    );
    if *auth == Auth::Signed {
        let key = SigningSecret::issued(secret_key.as_ref().ok_or(RequestError::NeedsSecrets)?);
        let id = message.id.to_string();
        let bytes = body.as_deref().unwrap_or_default().as_bytes();
        let signature = signature::sign(&id, now.as_second(), bytes, &[&key]);
        headers.insert("webhook-id", sensitive(&id)?);
        headers.insert("webhook-timestamp", now.as_second().into());
        headers.insert("webhook-signature", sensitive(&signature)?);
    }
    Ok(Request {
        method: method.clone(),
        url,
        shown_url,
        headers,
        body,
        missing,
    })
}

/// Returns the tags in URL, headers and body that have no value in `message`, even if no request
/// can be built.
pub fn missing(provider: &Provider, message: &Message, callback_url: Option<&str>) -> Missing {
    let roots = roots(provider, message, callback_url);
    let (lists, secrets) = (lists(message), secrets(&provider.settings));
    let mut missing = Missing::default();
    tag_values(&roots, &lists, &secrets).record_missing(provider.settings.tags(), &mut missing);
    missing
}

/// The keys, as values of tags.
pub(super) fn secrets(settings: &Settings) -> BTreeMap<String, SecretString> {
    let keys = [
        ("api_key", &settings.api_key),
        ("secret_key", &settings.secret_key),
    ];
    keys.into_iter()
        .filter_map(|(name, key)| Some((name.to_owned(), key.clone()?)))
        .collect()
}

fn tag_values<'a>(
    roots: &'a Value,
    lists: &'a [(&'a str, Value)],
    secrets: &'a BTreeMap<String, SecretString>,
) -> TagValues<'a> {
    TagValues {
        roots,
        whole: lists,
        secrets,
        secret_tags: &["provider.callback_url"],
        data: &Value::Null,
        budget: Budget::default(),
    }
}

/// Tags that are lists. Longer tags refer to single entries.
fn lists(message: &Message) -> [(&'static str, Value); 1] {
    let entry = |(name, value): (&String, &Value)| json!({"name": name, "value": value});
    let fields = message.content.fields.iter().map(entry).collect();
    [("message.fields", fields)]
}

/// Default body of a request. A call also has a `url`; `template` and `fields` are there if the
/// message has them.
fn standard(provider: &Provider, message: &Message) -> Value {
    let Content {
        to,
        from,
        subject,
        text,
        html,
        url,
        template,
        fields,
        metadata,
    } = &message.content;
    let mut body = json!({
        "id": message.id,
        "provider_id": provider.settings.provider_id,
        "channel": message.channel,
        "to": to,
        "from": from,
        "subject": subject,
        "text": text,
        "html": html,
        "metadata": metadata,
    });
    if message.channel == Channel::Call {
        body["url"] = json!(url);
    }
    if let Some(template) = template {
        body["template"] = json!(template);
    }
    if !fields.is_empty() {
        body["fields"] = json!(fields);
    }
    body
}

/// Values of tags.
fn roots(provider: &Provider, message: &Message, callback_url: Option<&str>) -> Value {
    let Content {
        to,
        from,
        subject,
        text,
        html,
        url,
        template,
        fields,
        metadata,
    } = &message.content;
    json!({
        "message": {
            "id": message.id,
            "channel": message.channel,
            "to": to,
            "to_digits": digits(to),
            "from": from,
            "from_digits": from.as_deref().map(digits),
            "subject": subject,
            "text": text,
            "html": html,
            "url": url,
            "template": template,
            "fields": fields,
            "metadata": metadata,
            "campaign_id": message.campaign_id,
            "sender": sender(message),
            "content": content(&message.content),
            "twiml": twiml(&message.content),
        },
        "campaign": {"id": message.campaign_id, "name": message.campaign},
        "provider": {
            "id": provider.id,
            "name": provider.settings.name,
            "provider_id": provider.settings.provider_id,
            "channel": provider.settings.channel,
            "callback_url": callback_url,
        },
    })
}

/// A phone number without its `+`. Anything else is unchanged.
fn digits(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

/// Sender of an e-mail in the form of e-mail APIs: `{"email", "name"}`, without `name` if there is
/// none.
fn sender(message: &Message) -> Option<Value> {
    let from = message
        .content
        .from
        .as_deref()
        .filter(|_| message.channel == Channel::Email)?;
    let Ok(Mailbox { name, address }) = Mailbox::parse(from) else {
        return Some(json!({"email": from}));
    };
    Some(match name {
        Some(name) => json!({"email": address, "name": name}),
        None => json!({"email": address}),
    })
}

/// Bodies in the form of e-mail APIs: `[{"type": "text/plain", "value": …}, …]`, plain text first.
fn content(content: &Content) -> Value {
    let parts = [("text/plain", &content.text), ("text/html", &content.html)];
    parts
        .into_iter()
        .filter_map(|(kind, body)| Some(json!({"type": kind, "value": body.as_ref()?})))
        .collect()
}
