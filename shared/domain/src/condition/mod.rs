//! Conditions on the data of events that a webhook receives.
//!
//! A condition is `{"all": […]}`, `{"any": […]}`, `{"not": …}`, or a comparison `{"field", "op",
//! "value"}`. [`op`] defines each `op`, [`subject`] the fields. Limits: 50 comparisons, 10 levels,
//! 16 KiB of JSON.
//!
//! An evaluation has a bounded number of [`steps`], so that one webhook's conditions do not delay
//! the events of others. Dispatch reads up to a thousand conditions per event: parsing a stored
//! condition is cheap, and regular expressions are compiled only if the result depends on them.

mod class_cost;
mod expression;
pub mod op;
mod steps;
pub mod subject;

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    excerpt,
    validation::{self, FieldReader, Validated, ValidationErrors},
};

use expression::Expression;
use op::Op;
use steps::Steps;
use subject::{Field, Subject};

pub use steps::TooCostly;

/// A condition on an event's data.
///
/// ```
/// use domain::{
///     condition::{Condition, subject::Subject},
///     event::Event,
///     id::{EventId, WebhookId},
///     pattern::EventType,
/// };
/// use jiff::Timestamp;
/// use serde_json::json;
///
/// let condition = Condition::parse(json!({"all": [
///     {"field": "chat.status", "op": "eq", "value": "open"},
///     {"field": "chat.wait_seconds", "op": "gte", "value": 60},
/// ]}))
/// .expect("a valid condition");
/// let now = Timestamp::UNIX_EPOCH;
/// let event = Event {
///     id: EventId::new(now, 1),
///     kind: EventType::parse("chat")?,
///     timestamp: now,
///     data: json!({"chat": {"status": "open", "wait_seconds": 75}}),
///     hops: 0,
/// };
/// let subject = Subject { event: &event, webhook: WebhookId::new(now, 2), webhook_name: None };
/// assert_eq!(condition.matches(&subject), Ok(true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of these match.
    All(Vec<Condition>),
    /// At least one of these matches.
    Any(Vec<Condition>),
    /// This does not match.
    Not(Box<Condition>),
    /// Compares a field.
    Compare {
        /// A path into the event's data, or a metadata field.
        field: Field,
        /// Operator and operand.
        op: Op,
    },
}

/// Result of evaluating a condition, with details.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether the whole condition matches.
    pub matched: bool,
    /// Every comparison in source order, including those that could not change the result.
    pub comparisons: Vec<Comparison>,
}

/// Result of one comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The field: a path into the event's `data`, or one of `event.id`, `event.type`,
    /// `event.timestamp`, `webhook.id` and `webhook.name`.
    pub field: String,
    /// Name of the operator, such as `eq`.
    pub op: &'static str,
    /// Operand as JSON.
    pub value: Value,
    /// The field's value; null if the field is missing.
    pub actual: Option<Value>,
    /// True if `actual` contains only the first 16 KiB of a string or of a value's JSON; otherwise
    /// absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Whether the comparison is true.
    pub outcome: bool,
}

/// Maximum number of comparisons in a condition, and of parts in a group.
pub const MAX_COMPARISONS: usize = 50;
/// Steps for finding a field. A path has at most a hundred segments.
const COMPARISON_STEPS: usize = 500;
const MAX_DEPTH: usize = 10;
/// As JSON. Every subscription of a webhook stores a copy of its conditions.
const MAX_BYTES: usize = 16 * 1024;

/// Origin of a condition's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A client: everything is validated.
    Input,
    /// The table: it was validated when it was saved.
    Saved,
}

impl Condition {
    /// Parses a condition from a client.
    ///
    /// # Errors
    /// Reports every invalid part, by JSON pointer.
    pub fn parse(value: Value) -> Validated<Self> {
        if value.is_array() {
            return Err(ValidationErrors::here(
                "must be one condition. Combine a list in {\"all\": [...]} or {\"any\": [...]}",
            ));
        }
        if value.to_string().len() > MAX_BYTES {
            return Err(ValidationErrors::here(format!(
                "must have at most {MAX_BYTES} bytes as JSON"
            )));
        }
        let condition = Self::parse_at(1, value, Origin::Input)?;
        if condition.size() > MAX_COMPARISONS {
            return Err(ValidationErrors::here(format!(
                "must contain at most {MAX_COMPARISONS} comparisons"
            )));
        }
        let mut expressions = Vec::new();
        condition.expressions(&mut expressions);
        if !expression::fit_together(&expressions) {
            return Err(ValidationErrors::here(format!(
                "contains regular expressions that are too large in total. {}",
                expression::SMALLER
            )));
        }
        Ok(condition)
    }

    /// Loads a stored condition, whatever the current limits are. An expression that no longer
    /// compiles matches nothing.
    ///
    /// # Errors
    /// Fails only on unknown structure.
    pub fn restore(value: Value) -> Validated<Self> {
        Self::parse_at(1, value, Origin::Saved)
    }

    /// The JSON that `parse` reads.
    pub fn to_value(&self) -> Value {
        let values = |parts: &[Self]| parts.iter().map(Self::to_value).collect::<Vec<_>>();
        match self {
            Self::All(parts) => json!({"all": values(parts)}),
            Self::Any(parts) => json!({"any": values(parts)}),
            Self::Not(part) => json!({"not": part.to_value()}),
            Self::Compare { field, op } => {
                json!({"field": field.as_str(), "op": op.name(), "value": op.value()})
            }
        }
    }

