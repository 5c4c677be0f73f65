//! Errors for values that can't be inserted.

use crate::tag::Tag;

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
    pub(super) fn new(tag: &Tag, reason: Reason) -> Self {
        Self {
            tag: tag.path.as_str().to_owned(),
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
    /// Filters would process too much data.
    #[error("has filters that would process too much data")]
    TooCostly,
    /// A JSON object would contain a key twice.
    #[error("would repeat a key of the same object")]
    RepeatedKey,
}
