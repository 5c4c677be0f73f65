//! Changes of a webhook while deliveries wait for their delay.

use domain::{
    delivery::{Cancellation, Status},
    event::Event,
    id::DeliveryId,
    webhook::Webhook,
};
use serde_json::json;
use tests::fake::system::System;

use super::{ended, later, reply, requests, system};

#[tokio::test]
async fn stop_and_manual_retry_count_during_a_delay() {
    let (mut system, webhook) = system().await;
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    let second = later(&mut system, 1, "ticket.reply_added", reply("two")).await;
    let switch = |enabled| {
        move |webhook: Webhook, now| {
            let settings = domain::webhook::Settings {
                enabled,
                ..webhook.settings.clone()
            };
            webhook.changed(settings, now)
        }
    };
    system.change(webhook.id, switch(false)).await;
    system.change(webhook.id, switch(true)).await;
    let third = later(&mut system, 1, "ticket.reply_added", reply("three")).await;
    system.run().await;
    let id = |event: &Event| DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    for event in [&first, &second] {
        let (row, _) = system.history(id(event)).await.expect("a delivery");
        assert_eq!(row.cancelled, Some(Cancellation::Disabled));
    }
    assert_eq!(ended(&system, &third, &webhook).await.0, Status::Succeeded);
    // What an admin asks for is sent, whatever came after it.
    system.retry(id(&first), 0).await.expect("retried");
    system.run().await;
    let (row, attempts) = system.history(id(&first)).await.expect("a delivery");
    assert_eq!(
        (row.status, row.cancelled, attempts.len()),
        (Status::Succeeded, None, 1)
    );
}

/// After a change of the key, values of the earlier one are not compared.
#[tokio::test]
async fn changed_key_ends_no_delay_by_another_field() {
    let (mut system, webhook) = system().await;
    let first = json!({"id": 1, "parent": 7, "text": "one"});
    let first = later(&mut system, 0, "ticket.reply_added", first).await;
    later(
        &mut system,
        1,
        "ticket.status_changed",
        json!({"id": 7, "parent": 9}),
    )
    .await;
    let by_parent = |webhook: Webhook, now| {
        let mut settings = webhook.settings.clone();
        let unless = settings.delay.unless.as_mut().expect("a rule");
        unless.key = domain::path::Path::parse("parent").expect("a path");
        webhook.changed(settings, now)
    };
    system.change(webhook.id, by_parent).await;
    system.run().await;
    assert_eq!(ended(&system, &first, &webhook).await.0, Status::Succeeded);
}

/// A webhook that is changed, disabled or deleted leaves no rows that end delays, and one with
/// several patterns that match an event is recorded once.
#[tokio::test]
async fn rows_of_a_rule_follow_the_webhook() {
    let (mut system, webhook) = system().await;
    let rows = |system: &System| -> Vec<String> {
        let state = system.fake.state();
        let keys = state.table.items().keys();
        let unless = keys.filter(|(_, sk)| sk.starts_with("unless#"));
        unless
            .map(|(pk, _)| pk.trim_start_matches("subscription#").to_owned())
            .collect()
    };
    assert_eq!(
        rows(&system),
        ["ticket.reply_added", "ticket.status_changed"]
    );
    let unless_of = |patterns: &'static [&str]| {
        move |webhook: Webhook, now| {
            let mut settings = webhook.settings.clone();
            let unless = settings.delay.unless.as_mut().expect("a rule");
            let parse = |text: &&str| domain::pattern::Pattern::parse(text).expect("a pattern");
            unless.events = patterns.iter().map(parse).collect();
            webhook.changed(settings, now)
        }
    };
    system
        .change(webhook.id, unless_of(&["*", "ticket.*"]))
        .await;
    assert_eq!(rows(&system), ["*", "ticket.*"]);
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    let second = later(&mut system, 1, "ticket.assigned", reply("")).await;
    system.run().await;
    let end = (Status::Cancelled, Some(second.id));
    assert_eq!(ended(&system, &first, &webhook).await, end);
    let disable = |webhook: Webhook, now| {
        let settings = domain::webhook::Settings {
            enabled: false,
            ..webhook.settings.clone()
        };
        webhook.changed(settings, now)
    };
    system.change(webhook.id, disable).await;
    assert_eq!(rows(&system), Vec::<String>::new());
}

/// A change of the delay concerns later events only; events are not superseded once `unless` is
/// removed.
#[tokio::test]
async fn changed_delay_concerns_later_events() {
    let (mut system, webhook) = system().await;
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    let delay = |seconds| {
        move |webhook: Webhook, now| {
            let settings = domain::webhook::Settings {
                delay: domain::webhook::Delay {
                    seconds,
                    unless: None,
                },
                ..webhook.settings.clone()
            };
            webhook.changed(settings, now)
        }
    };
    system.change(webhook.id, delay(60)).await;
    later(&mut system, 1, "ticket.reply_added", reply("two")).await;
    system.run().await;
    let expected = [("two".to_owned(), 120), ("one".to_owned(), 1_800)];
    assert_eq!(requests(&system, &first), expected);
}
