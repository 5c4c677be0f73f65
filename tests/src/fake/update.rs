//! Update expressions of DynamoDB, in the forms that the table uses: `SET name = :value`, `SET name
//! = name + :value`, `SET name = list_append(name, :value)`, `ADD name :value` and `REMOVE name`,
//! in sequence. Any other form panics.

use serde_json::{Value, json};

use super::expression::{Expression, Item};

/// Returns the item after the update.
///
/// # Panics
/// If the form is not supported, a clause is repeated, which DynamoDB rejects, or an operand is not
/// a number.
pub(super) fn updated(before: &Item, update: &Expression<'_>) -> Item {
    let mut item = before.clone();
    let words: Vec<&str> = update.words().collect();
    for clause in ["SET", "ADD", "REMOVE"] {
        assert!(
            words.iter().filter(|word| **word == clause).count() <= 1,
            "{clause} is repeated in {words:?}"
        );
    }
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let (name, value, left) = match rest {
            ["REMOVE", name, left @ ..] => {
                item.remove(update.name(name));
                rest = left;
                continue;
            }
            ["SET", name, "=", first, "+", value, left @ ..] => (
                name,
                sum(&before[update.name(first)], update.value(value)),
                left,
            ),
            ["SET", name, "=", list, added, left @ ..] if list.starts_with("list_append(") => {
                assert_eq!(*list, format!("list_append({name},"), "{rest:?}");
                let mut all = before[update.name(name)].clone();
                let added = &update.value(added.trim_end_matches(')'))["L"];
                all["L"]
                    .as_array_mut()
                    .expect("a list")
                    .extend(added.as_array().expect("a list").clone());
                (name, all, left)
            }
            ["SET", name, "=", value, left @ ..] => (name, update.value(value).clone(), left),
            ["ADD", name, value, left @ ..] => {
                let zero = json!({"N": "0"});
                (
                    name,
                    sum(
                        before.get(update.name(name)).unwrap_or(&zero),
                        update.value(value),
                    ),
                    left,
                )
            }
            _ => panic!("{rest:?} is not supported by the fake"),
        };
        item.insert(update.name(name).to_owned(), value);
        rest = left;
    }
    item
}

fn sum(left: &Value, right: &Value) -> Value {
    let number = |value: &Value| {
        value["N"]
            .as_str()
            .expect("a number")
            .parse::<i128>()
            .expect("a whole number")
    };
    json!({"N": (number(left) + number(right)).to_string()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_forms_evaluate() {
        let before = json!({"n": {"N": "10"}, "l": {"L": [{"S": "a"}]}});
        for (update, names, values, after) in [
            (
                "SET #n = #n + :one ADD #m :one",
                json!({"#n": "n", "#m": "m"}),
                json!({":one": {"N": "-1"}}),
                json!({"n": {"N": "9"}, "l": {"L": [{"S": "a"}]}, "m": {"N": "-1"}}),
            ),
            (
                "SET #l = list_append(#l, :more)",
                json!({"#l": "l"}),
                json!({":more": {"L": [{"S": "b"}]}}),
                json!({"n": {"N": "10"}, "l": {"L": [{"S": "a"}, {"S": "b"}]}}),
            ),
            (
                "REMOVE #n",
                json!({"#n": "n"}),
                json!({}),
                json!({"l": {"L": [{"S": "a"}]}}),
            ),
            (
                "SET used_at = :t",
                json!({}),
                json!({":t": {"S": "t"}}),
                json!({"n": {"N": "10"}, "l": {"L": [{"S": "a"}]}, "used_at": {"S": "t"}}),
            ),
        ] {
            let request = json!({
                "UpdateExpression": update, "ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
            });
            let update = Expression::of(&request, "UpdateExpression").expect("an update");
            assert_eq!(
                json!(updated(before.as_object().expect("an item"), &update)),
                after
            );
        }
    }
}
