//! The operators of comparisons, each with the value that it compares with.
//!
//! | `op` | `value` | holds when the field |
//! |---|---|---|
//! | `eq`, `ne` | any JSON | equals it, or not |
//! | `in`, `not_in` | an array of 1 to 100 | equals one of them, or none |
//! | `contains`, `not_contains` | any JSON | is a string with this part or an array with such an element, or is not |
//! | `starts_with`, `ends_with` | a string | is a string that starts or ends so |
//! | `gt`, `gte`, `lt`, `lte` | a number or a string | is of the same kind and stands so in order |
//! | `exists` | a boolean, default true | is there (null counts), or is not |
//! | `matches` | a regular expression | is a string in which it matches somewhere |
//!
//! A field that is missing, or of another kind than the operator compares, makes the comparison false; and so makes the
//! negated ones (`ne`, `not_in`, `not_contains`, `exists` false) true. Nothing is converted: `"1"` is not `1`. Numbers
//! compare by value (`1` equals `1.0`), whole ones without loss. Strings are ordered as instants when both are RFC 3339
//! times, otherwise by code point. Letters of another case are other letters. Expressions have the syntax of the `regex`
//! crate, which matches in time linear in the text; `(?i)` at the front ignores case. They are looked for in the first
//! 64 KiB of a text.

use std::{cmp::Ordering, sync::OnceLock};

use jiff::Timestamp;
use regex::{Regex, RegexBuilder, RegexSetBuilder};
use serde_json::{Number, Value};

/// An operator and what it compares with.
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
    /// Has this part or element.
    Contains(Value),
    /// Has no such part or element.
    NotContains(Value),
    /// Starts with this text.
    StartsWith(String),
    /// Ends with this text.
    EndsWith(String),
    /// Is greater than this number or string.
    Gt(Value),
    /// Is greater than this number or string, or equal.
    Gte(Value),
    /// Is less than this number or string.
    Lt(Value),
    /// Is less than this number or string, or equal.
    Lte(Value),
    /// Is there (true), or is not (false).
    Exists(bool),
    /// This expression matches.
    Matches(Expression),
}

/// A regular expression, compiled when it is first needed; equal to another of the same text.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    /// `None` inside: it does not compile, and matches nothing.
    compiled: OnceLock<Option<Regex>>,
}

/// Why a value cannot be compared with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperandError {
    /// There is none, and this operator has no default.
    #[error("is required")]
    Missing,
    /// This operator takes a string.
    #[error("must be a string")]
    NotAString,
    /// This operator takes a boolean.
    #[error("must be true or false")]
    NotABoolean,
    /// This operator takes a list.
    #[error("must be an array of 1 to {MOST_IN_LIST} values")]
    NotAList,
    /// This operator takes what has an order.
    #[error("must be a number or a string")]
    NotOrdered,
    /// This operator takes an expression.
    #[error("is not a regular expression: {0}")]
    NotAnExpression(String),
    /// The expression would take too much memory.
    #[error("is too large a regular expression; {SMALLER}")]
    TooLarge,
}

type Parsed<T> = Result<T, OperandError>;
type Parser = fn(Option<Value>) -> Parsed<Op>;

/// The operators by their names in JSON, each with the parser of its `value`.
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
    ("matches", |value| string(value).map(|text| Op::Matches(Expression { text, compiled: OnceLock::new() }))),
];

const MOST_IN_LIST: usize = 100;
/// What helps where expressions are too large.
pub(super) const SMALLER: &str = "`[0-9]` takes much less room than `\\d`, `[A-Za-z0-9_]` than `\\w`";
/// Longest text of an expression, in characters.
const LONGEST_EXPRESSION: usize = 1_000;
/// Memory for the compiled expressions of one condition together, in bytes. The time of a match grows with it, too.
/// `^\w+@\w+\.\w+$` takes 147 KiB, `^ORD-\d{4}-\d{6}$` 50 KiB, the same with `[0-9]` 1 KiB.
const LARGEST_EXPRESSIONS: usize = 256 * 1024;
/// How much of a text an expression is looked for in, in bytes.
const MOST_SEARCHED: usize = 64 * 1024;

impl Op {
    /// Its name in JSON.
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

