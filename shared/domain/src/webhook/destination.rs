//! Destination of a webhook's deliveries: a URL, or a path at a connected service.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    id::ServiceId,
    secrets::mask::unmasked,
    service::address::service_url,
    tag::{self, Tag},
    template::{TemplateError, UrlTemplate},
    validation::{FieldReader, Source, Validated, ValidationErrors, string, url},
};

/// Where deliveries are sent.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A URL of its own.
    Url(UrlTemplate),
    /// A connected service, whose account authenticates the requests.
    Service {
        /// ID of the service.
        service: ServiceId,
        /// Path and query below the service's URL.
        path: ServicePath,
    },
}

/// Path with an optional query, joined to a service's URL. May contain tags.
#[derive(Debug, Clone)]
pub struct ServicePath {
    source: String,
    /// Parsed with [`ANY_SERVICE`] as the service's URL.
    template: UrlTemplate,
}

/// Placeholder for a service's URL (reserved by RFC 2606).
const ANY_SERVICE: &str = "https://service.invalid";

/// Why a destination has no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// The service was deleted.
    #[error("the connected service no longer exists")]
    NoService,
    /// The path can't be joined to the service's URL.
    #[error("the path can't be joined to the service's URL: {0}")]
    Template(#[from] TemplateError),
}

impl Destination {
    /// Reads `url`, or `service_id` and `path`. `check` validates whether requests to a URL are
    /// allowed.
    pub(super) fn take(
        fields: &mut FieldReader,
        source: Source,
        check: impl Fn(&Url) -> Validated<()>,
    ) -> Option<Self> {
        let of_service = fields.has("service_id") || fields.has("path");
        let url = |value| {
            let template = url_template(&unmasked(string(value)?)?, source)?;
            check(template.origin_url()).map(|()| template)
        };
        if !of_service {
            // Both may be present as null.
            for name in ["service_id", "path"] {
                fields.optional(name, Ok);
            }
            return fields.required("url", url).map(Self::Url);
        }
        fields.optional("url", |_| -> Validated<()> {
            Err(ValidationErrors::here(
                "is mutually exclusive with `service_id` and `path`",
            ))
        });
        let service = fields.required("service_id", |value| Ok(string(value)?.parse()?));
        let path = fields.required("path", |value| {
            ServicePath::parse(&unmasked(string(value)?)?, source)
        });
        service
            .zip(path)
            .map(|(service, path)| Self::Service { service, path })
    }

    pub(super) fn put(&self, map: &mut Map<String, Value>) {
        let (url, service, path) = match self {
            Self::Url(url) => (Some(url.as_str()), None, None),
            Self::Service { service, path } => (None, Some(service), Some(path.as_str())),
        };
        map.insert("url".to_owned(), json!(url));
        map.insert("service_id".to_owned(), json!(service));
        map.insert("path".to_owned(), json!(path));
    }

    /// The connected service, if any.
    pub const fn service(&self) -> Option<ServiceId> {
        match self {
            Self::Url(_) => None,
            Self::Service { service, .. } => Some(*service),
        }
    }

    /// The full URL. `server` is the URL of the connected service, if there is one.
    ///
    /// # Errors
    /// Fails if the service no longer exists, or if the path can't be joined to its URL.
    pub fn address(&self, server: Option<&Url>) -> Result<Cow<'_, UrlTemplate>, DestinationError> {
        match (self, server) {
            (Self::Url(url), _) => Ok(Cow::Borrowed(url)),
            (Self::Service { path, .. }, Some(server)) => {
                let joined = format!("{}{}", server.as_str().trim_end_matches('/'), path.source);
                Ok(Cow::Owned(UrlTemplate::restore(&joined)?))
            }
            (Self::Service { .. }, None) => Err(DestinationError::NoService),
        }
    }

    /// Name of the field that contains the tags, and the template.
    pub(super) fn template(&self) -> (&'static str, &UrlTemplate) {
        match self {
            Self::Url(url) => ("url", url),
            Self::Service { path, .. } => ("path", &path.template),
        }
    }

    /// Its tags.
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.template().1.parsed_tags()
    }

    /// The URL or path as the client wrote it.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Url(url) => url.as_str(),
            Self::Service { path, .. } => path.as_str(),
        }
    }
}

