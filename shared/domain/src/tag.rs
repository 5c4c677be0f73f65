//! Tags such as `{ticket.id}` in templates.

use crate::path::Path;

/// The tag at the start of `text`, and its length in bytes.
pub(crate) fn tag_at(text: &str) -> Option<(Path, usize)> {
    let inner = text.strip_prefix('{')?;
    // A path has at most 200 bytes. Searching no further keeps a text full of braces linear.
    let end = inner.bytes().take(201).position(|byte| byte == b'}')?;
    Path::parse(&inner[..end]).ok().map(|path| (path, end + 2))
}

/// Whether the text contains a tag.
pub(crate) fn has_tag(text: &str) -> bool {
    text.match_indices('{')
        .any(|(at, _)| tag_at(&text[at..]).is_some())
}
