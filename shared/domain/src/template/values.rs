//! Values of tags, and errors for values that can't be inserted.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{path::Path, secrets::mask::MASK};

/// Values that tags can use. `secret` and the roots take precedence over the data.
#[derive(Debug, Clone, Copy)]
pub struct TagValues<'a> {
    /// Values other than the data, as an object: `{event.id}` is the `id` of its `event`. A root
    /// alone has no value.
    pub roots: &'a Value,
    /// Values of `{secret.<name>}`.
    pub secrets: &'a BTreeMap<String, SecretString>,
    /// Tags into the roots whose values are secrets.
    pub secret_tags: &'a [&'a str],
    /// Every other tag is a path into this value. If there is no such field and a root `event`
    /// exists, the envelope's names (`type`, `timestamp`, `id`, `data.…`) are used.
    pub data: &'a Value,
}

/// Audience of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The receiver: secrets are inserted.
    Receiver,
    /// People, in records, previews and logs: every `{secret.…}` and every secret root tag is shown
    /// as [`MASK`].
    Masked,
}

/// Names of tags without a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing(BTreeSet<String>);

/// The names, sorted.
impl From<Missing> for Vec<String> {
    fn from(missing: Missing) -> Self {
        missing.0.into_iter().collect()
    }
}

/// A value that can't be inserted at its tag. Never contains the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{{{tag}}}` {reason}")]
pub struct RenderError {
    /// The tag's name.
    pub tag: String,
    /// Why the value can't be inserted.
    pub reason: Reason,
}

impl RenderError {
    pub(super) fn new(tag: &Path, reason: Reason) -> Self {
        Self {
            tag: tag.as_str().to_owned(),
            reason,
        }
    }
}

/// Why a value can't be inserted at its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The URL would address another resource.
    #[error("has no value but is part of the URL path")]
    EmptySegment,
    /// The URL would leave its path.
    #[error("would make a path segment `.` or `..`")]
    DotSegment,
    /// The URL would get another origin, other segments or other query pairs.
    #[error("would change the structure of the URL")]
    Structure,
    /// A body, URL or header value would exceed its limit.
    #[error("would make the text too long")]
    TooLong,
    /// A header value would contain a control character.
    #[error("contains control characters, which are not allowed in headers")]
    HeaderCharacter,
    /// A JSON object would contain a key twice.
    #[error("would repeat a key of the same object")]
    RepeatedKey,
}

/// Value of a tag.
pub(super) enum Found<'a> {
    Text(&'a str),
    Json(&'a Value),
    Masked,
}

impl<'a> Found<'a> {
    /// Text for text positions.
    pub(super) fn text(&self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(Value::String(text)) => Cow::Borrowed(text),
            Self::Json(Value::Null) => Cow::Borrowed(""),
            Self::Json(value) => Cow::Owned(value.to_string()),
            Self::Masked => Cow::Borrowed(MASK),
        }
    }
}

impl<'a> TagValues<'a> {
    /// Value of the tag. If it has none, its name is added to `missing`.
    pub(super) fn find(
        &self,
        path: &Path,
        view: Audience,
        missing: &mut Missing,
    ) -> Option<Found<'a>> {
        let found = self.look_up(path, view);
        if found.is_none() {
            missing.0.insert(path.as_str().to_owned());
        }
        found
    }

    /// Adds the names of tags without a value to `missing`.
    pub(crate) fn record_missing<'t>(
        &self,
        tags: impl Iterator<Item = &'t str>,
        missing: &mut Missing,
    ) {
        for path in tags.filter_map(|tag| Path::parse(tag).ok()) {
            self.find(&path, Audience::Masked, missing);
        }
    }

    fn envelope(&self, name: &str) -> Option<&'a Value> {
        ["type", "timestamp", "id"]
            .contains(&name)
            .then(|| self.roots.get("event")?.get(name))?
    }

    fn look_up(&self, path: &Path, view: Audience) -> Option<Found<'a>> {
        let (root, rest) = path.as_str().split_once('.').unwrap_or((path.as_str(), ""));
        match (root, rest) {
            ("secret", name) => self.secrets.get(name).map(|secret| match view {
                Audience::Receiver => Found::Text(secret.expose_secret()),
                Audience::Masked => Found::Masked,
            }),
            _ if self.roots.get(root).is_some() => {
                let found = path.find(self.roots).filter(|_| !rest.is_empty())?;
                let masked = view == Audience::Masked && self.secret_tags.contains(&path.as_str());
                Some(if masked {
                    Found::Masked
                } else {
                    Found::Json(found)
                })
            }
            _ => path
                .find_in_event(self.data)
                .or_else(|| self.envelope(path.as_str()))
                .map(Found::Json),
        }
    }
}
