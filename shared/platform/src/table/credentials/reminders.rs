//! The list of reminders about expiring credentials, most urgent first.

use domain::{credential::Credential, id::CredentialId};
use jiff::Timestamp;

use super::CredentialPointer;
use crate::table::{
    Condition, Key, Table, TableError,
    item::{key_of, text},
    key,
    pagination::{Page, PageRequest},
    transaction::Transaction,
    unreadable,
};

impl Table {
    /// Lists the credentials whose next reminder is due by `until`, most urgent first. The cost
    /// grows only with their number.
    pub async fn reminders(
        &self,
        until: Timestamp,
        page_request: &PageRequest,
    ) -> Result<Page<Credential>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true);
        let query = query.limit(i32::try_from(page_request.limit).unwrap_or(i32::MAX));
        let query = query.key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until");
        // Appending `!` starts the range after the last sort key that was seen.
        let from = page_request
            .after
            .as_ref()
            .map_or_else(|| "0".to_owned(), |after| format!("{after}!"));
        let until = format!("{}~", key::instant(until));
        // DynamoDB rejects a range whose ends are reversed.
        if from > until {
            return Ok(Page {
                items: Vec::new(),
                next: None,
                response_bytes: 0,
            });
        }
        let query = query.expression_attribute_values(":pk", text(key::REMINDERS));
        let query = query.expression_attribute_values(":from", text(from));
        let query = query.expression_attribute_values(":until", text(until));
        let response = query.send().await?;
        let more = response.last_evaluated_key.is_some();
        let found = response.items.unwrap_or_default();
        let next = found
            .last()
            .filter(|_| more)
            .and_then(|item| Some(key_of(item)?.sk));
        let pointers = found
            .into_iter()
            .filter_map(unreadable::from_item::<CredentialPointer>);
        let ids: Vec<CredentialId> = pointers.map(|pointer| pointer.credential).collect();
        let mut rows = self.credentials_by_id(&ids).await?;
        // Credentials are small: a page of them fits into a response.
        Ok(Page {
            items: ids.iter().filter_map(|id| rows.remove(id)).collect(),
            next,
            response_bytes: 0,
        })
    }

    /// Removes an expired credential from the list of reminders, unless it has changed since it was
    /// read: its expiry may have been extended.
    pub async fn remove_reminder(&self, credential: &Credential) -> Result<(), TableError> {
        let mut tx = self.transaction();
        tx.delete(Key::reminder(credential.next_reminder_at(), credential.id));
        tx.check(
            Key::credential(credential.id),
            Condition::version(credential.version),
        );
        // Condition failed: a concurrent change has already written the current entry.
        tx.commit_if().await.map(|_| ())
    }
}

impl Transaction<'_> {
    /// Moves the credential's entry to its next reminder. A revoked credential has none.
    pub(super) fn change_reminder(
        &mut self,
        before: Option<&Credential>,
        after: Option<&Credential>,
    ) -> Result<(), TableError> {
        let reminder = |credential: Option<&Credential>| {
            let credential = credential.filter(|credential| credential.revoked_at.is_none())?;
            Some((
                Key::reminder(credential.next_reminder_at(), credential.id),
                credential.id,
            ))
        };
        let (old, new) = (reminder(before), reminder(after));
        if let Some((key, _)) = old.filter(|old| Some(old) != new.as_ref()) {
            self.delete(key);
        }
        // Written even if unchanged: an expired credential's entry was removed, and its expiry may
        // have been extended.
        if let Some((key, id)) = new {
            self.put(CredentialPointer::item(&key, id)?);
        }
        Ok(())
    }
}
