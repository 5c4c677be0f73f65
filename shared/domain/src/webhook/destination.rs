//! Where a webhook's deliveries go: to an address of its own, or to a path at a connected service.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use url::Url;

use super::settings::Reveal;
use crate::{
    id::ServiceId,
    invalid::{Checked, Fields, Problems, string, url},
    mask::{self, unmasked},
    service::address::service_url,
    template::{TemplateError, UrlTemplate},
};

/// Where deliveries go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An address.
    Url(UrlTemplate),
    /// A connected service, whose account authenticates the call.
    Service {
        /// Which one.
        service: ServiceId,
        /// What follows its URL.
        path: ServicePath,
    },
}

/// A path, and maybe a query, that is joined to a service's URL; with tags.
#[derive(Debug, Clone)]
pub struct ServicePath {
    source: String,
    /// Behind a stand-in for the service's URL.
    template: UrlTemplate,
}

/// A stand-in for the URL of whatever service (RFC 2606).
const ANY_SERVICE: &str = "https://service.invalid";

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The service is gone.
    #[error("the connected service is not there")]
    NoService,
    /// Service and path together make no URL.
    #[error("the path does not fit the service's URL: {0}")]
    Template(#[from] TemplateError),
}

impl Destination {
    /// Takes `url`, or `service_id` and `path`, out of a document. `check` tells whether an address
    /// may be called.
    pub(super) fn take(fields: &mut Fields, check: impl Fn(&Url) -> Checked<()>) -> Option<Self> {
        let of_service = fields.has("service_id") || fields.has("path");
        let url = |value| {
            let template = UrlTemplate::parse(&unmasked(string(value)?)?)?;
            check(template.origin_url()).map(|()| template)
        };
        if !of_service {
            // Both may be there as null.
            for name in ["service_id", "path"] {
                fields.optional(name, Ok);
            }
            return fields.required("url", url).map(Self::Url);
        }
        fields.optional("url", |_| -> Checked<()> {
            Err(Problems::here(
                "goes without `service_id` and `path`: give the one or the others",
            ))
        });
        let service = fields.required("service_id", |value| Ok(string(value)?.parse()?));
        let path = fields.required("path", |value| {
            ServicePath::parse(&unmasked(string(value)?)?)
        });
        service
            .zip(path)
            .map(|(service, path)| Self::Service { service, path })
    }

    pub(super) fn put(&self, map: &mut Map<String, Value>, reveal: Reveal) {
        let shown = |text: &str| match reveal {
            Reveal::Full => text.to_owned(),
            Reveal::Hints => mask::url(text),
        };
        let (url, service, path) = match self {
            Self::Url(url) => (Some(shown(url.as_str())), None, None),
            Self::Service { service, path } => (None, Some(service), Some(shown(&path.source))),
        };
        map.insert("url".to_owned(), json!(url));
        map.insert("service_id".to_owned(), json!(service));
        map.insert("path".to_owned(), json!(path));
    }

    /// The service that it names.
    pub const fn service(&self) -> Option<ServiceId> {
        match self {
            Self::Url(_) => None,
            Self::Service { service, .. } => Some(*service),
        }
    }

    /// The whole address, where `server` is the URL of the service that is named, if one is.
    pub fn address(&self, server: Option<&Url>) -> Result<Cow<'_, UrlTemplate>, NoAddress> {
        match (self, server) {
            (Self::Url(url), _) => Ok(Cow::Borrowed(url)),
            (Self::Service { path, .. }, Some(server)) => {
                let joined = format!("{}{}", server.as_str().trim_end_matches('/'), path.source);
                Ok(Cow::Owned(UrlTemplate::parse(&joined)?))
            }
            (Self::Service { .. }, None) => Err(NoAddress::NoService),
        }
    }

    /// The field that holds its tags, and their names.
    pub(super) fn tags(&self) -> (&'static str, impl Iterator<Item = &str>) {
        match self {
            Self::Url(url) => ("url", url.tags()),
            Self::Service { path, .. } => ("path", path.template.tags()),
        }
    }

    /// The text as it was written.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Url(url) => url.as_str(),
            Self::Service { path, .. } => &path.source,
        }
    }
}

impl ServicePath {
    fn parse(text: &str) -> Checked<Self> {
        let stand_in = url(ANY_SERVICE)?;
        service_url(&stand_in, text, &[])?;
        let slash = if text.is_empty() || text.starts_with(['/', '?']) {
            ""
        } else {
            "/"
        };
        let source = format!("{slash}{text}");
        let template = UrlTemplate::parse(&format!("{ANY_SERVICE}{source}"))?;
        Ok(Self { source, template })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(document: Value) -> Checked<Destination> {
        let mut fields = Fields::of(document)?;
        let destination = Destination::take(&mut fields, |_| Ok(()));
        fields.finish(destination)
    }

    fn service(path: &str) -> Value {
        json!({"service_id": "svc_01J0000000000000000000000S", "path": path})
    }

    #[test]
    fn it_is_a_url_or_a_path_at_a_service() {
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
                .expect_err("wrong")
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
    fn a_path_follows_its_services_url() {
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
        assert_eq!(destination.address(None), Err(NoAddress::NoService));
        let mut map = Map::new();
        destination.put(&mut map, Reveal::Full);
        assert_eq!(
            Value::Object(map),
            json!({"url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/tickets/{id}?by={user}"})
        );
    }
}
