//! Conditions of webhooks, and how they evaluate.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::condition::{self, MAX_COMPARISONS, Quantifier, op, subject::Field};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
        schema::{ArrayBuilder, SchemaType, Type},
    },
};

/// A condition on an event's data.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Condition {
    All {
        all: Vec<Self>,
    },
    Any {
        any: Vec<Self>,
    },
    Not {
        not: Box<Self>,
    },
    AnyOf {
        any_of: String,
        r#where: Box<Self>,
    },
    AllOf {
        all_of: String,
        r#where: Box<Self>,
    },
    Compare {
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        op: &'static str,
        value: Value,
    },
}

impl From<&condition::Condition> for Condition {
    fn from(condition: &condition::Condition) -> Self {
        let each = |parts: &[condition::Condition]| parts.iter().map(Self::from).collect();
        match condition {
            condition::Condition::All(parts) => Self::All { all: each(parts) },
            condition::Condition::Any(parts) => Self::Any { any: each(parts) },
            condition::Condition::Not(part) => Self::Not {
                not: Box::new((&**part).into()),
            },
            condition::Condition::Elements {
                quantifier,
                array,
                condition,
            } => {
                let (array, r#where) = (array.as_str().to_owned(), Box::new((&**condition).into()));
                match quantifier {
                    Quantifier::Any => Self::AnyOf {
                        any_of: array,
                        r#where,
                    },
                    Quantifier::All => Self::AllOf {
                        all_of: array,
                        r#where,
                    },
                }
            }
            condition::Condition::Compare { field, op } => Self::Compare {
                field: (*field != Field::Element).then(|| field.as_str().to_owned()),
                op: op.name(),
                value: op.value(),
            },
        }
    }
}

/// Written manually, because derived schemas can't refer to themselves or list the operators.
impl PartialSchema for Condition {
    fn schema() -> RefOr<Schema> {
        let this = || Ref::from_schema_name("Condition");
        let group = |name: &str| {
            let parts = ArrayBuilder::new()
                .items(this())
                .min_items(Some(1))
                .max_items(Some(MAX_COMPARISONS));
            ObjectBuilder::new().property(name, parts).required(name)
        };
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let elements = |quantifier: Quantifier| {
            let name = quantifier.name();
            ObjectBuilder::new()
                .property(name, text())
                .required(name)
                .property("where", this())
                .required("where")
        };
        let comparison = ObjectBuilder::new()
            .property(
                "field",
                text().description(Some(
                    "A path into the event's data, such as `last_reply.author`, or one of `event.id`, \
                     `event.type`, `event.timestamp`, `webhook.id` and `webhook.name`. In `where`, a path \
                     into the element; without it, the element itself is compared.",
                )),
            )
            .property("op", text().enum_values(Some(op::names())))
            .required("op")
            .property(
                "value",
                ObjectBuilder::new().schema_type(SchemaType::AnyValue),
            )
            .examples([json!({"field": "last_reply.author", "op": "eq", "value": "end_user"})]);
        OneOfBuilder::new()
            .description(Some(
                "Condition on the event's data. At most 50 comparisons, 10 levels and 16 KiB of JSON.",
            ))
            .item(group("all"))
            .item(group("any"))
            .item(ObjectBuilder::new().property("not", this()).required("not"))
            .item(elements(Quantifier::Any))
            .item(elements(Quantifier::All))
            .item(comparison)
            .into()
    }
}

impl ToSchema for Condition {}

#[derive(Debug, Serialize, ToSchema)]
pub struct Comparison {
    pub field: String,
    pub op: &'static str,
    pub value: Value,
    /// The field's value in the event; null if the field is missing. A string of more than 16 KiB
    /// is truncated; an array or object of more than 16 KiB is returned as a string with the first
    /// 16 KiB of its JSON.
    pub actual: Option<Value>,
    /// True if `actual` was truncated; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub truncated: bool,
    pub outcome: bool,
}

impl From<condition::Comparison> for Comparison {
    fn from(comparison: condition::Comparison) -> Self {
        let condition::Comparison {
            field,
            op,
            value,
            actual,
            truncated,
            outcome,
        } = comparison;
        Self {
            field,
            op,
            value,
            actual,
            truncated,
            outcome,
        }
    }
}
