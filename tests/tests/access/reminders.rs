//! Reminders over time.

use std::collections::BTreeSet;

use domain::{
    credential::{Credential, Settings},
    scope::Scope,
};
use tests::fake::FaultPlan;

use crate::{
    fixture::{Fixture, day, mark},
    invariants,
};

const SCOPES: [Scope; 1] = [Scope::EventsWrite];
const SOON: &str = "credential.rotation_due_soon";
const DUE: &str = "credential.rotation_due";

#[tokio::test]
async fn reminders_are_sent_a_week_before_on_the_day_and_weekly_after() {
    let fixture = Fixture::new().await;
    let one = fixture.credential(&fixture.user, &SCOPES, day(0)).await;
    let mut kinds = Vec::new();
    for (at, reminded, overdue, kind) in [
        (0, 0, 0, None),
        (82, 0, 0, None),
        (83, 1, 0, Some(SOON)),
        (84, 0, 0, None),
        (90, 1, 1, Some(DUE)),
        (96, 0, 1, None),
        (97, 1, 1, Some(DUE)),
        (120, 1, 1, Some(DUE)),
        (125, 1, 1, Some(DUE)),
    ] {
        assert_eq!(
            fixture.remind(day(at)).await,
            (reminded, overdue),
            "day {at}"
        );
        assert_eq!(
            fixture.remind(day(at)).await,
            (0, overdue),
            "day {at} again"
        );
        kinds.extend(kind);
        let sent = fixture.sent();
        assert_eq!(
            sent.iter()
                .map(|sent| sent.kind.as_str())
                .collect::<Vec<_>>(),
            kinds,
            "day {at}"
        );
        assert!(
            sent.iter()
                .all(|sent| sent.credential == one.id.to_string())
        );
        assert_eq!(
            sent.iter()
                .map(|sent| &sent.id)
                .collect::<BTreeSet<_>>()
                .len(),
            kinds.len(),
            "ids differ"
        );
        invariants::check(&fixture, day(at)).await;
    }
}

#[tokio::test]
async fn new_token_restarts_the_reminders() {
    let fixture = Fixture::new().await;
    let one = fixture.credential(&fixture.user, &SCOPES, day(0)).await;
    assert_eq!(fixture.remind(day(83)).await, (1, 0));
    fixture
        .change(one.id, day(85), |one| rotated(one, 1, 85))
        .await;
    for (at, reminded) in [(90, 0), (97, 0), (85 + 82, 0), (85 + 83, 1), (85 + 90, 1)] {
        assert_eq!(fixture.remind(day(at)).await.0, reminded, "day {at}");
        invariants::check(&fixture, day(at)).await;
    }
    // Rotated twice within a period, then left until it is overdue.
    fixture
        .change(one.id, day(176), |one| rotated(one, 2, 176))
        .await;
    fixture
        .change(one.id, day(177), |one| rotated(one, 3, 177))
        .await;
    assert_eq!(fixture.remind(day(177 + 82)).await, (0, 0));
    assert_eq!(fixture.remind(day(177 + 90)).await, (1, 1));
    let kinds: Vec<String> = fixture.sent().into_iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, [SOON, SOON, DUE, DUE]);
}

#[tokio::test]
async fn expired_credentials_get_no_reminder() {
    let fixture = Fixture::new().await;
    let revoked = fixture.credential(&fixture.user, &SCOPES, day(0)).await;
    let expiring = fixture.credential(&fixture.user, &SCOPES, day(0)).await;
    fixture
        .change(revoked.id, day(80), |one| one.revoked(day(80)))
        .await;
    fixture
        .change(expiring.id, day(80), |one| ending(one, Some(80 + 5)))
        .await;
    assert_eq!(fixture.remind(day(90)).await, (0, 0));
    invariants::check(&fixture, day(90)).await;
    // Without an expiry, it gets reminders like any other credential.
    fixture
        .change(expiring.id, day(91), |one| ending(one, None))
        .await;
    invariants::check(&fixture, day(91)).await;
    assert_eq!(fixture.remind(day(91)).await, (1, 1));
    assert_eq!(fixture.remind(day(97)).await, (1, 1));
    invariants::check(&fixture, day(97)).await;
}

#[tokio::test]
async fn reminders_cover_every_page() {
    let fixture = Fixture::new().await;
    for n in 0..250 {
        // Due on one day, and spread over the days of a month.
        let at = if n < 150 { day(0) } else { day(n % 30) };
        fixture.credential(&fixture.user, &SCOPES, at).await;
    }
    fixture.fake.state().calls.clear();
    assert_eq!(fixture.remind(day(120)).await, (250, 250));
    let operations: Vec<String> = fixture
        .fake
        .state()
        .calls
        .iter()
        .map(|call| call.operation.clone())
        .collect();
    let last_read = operations
        .iter()
        .rposition(|operation| operation == "Query");
    let first_sent = operations
        .iter()
        .position(|operation| operation == "SendMessage");
    assert!(
        last_read < first_sent,
        "all are counted before the first is sent"
    );
    assert_eq!(
        fixture
            .sent()
            .iter()
            .map(|sent| &sent.credential)
            .collect::<BTreeSet<_>>()
            .len(),
        250
    );
    assert_eq!(fixture.remind(day(120)).await, (0, 250));
    assert_eq!(fixture.sent().len(), 250);
    invariants::check(&fixture, day(120)).await;
}

#[tokio::test]
async fn credential_overdue_for_years_is_found() {
    let fixture = Fixture::new().await;
    fixture.credential(&fixture.user, &SCOPES, day(0)).await;
    assert_eq!(fixture.remind(day(4_000)).await, (1, 1));
    assert_eq!(fixture.remind(day(4_000)).await, (0, 1));
    invariants::check(&fixture, day(4_000)).await;
}

#[tokio::test]
async fn unsendable_reminder_does_not_block_others() {
    let fixture = Fixture::new().await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(
            fixture
                .credential(&fixture.user, &SCOPES, day(0))
                .await
                .id
                .to_string(),
        );
    }
    let unlucky = ids[3].clone();
    fixture.fake.plan(move |call| {
        let fails = call.operation == "SendMessage" && call.request.to_string().contains(&unlucky);
        if fails {
            FaultPlan::Fails("ResourceNotFoundException")
        } else {
            FaultPlan::NoFault
        }
    });
    fixture
        .try_remind(day(90))
        .await
        .expect_err("one was not sent");
    assert_eq!(fixture.sent().len(), 29);
    fixture.fake.plan(|_| FaultPlan::NoFault);
    assert_eq!(fixture.remind(day(90)).await, (1, 30));
    assert_eq!(fixture.sent()[29].credential, ids[3]);
}

fn rotated(credential: Credential, n: u32, at: i64) -> Credential {
    let hash = format!("hash-{n}-of-{}", credential.id);
    credential.reissued(mark(hash), day(at))
}

fn ending(credential: Credential, at: Option<i64>) -> Credential {
    let settings = Settings {
        expires_at: at.map(day),
        ..credential.settings.clone()
    };
    credential.changed(settings)
}
