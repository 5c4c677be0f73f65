//! Connected services: third parties that Tieline calls, and that call back.
//!
//! [`Settings`] is what an admin writes. [`send`] reads what a client wants sent to a service,
//! [`address`] joins its path to the service's URL, and whatever comes out stays below that URL.
//! How a service's own calls are checked is [`Verification`]'s to say.

pub mod address;
pub mod send;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    account::{self, Account},
    id::{AccountId, ServiceId, UserId},
    inbound::Verification,
    invalid::{Checked, Fields, Problems, name, one_of, string, whole},
    mask,
    redact::Secrets,
    target::{self, Allow},
    webhook::settings::Reveal,
};

/// What a client is told when a service does not answer in time.
const TIMEOUT_MESSAGE: &str = "The service did not answer in time.";

/// A service as it is kept.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// What an admin wrote about it.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub version: u64,
}

impl Service {
    /// A new service.
    pub const fn new(id: ServiceId, settings: Settings, now: Timestamp) -> Self {
        Self {
            id,
            settings,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// With other settings.
    #[must_use]
    pub fn changed(self, settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }
}

/// A service with the account that its calls authenticate with.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The service.
    pub service: Service,
    /// The account.
    pub account: Account,
}

impl Connection {
    /// The secrets to mask in text that comes back from calls; `token` is the one that they
    /// carried.
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

/// What an admin writes about a service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How calls to it authenticate.
    pub account_id: AccountId,
    /// Where it is: https on a public host, maybe with a path, without user info, query and
    /// fragment.
    pub server_url: Url,
    /// How long a call to it may take, in seconds, 1 to 25.
    pub timeout_seconds: u32,
    /// What a client is told when it does not answer in that time.
    pub timeout_message: String,
    /// Who its own calls are made for; without a user it has no inbound URL.
    pub user_id: Option<UserId>,
    /// How its own calls are checked.
    pub verification: Verification,
}

/// What a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything that speaks HTTP.
    CustomHttp,
}

const KINDS: [(&str, Kind); 1] = [("custom_http", Kind::CustomHttp)];

impl Settings {
    /// Reads the settings. `allow` is the deployment's list of extra targets. Where the document
    /// brings its `account` along, that comes second, to be created under the id `fresh`.
    pub fn parse(
        value: Value,
        allow: &Allow,
        fresh: AccountId,
    ) -> Checked<(Self, Option<account::Settings>)> {
        let account = |value| account::Settings::parse(value, allow).map(Some);
        let check = |url: &Url| Ok(target::check_url(url, allow)?);
        Self::read(value, check, account, Verification::parse, fresh)
    }

    /// Reads settings that were saved. Whether the target is allowed by now is for the sending to
    /// check.
    pub fn restore(value: Value) -> Checked<Self> {
        let account = |_| Err(Problems::here("is not a known field"));
        let unused = AccountId::from_ulid(ulid::Ulid::nil());
        Self::read(value, |_| Ok(()), account, Verification::restore, unused)
            .map(|(settings, _)| settings)
    }

    fn read(
        value: Value,
        check: impl Fn(&Url) -> Checked<()>,
        account: impl Fn(Value) -> Checked<Option<account::Settings>>,
        verification: impl Fn(Value) -> Checked<Verification>,
        fresh: AccountId,
    ) -> Checked<(Self, Option<account::Settings>)> {
        let mut fields = Fields::of(value)?;
        let name = fields.required("name", name);
        let kind = fields.defaulted("type", Kind::CustomHttp, one_of(&KINDS));
        if fields.has("account_id") == fields.has("account") {
            fields.refuse(
                "account_id",
                "give either the id of an account or a new `account`",
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

    /// The document that [`Settings::parse`] reads, or with masks and hints in place of secrets.
    pub fn to_map(&self, reveal: Reveal) -> Map<String, Value> {
        let server_url = match reveal {
            Reveal::Full => self.server_url.to_string(),
            Reveal::Hints => mask::url(self.server_url.as_str()),
        };
        let kind = KINDS
            .iter()
            .find(|(_, kind)| *kind == self.kind)
            .map(|(name, _)| name);
        Map::from_iter([
            ("name".to_owned(), json!(self.name)),
            ("type".to_owned(), json!(kind)),
            ("account_id".to_owned(), json!(self.account_id)),
            ("server_url".to_owned(), json!(server_url)),
            ("timeout_seconds".to_owned(), json!(self.timeout_seconds)),
            ("timeout_message".to_owned(), json!(self.timeout_message)),
            ("user_id".to_owned(), json!(self.user_id)),
            (
                "verification".to_owned(),
                self.verification.to_value(reveal),
            ),
        ])
    }

    /// The full document that the merge patch `patch` applies to: without the account, or what
    /// belongs to a kind of verification, that the patch replaces.
    pub fn base(&self, patch: &Value) -> Value {
        let mut base = Value::Object(self.to_map(Reveal::Full));
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

/// What people are told: any text of up to 1000 characters, on several lines if need be.
fn message(value: Value) -> Checked<String> {
    let text = string(value)?.trim().to_owned();
    match text.chars().count() {
        0 => Err(Problems::here("must not be empty")),
        1..=1000 if !text.chars().any(|char| char.is_control() && char != '\n') => Ok(text),
        1..=1000 => Err(Problems::here(
            "must hold no control characters but line breaks",
        )),
        _ => Err(Problems::here("must have at most 1000 characters")),
    }
}

#[cfg(test)]
mod tests;
