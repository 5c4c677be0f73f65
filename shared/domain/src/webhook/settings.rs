//! A webhook's settings, parsed from and written to JSON. Parsing reports every invalid field at
//! once.

use http::{HeaderName, Method};
use serde_json::{Map, Value, json};

use super::{
    Destination,
    auth::Auth,
    checks::{self, undefined_secrets},
    delay::Delay,
    named_secrets::Secrets,
    signing::Signing,
};
use crate::{
    condition::Condition,
    egress_policy::{self, AllowList},
    outgoing::{FORMATS, headers, method},
    pattern::{self, Pattern},
    retry::RetryPolicy,
    signature::SigningSecret,
    success::SuccessWhen,
    tag::Tag,
    template::{BodyTemplate, Format, HeaderTemplate, warnings},
    validation::{
        FieldError, FieldReader, Source, Validated, ValidationErrors, boolean, distinct, list,
        name, one_of, string, text, whole,
    },
};

/// Everything an admin writes about a webhook except its signing secret.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the API documents each field")]
pub struct Settings {
    pub name: String,
    pub destination: Destination,
    pub events: Vec<Pattern>,
    pub conditions: Option<Condition>,
    pub enabled: bool,
    pub method: Method,
    pub format: Format,
    pub body: Option<BodyTemplate>,
    pub headers: Vec<(HeaderName, HeaderTemplate)>,
    pub auth: Auth,
    pub secrets: Secrets,
    pub signing: Signing,
    pub retry: RetryPolicy,
    pub timeout_seconds: u32,
    pub success: Success,
    pub rate_limit_per_second: Option<u32>,
    pub success_when: Option<SuccessWhen>,
    pub delay: Delay,
    pub labels: Vec<String>,
}

/// Status codes that count as success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// 200 to 399.
    TwoOrThreeHundreds,
    /// 200 to 299.
    TwoHundreds,
}

impl Success {
    const NAMES: [(&str, Self); 2] = [
        ("2xx-3xx", Self::TwoOrThreeHundreds),
        ("2xx", Self::TwoHundreds),
    ];

    /// Whether a response with this status is a success.
    pub fn accepts(self, status: u16) -> bool {
        match self {
            Self::TwoOrThreeHundreds => (200..400).contains(&status),
            Self::TwoHundreds => (200..300).contains(&status),
        }
    }
}

/// Maximum number of labels of a webhook.
const MAX_LABELS: usize = 10;
/// Maximum length of a label, in characters.
const MAX_LABEL: usize = 50;

