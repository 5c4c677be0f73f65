//! Responses show hints and masks instead of secrets.

use std::collections::BTreeMap;

use domain::{
    account::{self, Account},
    campaign,
    egress_policy::AllowList,
    id::Id,
    inbound::Verification,
    provider::{self, KeyPolicy, Provider},
    service::{self, Service},
    signature::SigningSecret,
    webhook::{self, Webhook},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api;

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn id<K>(number: u128) -> Id<K> {
    Id::new(Timestamp::UNIX_EPOCH, number)
}

/// The fields of a response, without those that every resource has.
fn shown(response: impl Serialize) -> Value {
    let mut shown = json!(response);
    for field in ["id", "created_at", "updated_at"] {
        shown
            .as_object_mut()
            .and_then(|fields| fields.remove(field))
            .expect("a resource");
    }
    shown
}

fn webhook(change: &Value) -> Webhook {
    let mut document =
        json!({"name": "CRM", "url": "https://example.com/hook", "events": ["message"]});
    document
        .as_object_mut()
        .expect("an object")
        .extend(change.as_object().cloned().unwrap_or_default());
    let (settings, _) =
        webhook::Settings::parse(document, &AllowList::default()).expect("valid settings");
    let secret = SigningSecret::parse(WHSEC).expect("a secret");
    Webhook::new(id(1), settings, secret, Timestamp::UNIX_EPOCH)
}

#[test]
fn webhook_shows_defaults() {
    assert_eq!(
        shown(api::Webhook::from(&webhook(&json!({})))),
        json!({
            "name": "CRM", "url": "https://example.com/hook", "service_id": null, "path": null,
            "events": ["message"], "conditions": null, "enabled": true, "method": "POST",
            "format": "json", "body": null, "headers": {}, "auth": {"type": "none"},
            "secrets_hint": {}, "secret_hint": "LaSw", "signing": {"type": "standard"},
            "retry": {"type": "fixed", "interval_seconds": 1800, "duration_seconds": 86400},
            "timeout_seconds": 15, "success": "2xx-3xx", "rate_limit_per_second": null, "success_when": null, "delay_seconds": 0, "unless": null, "labels": [], "status": "active", "disabled_reason": null, "failing_since": null,
        })
    );
}

#[test]
fn webhook_shows_no_secret() {
    let webhook = webhook(&json!({
        "url": "https://api.example.com/bot123:AbCdEf/send?key={secret.k}", "format": "xml",
        "body": "<a>{x}</a>", "headers": {"x-api-token": "hush-hush", "x-tenant": "7"},
        "auth": {"type": "basic", "username": "u", "password": "password-of-length"},
        "secrets": {"k": "0123456789abcdefghij", "short": "short"},
        "signing": {"type": "header", "name": "x-secret"},
        "retry": {"type": "custom", "delays_seconds": [1, 2]}, "success": "2xx",
        "conditions": {"not": {"all": [{"field": "a.b", "op": "eq", "value": 1}]}},
    }));
    let shown = shown(api::Webhook::from(&webhook));
    for (field, expected) in [
        (
            "url",
            json!("https://api.example.com/•••/send?key={secret.k}"),
        ),
        ("headers", json!({"x-api-token": "•••", "x-tenant": "7"})),
        (
            "auth",
            json!({"type": "basic", "username": "u", "password_hint": "ngth"}),
        ),
        ("secrets_hint", json!({"k": "ghij", "short": null})),
        ("signing", json!({"type": "header", "name": "x-secret"})),
        ("retry", json!({"type": "custom", "delays_seconds": [1, 2]})),
        (
            "conditions",
            json!({"not": {"all": [{"field": "a.b", "op": "eq", "value": 1}]}}),
        ),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown.get("secret"), None);
    let generated = api::Webhook::from(&webhook).with_secret(Some(&webhook.secrets.current));
    assert_eq!(json!(generated)["secret"], WHSEC);
}

fn provider(number: u128, document: Value) -> Provider {
    let settings = provider::Settings::parse(document, &AllowList::default(), KeyPolicy::Required);
    Provider::new(
        id(number),
        settings.expect("valid settings"),
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn provider_shows_no_secret() {
    let document = json!({
        "name": "SMS gateway", "provider_id": "gw-1", "channel": "call", "default": true,
        "send_url": "https://gw.example.com/bot123:AbC/{secret.api_key}",
        "api_key": "the-api-key-of-the-provider", "secret_key": "short",
        "auth": {"type": "header", "name": "X-Key"},
        "request": {
            "method": "PUT", "format": "form", "body": "a={message.twiml}",
            "headers": {"x-token": "hush", "x-tenant": "{message.metadata.tenant}"},
            "limits": {"text": {"max_length": 5}, "from": {"required": true}},
        },
        "response": {"id_pointer": "/a~1b/0"},
        "callback": {
            "id_pointer": "/id", "status_pointer": "/s", "statuses": {"done": "delivered"},
            "recording_pointer": "/r",
            "verification": {"type": "basic", "username": "u", "password": "password-of-length"},
        },
    });
    let callback_url = Some("https://tieline.example.com/in/key".to_owned());
    assert_eq!(
        shown(api::Provider::new(&provider(1, document), callback_url)),
        json!({
            "name": "SMS gateway", "provider_id": "gw-1", "channel": "call", "default": true,
            "send_url": "https://gw.example.com/•••/{secret.api_key}",
            "api_key_hint": "ider", "secret_key_hint": null, "from": null,
            "auth": {"type": "header", "name": "x-key"},
            "request": {
                "method": "PUT", "format": "form", "body": "a={message.twiml}",
                "headers": {"x-token": "•••", "x-tenant": "{message.metadata.tenant}"},
                "limits": {
                    "text": {"required": false, "max_length": 5},
                    "from": {"required": true, "max_length": null},
                },
            },
            "response": {"id_pointer": "/a~1b/0"},
            "callback": {
                "id_pointer": "/id", "status_pointer": "/s", "statuses": {"done": "delivered"},
                "recording_pointer": "/r",
                "verification": {"type": "basic", "username": "u", "password_hint": "ngth"},
            },
            "inbound": null, "fallback_provider_id": null, "callback_url": "https://tieline.example.com/in/key", "status": "active",
        })
    );
}

#[test]
fn bundle_is_deterministic_and_contains_no_secrets() {
    let provider = |number, name, channel, send_url| {
        let document = json!({
            "name": name, "provider_id": "gw", "channel": channel, "send_url": send_url,
            "default": true, "api_key": "the-api-key-in-it", "secret_key": "the-secret-key-in-it",
            "request": {"headers": {"x-token": "Key {secret.api_key}", "x-tenant": "7"}},
            "callback": {
                "id_pointer": "/id", "status_pointer": "/s", "statuses": {"ok": "sent"},
                "verification": {"type": "twilio", "secret": "the-secret-key-of-reports"},
            },
        });
        provider(number, document)
    };
    let providers = [
        provider(2, "Mail", "email", "https://m.example.com/"),
        provider(1, "Text", "sms", "https://t.example.com/{secret.api_key}"),
    ];
    let campaign = campaign::Settings {
        name: "Spring".to_owned(),
        sms_provider_id: Some(providers[1].id),
        email_provider_id: Some(providers[0].id),
        description: None,
    };
    let accounts = BTreeMap::new();
    let bundle = json!(api::Bundle::of(&campaign, &providers, &accounts));
    let reversed = {
        let [mail, text] = providers;
        json!(api::Bundle::of(&campaign, &[text, mail], &accounts))
    };
    assert_eq!(bundle, reversed);
    for secret in ["the-api-key", "the-secret-key", "hint", "default"] {
        assert!(!bundle.to_string().contains(secret), "{secret}: {bundle}");
    }
    assert_eq!(
        bundle["campaign"],
        json!({"name": "Spring", "description": null, "sms_provider": "Text", "email_provider": "Mail"})
    );
    assert_eq!(
        bundle["providers"][0]["send_url"],
        "https://t.example.com/{secret.api_key}"
    );
}

#[test]
fn account_shows_no_secret() {
    let oauth2 = |change: Value| {
        let mut document = json!({
            "type": "oauth2", "grant_type": "client_credentials", "client_id": "tie:line",
            "token_url": "https://id.example.com/token?key=hush",
            "client_secret": "a secret/of size",
        });
        document
            .as_object_mut()
            .expect("an object")
            .extend(change.as_object().cloned().unwrap_or_default());
        document
    };
    let refreshing = oauth2(json!({
        "grant_type": "refresh_token", "refresh_token": "refresh-0123456789", "scope": "a b:c",
        "audience": "https://api", "client_auth": "body",
    }));
    let short = oauth2(json!({"grant_type": "refresh_token", "refresh_token": "short-one"}));
    let of_user = oauth2(json!({
        "grant_type": "password", "username": "ana", "password": "password-0123456789",
        "token_type": "id_token",
    }));
    let of_short_user =
        oauth2(json!({"grant_type": "password", "username": "ana", "password": "short-one"}));
    for (authorization, expected) in [
        (json!({"type": "none"}), json!({"type": "none"})),
        (
            json!({"type": "header", "name": "X-Api-Key", "value": "0123456789abcdef"}),
            json!({"type": "header", "name": "x-api-key", "value_hint": "cdef"}),
        ),
        (
            oauth2(json!({})),
            json!({
                "type": "oauth2", "grant_type": "client_credentials", "client_id": "tie:line",
                "token_url": "https://id.example.com/token?key=•••", "client_secret_hint": "size",
                "scope": null, "audience": null, "client_auth": "header",
                "token_type": "access_token",
            }),
        ),
        (
            refreshing,
            json!({
                "type": "oauth2", "grant_type": "refresh_token", "client_id": "tie:line",
                "token_url": "https://id.example.com/token?key=•••", "client_secret_hint": "size",
                "scope": "a b:c", "audience": "https://api", "refresh_token_hint": "6789",
                "client_auth": "body", "token_type": "access_token",
            }),
        ),
        (
            of_user,
            json!({
                "type": "oauth2", "grant_type": "password", "client_id": "tie:line",
                "token_url": "https://id.example.com/token?key=•••", "client_secret_hint": "size",
                "scope": null, "audience": null, "username": "ana", "password_hint": "6789",
                "client_auth": "header", "token_type": "id_token",
            }),
        ),
        (
            of_short_user,
            json!({
                "type": "oauth2", "grant_type": "password", "client_id": "tie:line",
                "token_url": "https://id.example.com/token?key=•••", "client_secret_hint": "size",
                "scope": null, "audience": null, "username": "ana", "password_hint": null,
                "client_auth": "header", "token_type": "access_token",
            }),
        ),
        (
            short,
            json!({
                "type": "oauth2", "grant_type": "refresh_token", "client_id": "tie:line",
                "token_url": "https://id.example.com/token?key=•••", "client_secret_hint": "size",
                "scope": null, "audience": null, "refresh_token_hint": null, "client_auth": "header",
                "token_type": "access_token",
            }),
        ),
    ] {
        let document = json!({"name": "CRM", "authorization": authorization});
        let settings =
            account::Settings::parse(document, &AllowList::default()).expect("valid settings");
        let account = Account::new(id(1), settings, Timestamp::UNIX_EPOCH);
        assert_eq!(
            shown(api::Account::from(&account)),
            json!({"name": "CRM", "authorization": expected})
        );
    }
}

#[test]
fn service_shows_no_secret() {
    let account_id = id(1);
    let document = json!({
        "name": "CRM", "account_id": account_id,
        "server_url": "https://crm.example.com/key:AbC/v1",
        "verification": {"type": "github", "secret": "0123456789abcdef"},
    });
    let (settings, _) = service::Settings::parse(document, &AllowList::default(), account_id)
        .expect("valid settings");
    let service = Service::new(id(2), settings, Timestamp::UNIX_EPOCH);
    assert_eq!(
        shown(api::Service::new(&service, None)),
        json!({
            "name": "CRM", "type": "custom_http", "account_id": account_id,
            "server_url": "https://crm.example.com/•••/v1", "timeout_seconds": 10,
            "timeout_message": "The service did not respond in time.", "user_id": null,
            "webhook_url": null, "verification": {"type": "github", "secret_hint": "cdef"},
        })
    );
}

#[test]
fn verification_shows_no_secret() {
    let secret = "0123456789abcdef";
    let vendors = ["github", "stripe", "slack", "shopify", "twilio"].map(|kind| {
        (
            json!({"type": kind, "secret": secret}),
            json!({"type": kind, "secret_hint": "cdef"}),
        )
    });
    let others = [
        (json!({"type": "none"}), json!({"type": "none"})),
        (
            json!({"type": "standard_webhooks", "secret": WHSEC}),
            json!({"type": "standard_webhooks", "secret_hint": "LaSw"}),
        ),
        (
            json!({"type": "hmac", "secret": secret, "header": "X-Sig"}),
            json!({
                "type": "hmac", "secret_hint": "cdef", "header": "x-sig", "algorithm": "sha256",
                "encoding": "hex", "prefix": "",
            }),
        ),
        (
            json!({"type": "basic", "username": "u", "password": secret}),
            json!({"type": "basic", "username": "u", "password_hint": "cdef"}),
        ),
        (
            json!({"type": "header", "name": "X-Secret", "value": secret}),
            json!({"type": "header", "name": "x-secret", "value_hint": "cdef"}),
        ),
    ];
    for (written, expected) in vendors.into_iter().chain(others) {
        let verification = Verification::restore(written).expect("a verification");
        assert_eq!(json!(api::VerificationView::from(&verification)), expected);
    }
}
