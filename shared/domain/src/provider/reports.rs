//! Verification of the requests to a provider's callback URL.

use serde_json::Value;

use super::template::check_placeholders;
use crate::{
    inbound::Verification,
    validation::{Source, Validated},
};

/// Parses the verification with `parse`. Rejects placeholders of presets.
pub(super) fn verification(
    value: Value,
    source: Source,
    parse: impl FnOnce(Value) -> Validated<Verification>,
) -> Validated<Verification> {
    let verification = parse(value)?;
    if let Some((field, secret)) = verification.secret() {
        check_placeholders(secret, source).map_err(|problems| problems.under(field))?;
    }
    Ok(verification)
}

/// Removes a type of verification that the merge patch `patch` replaces from the document `base`.
pub(super) fn drop_replaced(base: &mut Value, patch: &Value) {
    let wanted = &patch["callback"]["verification"]["type"];
    if !wanted.is_null() && *wanted != base["callback"]["verification"]["type"] {
        base["callback"]["verification"] = Value::Null;
    }
}
