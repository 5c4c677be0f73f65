//! Export format of a campaign with its providers, which it refers to by name.
//!
//! A bundle contains no secrets: no keys, and nothing that looks like a secret in a URL or header.
//! These parts are masked. A provider with a mask is not created; replace the masks before
//! importing. (A key that is written as `{secret.api_key}` is exported as that.) A provider's account
//! is not in the bundle. It is referred to by name, and must exist.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{accounts, description};
use crate::{
    egress_policy::AllowList,
    message::Channel,
    provider::{self, KeyPolicy},
    secrets::mask::MASK,
    validation::{
        FieldError, FieldReader, Validated, ValidationErrors, entries, list, name, string,
    },
};

/// The supported format.
pub const FORMAT: &str = "tieline.campaign/1";
/// Maximum number of providers of a campaign.
const MAX_PROVIDERS: usize = 2;
/// Names of the secret of a verification, which depend on its type.
const SECRETS: [&str; 3] = ["secret", "password", "value"];

/// A parsed bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Name of the campaign.
    pub(super) name: String,
    /// Purpose of the campaign.
    pub(super) description: Option<String>,
    /// Index of its SMS provider in `providers`.
    pub(super) sms: Option<usize>,
    /// Index of its e-mail provider in `providers`.
    pub(super) email: Option<usize>,
    /// Its providers, at most [`MAX_PROVIDERS`].
    pub(super) providers: Vec<Imported>,
}

/// A provider in a bundle.
#[derive(Debug, Clone)]
pub(super) struct Imported {
    /// Its settings, with the keys that were supplied separately.
    pub(super) settings: provider::Settings,
    /// Name of the account that authenticates its requests. The ID in `settings` is a placeholder.
    pub(super) account: Option<String>,
    /// Positions of masks, with pointers into the bundle.
    pub(super) masks: Vec<FieldError>,
}

/// Keys of a provider, supplied separately from the bundle.
#[derive(Debug, Clone, Default)]
pub(super) struct GivenKeys {
    api_key: Option<SecretString>,
    secret_key: Option<SecretString>,
    /// The secret of `callback.verification`.
    verification_secret: Option<SecretString>,
}

/// Folds a name for comparison. Names are case-insensitive.
pub(super) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Parses `{"<provider name>": {"api_key", "secret_key", "verification_secret"}}` by folded names.
pub(super) fn given_keys(value: Value) -> Validated<Vec<(String, GivenKeys)>> {
    let pairs = entries(MAX_PROVIDERS, |_, value| {
        let mut fields = FieldReader::of(value)?;
        let key = |value| string(value).map(|text| Some(SecretString::from(text)));
        let api_key = fields.defaulted("api_key", None, key);
        let secret_key = fields.defaulted("secret_key", None, key);
        let verification_secret = fields.defaulted("verification_secret", None, key);
        let keys = (|| {
            Some(GivenKeys {
                api_key: api_key?,
                secret_key: secret_key?,
                verification_secret: verification_secret?,
            })
        })();
        fields.finish(keys)
    })(value)?;
    Ok(pairs)
}

impl Bundle {
    /// Parses a bundle and adds the separately supplied keys to its providers. A bundle of another
    /// format is not validated further.
    pub(super) fn parse(
        value: Value,
        keys: &[(String, GivenKeys)],
        allow: &AllowList,
    ) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        match fields.optional("format", |value| Ok(format(value))) {
            Some(verdict) => verdict.map_err(|problems| problems.under("format"))?,
            None => return Err(ValidationErrors::here("is required").under("format")),
        }
        let campaign = fields.required("campaign", CampaignPart::parse);
        let providers = fields.required(
            "providers",
            list(0, MAX_PROVIDERS, |document| imported(document, keys, allow)),
        );
        let (campaign, providers) = fields.finish(campaign.zip(providers))?;
        Self::join(campaign, providers)
    }

    /// Whether one of its providers has this name.
    pub(super) fn names(&self, name: &str) -> bool {
        self.providers
            .iter()
            .any(|one| fold(&one.settings.name) == fold(name))
    }

    /// Resolves the campaign's providers. Each must exist and have the right channel, and there
    /// must be no others.
    fn join(campaign: CampaignPart, providers: Vec<Imported>) -> Validated<Self> {
        if let [one, other] = providers.as_slice()
            && fold(&one.settings.name) == fold(&other.settings.name)
        {
            let problems =
                ValidationErrors::here("is also the name of the other provider").under("name");
            return Err(problems.under("1").under("providers"));
        }
        let mut problems = Vec::new();
        let mut place = |field: &str, wanted: Option<String>, channel: Channel| {
            let wanted = fold(&wanted?);
            let found = providers
                .iter()
                .position(|one| fold(&one.settings.name) == wanted);
            let detail = match found.map(|at| providers[at].settings.channel) {
                Some(carries) if carries == channel => return found,
                Some(carries) => format!(
                    "is a provider for {}, not for {}",
                    carries.as_str(),
                    channel.as_str()
                ),
                None => "is not a provider in the bundle".to_owned(),
            };
            problems.extend(
                ValidationErrors::here(detail)
                    .under(field)
                    .under("campaign")
                    .0,
            );
            None
        };
        let sms = place("sms_provider", campaign.sms, Channel::Sms);
        let email = place("email_provider", campaign.email, Channel::Email);
        for at in (0..providers.len()).filter(|at| ![sms, email].contains(&Some(*at))) {
            let stray = ValidationErrors::here("is not the campaign's SMS or e-mail provider");
            problems.extend(stray.under(&at.to_string()).under("providers").0);
        }
        ValidationErrors::check(problems)?;
        Ok(Self {
            name: campaign.name,
            description: campaign.description,
            sms,
            email,
            providers,
        })
    }
}

