mod secrets;

use std::collections::BTreeSet;

use domain::{
    egress_policy::AllowList, event::NewEvent, validation::ValidationErrors, webhook::Settings,
};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::*;

/// Sends a value of a wrong type for every described field: the parser must report each, and no
/// unknown or missing field.
fn assert_described<T: PartialSchema>(parse: impl Fn(Value) -> Result<(), ValidationErrors>) {
    let described = json!(T::schema());
    let names = described["properties"]
        .as_object()
        .expect("an object schema")
        .keys();
    let document: Map<String, Value> = names.map(|name| (name.clone(), json!(-0.5))).collect();
    let described: BTreeSet<String> = document.keys().map(|name| format!("/{name}")).collect();
    let problems = parse(document.into()).expect_err("every field is wrong").0;
    assert!(
        problems
            .iter()
            .all(|problem| !problem.detail.contains("known field")),
        "{problems:?}"
    );
    let known: BTreeSet<String> = problems
        .into_iter()
        .map(|problem| problem.pointer)
        .collect();
    assert_eq!(known, described);
}

#[test]
fn schemas_match_the_parsers() {
    assert_described::<WebhookInput>(|value| {
        Settings::parse(value, &AllowList::default()).map(drop)
    });
    let (user, now) = (platform::random::id(), platform::clock::now());
    assert_described::<UserInput>(|value| domain::user::Settings::parse(value).map(drop));
    assert_described::<CredentialInput>(|value| {
        domain::credential::Settings::parse(value, user, now).map(drop)
    });
    assert_described::<AccountInput>(|value| {
        domain::account::Settings::parse(value, &AllowList::default()).map(drop)
    });
    let account = platform::random::id();
    assert_described::<ServiceInput>(|value| {
        domain::service::Settings::parse(value, &AllowList::default(), account).map(drop)
    });
    assert_described::<ProviderInput>(|value| {
        domain::provider::Settings::parse(
            value,
            &AllowList::default(),
            domain::provider::KeyPolicy::Required,
        )
        .map(drop)
    });
    assert_described::<MessageInput>(|value| domain::message::NewMessage::parse(value).map(drop));
    assert_described::<CallInput>(|value| domain::message::NewMessage::parse_call(value).map(drop));
    assert_described::<CampaignInput>(|value| domain::campaign::Settings::parse(value).map(drop));
    assert_described::<ImportInput>(|value| {
        domain::campaign::Import::parse(value, &AllowList::default()).map(drop)
    });
    assert_described::<EventInput>(|value| NewEvent::parse(value).map(drop));
    assert_described::<EventTypeInput>(|value| crate::routes::event_types::parse(value).map(drop));
}
