//! A client's request to send a message or call, parsed from JSON. Parsing reports every invalid
//! field at once.

use serde_json::{Map, Value};
use url::Url;

use super::{Channel, Content};
use crate::{
    email::{self, Mailbox},
    event::object,
    id::{CampaignId, ProviderId},
    validation::{FieldReader, Validated, ValidationErrors, entries, one_of, string, text},
};

/// Maximum length of an SMS, in characters: more than ten parts of a concatenated message.
const MAX_SMS_CHARS: usize = 1_600;
/// Maximum size of text, HTML and metadata, in bytes. Together with business fields and four
/// responses of 16 KiB they fit into a DynamoDB item of 400 KB.
const MAX_TEXT_BYTES: usize = 32 * 1024;
const MAX_HTML_BYTES: usize = 128 * 1024;
const MAX_METADATA_BYTES: usize = 16 * 1024;
/// Maximum number of business fields, and their maximum size as JSON, in bytes.
const MAX_FIELDS: usize = 50;
const MAX_FIELDS_BYTES: usize = 16 * 1024;
/// Maximum length of the names of templates and business fields, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Maximum length of a subject, in characters: a line of RFC 5322.
const MAX_SUBJECT_CHARS: usize = 998;
/// Maximum length of a URL, in bytes.
const MAX_URL_BYTES: usize = 2_000;

/// A message or call to send.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Channel.
    pub channel: Channel,
    /// Name or ID of the provider, if the client named one.
    pub provider: Option<String>,
    /// Content.
    pub content: Content,
    /// Campaign. The caller checks that it exists.
    pub campaign_id: Option<CampaignId>,
    /// Name of the campaign. Set by the caller.
    pub campaign: Option<String>,
    /// Fallback of the provider. Set by the caller.
    pub fallback_provider_id: Option<ProviderId>,
    /// Whether the client named no sender.
    pub default_sender: bool,
    /// How many times the chain of events that led to it has left Tieline. Set by the caller.
    pub hops: u8,
}

impl NewMessage {
    /// Channels of messages, by name. Calls are a separate resource.
    pub const CHANNELS: [(&str, Channel); 3] = [
        ("sms", Channel::Sms),
        ("email", Channel::Email),
        ("chatbot", Channel::Chatbot),
    ];

    /// Parses `{channel, provider, to, from, subject, text, html, template, fields, metadata,
    /// campaign_id}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let channel = fields.required("channel", one_of(&Self::CHANNELS));
        let provider = fields.defaulted("provider", None, provider);
        let to = fields.required("to", |value| recipient(value, channel));
        let from = fields.defaulted("from", None, |value| sender(value, channel).map(Some));
        let subject = fields.defaulted("subject", None, |value| {
            text(MAX_SUBJECT_CHARS)(value).map(Some)
        });
        if ["text", "html", "template"]
            .iter()
            .all(|name| !fields.has(name))
        {
            fields.refuse("text", "is required without `html` or `template`");
        }
        let text = fields.defaulted("text", None, |value| {
            let text = body(value, MAX_TEXT_BYTES)?;
            if channel == Some(Channel::Sms) && text.chars().count() > MAX_SMS_CHARS {
                return Err(ValidationErrors::here(format!(
                    "must have at most {MAX_SMS_CHARS} characters"
                )));
            }
            Ok(Some(text))
        });
        let html = fields.defaulted("html", None, |value| body(value, MAX_HTML_BYTES).map(Some));
        let template = fields.defaulted("template", None, template);
        let business = fields.defaulted("fields", Map::new(), business);
        let metadata = fields.defaulted("metadata", Map::new(), metadata);
        let campaign_id = fields.defaulted("campaign_id", None, |value| {
            Ok(Some(string(value)?.parse()?))
        });
        let parsed = (|| {
            let content = Content {
                to: to?,
                from: from?,
                subject: subject?,
                text: text?,
                html: html?,
                url: None,
                template: template?,
                fields: business?,
                metadata: metadata?,
            };
            Some(Self {
                channel: channel?,
                provider: provider?,
                default_sender: content.from.is_none(),
                content,
                campaign_id: campaign_id?,
                campaign: None,
                fallback_provider_id: None,
                hops: 0,
            })
        })();
        fields.finish(parsed)
    }

    /// Parses a call: `{provider, to, from, text, url, template, fields, metadata}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse_call(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let channel = Some(Channel::Call);
        let provider = fields.defaulted("provider", None, provider);
        let to = fields.required("to", |value| recipient(value, channel));
        let from = fields.defaulted("from", None, |value| sender(value, channel).map(Some));
        if ["text", "url", "template"]
            .iter()
            .all(|name| !fields.has(name))
        {
            fields.refuse("text", "is required without `url` or `template`");
        }
        let text = fields.defaulted("text", None, |value| body(value, MAX_TEXT_BYTES).map(Some));
        let url = fields.defaulted("url", None, |value| url(value).map(Some));
        let template = fields.defaulted("template", None, template);
        let business = fields.defaulted("fields", Map::new(), business);
        let metadata = fields.defaulted("metadata", Map::new(), metadata);
        let parsed = (|| {
            let content = Content {
                to: to?,
                from: from?,
                subject: None,
                text: text?,
                html: None,
                url: url?,
                template: template?,
                fields: business?,
                metadata: metadata?,
            };
            Some(Self {
                channel: Channel::Call,
                provider: provider?,
                default_sender: content.from.is_none(),
                content,
                campaign_id: None,
                campaign: None,
                fallback_provider_id: None,
                hops: 0,
            })
        })();
        fields.finish(parsed)
    }
}

