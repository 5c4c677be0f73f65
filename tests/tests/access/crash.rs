//! Reminder runs that crash or lose a response at each of their calls, and the runs that follow.

use std::collections::{BTreeMap, BTreeSet};

use domain::{credential::Settings, scope::Scope};
use jiff::Timestamp;
use tests::fake::{FaultPlan, functions::rotation};

use crate::{
    fixture::{Fixture, Sent, day},
    invariants,
};

/// The day of the run. Some credentials are due soon, some due, some overdue, and some need no
/// reminder.
const NOW: i64 = 100;

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    for made in [0, 3, 10, 17, 30, 60] {
        fixture
            .credential(&fixture.user, &[Scope::EventsWrite], day(made))
            .await;
    }
    let expired = fixture
        .credential(&fixture.user, &[Scope::Admin], day(1))
        .await;
    let end = day(NOW - 1);
    fixture
        .change(expired.id, day(1), |one| {
            let settings = Settings {
                expires_at: Some(end),
                ..one.settings.clone()
            };
            one.changed(settings)
        })
        .await;
    fixture
}

/// Starts a run that may crash. A new process replaces a crashed one.
async fn run(fixture: &mut Fixture, now: Timestamp) {
    let crash = fixture.fake.crash();
    tokio::select! {
        biased;
        () = crash.notified() => fixture.app = rotation(&fixture.fake),
        _ = fixture.try_remind(now) => {}
    }
}

#[tokio::test]
async fn run_after_any_crash_sends_the_missing_reminders() {
    let mut whole = fixture().await;
    whole.fake.state().calls.clear();
    run(&mut whole, day(NOW)).await;
    let calls: Vec<String> = whole
        .fake
        .state()
        .calls
        .iter()
        .map(|call| call.operation.clone())
        .collect();
    let stages: Vec<String> = whole.sent().into_iter().map(|sent| sent.kind).collect();
    assert_eq!(stages.len(), 4, "{stages:?}");

    for (n, operation) in calls.iter().enumerate() {
        for fault in [
            FaultPlan::CrashBefore,
            FaultPlan::CrashAfter,
            FaultPlan::ResponseLost,
            FaultPlan::Fails("ResourceNotFoundException"),
        ] {
            let context = format!("{fault:?} at call {n}, {operation}");
            let mut fixture = fixture().await;
            fixture.fake.state().calls.clear();
            fixture.fake.plan(move |call| {
                if call.index == n {
                    fault
                } else {
                    FaultPlan::NoFault
                }
            });
            run(&mut fixture, day(NOW)).await;
            fixture.fake.plan(|_| FaultPlan::NoFault);
            fixture.try_remind(day(NOW)).await.expect("reminded");

            let mut ids: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
            let sent = fixture.sent();
            for Sent {
                id,
                kind,
                credential,
            } in sent.iter().cloned()
            {
                ids.entry(credential).or_default().insert((id, kind));
            }
            assert!(
                ids.values().all(|ids| ids.len() == 1),
                "{context}: one reminder, one id: {ids:?}"
            );
            let kinds: Vec<&String> = ids.values().flatten().map(|(_, kind)| kind).collect();
            assert_eq!(sorted(kinds), sorted(stages.iter().collect()), "{context}");
            // All four are sent concurrently: each may have been sent but not yet marked.
            assert!(
                sent.len() <= 2 * stages.len(),
                "{context}: {} were sent",
                sent.len()
            );

            assert_eq!(fixture.remind(day(NOW)).await.0, 0, "{context}");
            assert_eq!(
                fixture.sent().len(),
                sent.len(),
                "{context}: nothing is left"
            );
            invariants::check(&fixture, day(NOW)).await;
        }
    }
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}
