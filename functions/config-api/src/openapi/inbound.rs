//! OpenAPI operations of the inbound URLs, which the `inbound` function serves.

use domain::inbound::Loop;
use serde_json::{Value, json};

/// The supported methods and their operation IDs.
const METHODS: [(&str, &str); 7] = [
    ("get", "receiveGet"),
    ("post", "receivePost"),
    ("put", "receivePut"),
    ("patch", "receivePatch"),
    ("delete", "receiveDelete"),
    ("head", "receiveHead"),
    ("options", "receiveOptions"),
];

const DESCRIPTION: &str = "For webhooks of connected services, and status reports and inbound messages of providers. The URL is the service's \
    `webhook_url` or the provider's `callback_url`; its key identifies the sender. Each verified request of a service \
    publishes a `service.received` event, each inbound message of a provider one such as `sms.received`. A repeated request within 24 hours returns the first ID and publishes nothing. \
    `HEAD` and `OPTIONS` return 200 if the URL exists. Responses are deliberately terse, because callers are untrusted.";

pub(super) fn add(paths: &mut Value) {
    paths["/in/{key}"] = METHODS
        .map(|(method, id)| (method.to_owned(), operation(method, id)))
        .into_iter()
        .collect();
}

fn operation(method: &str, id: &str) -> Value {
    let problem = |description: &str| {
        json!({
            "description": description,
            "headers": {"x-request-id": {"$ref": "#/components/headers/RequestId"}},
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        })
    };
    let mut unauthorized =
        problem("Verification failed: the signature, secret or timestamp is missing or invalid.");
    unauthorized["headers"]["WWW-Authenticate"] =
        json!({"$ref": "#/components/headers/WwwAuthenticate"});
    let headers = json!({"x-request-id": {"$ref": "#/components/headers/RequestId"}});
    let mut operation = json!({
        "operationId": id,
        "tags": ["inbound"],
        "summary": "Receives a request from a third party.",
        "description": DESCRIPTION,
        "security": [],
        "parameters": [{
            "name": "key",
            "in": "path",
            "required": true,
            "description": "The secret part of the URL.",
            "schema": {"type": "string"},
            "example": "8Zk3v0QwT1bXc5LmN7pR2s01ARZ3NDEKTSV4RRFFQ69G5FAV",
        }],
        "responses": {
            "200": {
                "description": "The response to a sender's challenge, as the sender expects it: nothing is published. Or empty TwiML: the inbound message or call of a provider with the `verification` `twilio` was published.",
                "headers": headers,
                "content": {
                    "text/plain": {"schema": {"type": "string"}, "example": "challenge"},
                    "text/xml": {"schema": {"type": "string"}, "example": "<Response/>"},
                },
            },
            "202": {
                "description": "Accepted.",
                "headers": headers,
                "content": {"application/json": {
                    "schema": {"oneOf": [
                        {
                            "title": "Event",
                            "type": "object",
                            "required": ["id"],
                            "properties": {"id": {"$ref": "#/components/schemas/EventId", "description": "The ID of the event that was published."}},
                        },
                        {
                            "title": "Reports",
                            "type": "object",
                            "required": ["reports"],
                            "properties": {"reports": {"type": "integer", "minimum": 0, "description": "How many status reports and inbound messages were read."}},
                        },
                    ]},
                    "example": {"id": "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
                }},
            },
            "401": unauthorized,
            "403": problem("The user of this URL is inactive."),
            "404": problem("No inbound URL with this key."),
            "413": problem("The body is larger than 256 KiB, or its event is larger than 350 KiB."),
            "422": problem("The provider's report can't be parsed."),
            "500": problem("Internal error. Quote `request_id` when you report it."),
            "508": problem(&Loop.to_string()),
            "429": {"$ref": "#/components/responses/TooManyRequests"},
            "503": {"$ref": "#/components/responses/Unavailable"},
        },
    });
    match method {
        "head" | "options" => {
            operation["description"] = "Checks that the URL exists. Publishes no event.".into();
            if let Some(responses) = operation["responses"].as_object_mut() {
                responses
                    .retain(|status, _| !["202", "401", "422", "508"].contains(&status.as_str()));
                for status in ["200", "204"] {
                    responses.insert(
                        status.to_owned(),
                        json!({"description": "The URL is up.", "headers": headers}),
                    );
                }
            }
        }
        "post" | "put" | "patch" => {
            let any = json!({"schema": {}, "example": {"order": 20817, "status": "shipped"}});
            let bytes =
                json!({"schema": {"type": "string", "format": "binary"}, "example": "order=20817"});
            operation["requestBody"] = json!({
                "description": "Anything: JSON, a form, text or bytes of any type, at most 256 KiB.",
                "content": {"application/json": any, "application/octet-stream": bytes},
            });
        }
        _ => {}
    }
    operation
}
