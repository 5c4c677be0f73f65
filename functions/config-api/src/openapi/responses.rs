//! Responses of operations: the errors that follow from an operation's inputs, and the response
//! headers.

use serde_json::{Map, Value, json};

use super::operations;

/// An error response: component name, status, description.
type Error = (&'static str, u16, &'static str);

const BAD_REQUEST: Error = (
    "BadRequest",
    400,
    "The body is not JSON, or the cursor was not returned by this list.",
);
const UNAUTHORIZED: Error = (
    "Unauthorized",
    401,
    "The token is missing, malformed, unknown, revoked or expired.",
);
const FORBIDDEN: Error = (
    "Forbidden",
    403,
    "The credential lacks the scope that `detail` names, or the caller's address is not in its `allowed_ips`.",
);
const NOT_FOUND: Error = ("NotFound", 404, "No resource with this ID.");
const METHOD: Error = (
    "MethodNotAllowed",
    405,
    "The path does not support this method. `Allow` lists the methods that it supports.",
);
const CONFLICT: Error = (
    "Conflict",
    409,
    "The resource's state does not allow it, a name is already in use, or another request is changing it.",
);
const STALE: Error = (
    "Stale",
    412,
    "The resource has changed since the `ETag` in `If-Match` was read.",
);
const TOO_LARGE: Error = (
    "TooLarge",
    413,
    "The body is larger than 256 KiB. Above 10 MB the gateway responds itself, with `{\"message\"}`.",
);
const MEDIA_TYPE: Error = (
    "UnsupportedMediaType",
    415,
    "The body's `Content-Type` is not JSON.",
);
const INVALID: Error = (
    "Invalid",
    422,
    "Fields or parameters are invalid or unknown. `errors` lists each of them.",
);
const INTERNAL: Error = (
    "Internal",
    500,
    "Internal error. Quote `request_id` when you report it.",
);

const LOOP: Error = (
    "LoopDetected",
    508,
    "The request has passed through Tieline 3 or more times, or its `tieline-hops` header is not a number from 0 to 2.",
);

const ERRORS: [Error; 12] = [
    BAD_REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD,
    CONFLICT,
    STALE,
    TOO_LARGE,
    MEDIA_TYPE,
    INVALID,
    INTERNAL,
    LOOP,
];

/// Errors that the gateway returns itself.
const GATEWAY: [Error; 2] = [
    (
        "TooManyRequests",
        429,
        "Too many requests. Sent by the gateway, not as a problem document.",
    ),
    (
        "Unavailable",
        503,
        "No response within 30 seconds. Sent by the gateway, not as a problem document.",
    ),
];

