//! Providers whose requests an account authenticates.

use super::*;
use crate::account::{self, Account};

/// The bundle, with this authentication of its SMS provider and these headers.
fn with_auth(auth: &Value, headers: &Value) -> Value {
    let mut bundle = bundle();
    let text = &mut bundle["providers"][0];
    text["auth"] = auth.clone();
    text["send_url"] = json!("https://t.example.com/");
    text["request"] = json!({"headers": headers});
    bundle
}

/// An account named `CRM` that sets the header `x-key`.
fn crm() -> Account {
    let authorization = json!({"type": "header", "name": "X-Key", "value": "0123456789abcdef"});
    let document = json!({"name": "CRM", "authorization": authorization});
    let settings = account::Settings::parse(document, &AllowList::default()).expect("valid");
    Account::new(Id::new(at(0), 4), settings, at(0))
}

fn with_account() -> Existing {
    Existing {
        accounts: BTreeMap::from([("crm".to_owned(), crm())]),
        ..Existing::default()
    }
}

#[test]
fn account_is_found_by_its_name() {
    let auth = json!({"type": "account", "account": " crm "});
    let import = import(&with_auth(&auth, &json!({})), &json!({})).expect("valid");
    assert_eq!(import.names().accounts, ["crm"]);
    let plan = import.plan(&with_account(), new_ids()).expect("a plan");
    let (_, text) = &plan.providers[0];
    assert_eq!(text.auth, provider::Auth::Account(crm().id));
    assert_eq!(text.status(), provider::Status::Active);
}

#[test]
fn unknown_account_and_its_header_are_rejected() {
    let auth = json!({"type": "account", "account": "CRM"});
    for (headers, existing, pointer) in [
        (
            json!({}),
            Existing::default(),
            "/bundle/providers/0/auth/account",
        ),
        (
            json!({"X-Key": "mine"}),
            with_account(),
            "/bundle/providers/0/request/headers/x-key",
        ),
    ] {
        let planned = import(&with_auth(&auth, &headers), &json!({}))
            .expect("valid")
            .plan(&existing, new_ids());
        let Err(ImportError::Malformed(problems)) = planned else {
            panic!("{planned:?}")
        };
        assert_eq!(pointers(problems), [pointer]);
    }
}

#[test]
fn reused_provider_needs_no_account() {
    let auth = json!({"type": "account", "account": "CRM"});
    let reuse = json!({"on_conflict": "reuse"});
    let import = import(&with_auth(&auth, &json!({})), &reuse).expect("valid");
    assert!(import.plan(&existing(), new_ids()).is_ok());
}

#[test]
fn account_is_named_and_has_no_id() {
    for (auth, pointer) in [
        (
            json!({"type": "account"}),
            "/bundle/providers/0/auth/account",
        ),
        (
            json!({"type": "account", "account": 1}),
            "/bundle/providers/0/auth/account",
        ),
        (
            json!({"type": "account", "account": "CRM", "account_id": crm().id}),
            "/bundle/providers/0/auth/account_id",
        ),
        (
            json!({"type": "account", "account_id": crm().id}),
            "/bundle/providers/0/auth/account_id",
        ),
        (
            json!({"type": "account", "account": "CRM", "name": "x"}),
            "/bundle/providers/0/auth/name",
        ),
        (
            json!({"type": "none", "account": "CRM"}),
            "/bundle/providers/0/auth/account",
        ),
    ] {
        let refused = import(&with_auth(&auth, &json!({})), &json!({}));
        assert_eq!(pointers(refused.expect_err("invalid")), [pointer], "{auth}");
    }
}

#[test]
fn bundle_names_no_fallback() {
    let mut bundle = bundle();
    bundle["providers"][1]["fallback_provider_id"] = json!(ProviderId::new(at(0), 1));
    let refused = import(&bundle, &json!({})).expect_err("invalid");
    assert_eq!(
        pointers(refused),
        ["/bundle/providers/1/fallback_provider_id"]
    );
    bundle["providers"][1]["fallback_provider_id"] = Value::Null;
    assert!(import(&bundle, &json!({})).is_ok());
}
