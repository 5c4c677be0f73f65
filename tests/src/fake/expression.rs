//! Condition expressions of DynamoDB, in the forms that the table uses: comparisons of attributes
//! with values, `attribute_exists`, `attribute_not_exists`, `contains` and `size`, joined by `AND`
//! and `OR`. Any other form panics.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::{Map, Value};

/// An item or a key, each attribute in DynamoDB's JSON, such as `{"S": "text"}`.
pub type Item = Map<String, Value>;

/// Attributes that expressions may contain without a placeholder. Many other names are reserved
/// words.
const PLAIN: [&str; 7] = [
    "pk",
    "sk",
    "list_pk",
    "list_sk",
    "status_pk",
    "status_sk",
    "used_at",
];

/// The request fields that contain expressions. They share names and values.
const FIELDS: [&str; 3] = [
    "ConditionExpression",
    "KeyConditionExpression",
    "UpdateExpression",
];

/// An expression with the values of its placeholders.
#[derive(Debug)]
pub struct Expression<'a> {
    text: &'a str,
    names: Option<&'a Value>,
    values: Option<&'a Value>,
}

impl<'a> Expression<'a> {
    /// Returns the expression in a field of a request, if any.
    ///
    /// # Panics
    /// If a placeholder is defined and not used, which DynamoDB rejects.
    pub fn of(request: &'a Value, field: &str) -> Option<Self> {
        let (names, values) = (
            request.get("ExpressionAttributeNames"),
            request.get("ExpressionAttributeValues"),
        );
        let defined = names
            .into_iter()
            .chain(values)
            .flat_map(|map| map.as_object().expect("a map").keys());
        let texts = FIELDS
            .iter()
            .filter_map(|field| request.get(*field)?.as_str());
        let used: BTreeSet<&str> = texts
            .flat_map(|text| text.split([' ', '.', '(', ')', ',']))
            .collect();
        for name in defined {
            assert!(
                used.contains(name.as_str()),
                "{name} is defined and not used in {request}"
            );
        }
        let text = request
            .get(field)?
            .as_str()
            .expect("an expression is a text");
        Some(Self {
            text,
            names,
            values,
        })
    }

    /// Splits the expression into words.
    pub(super) fn words(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text.split_whitespace()
    }

    /// Returns the partition in a key condition.
    pub(super) fn partition(&self) -> Option<&str> {
        let condition = ["list_", "status_"]
            .into_iter()
            .find_map(|index| self.text.strip_prefix(index));
        let condition = condition.unwrap_or(self.text);
        let placeholder = condition.strip_prefix("pk = ")?.split(' ').next()?;
        self.value(placeholder)["S"].as_str()
    }

    /// Evaluates the expression for an item, or for a missing item.
    ///
    /// # Panics
    /// If the form is not supported.
    pub fn holds(&self, item: Option<&Item>) -> bool {
        // `AND` binds closer than `OR`, and the `AND` of a `BETWEEN` belongs to it.
        self.text.split(" OR ").any(|part| {
            let mut words = part.split_whitespace().peekable();
            let mut all = true;
            loop {
                all &= self.comparison(&mut words, item);
                match words.next() {
                    None => return all,
                    Some("AND") => {}
                    Some(word) => panic!("{word} in {} is not supported by the fake", self.text),
                }
            }
        })
    }

