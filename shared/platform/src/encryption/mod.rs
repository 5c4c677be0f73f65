//! Encryption of stored secrets: AES-256-GCM with the keyring's current key, bound to the field
//! that stores the value.
//!
//! Format: `<key id>.<base64url of nonce, ciphertext and tag>`. The additional data is
//! `v1|<resource type>|<id>|<field>|<key id>`, so that a value moved to another row, field or key
//! can't be decrypted. The keyring is one JSON document: `{"current": "<key id>", "keys": {"<key
//! id>": "<32 bytes, base64url>"}, "pepper": "<32 bytes, base64url>"}`. It keeps old keys for
//! decryption.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

use crate::random;

type Key = SecretBox<[u8; 32]>;

/// The keys that encrypt stored secrets, and the pepper of the token hashes.
///
/// ```
/// use platform::encryption::{AadContext, Keyring};
/// use secrecy::ExposeSecret;
///
/// let keyring = Keyring::generate();
/// let context = AadContext { resource: "webhook", id: "wh_1", field: "settings" };
/// let sealed = keyring.seal(context, "secret");
/// assert_eq!(keyring.open(context, &sealed)?.expose_secret(), "secret");
/// // A value can't be moved to another field, and a rotated keyring still opens it.
/// let other = AadContext { field: "name", ..context };
/// assert!(keyring.open(other, &sealed).is_err());
/// assert!(keyring.with_new_key().open(context, &sealed).is_ok());
/// # Ok::<(), platform::encryption::EncryptionError>(())
/// ```
#[derive(Debug)]
pub struct Keyring {
    current: String,
    keys: BTreeMap<String, Key>,
    pepper: Key,
}

/// The field that stores an encrypted value. `resource` and `id` must not contain `|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AadContext<'a> {
    /// The resource type, such as `webhook`.
    pub resource: &'a str,
    /// The resource's ID.
    pub id: &'a str,
    /// The field's name.
    pub field: &'a str,
}

/// Why a value could not be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The text does not have the format of an encrypted value.
    #[error("not an encrypted value")]
    Malformed,
    /// It was encrypted with a key that this keyring lacks.
    #[error("the keyring has no key {0}")]
    UnknownKey(String),
    /// It was modified, or encrypted for another field.
    #[error("the encrypted value was modified or belongs to another field")]
    Mismatch,
}

/// The document is not a keyring. Gives no details, because they could contain a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret's value is not a keyring")]
pub struct ParseKeyringError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    current: String,
    keys: BTreeMap<String, String>,
    pepper: String,
}

impl Keyring {
    /// Creates a keyring with one new key and a new pepper.
    pub fn generate() -> Self {
        let empty = Self {
            current: String::new(),
            keys: BTreeMap::new(),
            pepper: new_key(),
        };
        empty.with_new_key()
    }

    /// Adds a new key and makes it current.
    #[must_use]
    pub fn with_new_key(mut self) -> Self {
        self.current = URL_SAFE_NO_PAD.encode(random::bytes::<6>());
        self.keys.insert(self.current.clone(), new_key());
        self
    }

    /// Parses the stored document.
    pub fn from_json(json: &SecretString) -> Result<Self, ParseKeyringError> {
        let document: Document =
            serde_json::from_str(json.expose_secret()).map_err(|_| ParseKeyringError)?;
        let keys = document
            .keys
            .iter()
            .map(|(id, text)| Ok((id.clone(), key(text)?)))
            .collect::<Result<_, _>>()?;
        let ring = Self {
            current: document.current,
            keys,
            pepper: key(&document.pepper)?,
        };
        let sound = ring.keys.contains_key(&ring.current)
            && ring.keys.keys().all(|id| !id.contains(['.', '|']));
        if sound {
            Ok(ring)
        } else {
            Err(ParseKeyringError)
        }
    }

    /// Serializes the keyring for storage.
    ///
    /// # Panics
    ///
    /// Never: all values are strings.
    pub fn to_json(&self) -> SecretString {
        let text = |key: &Key| URL_SAFE_NO_PAD.encode(key.expose_secret());
        let document = Document {
            current: self.current.clone(),
            keys: self
                .keys
                .iter()
                .map(|(id, key)| (id.clone(), text(key)))
                .collect(),
            pepper: text(&self.pepper),
        };
        serde_json::to_string(&document)
            .expect("strings serialize")
            .into()
    }

    /// Returns whether this keyring decrypts everything that `older` encrypts or decrypts, and
    /// hashes tokens to the same text.
    pub fn extends(&self, older: &Self) -> bool {
        let same = |one: &Key, other: &Key| one.expose_secret() == other.expose_secret();
        let keeps = |(id, key)| self.keys.get(id).is_some_and(|kept| same(kept, key));
        same(&self.pepper, &older.pepper) && older.keys.iter().all(keeps)
    }

    /// The ID of the key that encrypts.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// Encrypts `plain` for the field `context` with the current key.
    ///
    /// # Panics
    ///
    /// If the text is larger than AES-GCM allows, about 64 GiB.
    pub fn seal(&self, context: AadContext<'_>, plain: &str) -> String {
        let nonce = random::bytes::<NONCE_LEN>();
        let mut sealed = plain.as_bytes().to_vec();
        let tag = cipher(&self.keys[&self.current])
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                context.aad(&self.current),
                &mut sealed,
            )
            .expect("a text within AES-GCM's limit");
        let whole = [&nonce[..], &sealed, tag.as_ref()].concat();
        format!("{}.{}", self.current, URL_SAFE_NO_PAD.encode(whole))
    }

    /// Decrypts a value that was encrypted for the same field.
    pub fn open(
        &self,
        context: AadContext<'_>,
        sealed: &str,
    ) -> Result<SecretString, EncryptionError> {
        let (id, text) = sealed.split_once('.').ok_or(EncryptionError::Malformed)?;
        let mut whole = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| EncryptionError::Malformed)?;
        let (nonce, ciphertext) = whole
            .split_first_chunk_mut::<NONCE_LEN>()
            .ok_or(EncryptionError::Malformed)?;
        let key = self
            .keys
            .get(id)
            .ok_or_else(|| EncryptionError::UnknownKey(id.to_owned()))?;
        let plain = cipher(key)
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                context.aad(id),
                ciphertext,
            )
            .map_err(|_| EncryptionError::Mismatch)?;
        str::from_utf8(plain)
            .map(SecretString::from)
            .map_err(|_| EncryptionError::Malformed)
    }

    /// The lookup key of a token: its HMAC-SHA-256 with the pepper, as 43 characters of base64url.
    /// Independent of the keys.
    pub fn token_key(&self, token: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.pepper.expose_secret());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, token.as_bytes()))
    }
}

impl AadContext<'_> {
    fn aad(&self, key: &str) -> Aad<String> {
        debug_assert!(
            !self.resource.contains('|') && !self.id.contains('|'),
            "`|` would make additional data ambiguous"
        );
        Aad::from(format!(
            "v1|{}|{}|{}|{key}",
            self.resource, self.id, self.field
        ))
    }
}

fn new_key() -> Key {
    Key::new(Box::new(random::bytes()))
}

fn key(text: &str) -> Result<Key, ParseKeyringError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| ParseKeyringError)?;
    bytes
        .try_into()
        .map(|bytes| Key::new(Box::new(bytes)))
        .map_err(|_| ParseKeyringError)
}

fn cipher(key: &Key) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose_secret()).expect("a key of 32 bytes"))
}

#[cfg(test)]
mod tests;
