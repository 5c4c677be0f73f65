//! OAuth 2.0 client settings and token requests (RFC 6749).

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

pub use super::grant::Grant;
use crate::{
    secrets::{mask::unmasked, origin::StoredSecret, put_secret, redact::Secrets},
    validation::{
        self, FieldReader, Source, Validated, ValidationErrors, one_of, secret, string, text,
    },
};

/// A client of an authorization server.
#[derive(Clone)]
pub struct OAuth2 {
    /// Grant for token requests.
    pub grant: Grant,
    /// Token endpoint: https on a public host, with an optional query, without a fragment.
    pub token_url: Url,
    /// Client ID.
    pub client_id: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Requested scope: names separated by single spaces.
    pub scope: Option<String>,
    /// Audience of the token (a common extension).
    pub audience: Option<String>,
    /// Where the client ID and secret are sent.
    pub client_auth: ClientAuth,
    /// The token that services get.
    pub token_type: TokenType,
}

/// Where the client ID and secret are sent (section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the `Authorization` header (HTTP Basic authentication).
    Header,
    /// In the form.
    Body,
}

/// The token that is sent to services as a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// The access token (section 5.1).
    AccessToken,
    /// The ID token (`OpenID` Connect Core 1.0, section 3.1.3.3).
    IdToken,
}

/// A token request: a `POST` of a form to the token URL. The response is JSON (section 5.1).
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Value of `Authorization`, if the client authenticates there.
    pub authorization: Option<SecretString>,
    /// Body, `application/x-www-form-urlencoded`.
    pub form: SecretString,
}

const CLIENT_AUTHS: [(&str, ClientAuth); 2] =
    [("header", ClientAuth::Header), ("body", ClientAuth::Body)];
const TOKEN_TYPES: [(&str, TokenType); 2] = [
    (TokenType::AccessToken.field(), TokenType::AccessToken),
    (TokenType::IdToken.field(), TokenType::IdToken),
];

impl OAuth2 {
    /// Reads the fields of a document. `check` validates whether requests to a URL are allowed.
    pub(super) fn take(
        fields: &mut FieldReader,
        source: Source,
        check: impl Fn(&Url) -> Validated<()>,
    ) -> Option<Self> {
        let grant = Grant::take(fields, source);
        let token_url = fields.required("token_url", |value| {
            let url = endpoint(value)?;
            check(&url).map(|()| url)
        });
        let client_id = fields.required("client_id", text(1000));
        let client_secret = fields.required("client_secret", source.secret(secret));
        let scope = fields.defaulted("scope", None, |value| scope(value).map(Some));
        let audience = fields.defaulted("audience", None, |value| text(1000)(value).map(Some));
        let client_auth =
            fields.defaulted("client_auth", ClientAuth::Header, one_of(&CLIENT_AUTHS));
        let token_type =
            fields.defaulted("token_type", TokenType::AccessToken, one_of(&TOKEN_TYPES));
        Some(Self {
            grant: grant?,
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            scope: scope?,
            audience: audience?,
            client_auth: client_auth?,
            token_type: token_type?,
        })
    }

    pub(super) fn to_map(&self) -> Map<String, Value> {
        let client_auth = CLIENT_AUTHS
            .iter()
            .find(|(_, auth)| *auth == self.client_auth)
            .map(|(name, _)| name);
        let mut map = Map::new();
        map.insert("type".to_owned(), json!("oauth2"));
        map.insert("grant_type".to_owned(), json!(self.grant.name()));
        map.insert("token_url".to_owned(), json!(self.token_url.as_str()));
        map.insert("client_id".to_owned(), json!(self.client_id));
        put_secret(&mut map, "client_secret", &self.client_secret);
        map.insert("scope".to_owned(), json!(self.scope));
        map.insert("audience".to_owned(), json!(self.audience));
        self.grant.put(&mut map);
        map.insert("client_auth".to_owned(), json!(client_auth));
        // The default is omitted, because access tokens issued before the field existed have the
        // fingerprint of a document without it.
        if self.token_type != TokenType::AccessToken {
            map.insert("token_type".to_owned(), json!(self.token_type.field()));
        }
        map
    }

    /// Identifies these settings: an access token issued under other settings is not used.
    pub fn fingerprint(&self) -> String {
        digest(&self.to_map().into())
    }

    /// Identifies the consent: a refresh token from another consent is not used. The requested
    /// scope and the client authentication may change without a new consent.
    pub fn consent(&self) -> String {
        let given = match &self.grant {
            Grant::ClientCredentials | Grant::Password { .. } => None,
            Grant::RefreshToken(token) => Some(token.expose_secret()),
        };
        digest(&json!([self.token_url, self.client_id, given]))
    }

    /// Builds a token request. `replaced` is the refresh token that the server issued as a
    /// replacement, if any.
    pub fn token_request(&self, replaced: Option<&SecretString>) -> TokenRequest {
        let mut form = form_urlencoded::Serializer::new(String::new());
        self.grant.append(&mut form, replaced);
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            form.extend_pairs(value.iter().map(|value| (name, value)));
        }
        let authorization = match self.client_auth {
            ClientAuth::Header => Some(SecretString::from(format!("Basic {}", self.basic()))),
            ClientAuth::Body => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", self.client_secret.expose_secret());
                None
            }
        };
        TokenRequest {
            authorization,
            form: form.finish().into(),
        }
    }

    /// ID and secret for HTTP Basic authentication: form-encoded first (section 2.3.1).
    fn basic(&self) -> String {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        BASE64_STANDARD.encode(format!(
            "{}:{}",
            encode(&self.client_id),
            encode(self.client_secret.expose_secret())
        ))
    }

    /// Secrets of every request to the token endpoint.
    pub(super) fn stored_secrets(&self) -> Vec<StoredSecret> {
        let secrets = ["client_secret"]
            .into_iter()
            .chain(self.grant.secret_field());
        secrets
            .map(|field| StoredSecret::sent(["authorization", field]))
            .collect()
    }

    /// Adds the secrets, except issued tokens.
    pub(super) fn secrets(&self, found: &mut Secrets) {
        found.add(self.client_secret.expose_secret());
        found.add(&self.basic());
        self.grant.secrets(found);
        found.add_url(self.token_url.as_str());
    }
}

fn digest(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(value.to_string()))
}

/// The token URL may contain a token.
impl std::fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuth2")
            .field("client_id", &self.client_id)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

impl TokenType {
    /// The field of the token endpoint's response that contains the token.
    pub const fn field(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::IdToken => "id_token",
        }
    }
}

/// A URL without a fragment, which token endpoints must not have (section 3.2).
fn endpoint(value: Value) -> Validated<Url> {
    let url = validation::url(&unmasked(string(value)?)?)?;
    if url.fragment().is_some() {
        return Err(ValidationErrors::here("must not contain a fragment (`#…`)"));
    }
    if url.as_str().len() > 8_000 {
        return Err(ValidationErrors::here("must have at most 8000 bytes"));
    }
    Ok(url)
}

/// Scope tokens separated by single spaces (section 3.3).
fn scope(value: Value) -> Validated<String> {
    let text = text(1000)(value)?;
    let legal = |token: &str| {
        !token.is_empty()
            && token
                .bytes()
                .all(|byte| matches!(byte, b'!'..=b'~') && !b"\"\\".contains(&byte))
    };
    if text.split(' ').all(legal) {
        Ok(text)
    } else {
        Err(ValidationErrors::here(
            "must be names separated by single spaces. Names consist of printable ASCII without quotes and backslashes.",
        ))
    }
}