    fn comparison<'w>(
        &self,
        words: &mut impl Iterator<Item = &'w str>,
        item: Option<&Item>,
    ) -> bool {
        let mut next = || {
            words
                .next()
                .unwrap_or_else(|| panic!("{} ends too early", self.text))
        };
        let mut first = next();
        let negated = first == "NOT";
        if negated {
            first = next();
        }
        if let Some(name) = first
            .strip_prefix("contains(")
            .and_then(|rest| rest.strip_suffix(','))
        {
            let value = self.value(next().trim_end_matches(')'));
            let list = self
                .attribute(name, item)
                .and_then(|list| list["L"].as_array());
            return list.is_some_and(|list| list.contains(value)) != negated;
        }
        assert!(
            !negated,
            "NOT in {} is not supported by the fake",
            self.text
        );
        if let Some(name) = first
            .strip_prefix("size(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            let size = self
                .attribute(name, item)
                .and_then(|list| Some(list["L"].as_array()?.len()));
            assert_eq!(next(), "<", "{}", self.text);
            let most = self.value(next());
            return size.is_some_and(|size| {
                compare(&serde_json::json!({"N": size.to_string()}), most).is_lt()
            });
        }
        if let Some(name) = first
            .strip_prefix("attribute_not_exists(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return self.attribute(name, item).is_none();
        }
        if let Some(name) = first
            .strip_prefix("attribute_exists(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return self.attribute(name, item).is_some();
        }
        let left = self.attribute(first, item);
        let ordering = |right: &str| left.map(|left| compare(left, self.value(right)));
        match next() {
            "=" => ordering(next()) == Some(Ordering::Equal),
            "<" => ordering(next()) == Some(Ordering::Less),
            "<=" => ordering(next()).is_some_and(Ordering::is_le),
            ">=" => ordering(next()).is_some_and(Ordering::is_ge),
            "BETWEEN" => {
                let bounds = (next(), next(), next());
                assert_eq!(bounds.1, "AND", "{}", self.text);
                let order = compare(self.value(bounds.0), self.value(bounds.2));
                assert!(order.is_le(), "the bounds of {} are reversed", self.text);
                let (low, high) = (ordering(bounds.0), ordering(bounds.2));
                low.is_some_and(Ordering::is_ge) && high.is_some_and(Ordering::is_le)
            }
            operator => panic!("{operator} in {} is not supported by the fake", self.text),
        }
    }

    fn attribute<'i>(&self, path: &str, item: Option<&'i Item>) -> Option<&'i Value> {
        let mut names = path.split('.').map(|name| self.name(name));
        let first = item?.get(names.next()?);
        names.fold(first, |value, name| value?.get("M")?.get(name))
    }

    pub(super) fn name<'n>(&'n self, name: &'n str) -> &'n str {
        if !name.starts_with('#') {
            assert!(
                PLAIN.contains(&name),
                "{name} in {} may be a reserved word",
                self.text
            );
            return name;
        }
        self.names
            .and_then(|names| names[name].as_str())
            .unwrap_or_else(|| panic!("{name} is not defined"))
    }

    pub(super) fn value(&self, name: &str) -> &Value {
        self.values
            .and_then(|values| values.get(name))
            .unwrap_or_else(|| panic!("{name} is not defined"))
    }
}

/// # Panics
/// If the values have different types, or a type without an order.
fn compare(left: &Value, right: &Value) -> Ordering {
    let text =
        |value: &Value, kind: &str| value.get(kind).and_then(Value::as_str).map(str::to_owned);
    let number =
        |value| text(value, "N").map(|digits| digits.parse::<i128>().expect("a whole number"));
    if let (Some(left), Some(right)) = (left["BOOL"].as_bool(), right["BOOL"].as_bool()) {
        return left.cmp(&right);
    }
    match (
        text(left, "S").zip(text(right, "S")),
        number(left).zip(number(right)),
    ) {
        (Some((left, right)), _) => left.cmp(&right),
        (_, Some((left, right))) => left.cmp(&right),
        _ => panic!("{left} and {right} are not compared here"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn supported_forms_evaluate() {
        let item = json!({"pk": {"S": "p"}, "sk": {"S": "b"}, "n": {"N": "10"}, "l": {"L": [{"S": "p"}]}, "a": {"M": {"b": {"N": "2"}, "c": {"S": "t"}}}});
        let values = json!({":p": {"S": "p"}, ":a": {"S": "a"}, ":b": {"S": "b"}, ":9": {"N": "9"}, ":10": {"N": "10"},
            ":1": {"N": "1"}, ":2": {"N": "2"}, ":t": {"S": "t"}});
        let names = json!({"#n": "n", "#a": "a", "#b": "b", "#c": "c", "#l": "l", "#x": "x"});
        let item = item.as_object();
        for (text, of_the_item, of_none) in [
            ("attribute_not_exists(pk)", false, true),
            ("attribute_exists(pk)", true, false),
            ("attribute_exists(#x)", false, false),
            ("#n = :10", true, false),
            ("#n = :9", false, false),
            ("#n <= :9", false, false),
            ("#n <= :10", true, false),
            ("#n >= :10", true, false),
            ("contains(#l, :p)", true, false),
            ("NOT contains(#l, :a) AND size(#l) < :2", true, false),
            ("size(#l) < :1", false, false),
            ("#a.#b = :2 AND #a.#c = :t", true, false),
            ("#a.#b = :2 AND #a.#c = :a", false, false),
            ("#a.#x = :2", false, false),
            ("#x.#x = :2", false, false),
            ("attribute_not_exists(pk) OR #n <= :10", true, true),
            ("attribute_not_exists(pk) OR #n <= :9", false, true),
            ("pk = :p AND sk < :b", false, false),
            ("pk = :p AND sk BETWEEN :a AND :b", true, false),
            ("pk = :p AND sk BETWEEN :a AND :a", false, false),
        ] {
            let expression = Expression {
                text,
                names: Some(&names),
                values: Some(&values),
            };
            assert_eq!(
                (expression.holds(item), expression.holds(None)),
                (of_the_item, of_none),
                "{text}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "size(pk) > :p")]
    fn unsupported_form_panics() {
        Expression {
            text: "size(pk) > :p",
            names: None,
            values: None,
        }
        .holds(Some(&Item::new()));
    }
}