/// Adds error responses and response headers to every operation.
pub(super) fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    for (path, method, operation) in operations(&mut document["paths"]) {
        complete_operation(path, method, operation, &schemas);
    }
    let components = &mut document["components"];
    for (name, status, description) in ERRORS {
        components["responses"][name] = json!({
            "description": description,
            "headers": headers(status),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
    }
    for (name, _, description) in GATEWAY {
        components["responses"][name] = json!({
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GatewayMessage"}}},
        });
    }
    components["schemas"]["GatewayMessage"] = json!({
        "type": "object",
        "description": "An error response of the gateway.",
        "properties": {"message": {"type": "string", "description": "What went wrong."}},
        "examples": [{"message": "Too Many Requests"}],
    });
    components["schemas"]["Problem"]["properties"]["request_id"] = json!({"type": "string", "description": "The request's ID. Only with status 500 and above."});
    components["headers"] = json!({
        "RequestId": header("The request's ID. Quote it when you report a problem.", "b0b9c5a4-6b5f-4d8e-9f43-0f6f3c6f1f4e"),
        "ETag": header("The version of the resource, for `If-Match`.", "\"3\""),
        "Location": header("The path of the new resource.", "/v1/webhooks/wh_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        "Allow": header("The methods that this path supports.", "GET,HEAD,POST"),
        "WwwAuthenticate": header("The authentication scheme (RFC 9110, section 11.6.1).", "Bearer"),
    });
}

fn header(description: &str, example: &str) -> Value {
    json!({"description": description, "required": true, "schema": {"type": "string"}, "example": example})
}

fn complete_operation(path: &str, method: &str, operation: &mut Value, schemas: &Value) {
    if operation["security"] == json!([{}]) {
        operation["security"] = json!([]);
    }
    if method == "patch" && !path.starts_with("/in/") {
        let schema = operation["requestBody"]["content"]["application/json"].clone();
        operation["requestBody"]["content"] =
            json!({"application/merge-patch+json": schema, "application/json": schema});
    }
    let scope = operation["security"][0]["token"][0]
        .as_str()
        .map(str::to_owned);
    if let Some(scope) = &scope {
        let text = operation["description"]
            .as_str()
            .map_or_else(String::new, |text| format!("{text}\n\n"));
        operation["description"] = format!("{text}Scope: `{scope}`.").into();
    }
    if path.starts_with("/in/") {
        return;
    }
    let optional = optional_body(operation, schemas);
    if let Some(body) = operation
        .get_mut("requestBody")
        .and_then(Value::as_object_mut)
    {
        body.insert("required".to_owned(), (!optional).into());
    }
    if method == "post" && operation["requestBody"].is_null() {
        operation["requestBody"] = json!({
            "description": "No fields; the body is optional.",
            "required": false,
            "content": {"application/json": {"schema": {"type": "object", "additionalProperties": false}, "example": {}}},
        });
    }
    let errors = errors(
        path,
        operation["security"][0]["token"].is_array(),
        operation,
    );
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (name, status, _) in errors {
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        responses.entry(status.to_string()).or_insert(reference);
    }
    let single = responses.iter().any(|(status, response)| {
        status.starts_with('2') && tagged(path, method) && response["content"].is_object()
    });
    for (status, response) in responses
        .iter_mut()
        .filter(|(_, response)| response.get("$ref").is_none())
    {
        let status = status.parse().unwrap_or_default();
        if response["description"].is_null() {
            response["description"] = description(status, response).into();
        }
        let mut headers = headers(status);
        if single && matches!(status, 200 | 201) {
            headers.insert(
                "ETag".to_owned(),
                json!({"$ref": "#/components/headers/ETag"}),
            );
        }
        if status == 201 || (status == 202 && matches!(path, "/v1/messages" | "/v1/calls")) {
            headers.insert(
                "Location".to_owned(),
                json!({"$ref": "#/components/headers/Location"}),
            );
        }
        response["headers"] = headers.into();
    }
}

/// Default description of a successful response.
fn description(status: u16, response: &Value) -> &'static str {
    let schema = response["content"]["application/json"]["schema"]["$ref"]
        .as_str()
        .unwrap_or_default();
    match status {
        201 => "Created.",
        202 => "Accepted.",
        _ if schema.ends_with("List") => "A page of the list.",
        _ => "Success.",
    }
}

/// Whether the body is optional because all its fields are.
fn optional_body(operation: &Value, schemas: &Value) -> bool {
    let reference =
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
    let name = reference
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let schema = &schemas[name];
    let none_required = schema["required"].as_array().is_none_or(Vec::is_empty);
    schema["properties"].is_object() && none_required && !name.ends_with("Patch")
}

/// Whether a successful response contains one resource with an `ETag`.
fn tagged(path: &str, method: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    match method {
        "get" | "patch" => path.starts_with("/v1/") && last.starts_with('{'),
        "post" => {
            !path.contains('{') && !matches!(last, "import" | "batch" | "events")
                || matches!(
                    last,
                    "rotate" | "revoke" | "rotate-url" | "rotate-secret" | "cancel" | "clone"
                )
        }
        _ => false,
    }
}

fn headers(status: u16) -> Map<String, Value> {
    let named = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let special = match status {
        401 => Some(("WWW-Authenticate", "WwwAuthenticate")),
        405 => Some(("Allow", "Allow")),
        _ => None,
    };
    let all = [("x-request-id", "RequestId")].into_iter().chain(special);
    all.map(|(header, name)| (header.to_owned(), named(name)))
        .collect()
}

/// Errors that follow from the operation's inputs.
fn errors(path: &str, secured: bool, operation: &Value) -> Vec<Error> {
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let takes = |place: &str, name: &str| {
        parameters
            .iter()
            .any(|one| one["in"] == place && one["name"] == name)
    };
    let queries = parameters.iter().any(|one| one["in"] == "query");
    let body = operation["requestBody"].is_object();
    let headers = takes("header", "Idempotency-Key");
    let conditional = takes("header", "If-Match");
    let rules = [
        (body || takes("query", "cursor"), BAD_REQUEST),
        (secured, UNAUTHORIZED),
        (secured, FORBIDDEN),
        (path.contains('{'), NOT_FOUND),
        (true, METHOD),
        (conditional, CONFLICT),
        (conditional, STALE),
        (body, TOO_LARGE),
        (body, MEDIA_TYPE),
        (body || queries || headers, INVALID),
        (true, INTERNAL),
        (secured, LOOP),
        (true, GATEWAY[0]),
        (true, GATEWAY[1]),
    ];
    rules
        .into_iter()
        .filter_map(|(applies, error)| applies.then_some(error))
        .collect()
}
