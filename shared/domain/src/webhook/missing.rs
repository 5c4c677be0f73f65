//! Secrets that a webhook lacks because it was cloned from another one.
//!
//! A clone contains no secret of its original. Otherwise, anyone who may create webhooks could go on
//! using a secret after its owner has replaced it or deleted the original. The settings contain
//! placeholders instead, which are never sent: a webhook that lacks secrets can't be enabled or
//! tested.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Settings, origins::secret_fields};
use crate::{
    secrets::{
        mask::{self, MASK},
        origin::StoredSecret,
    },
    validation::{Validated, ValidationErrors},
};

/// Value in place of a password, a token or a named secret. Too short for a hint.
const PLACEHOLDER: &str = "missing";
/// Text in place of a secret in a URL or header. Long enough to be masked like the secret.
const MASKED_PLACEHOLDER: &str = "MissingSecretOfThisWebhook";

/// Paths of the fields whose secrets a webhook lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MissingSecrets(BTreeSet<Vec<String>>);

impl MissingSecrets {
    /// Whether the webhook has all its secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rejects what requires the secrets.
    ///
    /// # Errors
    /// Names each missing secret.
    pub fn check(&self) -> Validated<()> {
        let problems = self.0.iter().flat_map(|path| {
            // `auth` has one secret, whatever its kind.
            let path = match path.as_slice() {
                [auth, _] if auth == "auth" => &path[..1],
                path => path,
            };
            let detail = "is required: the secrets of the original are not part of a clone";
            let problem = ValidationErrors::here(detail);
            let problem = path.iter().rev().fold(problem, |it, field| it.under(field));
            problem.0
        });
        ValidationErrors::check(problems.collect())
    }

    pub(super) fn contains(&self, secret: &StoredSecret) -> bool {
        self.0.contains(secret.path())
    }

    /// The secrets that are still missing after `patch` led to `settings`.
    pub(super) fn patched(&self, settings: &Settings, patch: &Value) -> Self {
        let fields = secret_fields(settings);
        let missing = fields.filter(|secret| self.contains(secret) && !secret.is_given(patch));
        Self(missing.map(|secret| secret.path().to_vec()).collect())
    }
}

impl Settings {
    /// Returns the settings without secrets, and the fields that had some.
    ///
    /// # Errors
    /// If the URL or path becomes too long.
    pub(super) fn without_secrets(&self) -> Validated<(Self, MissingSecrets)> {
        let mut document = Value::Object(self.to_map());
        let mut missing = BTreeSet::new();
        for secret in secret_fields(self) {
            let path = secret.path();
            let field = path.iter().fold(&mut document, |at, name| &mut at[name]);
            let placeholder = match path {
                [_] => {
                    mask::url(field.as_str().unwrap_or_default()).replace(MASK, MASKED_PLACEHOLDER)
                }
                [headers, _] if headers == "headers" => MASKED_PLACEHOLDER.to_owned(),
                _ => PLACEHOLDER.to_owned(),
            };
            *field = placeholder.into();
            missing.insert(path.to_vec());
        }
        Ok((Self::restore(document)?, MissingSecrets(missing)))
    }
}
