//! DynamoDB's update expressions, in the forms that our code uses: `SET name = :value`, `SET name = name + :value` and
//! `ADD name :value`, one after another. Everything else is refused loudly.

use serde_json::{Value, json};

use super::expression::{Expression, Item};

/// The item after the update.
///
/// # Panics
/// When the expression has a form that the fake does not know or a clause twice, which DynamoDB refuses, or counts on from what is no number.
pub(super) fn updated(before: &Item, update: &Expression<'_>) -> Item {
    let mut item = before.clone();
    let words: Vec<&str> = update.words().collect();
    for clause in ["SET", "ADD"] {
        assert!(words.iter().filter(|word| **word == clause).count() <= 1, "{clause} is there twice in {words:?}");
    }
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let (name, value, left) = match rest {
            ["SET", name, "=", first, "+", value, left @ ..] => {
                (name, sum(&before[update.name(first)], update.value(value)), left)
            }
            ["SET", name, "=", value, left @ ..] => (name, update.value(value).clone(), left),
            ["ADD", name, value, left @ ..] => {
                let zero = json!({"N": "0"});
                (name, sum(before.get(update.name(name)).unwrap_or(&zero), update.value(value)), left)
            }
            _ => panic!("{rest:?} is nothing that the fake knows"),
        };
        item.insert(update.name(name).to_owned(), value);
        rest = left;
    }
    item
}

fn sum(left: &Value, right: &Value) -> Value {
    let number = |value: &Value| value["N"].as_str().expect("a number").parse::<i128>().expect("a whole number");
    json!({"N": (number(left) + number(right)).to_string()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_our_code_uses() {
        let before = json!({"n": {"N": "10"}});
        for (update, names, values, after) in [
            (
                "SET #n = #n + :one ADD #m :one",
                json!({"#n": "n", "#m": "m"}),
                json!({":one": {"N": "-1"}}),
                json!({"n": {"N": "9"}, "m": {"N": "-1"}}),
            ),
            (
                "SET used_at = :t",
                json!({}),
                json!({":t": {"S": "t"}}),
                json!({"n": {"N": "10"}, "used_at": {"S": "t"}}),
            ),
        ] {
            let request = json!({
                "UpdateExpression": update, "ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
            });
            let update = Expression::of(&request, "UpdateExpression").expect("an update");
            assert_eq!(json!(updated(before.as_object().expect("an item"), &update)), after);
        }
    }
}
