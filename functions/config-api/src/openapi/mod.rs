//! The OpenAPI document, generated from the handlers' annotations.
//!
//! Annotations at the handlers declare parameters, bodies, successful responses and scopes.
//! [`complete`] derives the rest: error responses, response headers, merge patch schemas, inbound
//! URLs, webhook requests and examples.

mod events;
mod examples;
mod fields;
mod inbound;
mod names;
mod patches;
mod responses;
mod splits;
mod unions;

use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{api, http::auth::SCHEME};

/// Prefix of schema references.
const PREFIX: &str = "#/components/schemas/";

/// Returns the document before routes are added.
pub fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tieline")
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The token of a credential. Each operation lists the scope that it requires.",
        ));
    let components = ComponentsBuilder::new()
        .schema_from::<api::Problem>()
        .schema_from::<api::Reason>()
        .schema_from::<api::FieldError>()
        .schema_from::<api::Rotation>()
        .security_scheme(SCHEME, SecurityScheme::Http(scheme.build()));
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .build()
}

/// Returns the document that a deployment at `url` serves.
pub fn complete(document: &OpenApi, url: &str) -> Value {
    let mut document = names::lists(&json!(document));
    document["info"] = json!({
        "title": "Tieline",
        "summary": "A self-hosted integrations hub.",
        "description": include_str!("description.md"),
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": url, "description": "This deployment"}]);
    document["tags"] = tags();
    names::complete(&mut document);
    unions::complete(&mut document["components"]["schemas"]);
    fields::complete(&mut document["components"]["schemas"]);
    patches::complete(&mut document["components"]["schemas"]);
    splits::complete(&mut document["components"]["schemas"]);
    inbound::add(&mut document["paths"]);
    responses::complete(&mut document);
    document["webhooks"] = events::webhooks();
    examples::add(&mut document);
    document
}

/// Iterates over the operations of a document: path, method, operation.
fn operations(paths: &mut Value) -> impl Iterator<Item = (&String, &String, &mut Value)> {
    paths
        .as_object_mut()
        .into_iter()
        .flatten()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object_mut().into_iter().flatten();
            operations.map(move |(method, operation)| (path, method, operation))
        })
}

fn tags() -> Value {
    let tags = [
        (
            "events",
            "What happened in the business application. Publishing an event delivers it to all webhooks that subscribe to it.",
        ),
        ("event types", "The built-in event types and your own."),
        (
            "webhooks",
            "Endpoints that receive events: conditions, templates, signatures, retries.",
        ),
        (
            "deliveries",
            "The delivery of one event to one webhook, with every attempt.",
        ),
        (
            "services",
            "Connected services: third parties that Tieline sends requests to and receives requests from.",
        ),
        (
            "accounts",
            "How Tieline authenticates to connected services and providers. Several of them can share an account.",
        ),
        (
            "inbound",
            "The URLs to which connected services send their webhooks and providers their status reports.",
        ),
        (
            "providers",
            "Providers of SMS, e-mail, chatbots and phone calls.",
        ),
        ("messages", "SMS, e-mails and chatbot messages."),
        ("calls", "Phone calls."),
        (
            "campaigns",
            "Campaigns and their providers, with export and import.",
        ),
        (
            "users",
            "The people and systems that own credentials and services.",
        ),
        (
            "credentials",
            "Credentials for this API, with scopes, rotation and expiry.",
        ),
        ("audit", "Configuration changes and rejected tokens."),
        ("meta", "This API: health, reference and problem types."),
    ];
    tags.map(|(name, description)| json!({"name": name, "description": description}))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests;
