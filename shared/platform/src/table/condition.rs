//! Condition expressions of writes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::item::number;

/// A condition expression with its names and values. The default always holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    expression: Option<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

/// A condition as requests take it: the expression, its names and its values. DynamoDB rejects
/// empty maps, so these are none.
type Parts = (
    Option<String>,
    Option<HashMap<String, String>>,
    Option<HashMap<String, AttributeValue>>,
);

impl Condition {
    /// A condition over `values`. In `expression`, `#name` is the attribute `name` (many plain
    /// names are reserved words).
    pub(super) fn that(
        expression: &str,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        let condition = Self {
            expression: Some(expression.to_owned()),
            names: names_in(expression).collect(),
            values: HashMap::new(),
        };
        condition.with(values)
    }

    /// The item does not exist.
    pub(super) fn absent() -> Self {
        Self::that("attribute_not_exists(pk)", [])
    }

    /// The item does not exist or has expired.
    pub(super) fn absent_at(now: Timestamp) -> Self {
        let expression = "attribute_not_exists(pk) OR #expires_at <= :now";
        Self::that(expression, [(":now", number(now.as_second()))])
    }

    /// The item exists.
    pub(super) fn present() -> Self {
        Self::that("attribute_exists(pk)", [])
    }

    /// The item has this version: it is unchanged since it was read.
    pub(super) fn version(version: u64) -> Self {
        Self::that("#version = :version", [(":version", number(version))])
    }

    /// Adds values, for an update expression that uses more of them.
    pub(super) fn with(
        mut self,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        let values = values.into_iter();
        self.values
            .extend(values.map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// Splits the condition into the parts of a request.
    pub(super) fn into_parts(self) -> Parts {
        (
            self.expression,
            Some(self.names).filter(|names| !names.is_empty()),
            Some(self.values).filter(|values| !values.is_empty()),
        )
    }

    /// Splits the condition of an update into the parts of a request. They include the names of
    /// the `update` expression.
    pub(super) fn into_update_parts(mut self, update: &str) -> Parts {
        self.names.extend(names_in(update));
        self.into_parts()
    }
}

/// Returns the attribute of each `#name` in an expression.
fn names_in(expression: &str) -> impl Iterator<Item = (String, String)> {
    let words = expression.split(|c: char| !c.is_alphanumeric() && !"#_".contains(c));
    words.filter_map(|word| Some((word.to_owned(), word.strip_prefix('#')?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_without_names_or_values_are_none() {
        let (expression, names, values) = Condition::default().into_parts();
        assert_eq!((expression, names, values), (None, None, None));
        let (expression, names, values) = Condition::absent().into_parts();
        assert_eq!(expression.as_deref(), Some("attribute_not_exists(pk)"));
        assert_eq!((names, values), (None, None));
    }

    #[test]
    fn update_parts_include_names_of_both_expressions() {
        let condition = Condition::version(3).with([(":one", number(1))]);
        let (_, names, values) = condition.into_update_parts("SET #a.#b_c = :one");
        let mut names: Vec<String> = names.expect("names").into_keys().collect();
        names.sort();
        assert_eq!(names, ["#a", "#b_c", "#version"]);
        let mut values: Vec<String> = values.expect("values").into_keys().collect();
        values.sort();
        assert_eq!(values, [":one", ":version"]);
    }
}
