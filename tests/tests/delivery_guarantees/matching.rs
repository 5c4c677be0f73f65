//! Matching a batch of events: each pattern is read once, page by page, whatever the size of its
//! subscriptions.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use platform::deadline::Deadline;
use serde_json::{Value, json};
use tests::fake::{sqs::Name, system::sqs_event};

/// Conditions of almost 16 KiB that match `{"n": 1}`.
fn large_conditions() -> Value {
    json!({"all": [{"field": "n", "op": "eq", "value": 1}, {"field": "n", "op": "ne", "value": "x".repeat(16_000)}]})
}

#[tokio::test]
async fn batch_reads_each_pattern_once_and_page_by_page() {
    let mut system = super::system().await;
    // 80 subscriptions of 16 KB take two pages of a query.
    let mut wild = BTreeSet::new();
    for n in 0..80 {
        let fields = json!({"events": ["*"], "conditions": large_conditions()});
        wild.insert(system.webhook(&format!("wild-{n}"), fields).await.id);
    }
    let own = system
        .webhook("own", json!({"events": ["kind.n3", "kind.*", "*"]}))
        .await
        .id;
    let no = json!({"events": ["kind.*"], "conditions": {"field": "event.type", "op": "eq", "value": "kind.n9"}});
    let ninth = system.webhook("ninth", no).await.id;
    let mut events = Vec::new();
    for n in 0..10 {
        events.push(
            system
                .publish(
                    &format!("kind.n{n}"),
                    json!({"n": if n == 5 { 2 } else { 1 }}),
                )
                .await,
        );
    }
    system.begin_count();
    system.step_on(&[Name::Events]).await.expect("the batch");
    let queries = system
        .fake
        .state()
        .calls
        .iter()
        .filter(|call| call.operation == "Query")
        .count();
    assert_eq!(
        queries,
        10 + 1 + 2,
        "one for each name, one for `kind.*`, two for `*`"
    );
    for (n, event) in events.iter().enumerate() {
        let mut expected = if n == 5 {
            BTreeSet::new()
        } else {
            wild.clone()
        };
        expected.insert(own);
        expected.extend((n == 9).then_some(ninth));
        let stored = system.event(event).await.expect("an event");
        let matches: BTreeSet<_> = stored.matches.iter().copied().collect();
        assert_eq!(
            (matches, stored.matches.len()),
            (expected.clone(), expected.len()),
            "{n}"
        );
    }
}

#[tokio::test]
async fn unreadable_conditions_do_not_block_other_webhooks() {
    let mut system = super::system().await;
    let broken = system
        .webhook(
            "broken",
            json!({"conditions": {"field": "n", "op": "eq", "value": 1}}),
        )
        .await
        .id;
    let fine = system.webhook("fine", json!({})).await.id;
    {
        let mut state = system.fake.state();
        let key = ("subscription#message".to_owned(), broken.to_string());
        let mut row = state.table.items()[&key].clone();
        row.insert("conditions".to_owned(), json!({"S": "{\"field\": 1}"}));
        state.table.seed(row.into());
    }
    let event = system.publish("message", json!({"n": 1})).await;
    system.step_on(&[Name::Events]).await.expect("the batch");
    assert_eq!(
        system.event(&event).await.expect("an event").matches,
        [fine]
    );
}

#[tokio::test]
async fn costly_conditions_match_nothing_and_block_no_webhook() {
    let mut system = super::system().await;
    let one = json!({"field": "text", "op": "matches", "value": "[ab]*a[ab]{900}[cd]"});
    let costly = json!({"conditions": {"not": {"any": [one, one]}}});
    system.webhook("costly", costly).await;
    let fine = json!({"conditions": {"field": "webhook.name", "op": "eq", "value": "fine"}});
    let fine = system.webhook("fine", fine).await.id;
    let text: String = (0..60_000_u64)
        .map(|n| if n * n % 7 < 3 { 'a' } else { 'b' })
        .collect();
    let event = system.publish("message", json!({"text": text})).await;
    system.step_on(&[Name::Events]).await.expect("the batch");
    assert_eq!(
        system.event(&event).await.expect("an event").matches,
        [fine]
    );
}

/// The compiled expressions exceed the limit for a page of subscribers.
#[tokio::test]
async fn expressions_exceeding_a_pages_memory_match_every_event() {
    let mut system = super::system().await;
    let mut all = BTreeSet::new();
    for n in 0..500 {
        let large = json!({"field": "code", "op": "matches", "value": format!("^(x([a-z]{{40}}[0-9]{{40}}){{20}}|a{n}b?)$")});
        all.insert(
            system
                .webhook(&format!("w-{n}"), json!({"conditions": large}))
                .await
                .id,
        );
    }
    let events = [
        system.publish("message", json!({"code": "a299"})).await,
        system.publish("message", json!({"code": "a0b"})).await,
    ];
    system.step_on(&[Name::Events]).await.expect("the batch");
    let mut matched = BTreeSet::new();
    for event in &events {
        let stored = system.event(event).await.expect("an event");
        assert_eq!(stored.matches.len(), 1);
        matched.extend(stored.matches);
    }
    assert!(matched.len() == 2 && matched.is_subset(&all));
}

#[tokio::test(start_paused = true)]
async fn batch_without_time_dispatches_its_first_event() {
    let mut system = super::system().await;
    let webhook = system.webhook("w", json!({})).await;
    let mut events = Vec::new();
    for n in 0..3 {
        events.push(system.publish("message", json!({"n": n})).await);
    }
    // One read takes more than half of the time.
    system.fake.latency(|| Some(Duration::from_secs(4)));
    for left in [2, 1, 0] {
        let batch = system
            .fake
            .state()
            .queues
            .receive(Name::Events, system.time());
        let handled = dispatch::handle(
            &system.dispatch,
            sqs_event(&batch),
            Deadline::after(Duration::from_secs(10)),
        );
        let failed = system.at(handled).await.batch_item_failures;
        assert_eq!((batch.len(), failed.len()), (left + 1, left));
        let failed: Vec<_> = failed
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect();
        let done = batch
            .iter()
            .map(|message| message.id.as_str())
            .filter(|id| !failed.contains(id))
            .collect();
        system.fake.state().queues.delete(&done);
        system.set_time(system.time() + SignedDuration::from_mins(10));
    }
    system.fake.latency(|| None);
    for event in &events {
        assert_eq!(
            system.event(event).await.expect("an event").matches,
            [webhook.id]
        );
    }
}

#[tokio::test]
async fn event_data_is_stored_unchanged() {
    let mut system = super::system().await;
    let data = json!({"text": "Grüße 😀 \u{1f}\"\\", "n": 1.0, "big": u64::MAX, "list": [0, null, {"b": 1, "a": 2}]});
    let event = system.publish("message", data.clone()).await;
    system.step_on(&[Name::Events]).await.expect("the batch");
    let stored = system.event(&event).await.expect("an event").event;
    assert_eq!(stored.parse().expect("readable"), event);
    assert_eq!(
        stored.data,
        data.to_string(),
        "it has the size that the API checked"
    );
}
