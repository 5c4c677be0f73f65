//! Template of requests to a provider, and its tags.

use http::{HeaderName, Method};
use serde_json::{Map, Value, json};

use super::Limits;
use crate::{
    outgoing::{FORMATS, headers, method},
    tag::Tag,
    template::{BodyTemplate, Format, HeaderTemplate, warnings},
    validation::{FieldError, FieldReader, Source, Validated, ValidationErrors, one_of, string},
};

/// Template of a provider's requests.
#[derive(Debug, Clone)]
pub struct RequestTemplate {
    /// HTTP method.
    pub method: Method,
    /// Format of the body.
    pub format: Format,
    /// Extra headers.
    pub headers: Vec<(HeaderName, HeaderTemplate)>,
    /// Body template; without one, the message is sent as JSON.
    pub body: Option<BodyTemplate>,
    /// The provider's own limits for messages.
    pub limits: Limits,
}

impl Default for RequestTemplate {
    fn default() -> Self {
        Self {
            method: Method::POST,
            format: Format::Json,
            headers: Vec::new(),
            body: None,
            limits: Limits::default(),
        }
    }
}

impl RequestTemplate {
    /// Parses `{method, format, headers, body, limits}`. `own` is the authenticating header.
    pub(super) fn parse(value: Value, own: Option<&HeaderName>, source: Source) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let method = fields.defaulted("method", Method::POST, method);
        let format = fields.defaulted("format", Format::Json, one_of(&FORMATS));
        let headers = fields.defaulted("headers", Vec::new(), |value| {
            let headers = headers(value, source, |name| {
                if Some(name) == own {
                    Err(ValidationErrors::here("is already set by `auth`"))
                } else {
                    Ok(())
                }
            })?;
            for (name, template) in &headers {
                let checked = check_tags(template.tags(), source)
                    .and_then(|()| check_placeholders(template.as_str(), source));
                checked.map_err(|problems| problems.under(name.as_str()))?;
            }
            Ok(headers)
        });
        let body = fields.defaulted("body", None, |value| {
            // If the format itself is invalid, only that is reported.
            let Some(format) = format else {
                return string(value).map(|_| None);
            };
            let body = BodyTemplate::read(format, &string(value)?, source)?;
            check_tags(body.tags(), source)?;
            check_placeholders(body.as_str(), source)?;
            Ok(Some(body))
        });
        let limits = fields.defaulted("limits", Limits::default(), Limits::parse);
        let sends_json =
            method == Some(Method::GET) || format.is_none_or(|format| format == Format::Json);
        if body == Some(None) && !sends_json {
            fields.refuse("body", "is required unless `format` is `json`");
        }
        let parsed = (|| {
            Some(Self {
                method: method?,
                format: format?,
                headers: headers?,
                body: body?,
                limits: limits?,
            })
        })();
        fields.finish(parsed)
    }

    /// Returns the document that is parsed.
    pub(super) fn to_value(&self) -> Value {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_str().into()));
        json!({
            "method": self.method.as_str(),
            "format": self.format,
            "headers": headers.collect::<Map<String, Value>>(),
            "body": self.body.as_ref().map(BodyTemplate::as_str),
            "limits": self.limits.to_value(),
        })
    }

    /// All tags.
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        let headers = self.headers.iter();
        let headers = headers.flat_map(|(_, template)| template.parsed_tags());
        headers.chain(self.body.iter().flat_map(BodyTemplate::parsed_tags))
    }

    /// Text in the templates that was probably meant to be a tag, each with its field.
    pub(super) fn warnings(&self) -> impl Iterator<Item = FieldError> {
        let body = self.body.iter().flat_map(BodyTemplate::lookalikes);
        warnings::of_headers(&self.headers, &["request", "headers"])
            .chain(warnings::of(body, &["request", "body"]))
    }
}

/// Tags of a message, except single entries of `fields` and `metadata`.
const MESSAGE: [&str; 19] = [
    "id",
    "channel",
    "to",
    "to_digits",
    "from",
    "from_digits",
    "sender",
    "sender.email",
    "sender.name",
    "subject",
    "text",
    "html",
    "url",
    "campaign_id",
    "content",
    "twiml",
    "template",
    "fields",
    "metadata",
];
/// Tags of a message's campaign.
const CAMPAIGN: [&str; 2] = ["id", "name"];
/// Tags of a provider.
const PROVIDER: [&str; 5] = ["id", "name", "provider_id", "channel", "callback_url"];

/// Rejects unknown tags. Unlike event data, the fields of a message are known at this point.
pub(super) fn check_tags<'a>(tags: impl Iterator<Item = &'a str>, source: Source) -> Validated<()> {
    let known = |tag: &&str| match tag.split_once('.') {
        Some(("message", name)) => {
            let entry = ["fields.", "metadata."];
            MESSAGE.contains(&name) || entry.iter().any(|list| name.starts_with(list))
        }
        Some(("campaign", name)) => CAMPAIGN.contains(&name),
        Some(("provider", name)) => PROVIDER.contains(&name),
        Some(("secret", name)) => ["api_key", "secret_key"].contains(&name),
        _ => false,
    };
    let unknown: Vec<String> = tags
        .filter(|tag| !known(tag))
        .map(|tag| format!("{{{tag}}}"))
        .collect();
    if unknown.is_empty() || source == Source::Table {
        return Ok(());
    }
    Err(ValidationErrors::here(format!(
        "contains unknown tags: {}. Known tags are {{message.…}}: {}, fields.…, metadata.…; {{campaign.…}}: {}; {{provider.…}}: {}; \
         and {{secret.api_key}}, {{secret.secret_key}}",
        unknown.join(", "),
        MESSAGE.join(", "),
        CAMPAIGN.join(", "),
        PROVIDER.join(", "),
    )))
}

/// The error for a placeholder of a preset.
pub(super) const UNEDITED: &str =
    "contains a placeholder of the preset. Replace YOUR_… with your own value.";

/// Rejects placeholders of presets, such as `YOUR_API_KEY`.
pub(super) fn check_placeholders(text: &str, source: Source) -> Validated<()> {
    let is_placeholder = |rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase());
    if source == Source::Client && text.split("YOUR_").skip(1).any(is_placeholder) {
        return Err(ValidationErrors::here(UNEDITED));
    }
    Ok(())
}
