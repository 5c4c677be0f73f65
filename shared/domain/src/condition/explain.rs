//! How a condition evaluates, comparison by comparison.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::{Condition, Field, Steps, Subject, TooCostly};
use crate::excerpt;

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
    /// Name of the operator, such as `eq`, or `any_of` or `all_of`.
    pub op: &'static str,
    /// Operand as JSON. For `any_of` and `all_of`, the condition on the elements.
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

impl Comparison {
    fn new(
        field: &Field,
        op: &'static str,
        value: Value,
        subject: &Subject<'_>,
        outcome: Result<bool, TooCostly>,
    ) -> Self {
        let actual = field.find(subject);
        let cut = actual.as_deref().and_then(excerpt::of_value);
        Self {
            field: field.as_str().to_owned(),
            op,
            value,
            truncated: cut.is_some(),
            actual: cut.map(Value::from).or_else(|| actual.map(Cow::into_owned)),
            outcome: outcome.unwrap_or(false),
        }
    }
}

impl Condition {
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
            Self::Elements {
                quantifier,
                array,
                condition,
            } => {
                let outcome = self.evaluate(subject, &Steps::new());
                let (name, value) = (quantifier.name(), condition.to_value());
                comparisons.push(Comparison::new(array, name, value, subject, outcome));
            }
            Self::Compare { field, op } => {
                let outcome = op.evaluate(field.find(subject).as_deref(), &Steps::new());
                let (name, value) = (op.name(), op.value());
                comparisons.push(Comparison::new(field, name, value, subject, outcome));
            }
        }
    }
}
