//! Comparison operators and their operands.
//!
//! | `op` | `value` | true if the field |
//! |---|---|---|
//! | `eq`, `ne` | any JSON | equals it, or does not |
//! | `in`, `not_in` | an array of 1 to 100 | equals one of the items, or none |
//! | `contains`, `not_contains` | any JSON | contains it as substring or element, or does not |
//! | `starts_with`, `ends_with` | a string | is a string that starts or ends with it |
//! | `gt`, `gte`, `lt`, `lte` | a number or a string | has the same type and this order |
//! | `exists` | a boolean, default true | is present (null counts), or is missing |
//! | `matches` | a regular expression | is a string that contains a match |
//!
//! A comparison with a missing field, or with a field of a type that the operator does not support,
//! is false, so the negated operators (`ne`, `not_in`, `not_contains`, `exists` false) are true.
//!
//! Nothing is converted: `"1"` is not `1`. Numbers compare by value (`1` equals `1.0`), integers
//! without loss. Strings compare as instants if both are RFC 3339 times, otherwise by code point;
//! parts of strings always compare as text. Comparisons are case-sensitive.
//!
//! Expressions use the syntax of the `regex` crate, which matches in time linear in the text.
//! `(?i)` at the start ignores case. Only the first 64 KiB of a text are searched.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{
    expression::{Expression, ExpressionError},
    steps::{Steps, TooCostly},
};
use crate::time;

/// An operator and its operand.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Equals.
    Eq(Value),
    /// Does not equal.
    Ne(Value),
    /// Equals one of these.
    In(Vec<Value>),
    /// Equals none of these.
    NotIn(Vec<Value>),
    /// Contains this substring or element.
    Contains(Value),
    /// Does not contain this substring or element.
    NotContains(Value),
    /// Starts with this text.
    StartsWith(String),
    /// Ends with this text.
    EndsWith(String),
    /// Is greater than this number or string.
    Gt(Value),
    /// Is greater than or equal to this number or string.
    Gte(Value),
    /// Is less than this number or string.
    Lt(Value),
    /// Is less than or equal to this number or string.
    Lte(Value),
    /// Is present (true) or missing (false).
    Exists(bool),
    /// Matches this expression.
    Matches(Box<Expression>),
}

/// Why an operand is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperandError {
    /// No operand, and the operator has no default.
    #[error("is required")]
    Missing,
    /// The operator requires a string.
    #[error("must be a string")]
    NotAString,
    /// The operator requires a boolean.
    #[error("must be true or false")]
    NotABoolean,
    /// The operator requires a list.
    #[error("must be an array of 1 to {MAX_IN_LIST} items")]
    NotAList,
    /// The operator requires a number or a string.
    #[error("must be a number or a string")]
    NotOrdered,
    /// The operator requires a regular expression.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
}

type Parsed<T> = Result<T, OperandError>;
type Parser = fn(Option<Value>) -> Parsed<Op>;

/// The operators by name, each with the parser of its operand.
pub(super) const PARSERS: [(&str, Parser); 14] = [
    ("eq", |value| any(value).map(Op::Eq)),
    ("ne", |value| any(value).map(Op::Ne)),
    ("in", |value| list(value).map(Op::In)),
    ("not_in", |value| list(value).map(Op::NotIn)),
    ("contains", |value| any(value).map(Op::Contains)),
    ("not_contains", |value| any(value).map(Op::NotContains)),
    ("starts_with", |value| string(value).map(Op::StartsWith)),
    ("ends_with", |value| string(value).map(Op::EndsWith)),
    ("gt", |value| ordered(value).map(Op::Gt)),
    ("gte", |value| ordered(value).map(Op::Gte)),
    ("lt", |value| ordered(value).map(Op::Lt)),
    ("lte", |value| ordered(value).map(Op::Lte)),
    ("exists", |value| presence(value.as_ref()).map(Op::Exists)),
    ("matches", |value| {
        string(value).map(|text| Op::Matches(Box::new(Expression::new(text))))
    }),
];

/// Names of the operators.
pub fn names() -> [&'static str; 14] {
    PARSERS.map(|(name, _)| name)
}

const MAX_IN_LIST: usize = 100;
/// Steps for each compared array element or object field.
const VALUE_STEPS: usize = 5;
/// Steps for parsing two times, in addition to one per byte.
const TIMES_STEPS: usize = 100;

