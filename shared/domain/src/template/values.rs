//! Values of tags.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    RenderError,
    filters::{self, Budget},
};
use crate::{secrets::mask::MASK, tag::Tag};

/// Values that tags can use. `secret` and the roots take precedence over the data.
#[derive(Debug)]
pub struct TagValues<'a> {
    /// Values other than the data, as an object: `{event.id}` is the `id` of its `event`. A root
    /// alone has no value.
    pub roots: &'a Value,
    /// Values of `{secret.<name>}`.
    pub secrets: &'a BTreeMap<String, SecretString>,
    /// Values of these paths into the roots. Longer paths lead into the roots' own values.
    pub whole: &'a [(&'a str, Value)],
    /// Tags into the roots whose values are secrets.
    pub secret_tags: &'a [&'a str],
    /// Every other tag is a path into this value. If there is no such field and a root `event`
    /// exists, the envelope's names (`type`, `timestamp`, `id`, `data.…`) are used.
    pub data: &'a Value,
    /// Limit on the work of filters, for everything that is rendered with these values.
    pub budget: Budget,
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

/// Names of tags without a value, or with one that a filter can't take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing(BTreeSet<String>);

/// The names, sorted.
impl From<Missing> for Vec<String> {
    fn from(missing: Missing) -> Self {
        missing.0.into_iter().collect()
    }
}

/// Value of a tag.
pub(super) enum Found<'a> {
    Secret(&'a str),
    Json(Cow<'a, Value>),
    Masked,
}

impl Found<'_> {
    /// Text for text positions.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Secret(text) => Cow::Borrowed(text),
            Self::Json(value) => filters::text(value),
            Self::Masked => Cow::Borrowed(MASK),
        }
    }
}

impl<'a> TagValues<'a> {
    /// Value of the tag after its filters. If it has none, or a filter can't take it, the tag's
    /// name is added to `missing`. `RenderError` if the filters exceed a limit.
    pub(super) fn find(
        &self,
        tag: &Tag,
        view: Audience,
        missing: &mut Missing,
    ) -> Result<Option<Found<'a>>, RenderError> {
        let mut add = || missing.0.insert(tag.path.as_str().to_owned());
        let value = match self.look_up(tag, view) {
            Some(Found::Json(value)) => Some(value),
            // Whether a filter can take a secret is not recorded.
            Some(Found::Secret(text)) if !tag.filters.is_empty() => {
                let value = Some(Cow::Owned(Value::from(text)));
                let (value, _) = filters::apply(tag, value, &self.budget)?;
                return Ok(value.map(Found::Json));
            }
            Some(found) => return Ok(Some(found)),
            None => None,
        };
        let (value, fits) = filters::apply(tag, value, &self.budget)?;
        if value.is_none() || !fits {
            add();
        }
        Ok(value.map(Found::Json))
    }

    /// Adds the names of tags without a value to `missing`.
    pub(crate) fn record_missing<'t>(
        &self,
        tags: impl Iterator<Item = &'t Tag>,
        missing: &mut Missing,
    ) {
        for tag in tags {
            // A limit is reported by rendering.
            let _ = self.find(tag, Audience::Masked, missing);
        }
    }

    fn envelope(&self, name: &str) -> Option<&'a Value> {
        ["type", "timestamp", "id"]
            .contains(&name)
            .then(|| self.roots.get("event")?.get(name))?
    }

    fn look_up(&self, tag: &Tag, view: Audience) -> Option<Found<'a>> {
        let path = &tag.path;
        let json = |value| Found::Json(Cow::Borrowed(value));
        match path.steps() {
            [root, rest @ ..] if root == "secret" => match rest {
                [name] => self.secrets.get(name).map(|secret| match view {
                    Audience::Receiver => Found::Secret(secret.expose_secret()),
                    Audience::Masked => Found::Masked,
                }),
                _ => None,
            },
            [root, rest @ ..] if self.roots.get(root).is_some() => {
                let whole = self.whole.iter().find(|(whole, _)| *whole == path.as_str());
                let found = whole
                    .map(|(_, value)| value)
                    .or_else(|| path.find(self.roots))
                    .filter(|_| !rest.is_empty())?;
                let masked = view == Audience::Masked && self.secret_tags.contains(&path.as_str());
                Some(if masked { Found::Masked } else { json(found) })
            }
            _ => path
                .find_in_event(self.data)
                .or_else(|| self.envelope(path.as_str()))
                .map(json),
        }
    }
}

/// What the filters of these tags make of secrets: forms in which a receiver may return them.
pub(crate) fn filtered_secrets<'t>(
    tags: impl Iterator<Item = &'t Tag>,
    secrets: &BTreeMap<String, SecretString>,
) -> Vec<String> {
    let values = TagValues {
        roots: &Value::Null,
        secrets,
        whole: &[],
        secret_tags: &[],
        data: &Value::Null,
        budget: Budget::default(),
    };
    let filtered = tags.filter(|tag| tag.is_secret() && !tag.filters.is_empty());
    filtered
        .filter_map(|tag| {
            let found = values.find(tag, Audience::Receiver, &mut Missing::default());
            Some(found.ok()??.text().into_owned())
        })
        .collect()
}
