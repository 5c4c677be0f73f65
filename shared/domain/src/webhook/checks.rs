//! What must hold between the fields of a webhook that is written. A saved one is read without:
//! what it was checked for then is not for its readers to refuse.

use http::HeaderName;

use super::{
    Auth,
    settings::{Reveal, Secrets, Settings, Signing},
};
use crate::invalid::{Checked, Problems};

/// The largest settings, as JSON with their secrets: sealed, they take 256 KiB. An item of DynamoDB
/// holds 400 KB.
const MOST_BYTES: usize = 192 * 1024;

/// The tags that name secrets which are not there: unlike an event's data, they are known by now.
pub(super) fn undefined<'a>(tags: impl Iterator<Item = &'a str>, secrets: &Secrets) -> Vec<String> {
    let unknown = |tag: &&str| {
        tag.strip_prefix("secret.")
            .is_some_and(|name| !secrets.contains_key(name))
    };
    tags.filter(unknown).map(str::to_owned).collect()
}

/// Refuses a header for the signing secret that another value goes into.
pub(super) fn free_for_signing(signing: &Signing, auth: Option<&Auth>) -> Checked<()> {
    match signing {
        Signing::Header(name) if auth.and_then(Auth::header_name).as_ref() == Some(name) => {
            Err(Problems::here("is the header that `auth` sets").under("name"))
        }
        _ => Ok(()),
    }
}

/// Refuses an extra header that another value goes into.
pub(super) fn free_for_extra(
    name: &HeaderName,
    auth: Option<&Auth>,
    signing: Option<&Signing>,
) -> Checked<()> {
    if auth.and_then(Auth::header_name).as_ref() == Some(name) {
        return Err(Problems::here("is the header that `auth` sets"));
    }
    match signing {
        Some(Signing::Header(signed)) if signed == name => {
            Err(Problems::here("is the header that `signing` sets"))
        }
        _ => Ok(()),
    }
}

/// Refuses headers of the webhook that the connected service's account sets as well.
pub(super) fn free_for_account(settings: &Settings, authenticating: &HeaderName) -> Checked<()> {
    let detail = "is the header that the service's account sets";
    let mut problems = Vec::new();
    for (name, _) in settings
        .headers
        .iter()
        .filter(|(name, _)| name == authenticating)
    {
        problems.extend(
            Problems::here(detail)
                .under(name.as_str())
                .under("headers")
                .0,
        );
    }
    if matches!(&settings.signing, Signing::Header(name) if name == authenticating) {
        problems.extend(Problems::here(detail).under("name").under("signing").0);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems))
    }
}

/// Refuses settings that do not fit where they are kept, by the field that takes most of it.
pub(super) fn size(settings: &Settings) -> Checked<()> {
    let sizes: Vec<(String, usize)> = settings
        .to_map(Reveal::Full)
        .into_iter()
        .map(|(name, value)| (name, value.to_string().len()))
        .collect();
    let whole: usize = sizes.iter().map(|(_, size)| size).sum();
    let largest = sizes
        .into_iter()
        .max_by_key(|(_, size)| *size)
        .filter(|_| whole > MOST_BYTES);
    largest.map_or(Ok(()), |(name, size)| {
        let detail =
            format!("takes {size} bytes as JSON, most of the {whole} of the whole webhook; it may have {MOST_BYTES}");
        Err(Problems::here(detail).under(&name))
    })
}