impl Op {
    /// The operator's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::Ne(_) => "ne",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::Contains(_) => "contains",
            Self::NotContains(_) => "not_contains",
            Self::StartsWith(_) => "starts_with",
            Self::EndsWith(_) => "ends_with",
            Self::Gt(_) => "gt",
            Self::Gte(_) => "gte",
            Self::Lt(_) => "lt",
            Self::Lte(_) => "lte",
            Self::Exists(_) => "exists",
            Self::Matches(_) => "matches",
        }
    }

    /// The operand as JSON.
    pub fn value(&self) -> Value {
        match self {
            Self::Eq(value)
            | Self::Ne(value)
            | Self::Contains(value)
            | Self::NotContains(value)
            | Self::Gt(value)
            | Self::Gte(value)
            | Self::Lt(value)
            | Self::Lte(value) => value.clone(),
            Self::In(values) | Self::NotIn(values) => values.clone().into(),
            Self::StartsWith(text) | Self::EndsWith(text) => text.as_str().into(),
            Self::Exists(expected) => (*expected).into(),
            Self::Matches(expression) => expression.as_str().into(),
        }
    }

    /// Whether the comparison is true for the field's value; `None` if the field is missing.
    pub(super) fn evaluate(
        &self,
        actual: Option<&Value>,
        steps: &Steps,
    ) -> Result<bool, TooCostly> {
        let is = |test: &dyn Fn(&Value) -> Result<bool, TooCostly>| actual.map_or(Ok(false), test);
        let text = |test: &dyn Fn(&str) -> bool| actual.and_then(Value::as_str).is_some_and(test);
        let order = |bound, test: fn(Ordering) -> bool| {
            is(&|it| Ok(compare(it, bound, steps)?.is_some_and(test)))
        };
        Ok(match self {
            Self::Eq(value) => is(&|it| equal(it, value, steps))?,
            Self::Ne(value) => !is(&|it| equal(it, value, steps))?,
            Self::In(values) => is(&|it| any_of(values, |value| equal(it, value, steps)))?,
            Self::NotIn(values) => !is(&|it| any_of(values, |value| equal(it, value, steps)))?,
            Self::Contains(value) => is(&|it| contains(it, value, steps))?,
            Self::NotContains(value) => !is(&|it| contains(it, value, steps))?,
            Self::StartsWith(start) => text(&|it| it.starts_with(start)),
            Self::EndsWith(end) => text(&|it| it.ends_with(end)),
            Self::Gt(bound) => order(bound, Ordering::is_gt)?,
            Self::Gte(bound) => order(bound, Ordering::is_ge)?,
            Self::Lt(bound) => order(bound, Ordering::is_lt)?,
            Self::Lte(bound) => order(bound, Ordering::is_le)?,
            Self::Exists(expected) => actual.is_some() == *expected,
            Self::Matches(expression) => match actual.and_then(Value::as_str) {
                Some(text) => expression.matches(text, steps)?,
                None => false,
            },
        })
    }
}

fn any(value: Option<Value>) -> Parsed<Value> {
    value.ok_or(OperandError::Missing)
}

fn string(value: Option<Value>) -> Parsed<String> {
    match any(value)? {
        Value::String(text) => Ok(text),
        _ => Err(OperandError::NotAString),
    }
}

fn presence(value: Option<&Value>) -> Parsed<bool> {
    value.map_or(Ok(true), |value| {
        value.as_bool().ok_or(OperandError::NotABoolean)
    })
}

fn list(value: Option<Value>) -> Parsed<Vec<Value>> {
    match any(value)? {
        Value::Array(values) if (1..=MAX_IN_LIST).contains(&values.len()) => Ok(values),
        _ => Err(OperandError::NotAList),
    }
}

fn ordered(value: Option<Value>) -> Parsed<Value> {
    any(value).and_then(|value| match value {
        Value::Number(_) | Value::String(_) => Ok(value),
        _ => Err(OperandError::NotOrdered),
    })
}

/// Whether both are the same value. Numbers compare by value, times as instants.
fn equal(left: &Value, right: &Value, steps: &Steps) -> Result<bool, TooCostly> {
    steps.spend(VALUE_STEPS)?;
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right).is_eq(),
        (Value::String(left), Value::String(right)) => {
            left == right || instants(left, right, steps)?.is_some_and(Ordering::is_eq)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && !any_of(left.iter().zip(right), |(left, right)| {
                    differ(left, right, steps)
                })?
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && !any_of(left, |(name, left)| {
                    right
                        .get(name)
                        .map_or(Ok(true), |right| differ(left, right, steps))
                })?
        }
        _ => left == right,
    })
}

fn differ(left: &Value, right: &Value, steps: &Steps) -> Result<bool, TooCostly> {
    equal(left, right, steps).map(|equal| !equal)
}

/// Whether one of the items passes the test.
pub(super) fn any_of<T>(
    items: impl IntoIterator<Item = T>,
    test: impl Fn(T) -> Result<bool, TooCostly>,
) -> Result<bool, TooCostly> {
    for item in items {
        if test(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(whole: &Value, part: &Value, steps: &Steps) -> Result<bool, TooCostly> {
    match (whole, part) {
        (Value::String(whole), Value::String(part)) => {
            steps.spend(whole.len() * 2)?;
            Ok(whole.contains(part))
        }
        (Value::Array(elements), part) => any_of(elements, |element| equal(element, part, steps)),
        _ => Ok(false),
    }
}

fn compare(left: &Value, right: &Value, steps: &Steps) -> Result<Option<Ordering>, TooCostly> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(compare_numbers(left, right)),
        (Value::String(left), Value::String(right)) => {
            Some(instants(left, right, steps)?.unwrap_or_else(|| left.cmp(right)))
        }
        _ => None,
    })
}

/// Order of two RFC 3339 times; `None` if one of the texts is not a time.
fn instants(left: &str, right: &str, steps: &Steps) -> Result<Option<Ordering>, TooCostly> {
    if !time::has_shape(left) || !time::has_shape(right) {
        return Ok(None);
    }
    steps.spend(TIMES_STEPS + left.len() + right.len())?;
    Ok(time::parse(left)
        .zip(time::parse(right))
        .map(|(left, right)| left.cmp(&right)))
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => compare_whole(left, float(right)),
        (None, Some(right)) => compare_whole(right, float(left)).reverse(),
        (None, None) => float(left)
            .partial_cmp(&float(right))
            .unwrap_or(Ordering::Equal),
    }
}

fn whole(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

/// JSON numbers are finite.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates and drops the fraction, which is checked next"
)]
fn compare_whole(left: i128, right: f64) -> Ordering {
    left.cmp(&(right as i128))
        .then_with(|| 0.0_f64.total_cmp(&right.fract()))
}
