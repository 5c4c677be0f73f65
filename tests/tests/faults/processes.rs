//! Processes that are killed during deliveries.

use serde_json::json;
use tests::{
    faults::Faulty,
    load::{counted, publish_many},
    receiver::{Receiver, Reply},
};

const EVENTS: usize = 500;
/// Longer than a successful batch takes.
const VISIBILITY: u32 = 10;
const KILLS: usize = 10;
/// Minimum number of requests between two kills.
const BETWEEN: usize = 20;

#[tokio::test]
async fn ten_kills_lose_and_mix_up_nothing() {
    let faulty = Faulty::get().await;
    faulty.set_visibility(VISIBILITY).await;
    let receiver = Receiver::start();
    let webhook = faulty
        .stack
        .webhook()
        .url(receiver.url())
        .set("timeout_seconds", 20)
        .create()
        .await;

    let kills = async {
        for _ in 0..KILLS {
            // The next request gets no response, so its process hangs.
            receiver.set_replies([Reply::hang(), Reply::status(200)]);
            let got = receiver.wait_for(receiver.requests().len() + 1).await.len();
            assert!(faulty.kill("delivery") > 0, "a delivery process runs");
            receiver.wait_for(got + BETWEEN).await;
        }
    };
    let (published, ()) = tokio::join!(publish_many(&faulty.stack, EVENTS as u64, 100), kills);

    let got = receiver
        .wait_until("every event arrived", |got| {
            counted(&published, got).len() == EVENTS
        })
        .await;
    assert!(
        got.len() > EVENTS,
        "requests of killed processes are repeated"
    );
    faulty.all_succeeded(&webhook, &published).await;
    assert_eq!(faulty.count(&faulty.stack.queues().dead).await, 0);
    // No response had another ID for the same event.
    let ids = counted(&published, &receiver.requests());
    assert_eq!(
        ids.keys().collect::<Vec<_>>(),
        published.keys().collect::<Vec<_>>()
    );
    assert_eq!(webhook.read().await["failing_since"], json!(null));
}
