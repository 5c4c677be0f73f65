//! Calls to AWS that fail from time to time.

use tests::{
    faults::{Faulty, proxy::TRANSIENT},
    load::{counted, publish_many},
    receiver::Receiver,
};

const EVENTS: usize = 500;

#[tokio::test]
async fn every_event_is_delivered_while_a_fifth_of_all_calls_fail() {
    let faulty = Faulty::get().await;
    let receiver = Receiver::start();
    let webhook = faulty.stack.webhook().url(receiver.url()).create().await;
    // New processes have to read the keyring.
    for function in ["config-api", "delivery", "dispatch"] {
        faulty.kill(function);
    }
    faulty.proxy.fail(20, 7);

    let published = publish_many(&faulty.stack, EVENTS as u64, 5).await;
    receiver
        .wait_until("every event arrived", |got| {
            counted(&published, got).len() == EVENTS
        })
        .await;

    for service in ["DynamoDB", "AmazonSQS"] {
        let passed = faulty.proxy.met(service, None);
        let failed = TRANSIENT.map(|fault| faulty.proxy.met(service, Some(fault)));
        assert!(
            failed.iter().all(|count| *count > 0),
            "{service}: {failed:?}"
        );
        let (failed, all) = (
            failed.iter().sum::<usize>(),
            failed.iter().sum::<usize>() + passed,
        );
        assert!(
            (10..=30).contains(&(failed * 100 / all)),
            "{service}: {failed} of {all}"
        );
    }
    assert!(faulty.proxy.met("secretsmanager", None) > 0);
    faulty.proxy.mend();
    faulty.all_succeeded(&webhook, &published).await;
    assert_eq!(faulty.count(&faulty.stack.queues().dead).await, 0);
}
