//! Parses conditions from JSON.

use serde_json::Value;

use super::{Condition, Field, MAX_COMPARISONS, Op, Quantifier, expression, op};
use crate::validation::{self, FieldReader, Validated, ValidationErrors};

const MAX_DEPTH: usize = 10;
/// As JSON. Every subscription of a webhook stores a copy of its conditions.
const MAX_BYTES: usize = 16 * 1024;

/// Origin of a condition's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A client, for events: everything is validated.
    Input,
    /// A client, for documents of third parties, in which `event` and `webhook` are fields like any
    /// other.
    InputForDocuments,
    /// The table: it was validated when it was saved.
    Saved,
}

/// Where a part of a condition stands.
#[derive(Debug, Clone, Copy)]
struct Position {
    /// Level, from 1.
    depth: usize,
    origin: Origin,
    /// Whether it applies to an element of an array, which `op` without `field` compares.
    in_element: bool,
}

impl Position {
    fn top(origin: Origin) -> Self {
        Self {
            depth: 1,
            origin,
            in_element: false,
        }
    }

    fn field(self, value: Value) -> Validated<Field> {
        let text = validation::string(value)?;
        match self.origin {
            Origin::Input => Field::parse(&text),
            Origin::InputForDocuments => Field::parse_for_documents(&text),
            Origin::Saved => Field::restore(&text),
        }
    }
}

impl Condition {
    /// Parses a condition on events from a client.
    ///
    /// # Errors
    /// Reports every invalid part, by JSON pointer.
    pub fn parse(value: Value) -> Validated<Self> {
        Self::parse_input(Origin::Input, value)
    }

    /// Parses a condition on documents of third parties from a client.
    ///
    /// # Errors
    /// Reports every invalid part, by JSON pointer.
    pub fn parse_for_documents(value: Value) -> Validated<Self> {
        Self::parse_input(Origin::InputForDocuments, value)
    }

    fn parse_input(origin: Origin, value: Value) -> Validated<Self> {
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
        let condition = Self::parse_at(Position::top(origin), value)?;
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
        Self::parse_at(Position::top(Origin::Saved), value)
    }

    fn parse_at(position: Position, value: Value) -> Validated<Self> {
        if position.depth > MAX_DEPTH {
            return Err(ValidationErrors::here(format!(
                "is nested more than {MAX_DEPTH} levels deep"
            )));
        }
        // Null is a valid operand here; `FieldReader` would treat it as absent.
        let mut value = value;
        let comparison = value.get("field").or(value.get("op")).is_some();
        let compares_element = position.in_element && value.get("field").is_none();
        let operand = value
            .as_object_mut()
            .filter(|_| comparison)
            .and_then(|object| object.remove("value"));
        let mut fields = FieldReader::of(value)?;
        if comparison {
            fields.knows("value");
        }
        let inner = Position {
            depth: position.depth + 1,
            ..position
        };
        let part = |value| Self::parse_at(inner, value);
        let parts = || validation::list(1, MAX_COMPARISONS, part);
        let condition = if fields.has("all") {
            fields.required("all", parts()).map(Self::All)
        } else if fields.has("any") {
            fields.required("any", parts()).map(Self::Any)
        } else if fields.has("not") {
            fields
                .required("not", part)
                .map(|part| Self::Not(Box::new(part)))
        } else if let Some(quantifier) = Quantifier::ALL
            .into_iter()
            .find(|quantifier| fields.has(quantifier.name()))
        {
            let array = fields.required(quantifier.name(), |value| position.field(value));
            let condition = fields.required("where", |value| {
                let inner = Position {
                    in_element: true,
                    ..inner
                };
                Self::parse_at(inner, value).map(Box::new)
            });
            array
                .zip(condition)
                .map(|(array, condition)| Self::Elements {
                    quantifier,
                    array,
                    condition,
                })
        } else if comparison {
            let field = if compares_element {
                Some(Field::Element)
            } else {
                fields.required("field", |value| position.field(value))
            };
            let parse = fields.required("op", validation::one_of(&op::PARSERS));
            let checked = |op: Op| match &op {
                Op::Matches(expression) if position.origin != Origin::Saved => {
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
            fields.refuse("", "must have `all`, `any` or `not`, `any_of` or `all_of` with `where`, or `field` and `op`");
            None
        };
        fields.finish(condition)
    }
}
