//! Concurrent publishing of many events.

use tests::{
    load::{counted, publish_many},
    receiver::{Receiver, Reply, Request},
    stack::Stack,
};

#[tokio::test]
async fn no_event_is_lost_or_mixed_up() {
    let stack = Stack::get();
    let (healthy, failing) = (Receiver::start(), Receiver::replying([Reply::status(500)]));
    stack.webhook().url(healthy.url()).create().await;
    stack.webhook().url(failing.url()).retry([1]).create().await;

    let published = publish_many(&stack, 200, 100).await;

    let each = |least: usize| {
        let published = &published;
        move |got: &[Request]| {
            let counts = counted(published, got);
            counts.len() == published.len() && counts.values().all(|count| *count >= least)
        }
    };
    healthy.wait_until("every event arrived", each(1)).await;
    failing
        .wait_until("every event arrived and was retried", each(2))
        .await;
}