struct CampaignPart {
    name: String,
    description: Option<String>,
    sms: Option<String>,
    email: Option<String>,
}

impl CampaignPart {
    fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let own = fields.required("name", name);
        let description = fields.defaulted("description", None, description);
        let provider = |value| name(value).map(Some);
        let sms = fields.defaulted("sms_provider", None, provider);
        let email = fields.defaulted("email_provider", None, provider);
        let parsed = (|| {
            Some(Self {
                name: own?,
                description: description?,
                sms: sms?,
                email: email?,
            })
        })();
        fields.finish(parsed)
    }
}

fn format(value: Value) -> Validated<()> {
    match string(value)?.as_str() {
        FORMAT => Ok(()),
        text if text.starts_with("tieline.campaign/") => {
            let text: String = text.chars().take(100).collect();
            Err(ValidationErrors::here(format!(
                "is {text:?}, but this deployment only supports {FORMAT}. Update it first."
            )))
        }
        _ => Err(ValidationErrors::here(format!("must be {FORMAT}"))),
    }
}

/// A provider in a bundle. If it contains masks, everything else is still validated.
fn imported(
    mut document: Value,
    keys: &[(String, GivenKeys)],
    allow: &AllowList,
) -> Validated<Imported> {
    let Value::Object(map) = &mut document else {
        return Err(ValidationErrors::here("must be an object"));
    };
    check_without_secrets(map)?;
    let own = map.get("name").and_then(Value::as_str).map(fold);
    if let Some((_, keys)) = keys
        .iter()
        .find(|(name, _)| own.as_deref() == Some(fold(name).as_str()))
    {
        add_secrets(map, keys)?;
    }
    let mut masks = Vec::new();
    let mut unmask = |pointer: String, value: &mut Value| {
        if let Some(text) = value.as_str().filter(|text| text.contains(MASK)) {
            *value = text.replace(MASK, "masked").into();
            let detail =
                "contains a mask (•••) instead of a secret. Enter the whole value in the bundle.";
            masks.push(FieldError {
                pointer,
                header: None,
                detail: detail.to_owned(),
            });
        }
    };
    if let Some(url) = map.get_mut("send_url") {
        unmask("/send_url".to_owned(), url);
    }
    if let Some(Value::Object(headers)) = map
        .get_mut("request")
        .and_then(|request| request.get_mut("headers"))
    {
        for (name, value) in headers {
            unmask(
                format!(
                    "/request/headers/{}",
                    name.replace('~', "~0").replace('/', "~1")
                ),
                value,
            );
        }
    }
    let account = accounts::take_name(map);
    let parsed = provider::Settings::parse(document, allow, KeyPolicy::Optional);
    let (account, settings) = ValidationErrors::both(account, parsed)?;
    Ok(Imported {
        settings,
        account,
        masks,
    })
}

/// Rejects secrets in a bundle, and a default.
fn check_without_secrets(map: &Map<String, Value>) -> Validated<()> {
    let refuse = || ValidationErrors::here("is not allowed in a bundle. Supply keys in `secrets`.");
    for field in ["api_key", "secret_key", "default"] {
        if map.contains_key(field) {
            return Err(refuse().under(field));
        }
    }
    if map
        .get("fallback_provider_id")
        .is_some_and(|fallback| !fallback.is_null())
    {
        let error = ValidationErrors::here("is not allowed in a bundle. Set it after the import.");
        return Err(error.under("fallback_provider_id"));
    }
    let verification = map
        .get("callback")
        .map(|callback| &callback["verification"]);
    let secret = verification.and_then(|verification| {
        let mut fields = SECRETS
            .iter()
            .filter(|field| !verification[**field].is_null());
        fields.next()
    });
    match secret {
        Some(field) => Err(refuse()
            .under(field)
            .under("verification")
            .under("callback")),
        None => Ok(()),
    }
}

/// Adds the separately supplied secrets of a provider.
fn add_secrets(map: &mut Map<String, Value>, keys: &GivenKeys) -> Validated<()> {
    let exposed = |key: &Option<SecretString>| json!(key.as_ref().map(ExposeSecret::expose_secret));
    map.insert("api_key".to_owned(), exposed(&keys.api_key));
    map.insert("secret_key".to_owned(), exposed(&keys.secret_key));
    if keys.verification_secret.is_none() {
        return Ok(());
    }
    let verification = map
        .get_mut("callback")
        .and_then(|callback| callback.get_mut("verification"));
    let Some(Value::Object(verification)) = verification else {
        let detail = "has no `verification` that could use the `verification_secret`";
        return Err(ValidationErrors::here(detail).under("callback"));
    };
    let field = match verification.get("type").and_then(Value::as_str) {
        Some("basic") => "password",
        Some("header") => "value",
        _ => "secret",
    };
    verification.insert(field.to_owned(), exposed(&keys.verification_secret));
    Ok(())
}
