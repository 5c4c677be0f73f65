//! Changes of a webhook's state, its signing secrets and its events.

use super::*;
use crate::{
    attempt::{Failure, Outcome},
    secrets::origin::Origin,
};

fn health(failing_since: Timestamp) -> Health {
    Health {
        failing_since,
        warned: true,
        hangs: false,
    }
}

#[test]
fn rotated_secrets_keep_their_own_overlaps() {
    let secret = |n: u8| SigningSecret::generated([n; 32]);
    let rotate = |secrets: SigningSecrets, n: u8, overlap: i64, now: i64| {
        secrets.rotated(secret(n), SignedDuration::from_secs(overlap), at(now))
    };
    let signing = |secrets: &SigningSecrets, now: i64| {
        let texts: Vec<String> = secrets
            .at(at(now))
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect();
        texts
    };
    let expected = |numbers: &[u8]| {
        numbers
            .iter()
            .map(|n| secret(*n).expose().to_owned())
            .collect::<Vec<_>>()
    };
    let first = SigningSecrets::only(secret(0));
    let second = rotate(first, 1, 100, 0).expect("a first rotation");
    let third = rotate(second, 2, 10, 1).expect("a second rotation");
    let fourth = rotate(third, 3, 50, 2).expect("a third rotation");
    assert_eq!(signing(&fourth, 2), expected(&[3, 2, 1, 0]));
    assert_eq!(signing(&fourth, 11), expected(&[3, 2, 0]));
    assert_eq!(signing(&fourth, 99), expected(&[3, 0]));
    assert_eq!(
        rotate(fourth.clone(), 4, 1, 3).map(|_| ()),
        Err(TooManyOverlaps(at(11)))
    );
    // Without an overlap, or after the first one ended, another rotation is possible.
    assert_eq!(
        signing(&rotate(fourth.clone(), 4, 0, 3).expect("rotated"), 3),
        expected(&[4])
    );
    assert_eq!(
        signing(&rotate(fourth, 4, 60, 11).expect("rotated"), 60),
        expected(&[4, 3, 0])
    );
}

#[test]
fn changes_update_the_state() {
    let mut webhook = webhook(&json!({"enabled": false}));
    // `None` for a webhook that Tieline disables.
    for (second, change, stopped_at, line, reason) in [
        (1, Some((false, None)), 0, 0, None),
        (2, Some((false, Some(5))), 0, 2, None),
        (3, Some((true, Some(5))), 0, 3, None),
        (4, Some((true, Some(5))), 0, 3, None),
        (5, None, 5, 3, Some(DisabledReason::Gone)),
        (6, Some((false, Some(5))), 5, 3, Some(DisabledReason::Gone)),
        (7, Some((true, Some(5))), 5, 7, None),
        (8, Some((false, Some(5))), 8, 7, None),
    ] {
        webhook = if let Some((enabled, rate_limit_per_second)) = change {
            let settings = Settings {
                enabled,
                rate_limit_per_second,
                ..webhook.settings.clone()
            };
            webhook.changed(settings, at(second))
        } else {
            webhook.state.health = Some(health(at(0)));
            webhook.disabled(DisabledReason::Gone, at(second))
        };
        let line = if line == 0 {
            0
        } else {
            at(line).as_microsecond()
        };
        let state = State {
            created_at: at(0),
            updated_at: at(second),
            version: u64::try_from(second + 1).expect("a version"),
            disabled_reason: reason,
            stopped_at: Some(at(stopped_at)),
            health: reason.map(|_| health(at(0))),
            line: Line(line),
        };
        assert_eq!((&webhook.state, webhook.state.line.since()), (&state, line));
        let enabled = change.is_some_and(|(enabled, _)| enabled);
        assert_eq!(webhook.settings.enabled, enabled, "{second}");
    }
}

#[test]
fn attempts_disable_a_webhook_that_is_gone_or_fails_for_long() {
    let failed = |code| {
        Outcome::Failed(Failure::Status {
            code,
            retry_after: None,
        })
    };
    let blocked = Outcome::Blocked {
        reason: String::new(),
    };
    let mut webhook = webhook(&json!({}));
    let days = |days: i64| at(days * 86_400);
    for (failing_since, outcome, reason) in [
        (None, failed(500), None),
        (None, failed(410), Some(DisabledReason::Gone)),
        (Some(days(1)), failed(500), None),
        (Some(days(0)), failed(500), Some(DisabledReason::Failing)),
        (Some(days(0)), Outcome::Delivered { code: 200 }, None),
        (Some(days(0)), blocked, None),
    ] {
        webhook.state.health = failing_since.map(health);
        let stopped = webhook.stopped_by(&outcome, days(5));
        assert_eq!(stopped, reason, "{failing_since:?} {outcome:?}");
    }
}

