//! Connected services: third parties that Tieline sends requests to, and that send requests back.
//!
//! [`Settings`] is what an admin writes. [`send`] parses a client's request to a service.
//! [`address`] joins its path to the service's URL and guarantees that the result stays below that
//! URL. [`Verification`] defines how inbound requests are verified.

pub mod account_test;
pub mod address;
pub mod send;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    account::{self, Account},
    egress_policy::{self, AllowList},
    id::{AccountId, ServiceId, UserId},
    inbound::Verification,
    resource::Resource,
    secrets::redact::Secrets,
    validation::{FieldReader, Validated, ValidationErrors, name, one_of, string, whole},
};

/// Default text for clients if a service does not respond in time.
const TIMEOUT_MESSAGE: &str = "The service did not respond in time.";

/// A stored service.
pub type Service = Resource<ServiceId, Settings>;

/// A service and the account that authenticates its requests.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The service that receives the requests.
    pub service: Service,
    /// The account that authenticates them.
    pub account: Account,
}

impl Connection {
    /// Secrets to mask in text from the service. `token` is the access token of the request.
    pub fn secrets(&self, token: Option<&SecretString>) -> Secrets {
        let mut found = Secrets::default();
        if let Some(token) = token {
            found.add(token.expose_secret());
        }
        found.extend(&self.account.settings.authorization.secrets());
        found.add_url(self.service.settings.server_url.as_str());
        found
    }
}

/// Settings of a service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name, unique regardless of case.
    pub name: String,
    /// Type of service.
    pub kind: Kind,
    /// Account that authenticates requests to it.
    pub account_id: AccountId,
    /// Base URL: https on a public host, with an optional path, without user info, query and
    /// fragment.
    pub server_url: Url,
    /// Timeout for a request, in seconds, 1 to 25.
    pub timeout_seconds: u32,
    /// Text for clients if it does not respond in time.
    pub timeout_message: String,
    /// User that it is assigned to. Without a user it has no inbound URL.
    pub user_id: Option<UserId>,
    /// How inbound requests are verified.
    pub verification: Verification,
}

/// Type of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any HTTP service.
    CustomHttp,
}

const KINDS: [(&str, Kind); 1] = [("custom_http", Kind::CustomHttp)];

impl Settings {
    /// Parses the settings. `allow` lists the extra targets that this deployment allows. If the
    /// document contains an inline `account`, that is the second value, to be created with the ID
    /// `fresh`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(
        value: Value,
        allow: &AllowList,
        fresh: AccountId,
    ) -> Validated<(Self, Option<account::Settings>)> {
        let account = |value| account::Settings::parse(value, allow).map(Some);
        let check = |url: &Url| Ok(egress_policy::check_url(url, allow)?);
        Self::read(value, check, account, Verification::parse, fresh)
    }

    /// Loads stored settings. Sending checks whether the target is still allowed.
    ///
    /// # Errors
    /// Fails only if the stored document has another structure.
    pub fn restore(value: Value) -> Validated<Self> {
        let account = |_| Err(ValidationErrors::here("is not a known field"));
        let unused = AccountId::from_ulid(ulid::Ulid::nil());
        Self::read(value, |_| Ok(()), account, Verification::restore, unused)
            .map(|(settings, _)| settings)
    }

    fn read(
        value: Value,
        check: impl Fn(&Url) -> Validated<()>,
        account: impl Fn(Value) -> Validated<Option<account::Settings>>,
        verification: impl Fn(Value) -> Validated<Verification>,
        fresh: AccountId,
    ) -> Validated<(Self, Option<account::Settings>)> {
        let mut fields = FieldReader::of(value)?;
        let name = fields.required("name", name);
        let kind = fields.defaulted("type", Kind::CustomHttp, one_of(&KINDS));
        if fields.has("account_id") == fields.has("account") {
            fields.refuse(
                "account_id",
                "exactly one of `account_id` and `account` is required",
            );
        }
        let account_id = fields.defaulted("account_id", fresh, |value| Ok(string(value)?.parse()?));
        let account = fields.defaulted("account", None, account);
        let server_url = fields.required("server_url", |value| {
            let url = address::server_url(&string(value)?)?;
            check(&url).map(|()| url)
        });
        let timeout_seconds = fields.defaulted("timeout_seconds", 10, whole(1, 25));
        let timeout_message =
            fields.defaulted("timeout_message", TIMEOUT_MESSAGE.to_owned(), message);
        let user_id = fields.defaulted("user_id", None, |value| Ok(Some(string(value)?.parse()?)));
        let verification = fields.defaulted("verification", Verification::None, verification);
        let parsed = (|| {
            let settings = Self {
                name: name?,
                kind: kind?,
                account_id: account_id?,
                server_url: server_url?,
                timeout_seconds: u32::try_from(timeout_seconds?).ok()?,
                timeout_message: timeout_message?,
                user_id: user_id?,
                verification: verification?,
            };
            Some((settings, account?))
        })();
        fields.finish(parsed)
    }

    /// Returns the document that [`Settings::parse`] reads.
    pub fn to_map(&self) -> Map<String, Value> {
        let kind = KINDS
            .iter()
            .find(|(_, kind)| *kind == self.kind)
            .map(|(name, _)| name);
        Map::from_iter([
            ("name".to_owned(), json!(self.name)),
            ("type".to_owned(), json!(kind)),
            ("account_id".to_owned(), json!(self.account_id)),
            ("server_url".to_owned(), json!(self.server_url.as_str())),
            ("timeout_seconds".to_owned(), json!(self.timeout_seconds)),
            ("timeout_message".to_owned(), json!(self.timeout_message)),
            ("user_id".to_owned(), json!(self.user_id)),
            ("verification".to_owned(), self.verification.to_value()),
        ])
    }

    /// Returns the full document to which the merge patch `patch` applies, without an account or a
    /// kind of verification that the patch replaces.
    pub fn base(&self, patch: &Value) -> Value {
        let mut base = Value::Object(self.to_map());
        if !patch["account"].is_null() {
            base["account_id"] = Value::Null;
        }
        let wanted = &patch["verification"]["type"];
        if !wanted.is_null() && *wanted != base["verification"]["type"] {
            base["verification"] = Value::Null;
        }
        base
    }
}

/// Text for people: up to 1000 characters, with line breaks.
fn message(value: Value) -> Validated<String> {
    let text = string(value)?.trim().to_owned();
    match text.chars().count() {
        0 => Err(ValidationErrors::here("must not be empty")),
        1..=1000 if !text.chars().any(|char| char.is_control() && char != '\n') => Ok(text),
        1..=1000 => Err(ValidationErrors::here(
            "must not contain control characters other than line breaks",
        )),
        _ => Err(ValidationErrors::here("must have at most 1000 characters")),
    }
}

#[cfg(test)]
mod tests;
