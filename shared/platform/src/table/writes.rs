//! Writes of single items.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::ReturnValue,
};

use super::{Condition, Item, Key, Table, TableError, Written};

impl Table {
    /// Writes an item if the condition holds.
    pub(super) async fn put_item(
        &self,
        item: Item,
        condition: Condition,
    ) -> Result<Written, TableError> {
        let (expression, names, values) = condition.into_parts();
        let put = self.client.put_item().table_name(&self.name);
        let put = put
            .set_item(Some(item))
            .set_condition_expression(expression)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        match put.send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) if is_condition_failure(&error) => Ok(Written::ConditionFailed),
            Err(error) => Err(error.into()),
        }
    }

    /// Updates an item in place if the condition holds. `update` uses the values of `condition`.
    /// Returns the changed attributes, or none if the condition failed.
    pub(super) async fn update_item(
        &self,
        key: &Key,
        update: &str,
        condition: Condition,
    ) -> Result<Option<Item>, TableError> {
        let (expression, names, values) = condition.into_update_parts(update);
        let request = self.client.update_item().table_name(&self.name);
        let request = request
            .set_key(Some(key.attributes()))
            .update_expression(update)
            .set_condition_expression(expression)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values(ReturnValue::UpdatedNew);
        match request.send().await {
            Ok(response) => Ok(Some(response.attributes.unwrap_or_default())),
            Err(error) if is_condition_failure(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns whether a single write failed its condition.
fn is_condition_failure<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
