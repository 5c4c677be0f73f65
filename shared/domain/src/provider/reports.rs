//! Settings of a provider's callback URL.

use serde_json::Value;

use super::template::check_placeholders;
use crate::{
    inbound::Verification,
    validation::{Source, Validated},
};

/// The error for a callback that reads nothing.
pub(super) const NO_MAPPING: &str =
    "requires `id_pointer`, `status_pointer` and `statuses`, unless `inbound` is set";

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

/// Removes what the merge patch `patch` replaces as a whole from the document `base`: another type
/// of verification, and a condition, because the parts of two don't mix.
pub(super) fn drop_replaced(base: &mut Value, patch: &Value) {
    let wanted = &patch["callback"]["verification"]["type"];
    if !wanted.is_null() && *wanted != base["callback"]["verification"]["type"] {
        base["callback"]["verification"] = Value::Null;
    }
    if patch["inbound"]["when"].is_object() && base["inbound"].is_object() {
        base["inbound"]["when"] = Value::Null;
    }
}
