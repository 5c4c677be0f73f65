//! The cost of a run depends on the number of due credentials, not on the number of all.

use std::collections::BTreeMap;

use domain::{credential::Credential, id::CredentialId, scope::Scope};
use serde_json::json;

use crate::fixture::{Fixture, day};

/// The calls of a run over `due` due credentials and `fresh` others. Also checks what the run
/// sends.
async fn calls(due: usize, fresh: usize) -> BTreeMap<String, usize> {
    let fixture = Fixture::new().await;
    for _ in 0..due {
        fixture
            .credential(&fixture.user, &[Scope::EventsWrite], day(0))
            .await;
    }
    if fresh > 0 {
        let model = fixture
            .credential(&fixture.user, &[Scope::EventsWrite], day(60))
            .await;
        copies(&fixture, &model, fresh - 1);
    }
    let credentials = fixture
        .fake
        .state()
        .table
        .items()
        .keys()
        .filter(|(pk, _)| pk == "reminders")
        .count();
    assert_eq!(credentials, due + fresh);
    fixture.fake.state().calls.clear();
    assert_eq!(fixture.remind(day(90)).await, (due, due));
    assert_eq!(fixture.sent().len(), due);
    fixture.fake.counts()
}

/// Adds `count` credentials with copies of the items of `model`. Faster than creating them.
fn copies(fixture: &Fixture, model: &Credential, count: usize) {
    let id = model.id.to_string();
    let mut state = fixture.fake.state();
    let items = state
        .table
        .items()
        .values()
        .map(|item| json!(item).to_string());
    let items: Vec<String> = items.filter(|item| item.contains(&id)).collect();
    assert_eq!(
        items.len(),
        4,
        "the credential, its grant, its next reminder, its audit entry"
    );
    for n in 0..count {
        let copy = CredentialId::new(model.created_at, n as u128).to_string();
        for item in &items {
            state
                .table
                .seed(serde_json::from_str(&item.replace(&id, &copy)).expect("an item"));
        }
    }
}

#[tokio::test]
async fn run_costs_depend_on_due_credentials_only() {
    let alone = calls(25, 0).await;
    assert_eq!(calls(25, 9_975).await, alone);
    let one = calls(1, 0).await;
    for (operation, count) in alone {
        assert!(
            count <= 25 * one[&operation],
            "{operation} was called {count} times"
        );
    }
}