    /// Whether an event matches.
    ///
    /// # Errors
    /// Returns [`TooCostly`] if the evaluation would take more than 5 ms.
    pub fn matches(&self, subject: &Subject<'_>) -> Result<bool, TooCostly> {
        self.evaluate(subject, &Steps::new())
    }

    fn evaluate(&self, subject: &Subject<'_>, steps: &Steps) -> Result<bool, TooCostly> {
        match self {
            Self::All(parts) => op::any_of(parts, |part| {
                part.evaluate(subject, steps).map(|holds| !holds)
            })
            .map(|not| !not),
            Self::Any(parts) => op::any_of(parts, |part| part.evaluate(subject, steps)),
            Self::Not(part) => part.evaluate(subject, steps).map(|holds| !holds),
            Self::Compare { field, op } => {
                steps.spend(COMPARISON_STEPS)?;
                op.evaluate(field.find(subject).as_deref(), steps)
            }
        }
    }

    /// Like [`Condition::matches`], with the result of every comparison; false for one that would
    /// take more than 5 ms.
    pub fn explain(&self, subject: &Subject<'_>) -> Verdict {
        let mut comparisons = Vec::new();
        self.explain_into(subject, &mut comparisons);
        Verdict {
            matched: self.matches(subject).unwrap_or(false),
            comparisons,
        }
    }

    fn explain_into(&self, subject: &Subject<'_>, comparisons: &mut Vec<Comparison>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.explain_into(subject, comparisons);
                }
            }
            Self::Not(part) => part.explain_into(subject, comparisons),
            Self::Compare { field, op } => {
                let actual = field.find(subject);
                let outcome = op
                    .evaluate(actual.as_deref(), &Steps::new())
                    .unwrap_or(false);
                let cut = actual.as_deref().and_then(excerpt::of_value);
                comparisons.push(Comparison {
                    field: field.as_str().to_owned(),
                    op: op.name(),
                    value: op.value(),
                    truncated: cut.is_some(),
                    actual: cut.map(Value::from).or_else(|| actual.map(Cow::into_owned)),
                    outcome,
                });
            }
        }
    }

    /// Memory used by compiled expressions, in bytes.
    pub fn compiled_bytes(&self) -> usize {
        let mut expressions = Vec::new();
        self.expressions(&mut expressions);
        expressions
            .into_iter()
            .map(Expression::compiled_bytes)
            .sum()
    }

    /// Drops compiled expressions. They are compiled again when needed.
    pub fn release(&mut self) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter_mut().for_each(Self::release),
            Self::Not(part) => part.release(),
            Self::Compare {
                op: Op::Matches(expression),
                ..
            } => expression.release(),
            Self::Compare { .. } => {}
        }
    }

    fn parse_at(depth: usize, value: Value, origin: Origin) -> Validated<Self> {
        if depth > MAX_DEPTH {
            return Err(ValidationErrors::here(format!(
                "is nested more than {MAX_DEPTH} levels deep"
            )));
        }
        // Null is a valid operand here; `FieldReader` would treat it as absent.
        let mut value = value;
        let comparison = value.get("field").or(value.get("op")).is_some();
        let operand = value
            .as_object_mut()
            .filter(|_| comparison)
            .and_then(|object| object.remove("value"));
        let mut fields = FieldReader::of(value)?;
        if comparison {
            fields.knows("value");
        }
        let part = |value| Self::parse_at(depth + 1, value, origin);
        let parts = || validation::list(1, MAX_COMPARISONS, part);
        let condition = if fields.has("all") {
            fields.required("all", parts()).map(Self::All)
        } else if fields.has("any") {
            fields.required("any", parts()).map(Self::Any)
        } else if fields.has("not") {
            fields
                .required("not", part)
                .map(|part| Self::Not(Box::new(part)))
        } else if comparison {
            let field = fields.required("field", |value| match origin {
                Origin::Input => Field::parse(&validation::string(value)?),
                Origin::Saved => Field::restore(&validation::string(value)?),
            });
            let parse = fields.required("op", validation::one_of(&op::PARSERS));
            let checked = |op: Op| match &op {
                Op::Matches(expression) if origin == Origin::Input => {
                    expression.check().map(|()| op).map_err(Into::into)
                }
                _ => Ok(op),
            };
            let op = parse.and_then(|parse| {
                parse(operand)
                    .and_then(checked)
                    .map_err(|why| fields.refuse("value", why.to_string()))
                    .ok()
            });
            field.zip(op).map(|(field, op)| Self::Compare { field, op })
        } else {
            fields.refuse("", "must have `all`, `any` or `not`, or `field` and `op`");
            None
        };
        fields.finish(condition)
    }

    fn size(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
            Self::Not(part) => part.size(),
            Self::Compare { .. } => 1,
        }
    }

    fn expressions<'a>(&'a self, found: &mut Vec<&'a Expression>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.expressions(found);
                }
            }
            Self::Not(part) => part.expressions(found),
            Self::Compare {
                op: Op::Matches(expression),
                ..
            } => found.push(expression),
            Self::Compare { .. } => {}
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
