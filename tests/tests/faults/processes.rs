//! Processes that are killed in mid-delivery.

use serde_json::json;
use tests::{
    faults::Faulty,
    load::{counted, publish_many},
    sink::{Reply, Sink},
};

const EVENTS: usize = 500;
/// Longer than a batch takes that is well.
const VISIBILITY: u32 = 10;
const KILLS: usize = 10;
/// How many calls come at least from a kill to the next one.
const BETWEEN: usize = 20;

#[tokio::test]
async fn ten_kills_lose_nothing_and_mix_nothing_up() {
    let faulty = Faulty::get().await;
    faulty.set_visibility(VISIBILITY).await;
    let sink = Sink::start();
    let webhook = faulty
        .stack
        .webhook()
        .url(sink.url())
        .set("timeout_seconds", 20)
        .create()
        .await;

    let kills = async {
        for _ in 0..KILLS {
            // The next call waits for its answer, and the process with it.
            sink.answers_in_turn([Reply::hang(), Reply::status(200)]);
            let got = sink.wait_for(sink.got().len() + 1).await.len();
            assert!(faulty.kill("delivery") > 0, "a delivery process runs");
            sink.wait_for(got + BETWEEN).await;
        }
    };
    let (published, ()) = tokio::join!(publish_many(&faulty.stack, EVENTS as u64, 100), kills);

    let got = sink
        .wait_until("every event came", |got| {
            counted(&published, got).len() == EVENTS
        })
        .await;
    assert!(got.len() > EVENTS, "what waited for its answer came again");
    faulty.all_succeeded(&webhook, &published).await;
    assert_eq!(faulty.count(&faulty.stack.queues().dead).await, 0);
    // Nobody was told another id for the same event.
    let ids = counted(&published, &sink.got());
    assert_eq!(
        ids.keys().collect::<Vec<_>>(),
        published.keys().collect::<Vec<_>>()
    );
    assert_eq!(webhook.read().await["failing_since"], json!(null));
}