    /// What it compares with, as JSON.
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
            Self::Matches(expression) => expression.text.as_str().into(),
        }
    }

    /// Whether the comparison holds for what stands at the field; `None` when there is nothing.
    pub fn holds(&self, actual: Option<&Value>) -> bool {
        let is = |test: &dyn Fn(&Value) -> bool| actual.is_some_and(test);
        let text = |test: &dyn Fn(&str) -> bool| actual.and_then(Value::as_str).is_some_and(test);
        let order = |bound, test: fn(Ordering) -> bool| actual.and_then(|it| compare(it, bound)).is_some_and(test);
        match self {
            Self::Eq(value) => is(&|it| equal(it, value)),
            Self::Ne(value) => !is(&|it| equal(it, value)),
            Self::In(values) => is(&|it| values.iter().any(|value| equal(it, value))),
            Self::NotIn(values) => !is(&|it| values.iter().any(|value| equal(it, value))),
            Self::Contains(value) => is(&|it| contains(it, value)),
            Self::NotContains(value) => !is(&|it| contains(it, value)),
            Self::StartsWith(start) => text(&|it| it.starts_with(start)),
            Self::EndsWith(end) => text(&|it| it.ends_with(end)),
            Self::Gt(bound) => order(bound, Ordering::is_gt),
            Self::Gte(bound) => order(bound, Ordering::is_ge),
            Self::Lt(bound) => order(bound, Ordering::is_lt),
            Self::Lte(bound) => order(bound, Ordering::is_le),
            Self::Exists(expected) => actual.is_some() == *expected,
            Self::Matches(expression) => text(&|it| expression.matches(it)),
        }
    }
}

impl Expression {
    /// Whether it can be saved: a regular expression that is not too large.
    pub(super) fn check(&self) -> Parsed<()> {
        if self.text.chars().count() > LONGEST_EXPRESSION {
            return Err(OperandError::TooLarge);
        }
        match compile(&self.text) {
            Ok(_) => Ok(()),
            Err(regex::Error::CompiledTooBig(_)) => Err(OperandError::TooLarge),
            Err(error) => {
                // The error draws the expression over several lines; the last says what is wrong.
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                Err(OperandError::NotAnExpression(last.trim_start_matches("error: ").to_owned()))
            }
        }
    }

    fn matches(&self, text: &str) -> bool {
        let searched = &text[..text.floor_char_boundary(MOST_SEARCHED)];
        self.compiled.get_or_init(|| compile(&self.text).ok()).as_ref().is_some_and(|regex| regex.is_match(searched))
    }
}

/// Whether these take no more memory together than one may.
pub(super) fn fit_together(expressions: &[&Expression]) -> bool {
    let texts = expressions.iter().map(|expression| &expression.text);
    let set = RegexSetBuilder::new(texts).size_limit(LARGEST_EXPRESSIONS).build();
    !matches!(set, Err(regex::Error::CompiledTooBig(_)))
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(LARGEST_EXPRESSIONS).dfa_size_limit(LARGEST_EXPRESSIONS).build()
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
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
    value.map_or(Ok(true), |value| value.as_bool().ok_or(OperandError::NotABoolean))
}

fn list(value: Option<Value>) -> Parsed<Vec<Value>> {
    match any(value)? {
        Value::Array(values) if (1..=MOST_IN_LIST).contains(&values.len()) => Ok(values),
        _ => Err(OperandError::NotAList),
    }
}

fn ordered(value: Option<Value>) -> Parsed<Value> {
    any(value).and_then(|value| match value {
        Value::Number(_) | Value::String(_) => Ok(value),
        _ => Err(OperandError::NotOrdered),
    })
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right).is_eq(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, left): (&String, &Value)| right.get(name).is_some_and(|right| equal(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::String(whole), Value::String(part)) => whole.contains(part),
        (Value::Array(elements), part) => elements.iter().any(|element| equal(element, part)),
        _ => false,
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(compare_numbers(left, right)),
        (Value::String(left), Value::String(right)) => match (instant(left), instant(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(left.cmp(right)),
        },
        _ => None,
    }
}

/// The instant of an RFC 3339 time. `jiff` also reads shorter spellings, which remain plain text here.
fn instant(text: &str) -> Option<Timestamp> {
    let full = text.get(..19).is_some_and(|start| start.bytes().filter(u8::is_ascii_digit).count() == 14);
    if full && !text.contains('[') { text.parse().ok() } else { None }
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => compare_whole(left, float(right)),
        (None, Some(right)) => compare_whole(right, float(left)).reverse(),
        (None, None) => float(left).partial_cmp(&float(right)).unwrap_or(Ordering::Equal),
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// JSON numbers are finite.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast cuts the fraction off, which is looked at next, and saturates"
)]
fn compare_whole(left: i128, right: f64) -> Ordering {
    left.cmp(&(right as i128)).then_with(|| 0.0_f64.total_cmp(&(right.fract() + 0.0)))
}
