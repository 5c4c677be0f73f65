//! Named secrets for tags.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::validation::{Source, Validated, ValidationErrors, entries, string};

/// Maximum number of named secrets of a webhook.
const MAX_SECRETS: usize = 20;

/// Named secrets for tags such as `{secret.bot_token}`.
#[derive(Debug, Clone, Default)]
pub struct Secrets(pub BTreeMap<String, SecretString>);

impl std::ops::Deref for Secrets {
    type Target = BTreeMap<String, SecretString>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Secrets {
    pub(super) fn parse(value: Value, source: Source) -> Validated<Self> {
        let pairs = entries(MAX_SECRETS, |name, value| {
            let legal = !name.is_empty()
                && name.len() <= 64
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            if !legal {
                return Err(ValidationErrors::here(
                    "the name must be 1 to 64 letters, digits, `_` or `-`",
                ));
            }
            source.secret(|value| match string(value)? {
                text if text.is_empty() || text.len() > 4096 => {
                    Err(ValidationErrors::here("must have 1 to 4096 bytes"))
                }
                text => Ok(text.into()),
            })(value)
        })(value)?;
        Ok(Self(pairs.into_iter().collect()))
    }

    pub(super) fn to_value(&self) -> Value {
        let secrets = self.iter();
        secrets
            .map(|(name, value)| (name.clone(), json!(value.expose_secret())))
            .collect()
    }
}
