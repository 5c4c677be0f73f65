//! Reminders in the course of time.

use std::collections::BTreeSet;

use domain::{
    credential::{Credential, Settings},
    scope::Scope,
};
use tests::fake::Fate;

use crate::{
    invariants,
    office::{Office, day, mark},
};

const SCOPES: [Scope; 1] = [Scope::EventsWrite];
const SOON: &str = "credential.rotation_due_soon";
const DUE: &str = "credential.rotation_due";

#[tokio::test]
async fn they_come_a_week_before_on_the_day_and_every_week_after() {
    let office = Office::new().await;
    let one = office.credential(&office.user, &SCOPES, day(0)).await;
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
            office.remind(day(at)).await,
            (reminded, overdue),
            "day {at}"
        );
        assert_eq!(office.remind(day(at)).await, (0, overdue), "day {at} again");
        kinds.extend(kind);
        let sent = office.sent();
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
        invariants::check(&office, day(at)).await;
    }
}

#[tokio::test]
async fn a_new_token_begins_them_anew() {
    let office = Office::new().await;
    let one = office.credential(&office.user, &SCOPES, day(0)).await;
    assert_eq!(office.remind(day(83)).await, (1, 0));
    office
        .change(one.id, day(85), |one| rotated(one, 1, 85))
        .await;
    for (at, reminded) in [(90, 0), (97, 0), (85 + 82, 0), (85 + 83, 1), (85 + 90, 1)] {
        assert_eq!(office.remind(day(at)).await.0, reminded, "day {at}");
        invariants::check(&office, day(at)).await;
    }
    // Twice within a period, and once more when it is overdue.
    office
        .change(one.id, day(176), |one| rotated(one, 2, 176))
        .await;
    office
        .change(one.id, day(177), |one| rotated(one, 3, 177))
        .await;
    assert_eq!(office.remind(day(177 + 82)).await, (0, 0));
    assert_eq!(office.remind(day(177 + 90)).await, (1, 1));
    let kinds: Vec<String> = office.sent().into_iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, [SOON, SOON, DUE, DUE]);
}

#[tokio::test]
async fn those_that_have_ended_are_not_reminded_of() {
    let office = Office::new().await;
    let revoked = office.credential(&office.user, &SCOPES, day(0)).await;
    let expiring = office.credential(&office.user, &SCOPES, day(0)).await;
    office
        .change(revoked.id, day(80), |one| one.revoked(day(80)))
        .await;
    office
        .change(expiring.id, day(80), |one| ending(one, Some(80 + 5)))
        .await;
    assert_eq!(office.remind(day(90)).await, (0, 0));
    invariants::check(&office, day(90)).await;
    // With more time, it is a credential like any other.
    office
        .change(expiring.id, day(91), |one| ending(one, None))
        .await;
    invariants::check(&office, day(91)).await;
    assert_eq!(office.remind(day(91)).await, (1, 1));
    assert_eq!(office.remind(day(97)).await, (1, 1));
    invariants::check(&office, day(97)).await;
}

#[tokio::test]
async fn no_page_is_left_out() {
    let office = Office::new().await;
    for n in 0..250 {
        // On one day, on all days of the last month, and all in one moment.
        let at = if n < 150 { day(0) } else { day(n % 30) };
        office.credential(&office.user, &SCOPES, at).await;
    }
    office.fake.state().calls.clear();
    assert_eq!(office.remind(day(120)).await, (250, 250));
    let operations: Vec<String> = office
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
        office
            .sent()
            .iter()
            .map(|sent| &sent.credential)
            .collect::<BTreeSet<_>>()
            .len(),
        250
    );
    assert_eq!(office.remind(day(120)).await, (0, 250));
    assert_eq!(office.sent().len(), 250);
    invariants::check(&office, day(120)).await;
}

#[tokio::test]
async fn one_that_nobody_looked_at_for_years_is_found() {
    let office = Office::new().await;
    office.credential(&office.user, &SCOPES, day(0)).await;
    assert_eq!(office.remind(day(4_000)).await, (1, 1));
    assert_eq!(office.remind(day(4_000)).await, (0, 1));
    invariants::check(&office, day(4_000)).await;
}

#[tokio::test]
async fn one_that_cannot_be_sent_holds_up_no_other() {
    let office = Office::new().await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(
            office
                .credential(&office.user, &SCOPES, day(0))
                .await
                .id
                .to_string(),
        );
    }
    let unlucky = ids[3].clone();
    office.fake.plan(move |call| {
        let fails = call.operation == "SendMessage" && call.request.to_string().contains(&unlucky);
        if fails {
            Fate::Fails("ResourceNotFoundException")
        } else {
            Fate::Answered
        }
    });
    office
        .try_remind(day(90))
        .await
        .expect_err("one was not sent");
    assert_eq!(office.sent().len(), 29);
    office.fake.plan(|_| Fate::Answered);
    assert_eq!(office.remind(day(90)).await, (1, 30));
    assert_eq!(office.sent()[29].credential, ids[3]);
}

fn rotated(credential: Credential, n: u32, at: i64) -> Credential {
    let hash = format!("hash-{n}-of-{}", credential.id);
    credential.reissued(mark(hash), day(at))
}

fn ending(credential: Credential, at: Option<i64>) -> Credential {
    let settings = Settings {
        ends_at: at.map(day),
        ..credential.settings.clone()
    };
    credential.changed(settings)
}
