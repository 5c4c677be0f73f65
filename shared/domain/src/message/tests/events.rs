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
fn failure_event_has_every_field() {
    let campaign: CampaignId = Id::new(at(0), 9);
    for (channel, id, provider_id) in [
        (Channel::Sms, "message_id", "provider_message_id"),
        (Channel::Call, "call_id", "provider_call_id"),
    ] {
        let row = Message {
            campaign_id: Some(campaign),
            hops: 2,
            ..sent(channel)
        };
        let mut data = json!({
            id: row.id, provider_id: "SM1", "provider": "GW", "to": "+15555550100",
            "metadata": {"order": "1"}, "campaign_id": campaign, "status": "failed",
            "error": "the provider reported \"x\"",
        });
        match channel {
            Channel::Call => data["provider_status"] = json!("x"),
            _ => data["channel"] = json!("sms"),
        }
        let report = status(Status::Failed, "x");
        let event = reported(&row, &report, 2).event.expect("an event");
        assert_eq!((event.data, event.timestamp, event.hops), (data, at(2), 2));
    }
}
