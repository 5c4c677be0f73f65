//! A provider's settings, parsed from and written to JSON. Parsing reports every invalid field at
//! once.

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{
    Auth, RequestTemplate, ResponseSettings, Status,
    keys::{api_key, secret_key},
    reports,
    template::{UNEDITED, check_placeholders, check_tags},
};
use crate::{
    callback::{CallbackSettings, InboundSettings},
    egress_policy::{self, AllowList},
    id::ProviderId,
    inbound::Verification,
    message::{Channel, new::sender},
    secrets::{mask::unmasked, put_secret},
    tag::Tag,
    template::{UrlTemplate, warnings},
    validation::{FieldError, FieldReader, Source, Validated, boolean, name, one_of, string, text},
};

/// Settings of a provider.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name, unique across all channels.
    pub name: String,
    /// Account ID at the provider, for people and for tags.
    pub provider_id: String,
    /// Channel.
    pub channel: Channel,
    /// URL for messages: https on a public host, with tags only after the authority.
    pub send_url: UrlTemplate,
    /// Key that identifies the caller, if [`Auth`] or a tag requires it.
    pub api_key: Option<SecretString>,
    /// Key that authenticates the caller, if [`Auth`] or a tag requires it.
    pub secret_key: Option<SecretString>,
    /// Whether it is used when a message names no provider.
    pub default: bool,
    /// Default sender.
    pub from: Option<String>,
    /// Authentication of requests.
    pub auth: Auth,
    /// Template of requests.
    pub request: Option<RequestTemplate>,
    /// How responses are read.
    pub response: ResponseSettings,
    /// How its status reports are verified and read.
    pub callback: Option<CallbackSettings>,
    /// How the messages that it receives are read.
    pub inbound: Option<InboundSettings>,
    /// Provider of the same channel that sends what this one can't.
    pub fallback_provider_id: Option<ProviderId>,
}

/// Whether the keys are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Required.
    Required,
    /// Optional: the provider is being imported, or was imported and still lacks them.
    Optional,
}

