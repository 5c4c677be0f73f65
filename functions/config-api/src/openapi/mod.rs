//! The OpenAPI document, made from the handlers' own descriptions.

pub mod schema;

use serde_json::{Value, json};
use utoipa::openapi::{
    InfoBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::http::access::SCHEME;

/// The document before the routes are added.
pub fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tieline")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Webhooks, inbound URLs, connected services, messages and calls, and the keys for them. Times are RFC 3339 in UTC.",
        ))
        .build();
    let mut document = OpenApiBuilder::new().info(info).build();
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An integration credential's token"));
    document.components.get_or_insert_default().add_security_scheme(SCHEME, SecurityScheme::Http(scheme.build()));
    document
}

/// The document as it is served: every operation can fail in the same ways.
pub fn complete(document: &OpenApi) -> Value {
    let mut document = json!(document);
    let common = [
        ("401", "No valid token"),
        ("403", "The token lacks the scope"),
        ("413", "The body has more than 256 KiB"),
        ("415", "The body is not JSON"),
        ("429", "Too many requests"),
        ("500", "Our fault; the request id tells us what"),
    ];
    for operations in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for operation in operations.as_object_mut().into_iter().flat_map(|operations| operations.values_mut()) {
            if operation["security"] == json!([{}]) {
                continue;
            }
            for (status, description) in common {
                operation["responses"][status] = json!({
                    "description": description,
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                });
            }
        }
    }
    document
}
