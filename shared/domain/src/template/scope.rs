//! What tags can name, and what became of those that cannot be filled in.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{mask::MASK, path::Path};

/// What tags can name. `secret` and the roots always mean these, whatever the data holds.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// An object of what is there beside the data: `{event.id}` is the `id` of its `event`. A root
    /// alone names nothing.
    pub roots: &'a Value,
    /// `{secret.<name>}`
    pub secrets: &'a BTreeMap<String, SecretString>,
    /// Names of tags into the roots whose values are secrets, too.
    pub sealed: &'a [&'a str],
    /// Every other tag is a path into it. Where it has no such field, and there is a root `event`,
    /// the envelope's own names (`type`, `timestamp`, `id`, `data.…`) stand for its fields.
    pub data: &'a Value,
}

/// Who is to read the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The receiver: secrets are filled in.
    Wire,
    /// People, through records, previews and logs: every `{secret.…}` and every sealed tag shows as
    /// [`MASK`].
    Masked,
}

/// The names of tags that named nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing(BTreeSet<String>);

impl Missing {
    /// The names, sorted, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether every tag named something.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Missing> for Vec<String> {
    fn from(missing: Missing) -> Self {
        missing.0.into_iter().collect()
    }
}

/// A value that cannot stand where its tag does. Says nothing of the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{{{tag}}}` {reason}")]
pub struct Unfit {
    /// The tag's name.
    pub tag: String,
    /// What would go wrong.
    pub reason: Reason,
}

impl Unfit {
    pub(super) fn new(tag: &Path, reason: Reason) -> Self {
        Self {
            tag: tag.as_str().to_owned(),
            reason,
        }
    }
}

/// Why a value cannot stand where its tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The URL would address something else.
    #[error("is empty, in a path segment")]
    EmptySegment,
    /// The URL would climb.
    #[error("makes a path segment `.` or `..`")]
    DotSegment,
    /// The URL would get another origin, other segments or other pairs.
    #[error("changes the structure of the URL")]
    Structure,
    /// A body, URL or header value would pass its limit.
    #[error("makes the text too long")]
    TooLong,
    /// A header value would hold a control character.
    #[error("has control characters, which a header cannot hold")]
    HeaderCharacter,
    /// A JSON object would have one key twice.
    #[error("repeats a key of the same object")]
    RepeatedKey,
}

/// What a tag named.
pub(super) enum Found<'a> {
    Text(&'a str),
    Json(&'a Value),
    Masked,
}

impl<'a> Found<'a> {
    /// Its characters in text positions.
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

impl<'a> Scope<'a> {
    /// What the tag names; its name goes to `missing` when that is nothing.
    pub(super) fn find(&self, path: &Path, view: View, missing: &mut Missing) -> Option<Found<'a>> {
        let found = self.look_up(path, view);
        if found.is_none() {
            missing.0.insert(path.as_str().to_owned());
        }
        found
    }

    /// Adds to `missing` which of these tags name nothing.
    pub(crate) fn note_missing<'t>(
        &self,
        tags: impl Iterator<Item = &'t str>,
        missing: &mut Missing,
    ) {
        for path in tags.filter_map(|tag| Path::parse(tag).ok()) {
            self.find(&path, View::Masked, missing);
        }
    }

    fn envelope(&self, name: &str) -> Option<&'a Value> {
        ["type", "timestamp", "id"]
            .contains(&name)
            .then(|| self.roots.get("event")?.get(name))?
    }

    fn look_up(&self, path: &Path, view: View) -> Option<Found<'a>> {
        let (root, rest) = path.as_str().split_once('.').unwrap_or((path.as_str(), ""));
        match (root, rest) {
            ("secret", name) => self.secrets.get(name).map(|secret| match view {
                View::Wire => Found::Text(secret.expose_secret()),
                View::Masked => Found::Masked,
            }),
            _ if self.roots.get(root).is_some() => {
                let found = path.find(self.roots).filter(|_| !rest.is_empty())?;
                let masked = view == View::Masked && self.sealed.contains(&path.as_str());
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
