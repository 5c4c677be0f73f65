//! Schema details derived from field names: IDs, times and common descriptions.

use domain::scope::Scope;
use serde_json::{Map, Value, json};

use super::operations;

/// Names list schemas after their items: `UserList`, not `List_User`.
pub(super) fn lists(document: &Value) -> Value {
    let mut text = document.to_string();
    for name in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        if let Some(entry) = name.strip_prefix("List_") {
            text = text.replace(&format!("List_{entry}\""), &format!("{entry}List\""));
        }
    }
    let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
    let schemas = document["components"]["schemas"]
        .as_object_mut()
        .into_iter()
        .flatten();
    for (entry, schema) in
        schemas.filter_map(|(name, schema)| Some((name.strip_suffix("List")?, schema)))
    {
        schema["properties"]["data"]["items"] =
            json!({"$ref": format!("#/components/schemas/{entry}")});
    }
    document
}

/// ID schemas: schema name, prefix, resource.
const IDS: [(&str, &str, &str); 12] = [
    ("UserId", "usr", "a user"),
    ("CredentialId", "cred", "a credential"),
    ("AccountId", "acct", "an account"),
    ("ServiceId", "svc", "a service"),
    ("ProviderId", "prov", "a provider"),
    ("MessageId", "msg", "a message"),
    ("CallId", "call", "a call"),
    ("CampaignId", "camp", "a campaign"),
    ("WebhookId", "wh", "a webhook"),
    ("EventId", "evt", "an event"),
    ("AuditEntryId", "aud", "an audit entry"),
    ("DeliveryId", "dlv", "a delivery"),
];

/// Fields that contain an ID, in every schema.
const ID_FIELDS: [(&str, &str); 10] = [
    ("user_id", "UserId"),
    ("credential_id", "CredentialId"),
    ("account_id", "AccountId"),
    ("service_id", "ServiceId"),
    ("sms_provider_id", "ProviderId"),
    ("email_provider_id", "ProviderId"),
    ("fallback_provider_id", "ProviderId"),
    ("campaign_id", "CampaignId"),
    ("webhook_id", "WebhookId"),
    ("event_id", "EventId"),
];

/// Descriptions of fields with the same meaning in every schema.
const FIELDS: [(&str, &str); 4] = [
    ("id", "Unique ID."),
    ("name", "Name."),
    ("created_at", "When it was created."),
    ("updated_at", "When it last changed."),
];

/// Completes the IDs and times of all schemas and parameters.
pub(super) fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object_mut();
    let Some(schemas) = schemas else { return };
    for (schema, described) in schemas.iter_mut() {
        visit(described, &mut |object| fields(schema, object));
    }
    schemas.insert("Scope".to_owned(), scope());
    for (name, prefix, what) in IDS {
        schemas.insert(name.to_owned(), id(prefix, what));
    }
    for (_, _, operation) in operations(&mut document["paths"]) {
        for parameter in operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            complete_parameter(parameter);
        }
    }
}

/// The schema of scopes. The description documents each for readers; `x-enumDescriptions` for
/// generators.
fn scope() -> Value {
    let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let described = Scope::ALL
        .iter()
        .map(|scope| (scope.as_str().to_owned(), Value::from(scope.description())));
    let lines: Vec<String> = Scope::ALL
        .iter()
        .map(|scope| format!("- `{scope}`: {}", scope.description()))
        .collect();
    json!({
        "type": "string",
        "enum": names,
        "description": format!("A permission. `*:write` does not imply `*:read`.\n\n{}", lines.join("\n")),
        "x-enumDescriptions": described.collect::<Map<_, _>>(),
    })
}

fn id(prefix: &str, what: &str) -> Value {
    let pattern = match prefix {
        "dlv" => "^dlv_[0-9A-Z_]+$".to_owned(),
        prefix => format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$"),
    };
    let example = match prefix {
        "dlv" => "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        prefix => format!("{prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    };
    json!({"type": "string", "description": format!("The ID of {what}."), "pattern": pattern, "examples": [example]})
}

/// Calls `change` for every object schema, innermost first.
fn visit(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(map) => {
            for (_, inner) in map
                .iter_mut()
                .filter(|(key, _)| !matches!(key.as_str(), "example" | "examples" | "default"))
            {
                visit(inner, change);
            }
            if map.get("properties").is_some_and(Value::is_object) {
                change(map);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, change)),
        _ => {}
    }
}

fn fields(schema: &str, object: &mut Map<String, Value>) {
    let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, field) in properties {
        let kind = match (schema, name.as_str()) {
            (_, "id") => IDS
                .iter()
                .find(|(id, ..)| {
                    id.strip_suffix("Id") == schema.strip_suffix("WithAttempts").or(Some(schema))
                })
                .map(|(id, ..)| *id),
            (
                "Message" | "MessageWithAttempts" | "Call" | "CallWithAttempts" | "Attempt",
                "provider_id",
            ) => Some("ProviderId"),
            (_, "created_by") => Some("UserId"),
            (_, name) => ID_FIELDS
                .iter()
                .find(|(field, _)| *field == name)
                .map(|(_, id)| *id),
        };
        if let Some(kind) = kind {
            refer(field, kind);
        }
        hoist(field);
        if field["description"].is_null()
            && let Some((_, description)) = FIELDS.iter().find(|(field, _)| field == name)
        {
            field["description"] = (*description).into();
        }
    }
}

/// Replaces a string schema by a reference to an ID schema. Keeps the description.
fn refer(field: &mut Value, kind: &str) {
    let reference = json!({"$ref": format!("#/components/schemas/{kind}")});
    let mut described = match &field["type"] {
        Value::String(_) => reference,
        Value::Array(_) => json!({"oneOf": [reference, {"type": "null"}]}),
        _ => return,
    };
    for kept in ["description", "readOnly"] {
        if let Some(value) = field.get(kept) {
            described[kept] = value.clone();
        }
    }
    *field = described;
}

/// Moves the description of a nullable field from the reference to the field.
fn hoist(field: &mut Value) {
    if field["description"].is_null()
        && let Some([choice, null]) = field
            .get_mut("oneOf")
            .and_then(Value::as_array_mut)
            .map(Vec::as_mut_slice)
        && null["type"] == "null"
        && let Some(description) = choice
            .as_object_mut()
            .and_then(|choice| choice.remove("description"))
    {
        field["description"] = description;
    }
}

fn complete_parameter(parameter: &mut Value) {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    // Absent parameters are omitted, not null.
    if let Some(kinds) = parameter["schema"]["type"].as_array() {
        let kind = kinds
            .iter()
            .find(|kind| *kind != "null")
            .cloned()
            .unwrap_or_default();
        parameter["schema"]["type"] = kind;
    }
    if let Some(choices) = parameter["schema"]["oneOf"].as_array() {
        let kind = choices
            .iter()
            .find(|choice| choice["type"] != "null")
            .cloned()
            .unwrap_or_default();
        parameter["schema"] = kind;
    }
    if parameter["in"] == "path" && parameter["description"].is_null() {
        parameter["description"] = "Its ID.".into();
    }
    if parameter["in"] == "query" {
        match name.as_str() {
            "since" | "until" => parameter["schema"]["format"] = "date-time".into(),
            name => {
                if let Some((_, kind)) = ID_FIELDS.iter().find(|(field, _)| *field == name) {
                    refer(&mut parameter["schema"], kind);
                }
            }
        }
    }
}