impl Settings {
    /// Parses the settings. `allow` lists the extra targets that this deployment allows.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, allow: &AllowList, keys: KeyPolicy) -> Validated<Self> {
        Self::read(value, Some(allow), keys)
    }

    /// Loads stored settings without validation, so that stored providers always load. Sending
    /// checks whether the target is still allowed.
    ///
    /// # Errors
    /// Fails only if the stored document has another structure.
    pub fn restore(value: Value) -> Validated<Self> {
        Self::read(value, None, KeyPolicy::Optional)
    }

    /// `input` has the allowed targets if the value comes from a client; `None` for a stored one.
    fn read(value: Value, input: Option<&AllowList>, keys: KeyPolicy) -> Validated<Self> {
        let source = if input.is_some() {
            Source::Client
        } else {
            Source::Table
        };
        let mut fields = FieldReader::of(value)?;
        let name = fields.required("name", name);
        let provider_id = fields.required("provider_id", text(100));
        let channel = fields.required("channel", one_of(&Channel::ALL));
        let send_url = fields.required("send_url", |value| {
            let text = unmasked(string(value)?)?;
            let template = match source {
                Source::Client => UrlTemplate::parse(&text)?,
                Source::Table => UrlTemplate::restore(&text)?,
            };
            input.map_or(Ok(()), |allow| {
                egress_policy::check_url(template.origin_url(), allow)
            })?;
            check_tags(template.tags(), source)?;
            check_placeholders(template.as_str(), source)?;
            Ok(template)
        });
        let auth = fields.defaulted("auth", Auth::Signed, Auth::parse);
        let own = auth.as_ref().and_then(Auth::header_name);
        let request = fields.defaulted("request", None, |value| {
            RequestTemplate::parse(value, own.as_ref(), source).map(Some)
        });
        let tags = || {
            send_url
                .iter()
                .flat_map(UrlTemplate::parsed_tags)
                .chain(request.iter().flatten().flat_map(RequestTemplate::tags))
                .map(|tag| tag.path.as_str())
        };
        if let Some(id) = &provider_id
            && tags().any(|tag| tag == "provider.provider_id")
            && check_placeholders(id, source).is_err()
        {
            fields.refuse("provider_id", UNEDITED);
        }
        let needs_secret_key = auth.as_ref().is_some_and(Auth::needs_secret_key)
            || tags().any(|tag| tag == "secret.secret_key");
        let needs_api_key = auth.as_ref().is_some_and(Auth::needs_api_key)
            || tags().any(|tag| tag == "secret.api_key");
        if keys == KeyPolicy::Required && needs_api_key && !fields.has("api_key") {
            fields.refuse(
                "api_key",
                "is required by `auth` or by a `{secret.api_key}` tag",
            );
        }
        if keys == KeyPolicy::Required && needs_secret_key && !fields.has("secret_key") {
            fields.refuse(
                "secret_key",
                "is required by `auth` or by a `{secret.secret_key}` tag",
            );
        }
        let api_key = fields.defaulted("api_key", None, |value| {
            api_key(value, auth.as_ref(), source).map(Some)
        });
        let secret_key = fields.defaulted("secret_key", None, |value| {
            secret_key(value, auth.as_ref(), source).map(Some)
        });
        let default = fields.defaulted("default", false, boolean);
        let from = fields.defaulted("from", None, |value| {
            let from = sender(value, channel)?;
            check_placeholders(&from, source)?;
            Ok(Some(from))
        });
        let response = fields.defaulted("response", ResponseSettings::default(), |value| {
            ResponseSettings::parse(value, source)
        });
        let has_inbound = fields.has("inbound");
        let callback = fields.defaulted("callback", None, |value| {
            // If the channel itself is invalid, all fields of a call are allowed.
            let channel = channel.unwrap_or(Channel::Call);
            let parse = match (source, keys) {
                (Source::Table, _) => Verification::restore,
                (Source::Client, KeyPolicy::Required) => Verification::parse,
                (Source::Client, KeyPolicy::Optional) => Verification::parse_without_secret,
            };
            let verification = |value| reports::verification(value, source, parse);
            CallbackSettings::parse(value, channel, has_inbound, verification)
        });
        let inbound = fields.defaulted("inbound", None, |value| {
            InboundSettings::read(value, source).map(Some)
        });
        let fallback_provider_id = fields.defaulted("fallback_provider_id", None, |value| {
            Ok(Some(string(value)?.parse()?))
        });
        if let (Some(Some(callback)), Some(None)) = (&callback, &inbound)
            && callback.mapping.is_none()
        {
            fields.refuse("callback", reports::NO_MAPPING);
        }
        let parsed = (|| {
            Some(Self {
                name: name?,
                provider_id: provider_id?,
                channel: channel?,
                send_url: send_url?,
                api_key: api_key?,
                secret_key: secret_key?,
                default: default?,
                from: from?,
                auth: auth?,
                request: request?,
                response: response?,
                callback: callback?,
                inbound: inbound?,
                fallback_provider_id: fallback_provider_id?,
            })
        })();
        fields.finish(parsed)
    }

    /// Returns the document that [`Settings::parse`] reads.
    pub fn to_map(&self) -> Map<String, Value> {
        let mut map = Map::new();
        for (field, key) in [("api_key", &self.api_key), ("secret_key", &self.secret_key)] {
            if let Some(key) = key {
                put_secret(&mut map, field, key);
            }
        }
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("name", json!(self.name));
        put("provider_id", json!(self.provider_id));
        put("channel", json!(self.channel));
        put("send_url", json!(self.send_url.as_str()));
        put("default", json!(self.default));
        put("from", json!(self.from));
        put("auth", self.auth.to_value());
        put(
            "request",
            self.request
                .as_ref()
                .map_or(Value::Null, RequestTemplate::to_value),
        );
        put("response", self.response.to_value());
        put(
            "callback",
            self.callback
                .as_ref()
                .map_or(Value::Null, CallbackSettings::to_value),
        );
        if let Some(inbound) = &self.inbound {
            put("inbound", inbound.to_value());
        }
        if let Some(fallback) = self.fallback_provider_id {
            put("fallback_provider_id", json!(fallback));
        }
        map
    }

    /// Returns the full document to which the merge patch `patch` applies, without the fields of a
    /// kind of authentication that the patch replaces.
    pub fn base(&self, patch: &Value) -> Value {
        let mut base = Value::Object(self.to_map());
        let wanted = &patch["auth"]["type"];
        if !wanted.is_null() && *wanted != base["auth"]["type"] {
            base["auth"] = Value::Null;
        }
        // A condition replaces the old one: their parts don't mix.
        if patch["response"]["success_when"].is_object() && base["response"].is_object() {
            base["response"]["success_when"] = Value::Null;
        }
        reports::drop_replaced(&mut base, patch);
        base
    }

    /// Whether requests need the API key, for authentication or a tag.
    pub(super) fn needs_api_key(&self) -> bool {
        self.auth.needs_api_key() || self.has_tag("secret.api_key")
    }

    /// Whether requests need the secret key, for authentication or a tag.
    pub(super) fn needs_secret_key(&self) -> bool {
        self.auth.needs_secret_key() || self.has_tag("secret.secret_key")
    }

    fn has_tag(&self, wanted: &str) -> bool {
        self.tags().any(|tag| tag.path.as_str() == wanted)
    }

    /// Text in the templates that was probably meant to be a tag, each with its field.
    pub fn warnings(&self) -> Vec<FieldError> {
        let request = self.request.iter().flat_map(RequestTemplate::warnings);
        warnings::of(self.send_url.lookalikes(), &["send_url"])
            .chain(request)
            .collect()
    }

    /// All tags of a request.
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.send_url
            .parsed_tags()
            .chain(self.request.iter().flat_map(RequestTemplate::tags))
    }

    /// How requests to the callback URL are verified.
    pub fn verification(&self) -> &Verification {
        self.callback
            .as_ref()
            .map_or(&Verification::None, |callback| &callback.verification)
    }

    /// Whether the provider has a callback URL.
    pub fn has_callback_url(&self) -> bool {
        self.callback.is_some() || self.inbound.is_some()
    }

    /// The secrets that it requires and lacks.
    pub(super) fn missing_secrets(&self) -> Vec<&'static str> {
        let verification = "the secret of `callback.verification`";
        [
            (self.needs_api_key() && self.api_key.is_none(), "`api_key`"),
            (
                self.needs_secret_key() && self.secret_key.is_none(),
                "`secret_key`",
            ),
            (self.verification().lacks_secret(), verification),
        ]
        .into_iter()
        .filter_map(|(lacks, name)| lacks.then_some(name))
        .collect()
    }

    /// Whether it has the secrets that it requires.
    pub fn status(&self) -> Status {
        if self.missing_secrets().is_empty() {
            Status::Active
        } else {
            Status::NeedsSecrets
        }
    }

    /// Whether a change must include the keys: a provider that lacks its keys may be changed
    /// without them.
    pub fn keys(&self) -> KeyPolicy {
        if self.status() == Status::NeedsSecrets {
            KeyPolicy::Optional
        } else {
            KeyPolicy::Required
        }
    }
}
