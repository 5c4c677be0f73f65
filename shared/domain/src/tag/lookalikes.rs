//! Text that was probably meant to be a tag.

use super::{Piece, tag_at};
use crate::{cursor::Syntax, path::Path};

/// Maximum number of results per text.
const MAX: usize = 20;
/// Maximum length of such a text between its braces, in bytes.
const MAX_LENGTH: usize = 200;

/// Descriptions of the texts that look like tags but are sent as they are: `{First Name}`,
/// `{ name }`, `{{name}}`, and tags with invalid filters, which only stored templates contain.
pub(crate) fn lookalikes(pieces: &[Piece<'_>], syntax: Syntax) -> Vec<String> {
    let mut found = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if piece.tag.is_some() {
            let before = index.checked_sub(1).and_then(|index| pieces.get(index));
            if before.is_some_and(|before| before.text.ends_with('{'))
                && let Some(after) = pieces.get(index + 1)
                && after.text.starts_with('}')
            {
                let tag = piece.text;
                add(
                    &mut found,
                    format!("`{{{tag}}}` is sent as the value in braces. Write `{tag}`."),
                );
            }
            continue;
        }
        for (at, _) in piece.text.match_indices('{') {
            if let Some(detail) = describe(piece.text, at, syntax) {
                add(&mut found, detail);
            }
            if found.len() == MAX {
                return found;
            }
        }
    }
    found
}

fn add(found: &mut Vec<String>, detail: String) {
    if !found.contains(&detail) {
        found.push(detail);
    }
}

/// Describes the text at a `{` that starts no tag.
fn describe(text: &str, at: usize, syntax: Syntax) -> Option<String> {
    if let Some(Err(error)) = tag_at(&text[at..], syntax) {
        return Some(error.to_string());
    }
    let rest = &text[at + 1..];
    let end = rest.find(['{', '}', '\n'])?;
    let inner = &rest[..end];
    let (name, filters) = inner.split_at(inner.find('|').unwrap_or(end));
    let name = name.trim();
    let is_name = |c: char| c.is_alphanumeric() || " _-.[]@$#/?!".contains(c);
    if !rest[end..].starts_with('}')
        || end > MAX_LENGTH
        || !name.contains(char::is_alphabetic)
        || !name.chars().all(is_name)
    {
        return None;
    }
    let double = text[..at].ends_with('{') && rest[end..].starts_with("}}");
    let written = if double {
        format!("{{{{{inner}}}}}")
    } else {
        format!("{{{inner}}}")
    };
    let space = if filters.is_empty() { "" } else { " " };
    let filters = filters.trim_end();
    let name = if Path::parse(name).is_ok() {
        name.to_owned()
    } else {
        format!("'{name}'")
    };
    Some(format!(
        "`{written}` is not a tag and is sent as it is. Write `{{{name}{space}{filters}}}`."
    ))
}
