//! A provider's own limits for messages, in addition to those of the channel.
//!
//! A message that the API would reject is not accepted, retried and reported as failed. Instead,
//! the client gets a 422 that names the field.

use serde_json::{Map, Value, json};

use crate::{
    message::Content,
    template::escape_xml,
    validation::{FieldReader, Validated, ValidationErrors, boolean, entries, whole},
};

/// Upper bound of `max_length`. No message field is longer.
const MAX_LENGTH: u64 = 128 * 1024;

/// Limits by message field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(Vec<(Field, Limit)>);

/// Limit of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    /// Whether messages without the field are rejected.
    required: bool,
    /// Maximum length in UTF-16 code units. Most providers count these; there are never fewer of
    /// them than characters.
    max_length: Option<u64>,
}

/// A message field that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    From,
    Subject,
    Text,
    Html,
    Url,
    /// The text and the HTML, together.
    Content,
    /// The call as rendered by `{message.twiml}`, if it says or does anything.
    Twiml,
}

impl Field {
    const ALL: [(&str, Self); 7] = [
        ("from", Self::From),
        ("subject", Self::Subject),
        ("text", Self::Text),
        ("html", Self::Html),
        ("url", Self::Url),
        ("content", Self::Content),
        ("twiml", Self::Twiml),
    ];

    fn parse(name: &str) -> Validated<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        found
            .map(|(_, field)| *field)
            .ok_or_else(|| ValidationErrors::here(format!("must be one of: {}", names())))
    }

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(name, _)| name)
    }

    /// The request field that the client has to change.
    fn source(self) -> &'static str {
        match self {
            Self::Content | Self::Twiml => "text",
            _ => self.name(),
        }
    }

    /// The request field that may be there instead of [`Self::source`].
    fn alternative(self) -> Option<&'static str> {
        match self {
            Self::Content => Some("html"),
            Self::Twiml => Some("url"),
            _ => None,
        }
    }

    fn of(self, content: &Content) -> Option<String> {
        match self {
            Self::From => content.from.clone(),
            Self::Subject => content.subject.clone(),
            Self::Text => content.text.clone(),
            Self::Html => content.html.clone(),
            Self::Url => content.url.clone(),
            Self::Content => {
                let bodies = [&content.text, &content.html];
                Some(bodies.into_iter().flatten().map(String::as_str).collect())
            }
            Self::Twiml => {
                let is_empty = content.text.is_none() && content.url.is_none();
                (!is_empty).then(|| twiml(content))
            }
        }
    }
}

impl Limits {
    /// Parses `{"<field>": {"required", "max_length"}}`.
    pub(super) fn parse(value: Value) -> Validated<Self> {
        let limits = entries(Field::ALL.len(), |name, value| {
            Ok((Field::parse(name)?, limit(value)?))
        })(value)?;
        Ok(Self(limits.into_iter().map(|(_, limit)| limit).collect()))
    }

    /// The limits: message field, whether it is required, and its maximum length in UTF-16 code
    /// units.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, bool, Option<u64>)> {
        self.0
            .iter()
            .map(|(field, limit)| (field.name(), limit.required, limit.max_length))
    }

    /// The document that [`Limits::parse`] reads.
    pub(super) fn to_value(&self) -> Value {
        let limit =
            |limit: &Limit| json!({"required": limit.required, "max_length": limit.max_length});
        self.0
            .iter()
            .map(|(field, of)| (field.name().to_owned(), limit(of)))
            .collect::<Map<_, _>>()
            .into()
    }

    /// Validates a message against the limits of `provider`.
    ///
    /// # Errors
    /// Lists every field that the provider's API would reject.
    pub(super) fn check(&self, provider: &str, content: &Content) -> Validated<()> {
        let mut problems = Vec::new();
        for (field, limit) in &self.0 {
            let value = field.of(content).filter(|value| !value.is_empty());
            let length = value
                .as_ref()
                .map(|value| value.encode_utf16().count() as u64);
            let detail = match (length, limit.max_length) {
                (None, _) if limit.required => {
                    let without = field
                        .alternative()
                        .map(|other| format!(" without `{other}`"))
                        .unwrap_or_default();
                    format!("is required{without} by the provider \"{provider}\"")
                }
                (Some(length), Some(max)) if length > max => {
                    let what = match field {
                        Field::Twiml => " as TwiML",
                        Field::Content => " together with `html`",
                        _ => "",
                    };
                    format!(
                        "must have at most {max} characters{what} for the provider \"{provider}\""
                    )
                }
                _ => continue,
            };
            problems.extend(ValidationErrors::here(detail).under(field.source()).0);
        }
        ValidationErrors::check(problems)
    }
}

fn limit(value: Value) -> Validated<Limit> {
    let mut fields = FieldReader::of(value)?;
    let required = fields.defaulted("required", false, boolean);
    let max_length = fields.defaulted("max_length", None, |value| {
        whole(1, MAX_LENGTH)(value).map(Some)
    });
    let parsed = (|| {
        Some(Limit {
            required: required?,
            max_length: max_length?,
        })
    })();
    fields.finish(parsed)
}

/// A call as `TwiML`, Twilio's XML for call instructions: speaks the text, then continues with the
/// instructions at the URL.
pub(super) fn twiml(content: &Content) -> String {
    let mut out = String::from("<Response>");
    for (verb, value) in [("Say", &content.text), ("Redirect", &content.url)] {
        if let Some(value) = value {
            out.extend(["<", verb, ">"]);
            escape_xml(&mut out, value);
            out.extend(["</", verb, ">"]);
        }
    }
    out.push_str("</Response>");
    out
}