fn template(value: Value) -> Validated<Option<String>> {
    text(MAX_NAME_CHARS)(value).map(Some)
}

/// Business fields: texts, numbers and booleans by name.
fn business(value: Value) -> Validated<Map<String, Value>> {
    let size = value.to_string().len();
    if size > MAX_FIELDS_BYTES {
        return Err(ValidationErrors::here(format!(
            "must have at most {MAX_FIELDS_BYTES} bytes as JSON"
        )));
    }
    let pairs = entries(MAX_FIELDS, |name, value| {
        text(MAX_NAME_CHARS)(name.into())?;
        match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(value),
            _ => Err(ValidationErrors::here(
                "must be a text, a number or a boolean",
            )),
        }
    })(value)?;
    Ok(pairs.into_iter().collect())
}

fn provider(value: Value) -> Validated<Option<String>> {
    text(100)(value).map(|text| Some(text.trim().to_owned()))
}

/// If the channel itself is invalid, only that is reported.
fn recipient(value: Value, channel: Option<Channel>) -> Validated<String> {
    match channel {
        Some(Channel::Sms | Channel::Call) => phone(value),
        Some(Channel::Email) => email::address(value),
        Some(Channel::Chatbot) | None => text(255)(value),
    }
}

/// For phones, a sender is a number, a short code, or a name or ID known to the provider. For
/// e-mail, an address with an optional name.
pub(crate) fn sender(value: Value, channel: Option<Channel>) -> Validated<String> {
    let number = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        text.starts_with('+')
            || digits > 8
                && text
                    .chars()
                    .all(|c| c.is_ascii_digit() || " ()-./".contains(c))
    };
    match channel {
        Some(Channel::Email) => {
            let text = string(value)?;
            Mailbox::parse(&text).map(|_| text)
        }
        Some(Channel::Sms | Channel::Call) if value.as_str().is_some_and(number) => phone(value),
        _ => text(255)(value),
    }
}

/// A phone number in E.164 format: `+` and 7 to 15 digits that start with a country code.
fn phone(value: Value) -> Validated<String> {
    let text = string(value)?;
    let legal = text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if legal {
        Ok(text)
    } else {
        Err(ValidationErrors::here(
            "must be a phone number in E.164 format, such as +15555550100",
        ))
    }
}

/// A text that is not blank and contains no control characters other than line breaks and tabs.
fn body(value: Value, max: usize) -> Validated<String> {
    let text = string(value)?;
    if text.trim().is_empty() {
        return Err(ValidationErrors::here("must not be empty"));
    }
    if text.len() > max {
        return Err(ValidationErrors::here(format!(
            "must have at most {max} bytes"
        )));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err(ValidationErrors::here(
            "must not contain control characters other than line breaks and tabs",
        ));
    }
    Ok(text)
}

/// A URL for the provider to fetch. Tieline sends no requests to it.
fn url(value: Value) -> Validated<String> {
    let text = string(value)?;
    let plain =
        text.len() <= MAX_URL_BYTES && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let absolute = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if plain && absolute {
        Ok(text)
    } else {
        Err(ValidationErrors::here(format!(
            "must be an absolute http or https URL of at most {MAX_URL_BYTES} bytes"
        )))
    }
}

fn metadata(value: Value) -> Validated<Map<String, Value>> {
    let size = value.to_string().len();
    if size > MAX_METADATA_BYTES {
        return Err(ValidationErrors::here(format!(
            "must have at most {MAX_METADATA_BYTES} bytes as JSON"
        )));
    }
    object(value)
}
