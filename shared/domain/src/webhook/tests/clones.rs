//! Clones: which secrets they lack, and when they have them.

use super::*;
use crate::secrets::origin::Origin;

fn clone_of(original: &Webhook) -> Webhook {
    let secret = SigningSecret::generated([9; 32]);
    let id = WebhookId::new(at(1), 2);
    let clone = original.cloned_as("Copy".to_owned(), id, secret, at(1));
    clone.expect("a clone")
}

/// A clone of a webhook with these settings.
fn clone_with(change: &Value) -> Webhook {
    clone_of(&webhook(change))
}

fn missing(webhook: &Webhook) -> Vec<String> {
    webhook
        .missing
        .check()
        .err()
        .map_or_else(Vec::new, pointers)
}

/// The webhook after a patch led to these settings.
fn patched(before: &Webhook, change: &Value, patch: &Value) -> Result<Webhook, Vec<String>> {
    let [from, to] = [before, &webhook(change)].map(|webhook| {
        let address = address(webhook);
        Origin::of(address.origin_url())
    });
    let settings = settings(change).expect("valid settings");
    let after = before.clone().changed(settings, at(2));
    after.patched(before, patch, [&from, &to]).map_err(pointers)
}

#[test]
fn clone_is_disabled_and_has_no_secret_of_the_original() {
    let run = "0123456789abcdef01234567";
    let change = json!({
        "url": format!("https://hooks.example.com/in/{run}/{{id}}?key=k3y&page=1"),
        "auth": {"type": "basic", "username": "ana", "password": "hush-password"},
        "secrets": {"bot": "bot-secret", "b-1": "b"},
        "headers": {
            "X-Api-Key": "header-secret", "X-Run": run, "X-Bot": "Bearer {secret.bot}",
            "Accept": "text/plain",
        },
        "body": "{\"text\": {title}}", "labels": ["a"], "conditions": {"field": "a", "op": "exists"},
        "retry": {"type": "none"}, "timeout_seconds": 7, "rate_limit_per_second": 3,
    });
    let original = webhook(&change);
    let clone = clone_of(&original);
    assert_eq!(
        missing(&clone),
        [
            "/auth",
            "/headers/x-api-key",
            "/headers/x-run",
            "/secrets/b-1",
            "/secrets/bot",
            "/url"
        ]
    );
    assert_eq!(
        (original.status(), clone.status()),
        (Status::Active, Status::NeedsSecrets)
    );
    let mut settings = Value::Object(clone.settings.to_map());
    let text = settings.to_string();
    for secret in ["hush-password", "bot-secret", "header-secret", run, "k3y"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let mut expected = Value::Object(original.settings.to_map());
    assert_eq!(settings["auth"]["username"], "ana");
    assert_eq!(settings["headers"]["x-bot"], "Bearer {secret.bot}");
    assert_eq!(
        (&settings["enabled"], &settings["name"]),
        (&json!(false), &json!("Copy"))
    );
    for field in ["auth", "enabled", "headers", "name", "secrets", "url"] {
        settings[field] = Value::Null;
        expected[field] = Value::Null;
    }
    assert_eq!(settings, expected);
    assert_ne!(
        clone.secrets.current.expose(),
        original.secrets.current.expose()
    );
    assert_eq!(
        (
            clone.state.version,
            clone.state.created_at,
            clone.state.stopped_at
        ),
        (1, at(1), Some(at(1)))
    );
    // A clone of a clone lacks the same.
    assert_eq!(missing(&clone_of(&clone)), missing(&clone));
}

#[test]
fn clone_lacks_only_what_the_original_has() {
    let service = |path: &str| json!({"url": null, "service_id": "svc_01J0000000000000000000000S", "path": path});
    for (change, pointers) in [
        (json!({}), vec![]),
        (json!({"auth": {"type": "none"}}), vec![]),
        (
            json!({"auth": {"type": "basic", "username": "ana", "password": ""}}),
            vec![],
        ),
        (
            json!({"auth": {"type": "bearer", "token": "t"}}),
            vec!["/auth"],
        ),
        (
            json!({"auth": {"type": "api_key", "header": "x-key", "value": "k"}}),
            vec!["/auth"],
        ),
        (json!({"secrets": {"unused": "s"}}), vec!["/secrets/unused"]),
        (json!({"headers": {"X-Plain": "plain"}}), vec![]),
        (service("/tickets/{id}"), vec![]),
        (service("/bot123:AbCdEf/send"), vec!["/path"]),
    ] {
        let clone = clone_with(&change);
        assert_eq!(missing(&clone), pointers, "{change}");
        let status = if pointers.is_empty() {
            Status::Disabled
        } else {
            Status::NeedsSecrets
        };
        assert_eq!(clone.status(), status, "{change}");
    }
}

#[test]
fn clone_is_enabled_once_it_has_its_secrets() {
    let auth = |password: &str| json!({"type": "basic", "username": "ana", "password": password});
    let named = |value: &str| json!({"bot": value});
    let clone = clone_with(&json!({"auth": auth("hush"), "secrets": named("b")}));
    let kept = |change: Value, patch: Value| patched(&clone, &change, &patch);
    // Without a secret, everything else can change, and the clone can move to another origin.
    let renamed = json!({"auth": auth("x"), "secrets": named("x"), "enabled": false, "url": "https://b.example"});
    let moved = kept(renamed, json!({"name": "B", "url": "https://b.example"})).expect("moved");
    assert_eq!(missing(&moved), ["/auth", "/secrets/bot"]);
    // Only the clone's own signing secret belongs to the first origin.
    assert_eq!(
        json!(moved.secret_origins),
        json!({"secret": "https://example.com"})
    );
    // The clone can't be enabled before.
    let enabled = json!({"auth": auth("x"), "secrets": named("x")});
    let errors = kept(enabled.clone(), json!({"enabled": true})).map(|_| ());
    assert_eq!(
        errors,
        Err(vec!["/auth".to_owned(), "/secrets/bot".to_owned()])
    );
    let errors = kept(
        enabled.clone(),
        json!({"enabled": true, "auth": {"password": "x"}}),
    );
    assert_eq!(errors.map(|_| ()), Err(vec!["/secrets/bot".to_owned()]));
    // A user name is no password.
    let errors = kept(
        enabled.clone(),
        json!({"enabled": true, "auth": {"username": "ana"}, "secrets": {"bot": "x"}}),
    );
    assert_eq!(errors.map(|_| ()), Err(vec!["/auth".to_owned()]));
    let whole = kept(
        enabled,
        json!({"enabled": true, "auth": {"password": "x"}, "secrets": {"bot": "x"}}),
    );
    assert_eq!(whole.expect("enabled").status(), Status::Active);
    // What is removed is no longer missing.
    let removed = kept(
        json!({"enabled": true}),
        json!({"enabled": true, "auth": null, "secrets": {"bot": null}}),
    );
    assert_eq!(removed.expect("enabled").status(), Status::Active);
    // One by one, in any order.
    let first = kept(
        json!({"auth": auth("x"), "secrets": named("x"), "enabled": false}),
        json!({"secrets": {"bot": "x"}}),
    )
    .expect("changed");
    assert_eq!(
        (missing(&first), first.status()),
        (vec!["/auth".to_owned()], Status::NeedsSecrets)
    );
    let second = patched(
        &first,
        &json!({"auth": {"type": "bearer", "token": "t"}, "secrets": named("x"), "enabled": false}),
        &json!({"auth": {"type": "bearer", "token": "t"}}),
    )
    .expect("changed");
    assert_eq!(second.status(), Status::Disabled);
}