impl ServicePath {
    /// The path as the client wrote it, with a leading slash.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    fn parse(text: &str, source: Source) -> Validated<Self> {
        let stand_in = url(ANY_SERVICE)?;
        let without_tags: Vec<_> = tag::pieces(text)
            .map(|piece| piece.tag.map_or(piece.text, |_| "{}"))
            .collect();
        service_url(&stand_in, &without_tags.concat(), &[])?;
        let slash = if text.is_empty() || text.starts_with(['/', '?']) {
            ""
        } else {
            "/"
        };
        let written = format!("{slash}{text}");
        let template = url_template(&format!("{ANY_SERVICE}{written}"), source)?;
        Ok(Self {
            source: written,
            template,
        })
    }
}

fn url_template(text: &str, source: Source) -> Result<UrlTemplate, TemplateError> {
    match source {
        Source::Client => UrlTemplate::parse(text),
        Source::Table => UrlTemplate::restore(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(document: Value) -> Validated<Destination> {
        let mut fields = FieldReader::of(document)?;
        let destination = Destination::take(&mut fields, Source::Client, |_| Ok(()));
        fields.finish(destination)
    }

    fn service(path: &str) -> Value {
        json!({"service_id": "svc_01J0000000000000000000000S", "path": path})
    }

    #[test]
    fn destination_is_url_or_path_at_service() {
        for (document, pointers) in [
            (json!({}), vec!["/url"]),
            (json!({"path": "/a"}), vec!["/service_id"]),
            (
                json!({"service_id": "svc_01J0000000000000000000000S"}),
                vec!["/path"],
            ),
            (
                json!({"service_id": "acct_01J0000000000000000000000S", "path": "a#b"}),
                vec!["/path", "/service_id"],
            ),
            (
                json!({"url": "https://a.example", "service_id": "svc_01J0000000000000000000000S", "path": "/"}),
                vec!["/url"],
            ),
        ] {
            let mut found: Vec<String> = take(document.clone())
                .expect_err("invalid")
                .0
                .into_iter()
                .map(|problem| problem.pointer)
                .collect();
            found.sort();
            assert_eq!(found, pointers, "{document}");
        }
        for path in [
            "/..",
            "/a/../b",
            "/%2e%2e/b",
            "//b.example",
            "/a#b",
            "/a\\b",
            "/a b",
        ] {
            assert!(take(service(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn path_is_joined_to_service_url() {
        for (path, server, whole) in [
            (
                "/tickets/{id}?by={user}",
                "https://crm.example.com",
                "https://crm.example.com/tickets/{id}?by={user}",
            ),
            (
                "tickets/{id}",
                "https://crm.example.com/api/",
                "https://crm.example.com/api/tickets/{id}",
            ),
            (
                "?by={user}",
                "https://crm.example.com/api",
                "https://crm.example.com/api?by={user}",
            ),
            (
                "",
                "https://crm.example.com/api",
                "https://crm.example.com/api",
            ),
        ] {
            let destination = take(service(path)).expect("valid");
            let server = Url::parse(server).expect("URL");
            assert_eq!(
                destination
                    .address(Some(&server))
                    .expect("address")
                    .as_str(),
                whole
            );
        }
        let destination = take(service("/tickets/{id}?by={user}")).expect("valid");
        assert_eq!(destination.address(None), Err(DestinationError::NoService));
        let mut map = Map::new();
        destination.put(&mut map);
        assert_eq!(
            Value::Object(map),
            json!({"url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/tickets/{id}?by={user}"})
        );
    }
}
