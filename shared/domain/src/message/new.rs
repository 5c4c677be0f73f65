//! What a client wants sent: from JSON, with everything that is wrong named at once.

use serde_json::{Map, Value};
use url::Url;

use super::{Channel, Content};
use crate::{
    email::{self, Mailbox},
    event::object,
    id::CampaignId,
    invalid::{Checked, Fields, Problems, one_of, string, text},
};

/// The longest text of an SMS, in characters: ten parts and more of a concatenated one.
const LONGEST_SMS: usize = 1_600;
/// The longest text, HTML and metadata, in bytes. With four answers of 16 KiB they fit into
/// DynamoDB's 400 KB an item.
const LONGEST_TEXT: usize = 32 * 1024;
const LONGEST_HTML: usize = 128 * 1024;
const LONGEST_METADATA: usize = 16 * 1024;
/// The longest subject: a line of RFC 5322, in characters.
const LONGEST_SUBJECT: usize = 998;
/// The longest URL, in bytes.
const LONGEST_URL: usize = 2_000;

/// A message or call that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// How.
    pub channel: Channel,
    /// Through which provider, by name or id, where the client says so.
    pub provider: Option<String>,
    /// What.
    pub content: Content,
    /// For which campaign; whether that is there is for the caller to check.
    pub campaign_id: Option<CampaignId>,
    /// How many times what led to it left Tieline: for the caller to set.
    pub hops: u8,
}

impl NewMessage {
    /// The channels of messages, by name: calls have resources of their own.
    pub const CHANNELS: [(&str, Channel); 3] = [
        ("sms", Channel::Sms),
        ("email", Channel::Email),
        ("chatbot", Channel::Chatbot),
    ];

    /// Reads `{channel, provider, to, from, subject, text, html, metadata, campaign_id}`.
    pub fn parse(value: Value) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
        let channel = fields.required("channel", one_of(&Self::CHANNELS));
        let provider = fields.defaulted("provider", None, provider);
        let to = fields.required("to", |value| recipient(value, channel));
        let from = fields.defaulted("from", None, |value| sender(value, channel).map(Some));
        let subject = fields.defaulted("subject", None, |value| {
            text(LONGEST_SUBJECT)(value).map(Some)
        });
        match channel {
            Some(Channel::Email) if !fields.has("text") && !fields.has("html") => {
                fields.refuse("text", "is required where there is no html");
            }
            Some(Channel::Sms | Channel::Chatbot) if !fields.has("text") => {
                fields.refuse("text", "is required")
            }
            _ => {}
        }
        let text = fields.defaulted("text", None, |value| {
            let text = body(value, LONGEST_TEXT)?;
            if channel == Some(Channel::Sms) && text.chars().count() > LONGEST_SMS {
                return Err(Problems::here(format!(
                    "must have at most {LONGEST_SMS} characters"
                )));
            }
            Ok(Some(text))
        });
        let html = fields.defaulted("html", None, |value| body(value, LONGEST_HTML).map(Some));
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
                metadata: metadata?,
            };
            Some(Self {
                channel: channel?,
                provider: provider?,
                content,
                campaign_id: campaign_id?,
                hops: 0,
            })
        })();
        fields.finish(parsed)
    }

    /// Reads a call: `{provider, to, from, text, url, metadata}`.
    pub fn parse_call(value: Value) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
        let channel = Some(Channel::Call);
        let provider = fields.defaulted("provider", None, provider);
        let to = fields.required("to", |value| recipient(value, channel));
        let from = fields.defaulted("from", None, |value| sender(value, channel).map(Some));
        if !fields.has("text") && !fields.has("url") {
            fields.refuse("text", "is required where there is no url");
        }
        let text = fields.defaulted("text", None, |value| body(value, LONGEST_TEXT).map(Some));
        let url = fields.defaulted("url", None, |value| url(value).map(Some));
        let metadata = fields.defaulted("metadata", Map::new(), metadata);
        let parsed = (|| {
            let content = Content {
                to: to?,
                from: from?,
                subject: None,
                text: text?,
                html: None,
                url: url?,
                metadata: metadata?,
            };
            Some(Self {
                channel: Channel::Call,
                provider: provider?,
                content,
                campaign_id: None,
                hops: 0,
            })
        })();
        fields.finish(parsed)
    }
}

fn provider(value: Value) -> Checked<Option<String>> {
    text(100)(value).map(|text| Some(text.trim().to_owned()))
}

/// Where the channel itself is wrong, that is the problem to report.
fn recipient(value: Value, channel: Option<Channel>) -> Checked<String> {
    match channel {
        Some(Channel::Sms | Channel::Call) => phone(value),
        Some(Channel::Email) => email::address(value),
        Some(Channel::Chatbot) | None => text(255)(value),
    }
}

/// A sender of phones is a number, a short code, or a name or id that the provider knows; of
/// e-mail, an address, maybe with a name.
pub(crate) fn sender(value: Value, channel: Option<Channel>) -> Checked<String> {
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

/// A phone number as E.164 writes it: `+`, and 7 to 15 digits that begin with a country's code.
fn phone(value: Value) -> Checked<String> {
    let text = string(value)?;
    let legal = text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if legal {
        Ok(text)
    } else {
        Err(Problems::here(
            "must be a phone number in E.164 form, such as +15555550100",
        ))
    }
}

/// A text that is not blank and has no control characters but line breaks and tabs.
fn body(value: Value, most: usize) -> Checked<String> {
    let text = string(value)?;
    if text.trim().is_empty() {
        return Err(Problems::here("must not be empty"));
    }
    if text.len() > most {
        return Err(Problems::here(format!("must have at most {most} bytes")));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err(Problems::here(
            "must hold no control characters but line breaks and tabs",
        ));
    }
    Ok(text)
}

/// An address for the provider to fetch: Tieline never calls it.
fn url(value: Value) -> Checked<String> {
    let text = string(value)?;
    let plain =
        text.len() <= LONGEST_URL && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let absolute = Url::parse(&text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if plain && absolute {
        Ok(text)
    } else {
        Err(Problems::here(format!(
            "must be an absolute http or https URL of at most {LONGEST_URL} bytes"
        )))
    }
}

fn metadata(value: Value) -> Checked<Map<String, Value>> {
    let size = value.to_string().len();
    if size > LONGEST_METADATA {
        return Err(Problems::here(format!(
            "must have at most {LONGEST_METADATA} bytes as JSON"
        )));
    }
    object(value)
}
