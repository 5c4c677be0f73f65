//! The OpenAPI `webhooks` section: one request for each built-in event type, in the standard
//! envelope.

use domain::event_type::{self, BuiltIn};
use serde_json::{Value, json};

pub(super) fn webhooks() -> Value {
    event_type::catalogue()
        .iter()
        .map(|known| (known.name.to_owned(), json!({"post": operation(known)})))
        .collect()
}

fn operation(known: &BuiltIn) -> Value {
    let header = |name: &str, description: &str, example: &str| {
        json!({
            "name": name,
            "in": "header",
            "required": true,
            "description": description,
            "schema": {"type": "string"},
            "example": example,
        })
    };
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    let id: String = known
        .name
        .split(['.', '_'])
        .filter(|part| !part.is_empty())
        .map(word)
        .collect();
    json!({
        "operationId": format!("on{id}"),
        "tags": ["webhooks"],
        "summary": known.description,
        "description": "Sent to webhooks that subscribe to this type and use the default `body`, `format` and `method`. \
            Signed according to Standard Webhooks 1.0.",
        "security": [],
        "parameters": [
            header("webhook-id", "The event's ID. The same for every attempt.", "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            header("webhook-timestamp", "When the attempt was made, in Unix seconds.", "1772442900"),
            header(
                "webhook-signature",
                "`v1,` and the base64 HMAC-SHA256 of `<id>.<timestamp>.<body>`. During a secret's rotation there are two, separated by a space.",
                "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
            ),
        ],
        "requestBody": {
            "required": true,
            "content": {"application/json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "timestamp", "data"],
                    "properties": {
                        "type": {"type": "string", "const": known.name, "description": "The event's type."},
                        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
                        "data": {"type": "object", "description": "The event's data."},
                    },
                },
                "example": {"type": known.name, "timestamp": "2026-03-02T09:15:00Z", "data": known.example},
            }},
        },
        "responses": {
            "2XX": {"description": "Delivered. 3XX also counts as delivered, unless the webhook's `success` is `2xx`."},
            "410": {"description": "The endpoint no longer exists. Tieline disables the webhook."},
            "default": {"description": "The attempt failed. It is retried according to the webhook's `retry`."},
        },
    })
}
