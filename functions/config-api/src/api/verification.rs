//! Verification of requests to a service's inbound URL.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{
    inbound::{
        Verification,
        mac::{self, Hmac},
    },
    secrets::mask::hint,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VerificationInput {
    None,
    StandardWebhooks {
        secret: String,
    },
    Github {
        secret: String,
    },
    Stripe {
        secret: String,
    },
    Slack {
        secret: String,
    },
    Shopify {
        secret: String,
    },
    Twilio {
        secret: String,
    },
    Hmac {
        secret: String,
        header: String,
        /// Hash function. Default: `sha256`.
        algorithm: Option<Algorithm>,
        /// Encoding of the signature. Default: `hex`.
        encoding: Option<Encoding>,
        prefix: Option<String>,
    },
    Basic {
        username: String,
        password: String,
    },
    Header {
        name: String,
        value: String,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VerificationView {
    None,
    StandardWebhooks {
        secret_hint: Option<String>,
    },
    Github {
        secret_hint: Option<String>,
    },
    Stripe {
        secret_hint: Option<String>,
    },
    Slack {
        secret_hint: Option<String>,
    },
    Shopify {
        secret_hint: Option<String>,
    },
    Twilio {
        secret_hint: Option<String>,
    },
    Hmac {
        secret_hint: Option<String>,
        header: String,
        algorithm: Algorithm,
        encoding: Encoding,
        prefix: String,
    },
    Basic {
        username: String,
        password_hint: Option<String>,
    },
    Header {
        name: String,
        value_hint: Option<String>,
    },
}

mirror! {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    Algorithm of mac::Algorithm {
        Sha1,
        Sha256,
        Sha512,
    }
}

mirror! {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    Encoding of mac::Encoding {
        Hex,
        Base64,
    }
}

impl From<&Verification> for VerificationView {
    fn from(verification: &Verification) -> Self {
        match verification {
            Verification::None => Self::None,
            Verification::StandardWebhooks(secret) => Self::StandardWebhooks {
                secret_hint: hint(secret.expose()),
            },
            Verification::Github(secret) => Self::Github {
                secret_hint: hint(secret.expose_secret()),
            },
            Verification::Stripe(secret) => Self::Stripe {
                secret_hint: hint(secret.expose_secret()),
            },
            Verification::Slack(secret) => Self::Slack {
                secret_hint: hint(secret.expose_secret()),
            },
            Verification::Shopify(secret) => Self::Shopify {
                secret_hint: hint(secret.expose_secret()),
            },
            Verification::Twilio(secret) => Self::Twilio {
                secret_hint: hint(secret.expose_secret()),
            },
            Verification::Hmac(Hmac {
                secret,
                header,
                algorithm,
                encoding,
                prefix,
            }) => Self::Hmac {
                secret_hint: hint(secret.expose_secret()),
                header: header.to_string(),
                algorithm: (*algorithm).into(),
                encoding: (*encoding).into(),
                prefix: prefix.clone(),
            },
            Verification::Basic { username, password } => Self::Basic {
                username: username.clone(),
                password_hint: hint(password.expose_secret()),
            },
            Verification::Header { name, value } => Self::Header {
                name: name.to_string(),
                value_hint: hint(value.expose_secret()),
            },
        }
    }
}
