//! Request schemas with mutually exclusive fields, split into one schema per variant.

use serde_json::{Map, Value, json};

use super::{PREFIX, fields::never_null};

/// A request schema to split, and its variants.
struct Split {
    whole: &'static str,
    choice: &'static str,
    variants: &'static [Variant],
}

struct Variant {
    name: &'static str,
    description: &'static str,
    without: &'static [&'static str],
    required: &'static [&'static str],
    /// JSON that is merged into the properties.
    fields: &'static str,
}

const SPLITS: [Split; 4] = [
    Split {
        whole: "WebhookInput",
        choice: "oneOf",
        variants: &[
            Variant {
                name: "UrlWebhookInput",
                description: "A webhook that sends to a URL.",
                without: &["service_id", "path"],
                required: &["url"],
                fields: "{}",
            },
            Variant {
                name: "ServiceWebhookInput",
                description: "A webhook that sends to a connected service, whose account authenticates the requests.",
                without: &["url", "auth"],
                required: &["service_id", "path"],
                fields: "{}",
            },
        ],
    },
    Split {
        whole: "ServiceInput",
        choice: "oneOf",
        variants: &[
            Variant {
                name: "ServiceOfAccountInput",
                description: "A service that uses an existing account.",
                without: &["account"],
                required: &["account_id"],
                fields: "{}",
            },
            Variant {
                name: "ServiceWithAccountInput",
                description: "A service with a new account.",
                without: &["account_id"],
                required: &["account"],
                fields: "{}",
            },
        ],
    },
    Split {
        whole: "MessageInput",
        choice: "oneOf",
        variants: &[
            Variant {
                name: "SmsInput",
                description: "An SMS: `text`, or what a `template` needs.",
                without: &[],
                required: &[],
                fields: r#"{"channel": {"type": "string", "const": "sms", "description": "Channel."},
                    "to": {"type": "string", "pattern": "^\\+[1-9][0-9]{6,14}$", "example": "+15555550100",
                           "description": "The recipient's phone number in E.164 format."},
                    "from": {"type": ["string", "null"], "minLength": 1, "maxLength": 255,
                             "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
                             "description": "A phone number, or a name or ID that the provider knows."},
                    "text": {"type": ["string", "null"], "minLength": 1, "maxLength": 1600, "pattern": "\\S",
                             "description": "The text. Required without `template`."}}"#,
            },
            Variant {
                name: "EmailInput",
                description: "An e-mail: `text`, `html` or both, or what a `template` needs.",
                without: &[],
                required: &[],
                fields: r#"{"channel": {"type": "string", "const": "email", "description": "Channel."},
                    "to": {"type": "string", "maxLength": 254, "pattern": "^[^\\s@]+@[^\\s@]+\\.[^\\s@]+$",
                           "example": "ana@example.com", "description": "The recipient's e-mail address."}}"#,
            },
            Variant {
                name: "ChatbotInput",
                description: "A chatbot message: `text`, or what a `template` needs.",
                without: &[],
                required: &[],
                fields: r#"{"channel": {"type": "string", "const": "chatbot", "description": "Channel."},
                    "from": {"type": ["string", "null"], "minLength": 1, "maxLength": 255,
                             "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
                             "description": "A phone number, or a name or ID that the provider knows."}}"#,
            },
        ],
    },
    Split {
        whole: "CallInput",
        choice: "anyOf",
        variants: &[
            Variant {
                name: "TextCallInput",
                description: "A phone call that speaks a text.",
                without: &[],
                required: &["text"],
                fields: "{}",
            },
            Variant {
                name: "UrlCallInput",
                description: "A phone call for which the provider fetches instructions.",
                without: &[],
                required: &["url"],
                fields: "{}",
            },
            Variant {
                name: "TemplateCallInput",
                description: "A phone call from a template of the provider.",
                without: &[],
                required: &["template"],
                fields: "{}",
            },
        ],
    },
];

/// Replaces the schemas by unions of their variants.
pub(super) fn complete(schemas: &mut Value) {
    for Split {
        whole,
        choice,
        variants,
    } in SPLITS
    {
        let described = schemas[whole].take();
        let mut mapping = Map::new();
        for variant in variants {
            let schema = variant_schema(&described, variant);
            if let Some(tag) = schema["properties"]["channel"]["const"].as_str() {
                mapping.insert(tag.to_owned(), format!("{PREFIX}{}", variant.name).into());
            }
            schemas[variant.name] = schema;
        }
        let references: Vec<Value> = variants
            .iter()
            .map(|variant| json!({"$ref": format!("{PREFIX}{}", variant.name)}))
            .collect();
        schemas[whole] = json!({"description": described["description"], choice: references});
        if !mapping.is_empty() {
            schemas[whole]["discriminator"] =
                json!({"propertyName": "channel", "mapping": mapping});
        }
    }
}

fn variant_schema(whole: &Value, variant: &Variant) -> Value {
    let mut schema = whole.clone();
    schema["description"] = variant.description.into();
    let fields: Value = serde_json::from_str(variant.fields).unwrap_or_default();
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| !variant.without.contains(&name.as_str()));
        properties.extend(fields.as_object().cloned().unwrap_or_default());
        for name in variant.required {
            if let Some(property) = properties.get_mut(*name) {
                never_null(property);
                if let Some(reference) = property["oneOf"][0].as_object().cloned() {
                    let description = property["description"].take();
                    *property = reference.into();
                    property["description"] = description;
                }
            }
        }
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.extend(variant.required.iter().map(|name| Value::from(*name)));
    }
    schema
}
