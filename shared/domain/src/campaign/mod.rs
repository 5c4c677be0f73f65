//! Campaigns: the providers of a set of messages. Campaigns can be moved between deployments.
//!
//! [`bundle`] is the export format: a campaign with its providers, without their secrets.
//! [`import`] plans an import and resolves name conflicts.

mod accounts;
pub mod bundle;
pub mod import;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::{
    bundle::{Bundle, FORMAT},
    import::{Conflict, Existing, Import, Plan},
};
use crate::{
    id::{CampaignId, ProviderId},
    message::Channel,
    resource::Resource,
    validation::{FieldReader, Validated, ValidationErrors, name, string, text},
};

/// A stored campaign.
pub type Campaign = Resource<CampaignId, Settings>;

/// Settings of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Name, unique regardless of case.
    pub name: String,
    /// Provider for SMS.
    pub sms_provider_id: Option<ProviderId>,
    /// Provider for e-mails.
    pub email_provider_id: Option<ProviderId>,
    /// Purpose.
    pub description: Option<String>,
}

impl Settings {
    /// Parses `{name, sms_provider_id, email_provider_id, description}`, which is also what
    /// [`Settings::to_map`] writes: the base of a merge patch. [`Settings::check`] validates the
    /// providers.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let name = fields.required("name", name);
        let provider = |value| Ok(Some(string(value)?.parse()?));
        let sms_provider_id = fields.defaulted("sms_provider_id", None, provider);
        let email_provider_id = fields.defaulted("email_provider_id", None, provider);
        let description = fields.defaulted("description", None, description);
        let parsed = (|| {
            Some(Self {
                name: name?,
                sms_provider_id: sms_provider_id?,
                email_provider_id: email_provider_id?,
                description: description?,
            })
        })();
        fields.finish(parsed)
    }

    /// Validates that the providers exist and have the right channel. `channel_of` returns the
    /// channel of a provider.
    ///
    /// # Errors
    /// Reports each provider that does not exist or has another channel.
    pub fn check(&self, channel_of: impl Fn(ProviderId) -> Option<Channel>) -> Validated<()> {
        let wanted = [
            ("sms_provider_id", self.sms_provider_id, Channel::Sms),
            ("email_provider_id", self.email_provider_id, Channel::Email),
        ];
        let problem = |(field, id, channel): (&str, Option<ProviderId>, Channel)| {
            let detail = match channel_of(id?) {
                Some(found) if found == channel => return None,
                Some(found) => format!(
                    "is a provider for {}, not for {}",
                    found.as_str(),
                    channel.as_str()
                ),
                None => "the provider does not exist".to_owned(),
            };
            Some(ValidationErrors::here(detail).under(field).0)
        };
        let problems: Vec<_> = wanted.into_iter().filter_map(problem).flatten().collect();
        ValidationErrors::check(problems)
    }

    /// The providers that it uses.
    pub fn providers(&self) -> impl Iterator<Item = ProviderId> {
        [self.sms_provider_id, self.email_provider_id]
            .into_iter()
            .flatten()
    }

    /// The provider for this channel.
    pub const fn provider(&self, channel: Channel) -> Option<ProviderId> {
        match channel {
            Channel::Sms => self.sms_provider_id,
            Channel::Email => self.email_provider_id,
            Channel::Call | Channel::Chatbot => None,
        }
    }

    /// The document that [`Settings::parse`] reads.
    pub fn to_map(&self) -> Map<String, Value> {
        Map::from_iter([
            ("name".to_owned(), json!(self.name)),
            ("sms_provider_id".to_owned(), json!(self.sms_provider_id)),
            (
                "email_provider_id".to_owned(),
                json!(self.email_provider_id),
            ),
            ("description".to_owned(), json!(self.description)),
        ])
    }
}

fn description(value: Value) -> Validated<Option<String>> {
    text(1000)(value).map(Some)
}

#[cfg(test)]
mod tests;
