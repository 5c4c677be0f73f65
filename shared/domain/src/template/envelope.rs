//! The default body, for webhooks without a template.

use serde::Serialize;
use serde_json::Value;

use super::{
    Format,
    part::percent,
    xml::{escape_attribute, escape_text, is_name},
};

/// The event as `type`, `timestamp` and `data`. In a form, `data` is JSON. In XML, it is nested
/// elements, named by an object's keys or `item` for an array. A key that is not a valid element
/// name, or is reserved by XML, becomes `<entry name="…">`.
pub fn envelope(format: Format, event_type: &str, event_timestamp: &str, data: &Value) -> String {
    match format {
        Format::Json => json(event_type, event_timestamp, data),
        Format::Xml => {
            let mut out = String::from("<event><type>");
            escape_text(&mut out, event_type);
            out.push_str("</type><timestamp>");
            escape_text(&mut out, event_timestamp);
            out.push_str("</timestamp>");
            element(&mut out, "data", data);
            out.push_str("</event>");
            out
        }
        Format::Form => {
            let mut out = String::new();
            for (name, value) in [
                ("type=", event_type),
                ("&timestamp=", event_timestamp),
                ("&data=", &data.to_string()),
            ] {
                out.push_str(name);
                percent(&mut out, value);
            }
            out
        }
    }
}

fn json(event_type: &str, timestamp: &str, data: &Value) -> String {
    #[derive(Serialize)]
    struct Envelope<'a> {
        r#type: &'a str,
        timestamp: &'a str,
        data: &'a Value,
    }
    // Strings and values always serialize; the fallback is unreachable.
    serde_json::to_string(&Envelope {
        r#type: event_type,
        timestamp,
        data,
    })
    .unwrap_or_default()
}

fn element(out: &mut String, key: &str, value: &Value) {
    let plain = key.is_ascii()
        && !key.contains(':')
        && is_name(key)
        && !key.to_ascii_lowercase().starts_with("xml");
    let name = if plain { key } else { "entry" };
    out.push('<');
    out.push_str(name);
    if !plain {
        out.push_str(" name=\"");
        escape_attribute(out, key);
        out.push('"');
    }
    out.push('>');
    match value {
        Value::Null => {}
        Value::String(text) => escape_text(out, text),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| element(out, "item", item)),
        Value::Object(map) => map.iter().for_each(|(key, value)| element(out, key, value)),
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}
