//! Dead letters, redriven as README describes.

use std::collections::BTreeMap;

use tests::{
    faults::{Faulty, RECEIVES, VISIBILITY},
    load::{counted, publish_many},
    receiver::{Receiver, Reply},
    stack::unique,
};
use tokio::process::Command;

/// Number of dead letters from each of the three queues.
const EACH: usize = 25;

#[tokio::test]
async fn dead_letters_are_delivered_after_the_documented_redrive() {
    let faulty = Faulty::get().await;
    let (stack, proxy, dead) = (&faulty.stack, faulty.proxy, &faulty.stack.queues().dead);
    let receiver = Receiver::start();
    receiver.set_replies(
        (0..EACH)
            .map(|_| Reply::status(500))
            .chain([Reply::status(200)]),
    );
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([10, 600])
        .create()
        .await;

    // Retries, first attempts and events. Each function loses a right that it needs.
    let mut published = publish_many(stack, EACH as u64, EACH).await;
    let waiting = "retrying";
    receiver.wait_for(EACH).await;
    faulty.all(&webhook, &published, waiting).await;
    faulty.set_visibility(1).await;
    faulty.set_receives(2).await;
    proxy.deny(&["BatchGetItem"]);
    published.extend(publish_many(stack, EACH as u64, EACH).await);
    faulty.until_empty(&stack.queues().events).await;
    proxy.deny(&["BatchGetItem", "Query"]);
    published.extend(publish_many(stack, EACH as u64, EACH).await);
    let nonsense = unique("nonsense");
    stack.put_on_queue(dead, &nonsense).await;
    for queue in [
        &stack.queues().events,
        &stack.queues().deliveries,
        &stack.queues().retries,
    ] {
        faulty.until_empty(queue).await;
    }
    let letters = faulty.count(dead).await - 1;
    // On a slow machine a message may become visible again after a second although it was
    // processed. Then there are two copies.
    let copies = letters.checked_sub(3 * EACH).expect("all are dead");
    assert_eq!(receiver.requests().len(), EACH, "nothing was delivered");

    proxy.mend();
    faulty.set_visibility(VISIBILITY).await;
    faulty.set_receives(RECEIVES).await;
    assert_eq!(
        redrive(&faulty).await,
        format!("{letters} sent, 1 skipped\n")
    );
    let succeeded =
        |published: &BTreeMap<String, u64>, got: &[_]| counted(published, got).len() == 3 * EACH;
    receiver
        .wait_until("every event arrived", |got| succeeded(&published, got))
        .await;
    faulty.all_succeeded(&webhook, &published).await;
    assert!(
        (4 * EACH..=4 * EACH + copies).contains(&receiver.requests().len()),
        "each is sent once, except for {copies} copies"
    );
    stack.on_queue(dead, &nonsense).await;
    assert_eq!(faulty.count(dead).await, 1);
    stack
        .aws(
            "AmazonSQS.PurgeQueue",
            &serde_json::json!({"QueueUrl": dead}),
        )
        .await;
}

/// Runs the command from README on this stack. Returns its output.
async fn redrive(faulty: &Faulty) -> String {
    let readme = std::fs::read_to_string(local::root().join("README.md")).expect("README.md");
    let mut blocks = readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let block = blocks
        .find(|block| block.contains("AWS_ENDPOINT_URL") && block.contains("redrive"))
        .expect("a command");
    let command = block.replace(
        "http://127.0.0.1:4566",
        &faulty.stack.endpoint().endpoint_url,
    );
    assert_ne!(command, block);
    let ran = Command::new("sh")
        .args(["-c", &command])
        .current_dir(local::root())
        .output()
        .await
        .expect("sh");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).expect("UTF-8")
}
