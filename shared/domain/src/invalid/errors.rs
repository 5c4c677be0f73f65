//! Errors of this crate's parsers as problems: their texts are written for clients. Errors of
//! libraries are not listed: code that gets one describes it in its own words.

use super::Problems;

macro_rules! problems {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Problems {
            fn from(error: $error) -> Self {
                Self::here(error.to_string())
            }
        }
    )*};
}
problems!(
    crate::credential::allowed_ips::NotARange,
    crate::header::HeaderError,
    crate::id::NotAnId,
    crate::path::NotAPath,
    crate::pattern::NotAPattern,
    crate::pattern::NotAnEventType,
    crate::scope::NotAScope,
    crate::service::address::AddressError,
    crate::signature::SecretError,
    crate::target::TargetError,
    crate::template::TemplateError,
);
