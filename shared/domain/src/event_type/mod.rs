//! The built-in event types with sample data.
//!
//! `GET /v1/event-types` lists them, publishing validates against them, and the test of a webhook
//! sends the sample.

mod catalogue;
mod messages;
mod tickets;

use serde_json::Value;

use self::catalogue::CATALOGUE;

/// A built-in event type.
#[derive(Debug)]
pub struct BuiltIn {
    /// Name, a valid [`crate::pattern::EventType`].
    pub name: &'static str,
    /// When such an event is published, in one sentence.
    pub description: &'static str,
    /// Sample `data`.
    pub example: Value,
}

/// Name, description and sample data, as the tables write them.
type Row = (&'static str, &'static str, Value);

/// All built-in event types.
pub fn catalogue() -> &'static [BuiltIn] {
    &CATALOGUE
}

/// The built-in event type with this name.
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    CATALOGUE.iter().find(|built_in| built_in.name == name)
}

/// The known name or pattern that the client probably meant by an unknown name.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let below = format!("{name}.");
    if known.iter().any(|candidate| candidate.starts_with(&below)) {
        return Some(format!("{name}.*"));
    }
    // For example `chat` for `chat.created`.
    let above = known
        .iter()
        .filter(|known| name.starts_with(&format!("{known}.")))
        .max_by_key(|known| known.len());
    let near = || {
        known
            .iter()
            .map(|candidate| (distance(name, candidate), *candidate))
            .min()
    };
    let near = || {
        near()
            .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
            .map(|(_, near)| near)
    };
    above.copied().or_else(near).map(str::to_owned)
}

/// Levenshtein distance: the number of characters to insert, delete or replace.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, left) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn closest_name_is_suggested() {
        for (wrong, meant) in [
            ("chat.created", Some("chat")),
            ("messages", Some("message")),
            ("mesage", Some("message")),
            ("insight", Some("insight.*")),
            ("insights", None),
            ("insight.summery", Some("insight.summary")),
            ("insight.summary.new", Some("insight.summary")),
            ("ticket", Some("ticket.*")),
            ("ticket.create", Some("ticket.created")),
            ("ticket_created", Some("ticket.created")),
            ("order.paid", Some("order.payed")),
            ("invoice", None),
            ("x", None),
        ] {
            let known = catalogue()
                .iter()
                .map(|known| known.name)
                .chain(["order.payed"]);
            assert_eq!(closest(wrong, known).as_deref(), meant, "{wrong}");
        }
    }
    use crate::{
        attempt::{Attempt, Failure, Outcome, Requested},
        credential::{self, Credential, TokenMark},
        delivery::{CompletedAttempt, Delivery, DeliveryTask, delivery_failed},
        egress_policy::AllowList,
        id::{CredentialId, DeliveryId, EventId, UserId, WebhookId},
        pattern::EventType,
        retry::RetryPolicy,
        signature::SigningSecret,
        webhook::{self, Webhook, health::DisabledReason},
    };

    #[test]
    fn names_are_valid_and_unique_and_examples_are_objects() {
        let mut names = BTreeSet::new();
        for built_in in catalogue() {
            assert!(
                EventType::parse(built_in.name).is_ok() && names.insert(built_in.name),
                "{}",
                built_in.name
            );
            assert!(
                built_in
                    .example
                    .as_object()
                    .is_some_and(|data| !data.is_empty()),
                "{}",
                built_in.name
            );
            assert_eq!(
                find(built_in.name).map(|found| found.name),
                Some(built_in.name)
            );
        }
        assert_eq!(names.len(), 42);
        assert!(find("sms.*").is_none() && find("").is_none());
    }

    #[test]
    fn types_of_received_messages_are_reserved() {
        let fields = "from from_name id media provider provider_id raw text to";
        for name in [
            "sms.received",
            "email.received",
            "chatbot.received",
            "call.incoming",
        ] {
            let kind = EventType::parse(name).expect("an event type");
            assert!(kind.is_reserved(), "{name}");
            let data = find(name).expect(name).example.as_object();
            let mut names: Vec<&str> = data.expect(name).keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), fields, "{name}");
        }
    }

    #[test]
    fn examples_have_the_fields_of_published_events() {
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        let settings = json!({"name": "CRM", "url": "https://example.com/", "events": ["*"]});
        let (settings, _) =
            webhook::Settings::parse(settings, &AllowList::default()).expect("settings");
        let webhook = Webhook::new(
            WebhookId::new(at, 1),
            settings,
            SigningSecret::generated([7; 32]),
            at,
        );
        let delivery = DeliveryId {
            event: EventId::new(at, 1),
            webhook: webhook.id,
        };
        let task = DeliveryTask::first(delivery, "token".to_owned(), at, None);
        let outcome = Outcome::Failed(Failure::Timeout);
        let requested = Requested {
            method: "POST".to_owned(),
            url: "https://example.com/".to_owned(),
        };
        let attempt = Attempt {
            number: 1,
            at,
            duration_ms: 1,
            status_code: None,
            error: outcome.error(),
            request: requested,
            response_body: None,
            missing_tags: Vec::new(),
        };
        let kind = EventType::parse("message").expect("an event type");
        let made = CompletedAttempt {
            task: &task,
            event_type: &kind,
            attempt: &attempt,
            outcome: &outcome,
            stops: None,
        };
        let row = Delivery::record_attempt(None, &made, &RetryPolicy::None, at, String::new());
        let settings = json!({"description": "CRM", "scopes": ["events:write"]});
        let settings =
            credential::Settings::parse(settings, UserId::new(at, 1), at).expect("settings");
        let token = TokenMark {
            hash: String::new(),
            hint: String::new(),
        };
        let credential = Credential::new(CredentialId::new(at, 2), settings, token, None, at);
        let remind = |before: i32| {
            let now = credential.rotation_due_at() - SignedDuration::from_hours(24) * before;
            credential.reminder_event(credential.reminder(now).expect("a reminder"), now, now)
        };
        for event in [
            delivery_failed(&row, "CRM", Some(&attempt)).expect("an event"),
            webhook
                .disabled(DisabledReason::Gone, at)
                .disabled_event()
                .expect("an event"),
            remind(7),
            remind(0),
        ] {
            let example = &find(event.kind.as_str()).expect("built in").example;
            let keys = |data: &Value| {
                data.as_object()
                    .expect("an object")
                    .keys()
                    .cloned()
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(keys(&event.data), keys(example), "{}", event.kind);
        }
    }
}
