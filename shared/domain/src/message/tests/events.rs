//! Events about messages.

use std::collections::BTreeSet;

use super::*;
use crate::{event::Event, event_type};

#[test]
fn events_have_the_fields_of_their_examples() {
    let keys = |data: &Value| -> BTreeSet<String> {
        data.as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    for (_, channel) in Channel::ALL {
        let sent = sent(channel);
        let failed = changed(&sent, &status(Status::Failed, "x"), 2);
        let reports = [
            status(Status::Delivered, "x"),
            recording(None),
            Report::Event(json!({})),
        ];
        let delivered: Vec<Event> = reports
            .iter()
            .filter_map(|report| sent.reported(provider(), report, at(2)).ok()?.event)
            .collect();
        let is_call = channel == Channel::Call;
        assert_eq!(delivered.len(), if is_call { 3 } else { 1 });
        let failures = failed.events().into_iter().filter(|_| !is_call);
        for event in sent.events().into_iter().chain(delivered).chain(failures) {
            let example = &event_type::find(event.kind.as_str())
                .expect("built in")
                .example;
            assert_eq!(keys(&event.data), keys(example), "{}", event.kind);
        }
    }
}

#[test]
fn event_tells_the_message_and_its_campaign() {
    let campaign: CampaignId = Id::new(at(0), 9);
    for (channel, about) in [
        (
            Channel::Sms,
            json!({"message_id": "", "channel": "sms", "provider_message_id": "SM1", "error": "the provider reported \"x\""}),
        ),
        (
            Channel::Call,
            json!({"call_id": "", "provider_call_id": "SM1", "provider_status": "x", "error": "the provider reported \"x\""}),
        ),
    ] {
        let row = Message {
            campaign_id: Some(campaign),
            hops: 2,
            ..sent(channel)
        };
        let mut expected = about;
        for (name, value) in [
            ("provider", json!("GW")),
            ("to", json!("+15555550100")),
            ("metadata", json!({"order": "1"})),
            ("campaign_id", json!(campaign)),
            ("status", json!("failed")),
        ] {
            expected[name] = value;
        }
        let id = if channel == Channel::Call {
            "call_id"
        } else {
            "message_id"
        };
        expected[id] = json!(row.id);
        let event = reported(&row, &status(Status::Failed, "x"), 2)
            .event
            .expect("an event");
        assert_eq!(
            (event.data, event.timestamp, event.hops),
            (expected, at(2), 2)
        );
    }
}
