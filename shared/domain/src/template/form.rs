//! Form bodies: pairs `name=value` separated by `&`, optionally on separate lines.

use super::{
    TemplateError,
    part::{Part, TagContext, check_percent, percent, split},
};
use crate::tag;

/// Drops white space around pairs and empty pairs. In literal text, percent-encoded bytes and `+`
/// (a space) are preserved; anything else that a form can't contain is percent-encoded.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, TemplateError> {
    let pairs =
        tag::split(text, &['&']).map(|pair| pair.trim_matches(|c: char| c.is_ascii_whitespace()));
    let mut parts = Vec::new();
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        if !parts.is_empty() {
            parts.push(Part::Text("&".to_owned()));
        }
        // A name without `=` gets one, so that a pair with an empty tag is preserved.
        let (name, value) = tag::split_once(pair, '=').unwrap_or((pair, ""));
        parts.extend(split(name, TagContext::Percent, literal)?);
        parts.push(Part::Text("=".to_owned()));
        parts.extend(split(value, TagContext::Percent, literal)?);
    }
    Ok(parts)
}

fn literal(text: &str) -> Result<String, TemplateError> {
    check_percent(text)?;
    let mut out = String::with_capacity(text.len());
    for run in text.split_inclusive(['%', '+']) {
        let kept = run.trim_end_matches(['%', '+']);
        percent(&mut out, kept);
        out.push_str(&run[kept.len()..]);
    }
    Ok(out)
}