impl Settings {
    /// Parses the settings, and the signing secret if one is given. `allow` lists the extra targets
    /// that this deployment allows.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, allow: &AllowList) -> Validated<(Self, Option<SigningSecret>)> {
        let (settings, secret) = Self::read(value, Some(allow))?;
        checks::check_size(settings.to_map())?;
        Ok((settings, secret))
    }

    /// Validates that no header is set by both the webhook and its connected service's account,
    /// whose header is `authenticating`.
    ///
    /// # Errors
    /// Reports every header that both set.
    pub fn check_account(&self, authenticating: &HeaderName) -> Validated<()> {
        checks::check_account_headers(&self.headers, &self.signing, authenticating)
    }

    /// Loads stored settings without validation, so that stored webhooks always load. Sending
    /// checks whether the target is still allowed.
    ///
    /// # Errors
    /// Fails only if the stored document has another structure.
    pub fn restore(value: Value) -> Validated<Self> {
        Self::read(value, None).map(|(settings, _)| settings)
    }

    /// `input` has the allowed targets if the value comes from a client; `None` for a stored one.
    fn read(value: Value, input: Option<&AllowList>) -> Validated<(Self, Option<SigningSecret>)> {
        let source = if input.is_some() {
            Source::Client
        } else {
            Source::Table
        };
        let mut fields = FieldReader::of(value)?;
        let name = fields.required("name", name);
        let destination = Destination::take(&mut fields, source, |url| {
            input.map_or(Ok(()), |allow| egress_policy::check_url(url, allow))?;
            Ok(())
        });
        let events = fields.required("events", pattern::list);
        let conditions = fields.defaulted("conditions", None, |value| {
            if input.is_some() {
                Condition::parse(value).map(Some)
            } else {
                Condition::restore(value).map(Some)
            }
        });
        let enabled = fields.defaulted("enabled", true, boolean);
        let method = fields.defaulted("method", Method::POST, method);
        let format = fields.defaulted("format", Format::Json, one_of(&FORMATS));
        let body = fields.defaulted("body", None, |value| {
            // If the format itself is invalid, only that is reported.
            let Some(format) = format else {
                return string(value).map(|_| None);
            };
            Ok(Some(BodyTemplate::read(format, &string(value)?, source)?))
        });
        let to_service = destination
            .as_ref()
            .is_some_and(|destination| destination.service().is_some());
        let auth = fields.defaulted("auth", Auth::None, |value| {
            match Auth::parse(value, source)? {
                Auth::None => Ok(Auth::None),
                _ if to_service => Err(ValidationErrors::here("is set by the service's account")),
                auth => Ok(auth),
            }
        });
        let secrets = fields.defaulted("secrets", Secrets::default(), |value| {
            Secrets::parse(value, source)
        });
        let secret = fields.defaulted("secret", None, |value| {
            Ok(Some(SigningSecret::parse(&string(value)?)?))
        });
        let signing = fields.defaulted("signing", Signing::Standard, |value| {
            let signing = Signing::parse(value)?;
            input.map_or(Ok(()), |_| {
                checks::check_signing_header(&signing, auth.as_ref())
            })?;
            Ok(signing)
        });
        let headers = fields.defaulted("headers", Vec::new(), |value| {
            let free = |name: &HeaderName| {
                checks::check_extra_header(name, auth.as_ref(), signing.as_ref())
            };
            headers(value, source, |name| input.map_or(Ok(()), |_| free(name)))
        });
        let retry = fields.defaulted("retry", RetryPolicy::default(), RetryPolicy::parse);
        let timeout_seconds = fields.defaulted("timeout_seconds", 15, whole(1, 30));
        let success = fields.defaulted(
            "success",
            Success::TwoOrThreeHundreds,
            one_of(&Success::NAMES),
        );
        let rate = fields.defaulted("rate_limit_per_second", None, |value| {
            whole(1, 1000)(value).map(Some)
        });
        let success_when = fields.defaulted("success_when", None, |value| {
            SuccessWhen::read(value, source).map(Some)
        });
        let delay = Delay::take(&mut fields, events.as_ref(), source);
        let labels = fields.defaulted("labels", Vec::new(), |value| {
            list(0, MAX_LABELS, |label| text(MAX_LABEL)(label))(value).map(distinct)
        });
        if let Some(secrets) = secrets.as_ref().filter(|_| input.is_some()) {
            let texts = destination.iter().map(|destination| {
                let (field, template) = destination.template();
                (field, undefined_secrets(template.tags(), secrets))
            });
            let texts = texts.chain(
                body.iter()
                    .flatten()
                    .map(|body| ("body", undefined_secrets(body.tags(), secrets))),
            );
            let values = headers
                .iter()
                .flatten()
                .map(|(_, value)| ("headers", undefined_secrets(value.tags(), secrets)));
            for (field, tags) in texts.chain(values) {
                for tag in tags {
                    fields.refuse(
                        field,
                        format!("uses `{{{tag}}}`, which is not defined in `secrets`"),
                    );
                }
            }
        }
        let parsed = (|| {
            let settings = Self {
                name: name?,
                destination: destination?,
                events: events?,
                conditions: conditions?,
                enabled: enabled?,
                method: method?,
                format: format?,
                body: body?,
                headers: headers?,
                auth: auth?,
                secrets: secrets?,
                signing: signing?,
                retry: retry?,
                timeout_seconds: u32::try_from(timeout_seconds?).ok()?,
                success: success?,
                rate_limit_per_second: rate?.and_then(|rate| u32::try_from(rate).ok()),
                success_when: success_when?,
                delay: delay?,
                labels: labels?,
            };
            Some((settings, secret?))
        })();
        fields.finish(parsed)
    }

    /// All tags in URL or path, headers and body.
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.destination.tags().chain(self.request_tags())
    }

    /// All tags in headers and body.
    pub(super) fn request_tags(&self) -> impl Iterator<Item = &Tag> {
        let headers = self.headers.iter();
        let headers = headers.flat_map(|(_, value)| value.parsed_tags());
        headers.chain(self.body.iter().flat_map(BodyTemplate::parsed_tags))
    }

    /// Text in the templates that was probably meant to be a tag, each with its field.
    pub fn warnings(&self) -> Vec<FieldError> {
        let (field, template) = self.destination.template();
        let headers = warnings::of_headers(&self.headers, &["headers"]);
        let body = self.body.iter().flat_map(BodyTemplate::lookalikes);
        (warnings::of(template.lookalikes(), &[field]))
            .chain(headers)
            .chain(warnings::of(body, &["body"]))
            .collect()
    }

    /// Returns the document that [`Settings::parse`] reads, without the signing secret.
    pub fn to_map(&self) -> Map<String, Value> {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_str().into()))
            .collect();
        let mut map = Map::new();
        self.destination.put(&mut map);
        self.delay.put(&mut map);
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("name", json!(self.name));
        put("events", json!(self.events));
        put(
            "conditions",
            self.conditions
                .as_ref()
                .map_or(Value::Null, Condition::to_value),
        );
        put("enabled", json!(self.enabled));
        put("method", json!(self.method.as_str()));
        put("format", json!(self.format));
        put("body", json!(self.body.as_ref().map(BodyTemplate::as_str)));
        put("headers", headers.into());
        put("auth", self.auth.to_value());
        put("secrets", self.secrets.to_value());
        put("signing", self.signing.to_value());
        put("retry", self.retry.to_value());
        put("timeout_seconds", json!(self.timeout_seconds));
        put(
            "success",
            json!(
                Success::NAMES
                    .iter()
                    .find(|(_, success)| *success == self.success)
                    .map(|(name, _)| name)
            ),
        );
        put("rate_limit_per_second", json!(self.rate_limit_per_second));
        let success_when = self.success_when.as_ref().map(SuccessWhen::condition);
        put("success_when", json!(success_when));
        put("labels", json!(self.labels));
        map
    }
}
