mod accounts;
mod settings;
mod verification;

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{import::ImportError, *};
use crate::{
    egress_policy::AllowList,
    id::Id,
    provider::{self, KeyPolicy, Provider},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

fn provider(id: u128, name: &str, channel: &str, send_url: &str) -> Provider {
    let document = json!({
        "name": name, "provider_id": "gw", "channel": channel, "send_url": send_url, "default": true,
        "api_key": "the-api-key-in-it", "secret_key": "the-secret-key-in-it",
        "request": {"headers": {"x-token": "Key {secret.api_key}", "x-tenant": "7"}},
    });
    let settings = provider::Settings::parse(document, &AllowList::default(), KeyPolicy::Required)
        .expect("valid");
    Provider::new(Id::new(at(0), id), settings, at(0))
}

fn bundle() -> Value {
    let providers = [
        provider(2, "Mail", "email", "https://m.example.com/"),
        provider(1, "Text", "sms", "https://t.example.com/{secret.api_key}"),
    ];
    let [mail, text] = providers.map(|provider| {
        let mut exported = provider.settings.to_map();
        for field in ["api_key", "secret_key", "default"] {
            exported.remove(field);
        }
        exported
    });
    json!({
        "format": FORMAT,
        "campaign": {"name": "Spring", "description": null, "sms_provider": "Text", "email_provider": "Mail"},
        "providers": [text, mail],
    })
}

fn import(bundle: &Value, more: &Value) -> Validated<Import> {
    let mut document = json!({ "bundle": bundle });
    document
        .as_object_mut()
        .expect("object")
        .extend(more.as_object().expect("object").clone());
    Import::parse(document, &AllowList::default())
}

fn new_ids() -> (CampaignId, [ProviderId; 2]) {
    (Id::new(at(9), 1), [Id::new(at(9), 2), Id::new(at(9), 3)])
}

fn existing() -> Existing {
    Existing {
        campaigns: BTreeMap::from([("spring".to_owned(), Id::new(at(0), 9))]),
        providers: BTreeMap::from([("text".to_owned(), (Id::new(at(0), 1), Channel::Sms))]),
        accounts: BTreeMap::new(),
    }
}

fn pointers(problems: ValidationErrors) -> Vec<String> {
    problems
        .0
        .into_iter()
        .map(|invalid| invalid.pointer)
        .collect()
}

#[test]
fn import_without_conflicts_creates_everything() {
    let secrets = json!({"secrets": {"text": {"api_key": "k", "secret_key": "s"}}});
    let plan = import(&bundle(), &secrets)
        .expect("valid")
        .plan(&Existing::default(), new_ids())
        .expect("a plan");
    let (id, campaign) = plan.campaign.expect("created");
    let [text, mail] = plan.providers.as_slice() else {
        panic!("two providers")
    };
    assert_eq!(
        (id, campaign.sms_provider_id, campaign.email_provider_id),
        (new_ids().0, Some(text.0), Some(mail.0))
    );
    assert_eq!(
        (text.1.status(), mail.1.status()),
        (provider::Status::Active, provider::Status::NeedsSecrets)
    );
    assert!(!text.1.default);
    let names: Vec<_> = plan
        .report
        .created
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(
        (names, plan.report.reused.len(), plan.report.renamed.len()),
        (vec!["Text", "Mail", "Spring"], 0, 0)
    );
}

#[test]
fn name_conflicts_reuse_rename_or_fail() {
    let plan = |mode: &str| {
        import(&bundle(), &json!({"on_conflict": mode}))
            .expect("valid")
            .plan(&existing(), new_ids())
    };
    let reuse = plan("reuse").expect("a plan");
    assert!(reuse.campaign.is_none() && reuse.providers.len() == 1);
    assert_eq!(
        serde_json::to_value(&reuse.report).expect("JSON")["reused"][0],
        json!({"type": "provider", "id": existing().providers["text"].0, "name": "Text"})
    );
    let rename = plan("rename").expect("a plan");
    assert_eq!(
        rename
            .report
            .renamed
            .iter()
            .map(|e| e.name.as_str())
            .collect::<Vec<_>>(),
        ["Text (2)", "Spring (2)"]
    );
    assert_eq!(rename.campaign.expect("created").1.name, "Spring (2)");
    let ImportError::Taken(taken) = plan("fail").expect_err("taken") else {
        panic!("not for its names")
    };
    let taken: Vec<_> = taken
        .iter()
        .map(|entry| (entry.kind, entry.id.is_some(), entry.name.as_str()))
        .collect();
    assert_eq!(
        taken,
        [("provider", true, "Text"), ("campaign", true, "Spring")]
    );

    let mut other = existing();
    other
        .providers
        .insert("text".to_owned(), (Id::new(at(0), 1), Channel::Call));
    let reuse = import(&bundle(), &json!({"on_conflict": "reuse"}))
        .expect("valid")
        .plan(&other, new_ids());
    let Err(ImportError::Malformed(problems)) = reuse else {
        panic!("another channel")
    };
    assert_eq!(pointers(problems), ["/bundle/providers/0/name"]);

    let dry = import(
        &bundle(),
        &json!({"on_conflict": "rename", "dry_run": true}),
    )
    .expect("valid");
    assert_eq!(
        (dry.names().campaigns.len(), dry.names().providers.len()),
        (20, 40)
    );
    let report = dry.plan(&existing(), new_ids()).expect("a plan").report;
    assert!(
        report
            .created
            .iter()
            .chain(&report.renamed)
            .all(|entry| entry.id.is_none())
    );
    assert_eq!(report.created.len() + report.renamed.len(), 3);
}

#[test]
fn renamed_resources_respect_the_name_limit() {
    let mut long = bundle();
    let name = "é".repeat(100);
    long["campaign"]["name"] = json!(name);
    let existing = Existing {
        campaigns: BTreeMap::from([(name, Id::new(at(0), 9))]),
        ..Existing::default()
    };
    let plan = import(&long, &json!({"on_conflict": "rename"}))
        .expect("valid")
        .plan(&existing, new_ids())
        .expect("a plan");
    let name = plan.campaign.expect("created").1.name;
    assert!(
        name.ends_with("é (2)") && name.chars().count() == 100,
        "{name}"
    );
}

#[test]
fn masks_are_rejected_only_in_created_providers() {
    let mut masked = bundle();
    masked["providers"][0]["send_url"] = json!("https://t.example.com/•••/send");
    masked["providers"][1]["request"]["headers"]["x-token"] = json!("•••");
    let plan = import(&masked, &json!({"on_conflict": "reuse"}))
        .expect("valid")
        .plan(&existing(), new_ids());
    let Err(ImportError::Malformed(problems)) = plan else {
        panic!("masked")
    };
    assert_eq!(
        pointers(problems),
        ["/bundle/providers/1/request/headers/x-token"]
    );
    let plan = import(&masked, &json!({}))
        .expect("valid")
        .plan(&Existing::default(), new_ids());
    let Err(ImportError::Malformed(problems)) = plan else {
        panic!("masked")
    };
    assert_eq!(
        pointers(problems),
        [
            "/bundle/providers/0/send_url",
            "/bundle/providers/1/request/headers/x-token"
        ]
    );
}

#[test]
fn invalid_bundles_are_rejected() {
    type Change = fn(&mut Value);
    let changes: [(Change, &[&str]); 15] = [
        (
            |b| b["format"] = json!("tieline.campaign/2"),
            &["/bundle/format"],
        ),
        (|b| b["format"] = json!("zip"), &["/bundle/format"]),
        (|b| b["format"] = Value::Null, &["/bundle/format"]),
        (|b| *b = json!([]), &["/bundle"]),
        (|b| b["campaign"] = Value::Null, &["/bundle/campaign"]),
        (
            |b| b["campaign"]["name"] = json!(""),
            &["/bundle/campaign/name"],
        ),
        (
            |b| b["campaign"]["sms_provider"] = json!("Other"),
            &["/bundle/campaign/sms_provider", "/bundle/providers/0"],
        ),
        (
            |b| b["campaign"]["sms_provider"] = json!("Mail"),
            &["/bundle/campaign/sms_provider", "/bundle/providers/0"],
        ),
        (
            |b| b["campaign"]["sms_provider"] = Value::Null,
            &["/bundle/providers/0"],
        ),
        (
            |b| b["providers"] = json!(vec![json!({}); 10_000]),
            &["/bundle/providers"],
        ),
        (
            |b| b["providers"][1]["send_url"] = json!("http://10.0.0.1/"),
            &["/bundle/providers/1/send_url"],
        ),
        (
            |b| b["providers"][1]["api_key"] = json!("k"),
            &["/bundle/providers/1/api_key"],
        ),
        (
            |b| b["providers"][1] = json!({"name": "Mail"}),
            &[
                "/bundle/providers/1/provider_id",
                "/bundle/providers/1/channel",
                "/bundle/providers/1/send_url",
            ],
        ),
        (
            |b| b["providers"][1]["colour"] = json!(1),
            &["/bundle/providers/1/colour"],
        ),
        (
            |b| b["providers"][0]["name"] = json!("mail"),
            &["/bundle/providers/1/name"],
        ),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        let mut forged = bundle();
        change(&mut forged);
        assert_eq!(
            pointers(import(&forged, &json!({})).expect_err("invalid")),
            expected,
            "{at}"
        );
    }
    let wrong = json!({"on_conflict": "merge", "secrets": {"Text": {"key": 1}, "Mail": 1}, "dry_run": 1, "x": 1});
    assert_eq!(
        pointers(import(&bundle(), &wrong).expect_err("invalid")),
        [
            "/secrets/Mail",
            "/secrets/Text/key",
            "/on_conflict",
            "/dry_run",
            "/x"
        ]
    );
    let stray = json!({"secrets": {"Other": {"api_key": "k"}}});
    assert_eq!(
        pointers(import(&bundle(), &stray).expect_err("invalid")),
        ["/secrets/Other"]
    );
}

proptest! {
    #[test]
    fn parse_accepts_any_bundle(cut in 0..1_200_usize, text in "\\PC{0,10}") {
        let whole = bundle().to_string();
        let kept: String = whole.chars().take(cut).collect();
        let forged: String = format!("{kept}{text}{}", whole.chars().skip(cut + text.len()).collect::<String>());
        for text in [kept, forged] {
            if let Ok(import) = serde_json::from_str::<Value>(&text).map_err(|_| ()).and_then(|b| import(&b, &json!({"on_conflict": "rename"})).map_err(|_| ())) {
                let _ = import.plan(&existing(), new_ids());
            }
        }
    }
}
