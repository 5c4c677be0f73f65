//! Accounts of the providers in a bundle, which refers to them by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    account::Account,
    id::AccountId,
    provider::{self, Auth},
    validation::{Validated, ValidationErrors, name},
};

/// Takes the account's name from `{"type": "account", "account": "<name>"}`, and puts a placeholder
/// in place of the account's ID.
pub(super) fn take_name(provider: &mut Map<String, Value>) -> Validated<Option<String>> {
    let auth = provider.get_mut("auth").and_then(Value::as_object_mut);
    let Some(auth) = auth.filter(|auth| auth.get("type") == Some(&json!("account"))) else {
        return Ok(None);
    };
    let given = auth.remove("account").filter(|name| !name.is_null());
    let id = json!(AccountId::from_ulid(ulid::Ulid::nil()));
    let stray = auth.insert("account_id".to_owned(), id);
    if stray.is_some() {
        let detail = "is not allowed in a bundle. Name the account in `account`.";
        let error = ValidationErrors::here(detail);
        return Err(error.under("account_id").under("auth"));
    }
    let account = match given {
        Some(account) => name(account),
        None => Err(ValidationErrors::here("is required")),
    };
    let under = |problems: ValidationErrors| problems.under("account").under("auth");
    account.map(Some).map_err(under)
}

/// Sets the account of a provider by its name. `accounts` are by lower-case name.
pub(super) fn assign(
    settings: &mut provider::Settings,
    name: &str,
    accounts: &BTreeMap<String, Account>,
) -> Validated<()> {
    let Some(account) = accounts.get(&name.to_lowercase()) else {
        let detail = format!("no account is named {name:?}. Create it before the import.");
        let error = ValidationErrors::here(detail);
        return Err(error.under("account").under("auth"));
    };
    settings.auth = Auth::Account(account.id);
    settings.check_account(&account.settings.authorization)
}
