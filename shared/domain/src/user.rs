//! Users: owners of credentials and services.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    email,
    id::UserId,
    resource::Resource,
    validation::{FieldReader, Validated, boolean, name, one_of},
};

/// A person or system that owns credentials.
pub type User = Resource<UserId, Settings>;

/// Settings of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Name, unique regardless of case.
    pub name: String,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Role in the organization.
    pub role: Role,
    /// Whether the user's credentials and inbound URLs work.
    pub active: bool,
}

/// Role in the organization. Informational only: scopes grant permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Manages integrations.
    Admin,
    /// Everyone else.
    Member,
}

impl Settings {
    /// Parses `{name, email, role, active}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let name = fields.required("name", name);
        let email = fields.defaulted("email", None, |value| email::address(value).map(Some));
        let roles = [("admin", Role::Admin), ("member", Role::Member)];
        let role = fields.defaulted("role", Role::Member, one_of(&roles));
        let active = fields.defaulted("active", true, boolean);
        let parsed = (|| {
            Some(Self {
                name: name?,
                email: email?,
                role: role?,
                active: active?,
            })
        })();
        fields.finish(parsed)
    }

    /// The document that [`Settings::parse`] reads.
    pub fn to_value(&self) -> Value {
        json!({"name": self.name, "email": self.email, "role": self.role, "active": self.active})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_round_trip() {
        let settings = Settings::parse(json!({"name": " Ana "})).expect("valid");
        let written = json!({"name": "Ana", "email": null, "role": "member", "active": true});
        assert_eq!(settings.to_value(), written);
        assert_eq!(Settings::parse(written).expect("valid"), settings);
    }
}
