//! Errors of this crate's parsers, whose texts are written for clients. Those of libraries are none of them: whoever meets one
//! finds words of their own for it.

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
