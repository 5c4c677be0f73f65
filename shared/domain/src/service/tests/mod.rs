mod account_test;
mod address;
mod requests;
mod settings;

use proptest::prelude::*;

use super::*;
use crate::{account::Authorization, validation::ValidationErrors};

const NEW_ACCOUNT: &str = "acct_01J0000000000000000000000F";
const ACCOUNT: &str = "acct_01J0000000000000000000000A";
const USER: &str = "usr_01J0000000000000000000000A";

fn with(change: &Value) -> Value {
    let mut document =
        json!({"name": "CRM", "account_id": ACCOUNT, "server_url": "https://crm.example.com/api/"});
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    document
}

fn parse(change: &Value) -> Validated<(Settings, Option<account::Settings>)> {
    Settings::parse(
        with(change),
        &AllowList::default(),
        NEW_ACCOUNT.parse().expect("an id"),
    )
}

fn settings(change: &Value) -> Settings {
    parse(change).expect("valid").0
}

fn pointers(problems: ValidationErrors) -> Vec<String> {
    problems
        .0
        .into_iter()
        .map(|invalid| invalid.pointer)
        .collect()
}

fn account(authorization: &Value) -> Authorization {
    let document = json!({"name": "a", "authorization": authorization});
    account::Settings::parse(document, &AllowList::default())
        .expect("valid")
        .authorization
}

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("\\".to_owned()),
        Just("%2e".to_owned()),
        Just("%2E%2e".to_owned()),
        Just("%2f".to_owned()),
        Just("%5C".to_owned()),
        Just("%25".to_owned()),
        Just("@".to_owned()),
        Just(":".to_owned()),
        Just("?".to_owned()),
        Just("#".to_owned()),
        Just(";".to_owned()),
        Just("\t".to_owned()),
        Just("https://evil.example".to_owned()),
        "[a-z]{1,3}",
        "\\PC{0,4}",
        ".{0,3}",
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn parse_accepts_any_document(path in hostile(), name in ".{0,8}", value in ".{0,8}") {
        let service = settings(&json!({}));
        let none = account(&json!({"type": "none"}));
        let document = json!({"path": path, "headers": {name.clone(): value}, "query": {name: value}, "body": value});
        let _ = send::parse(document, &service, &none, 0);
        let _ = parse(&json!({"server_url": path}));
    }
}
