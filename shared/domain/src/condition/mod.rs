//! Conditions on the data of events that a webhook receives.
//!
//! A condition is `{"all": […]}`, `{"any": […]}`, `{"not": …}`, a comparison `{"field", "op",
//! "value"}`, or `{"any_of": "<array>", "where": {…}}` or `all_of`, whose `where` applies to the
//! elements. [`op`] defines each `op`, [`subject`] the fields. Limits: 50 comparisons, 10 levels,
//! 16 KiB of JSON.
//!
//! An evaluation has a bounded number of [`steps`], so that one webhook's conditions do not delay
//! the events of others. Dispatch reads up to a thousand conditions per event: parsing a stored
//! condition is cheap, and regular expressions are compiled only if the result depends on them.

mod class_cost;
mod explain;
mod expression;
pub mod op;
mod parse;
mod steps;
pub mod subject;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use expression::Expression;
use op::Op;
use steps::Steps;
use subject::{Field, Subject};

pub use explain::{Comparison, Verdict};
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
/// let subject = Subject::of_event(&event, WebhookId::new(now, 2), None);
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
    /// At least one element of an array, or every one, meets a condition. False if there is no
    /// array.
    Elements {
        /// How many elements must meet it.
        quantifier: Quantifier,
        /// The array.
        array: Field,
        /// The condition. Its fields are those of the element.
        condition: Box<Condition>,
    },
    /// Compares a field.
    Compare {
        /// A path into the event's data, or a metadata field.
        field: Field,
        /// Operator and operand.
        op: Op,
    },
}

/// How many elements of an array must meet a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Every one. Holds for an empty array.
    All,
}

impl Quantifier {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Any, Self::All];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any_of",
            Self::All => "all_of",
        }
    }
}

/// Maximum number of comparisons in a condition, and of parts in a group.
pub const MAX_COMPARISONS: usize = 50;
/// Steps for finding a field. A path has at most a hundred segments.
const COMPARISON_STEPS: usize = 500;
impl Condition {
    /// The JSON that `parse` reads.
    pub fn to_value(&self) -> Value {
        let values = |parts: &[Self]| parts.iter().map(Self::to_value).collect::<Vec<_>>();
        match self {
            Self::All(parts) => json!({"all": values(parts)}),
            Self::Any(parts) => json!({"any": values(parts)}),
            Self::Not(part) => json!({"not": part.to_value()}),
            Self::Elements {
                quantifier,
                array,
                condition,
            } => json!({quantifier.name(): array.as_str(), "where": condition.to_value()}),
            Self::Compare {
                field: Field::Element,
                op,
            } => json!({"op": op.name(), "value": op.value()}),
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
            Self::Elements {
                quantifier,
                array,
                condition,
            } => {
                steps.spend(COMPARISON_STEPS)?;
                let found = array.find(subject);
                let Some(Value::Array(elements)) = found.as_deref() else {
                    return Ok(false);
                };
                let meets = |element| condition.evaluate(&subject.element(element), steps);
                match quantifier {
                    Quantifier::Any => op::any_of(elements, meets),
                    Quantifier::All => {
                        op::any_of(elements, |element| meets(element).map(|holds| !holds))
                            .map(|not| !not)
                    }
                }
            }
            Self::Compare { field, op } => {
                steps.spend(COMPARISON_STEPS)?;
                op.evaluate(field.find(subject).as_deref(), steps)
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
            Self::Not(part)
            | Self::Elements {
                condition: part, ..
            } => part.release(),
            Self::Compare {
                op: Op::Matches(expression),
                ..
            } => expression.release(),
            Self::Compare { .. } => {}
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
            Self::Not(part) => part.size(),
            Self::Elements { condition, .. } => 1 + condition.size(),
            Self::Compare { .. } => 1,
        }
    }

    /// The fields that it reads of its subject. Those of elements are not among them.
    pub(crate) fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Elements { array: field, .. } | Self::Compare { field, .. } => {
                vec![field.as_str()]
            }
        }
    }

    fn expressions<'a>(&'a self, found: &mut Vec<&'a Expression>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.expressions(found);
                }
            }
            Self::Not(part)
            | Self::Elements {
                condition: part, ..
            } => part.expressions(found),
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
