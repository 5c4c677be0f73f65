//! A client's request to a service, parsed from JSON.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, Entry},
};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{Settings, address::service_url};
use crate::{
    account::Authorization,
    header::{self, HeaderError},
    outgoing::{FORMATS, HOPS_HEADER, method},
    template::Format,
    validation::{FieldReader, Validated, ValidationErrors, entries, one_of, string},
};

/// Maximum number of headers and of query or form values.
const MAX_HEADERS: usize = 20;
const MAX_PAIRS: usize = 100;

/// A request to a service, without authentication.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// URL below the service's base URL.
    pub url: Url,
    /// Headers, never including the authenticating one.
    pub headers: HeaderMap,
    /// Body, if there is one.
    pub body: Option<String>,
}

/// Parses `{method, path, query, headers, format, body}` as a request to the service with these
/// settings, authenticated by `authorization`. `hops` is how many times the chain that led to it
/// has left Tieline.
///
/// # Errors
/// Reports every invalid field.
pub fn parse(
    value: Value,
    service: &Settings,
    authorization: &Authorization,
    hops: u8,
) -> Validated<Request> {
    let mut fields = FieldReader::of(value)?;
    let method = fields.defaulted("method", Method::POST, method);
    let path = fields.defaulted("path", String::new(), |value| {
        let path = string(value)?;
        service_url(&service.server_url, &path, &[])?;
        Ok(path)
    });
    let query = fields.defaulted("query", Vec::new(), pairs);
    let headers = fields.defaulted("headers", HeaderMap::new(), |value| {
        headers(value, authorization)
    });
    let format = fields.defaulted("format", Format::Json, one_of(&FORMATS));
    let body = fields.defaulted("body", None, |value| {
        // If the format itself is invalid, only that is reported.
        format.map(|format| body(value, format)).transpose()
    });
    let url = path.zip(query).and_then(|(path, query)| {
        match service_url(&service.server_url, &path, &query) {
            Ok(url) => Some(url),
            Err(error) => {
                fields.refuse("query", error.to_string());
                None
            }
        }
    });
    let parsed = (|| {
        let (mut headers, body) = (headers?, body?);
        if body.is_some()
            && let Entry::Vacant(entry) = headers.entry(CONTENT_TYPE)
        {
            entry.insert(HeaderValue::from_static(format?.content_type()));
        }
        headers.insert(HOPS_HEADER, u16::from(hops.saturating_add(1)).into());
        Some(Request {
            method: method?,
            url: url?,
            headers,
            body,
        })
    })();
    fields.finish(parsed)
}

fn body(value: Value, format: Format) -> Validated<String> {
    match format {
        Format::Json => Ok(value.to_string()),
        Format::Xml => string(value),
        Format::Form => Ok(form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs(value)?)
            .finish()),
    }
}

/// An object of strings, numbers, booleans, or lists of them. A list repeats its name.
fn pairs(value: Value) -> Validated<Vec<(String, String)>> {
    let values = entries(MAX_PAIRS, |_, value| match value {
        Value::Array(values) if values.len() <= MAX_PAIRS => {
            values.into_iter().map(scalar).collect()
        }
        Value::Array(_) => Err(ValidationErrors::here(format!(
            "must contain at most {MAX_PAIRS} values"
        ))),
        value => scalar(value).map(|text| vec![text]),
    })(value)?;
    Ok(values
        .into_iter()
        .flat_map(|(name, texts)| texts.into_iter().map(move |text| (name.clone(), text)))
        .collect())
}

fn scalar(value: Value) -> Validated<String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        _ => Err(ValidationErrors::here(
            "must be a string, number or boolean, or a list of them",
        )),
    }
}

fn headers(value: Value, authorization: &Authorization) -> Validated<HeaderMap> {
    let authenticating = authorization.header_name();
    let pairs = entries(MAX_HEADERS, |name, value| {
        let name: HeaderName = header::check_name(name)?;
        if Some(&name) == authenticating.as_ref() || name == HOPS_HEADER {
            return Err(ValidationErrors::here(
                "is set by the service's account or by Tieline",
            ));
        }
        let text = string(value)?;
        header::check_value(&text)?;
        let mut value =
            HeaderValue::from_bytes(text.as_bytes()).map_err(|_| HeaderError::Characters)?;
        value.set_sensitive(true);
        Ok((name, value))
    })(value)?;
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (written, (name, value)) in pairs {
        if headers.insert(name, value).is_some() {
            return Err(ValidationErrors::here(
                "is a duplicate. Header names are case-insensitive.",
            )
            .under(&written));
        }
    }
    Ok(headers)
}