#[test]
fn events_name_the_webhook_and_the_cause() {
    let webhook = webhook(&json!({}));
    let hours = |hours: i64| at(hours * 3_600);
    // A late warning is listed at its creation.
    for (noticed, listed) in [
        (hours(24), hours(24)),
        (hours(8 * 24), hours(24)),
        (hours(8 * 24 + 1), hours(184)),
        (hours(8 * 24 + 30), hours(208)),
        (hours(8 * 24 + 31), hours(208)),
    ] {
        let event = webhook.failing_event(&health(at(0)), noticed);
        let cause = format!("{}|2027-01-15T08:00:00Z", webhook.id);
        let expected = json!({
            "id": derived_id(&EventType::webhook_failing(), &cause, listed),
            "type": "webhook.failing",
            "timestamp": "2027-01-16T08:00:00Z",
            "data": {
                "webhook_id": webhook.id,
                "webhook_name": "CRM",
                "failing_since": "2027-01-15T08:00:00.000Z",
            },
        });
        assert_eq!(json!(event), expected, "{noticed}");
    }
    assert_eq!(webhook.disabled_event(), None);
    let disabled = webhook.disabled(DisabledReason::Failing, at(7));
    let cause = format!("{}|2027-01-15T08:00:07Z", disabled.id);
    assert_eq!(
        json!(disabled.disabled_event()),
        json!({
            "id": derived_id(&EventType::webhook_disabled(), &cause, at(7)),
            "type": "webhook.disabled",
            "timestamp": "2027-01-15T08:00:07Z",
            "data": {"webhook_id": disabled.id, "webhook_name": "CRM", "reason": "failing"},
        })
    );
}

/// A patch that contains no secret moves the webhook to another origin.
#[test]
fn stored_secrets_stay_at_their_origin() {
    let origins = ["https://a.example", "https://b.example"];
    let [from, to] = origins.map(|url| Origin::of(&url.parse().expect("a URL")));
    let service = "svc_01J0000000000000000000000S";
    let auth = |auth: Value| json!({"auth": auth});
    let path = |path: &str| json!({"url": null, "service_id": service, "path": path});
    for (change, result) in [
        (json!({}), json!({"secret": from})),
        (
            auth(json!({"type": "basic", "username": "u", "password": ""})),
            json!({"secret": from}),
        ),
        (
            auth(json!({"type": "basic", "username": "u", "password": "p"})),
            json!(["/auth/password"]),
        ),
        (
            auth(json!({"type": "bearer", "token": "t"})),
            json!(["/auth/token"]),
        ),
        (
            auth(json!({"type": "api_key", "header": "x-key", "value": "k"})),
            json!(["/auth/value"]),
        ),
        (
            json!({"secrets": {"a": "1"}}),
            json!({"secret": from, "secrets/a": from}),
        ),
        (
            json!({"secrets": {"a": "1", "b": "2", "c": "3"}, "body": "{secret.a}", "headers": {"x-b": "{secret.b}", "x-token": "hush"}}),
            json!(["/secrets/a", "/secrets/b", "/headers/x-token"]),
        ),
        (path("/tickets"), json!({"secret": from})),
        (path("/bot123:AbCdEf/send"), json!(["/path"])),
        (
            json!({"signing": {"type": "header", "name": "x-secret"}}),
            json!(["/secret"]),
        ),
    ] {
        let webhook = webhook(&change);
        let patched = webhook
            .clone()
            .patched(&webhook, &json!({}), [&from, &to])
            .map_or_else(
                |errors| json!(pointers(errors)),
                |webhook| json!(webhook.secret_origins),
            );
        assert_eq!(patched, result, "{change}");
    }
    let rotated = webhook(&json!({}));
    let mut before = rotated.clone();
    before.secrets = SigningSecrets::only(SigningSecret::generated([7; 32]));
    let patched = rotated.patched(&before, &json!({}), [&from, &to]);
    assert!(patched.expect("patched").secret_origins.is_empty());
}
