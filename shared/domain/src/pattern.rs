//! Event type names, and the patterns with which webhooks subscribe to them.
//!
//! [`EventType::patterns`] lists exactly the patterns that match a type, so that a few lookups find
//! the subscribed webhooks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::validation::{self, ClientError, Validated, distinct, string};

/// Event type name: words of `a-z0-9_` joined by dots, at most 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EventType(String);

/// Event types that a webhook subscribes to: one (`message`), all with a prefix (`insight.*`), or
/// all (`*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pattern(String);

/// Not an event type name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be words of a-z, 0-9 and _ joined by dots, at most {MAX_LENGTH} characters in total")]
pub struct ParseEventTypeError;

impl ClientError for ParseEventTypeError {}

/// Not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an event type (`message`), a prefix with `.*` (`insight.*`), or `*`")]
pub struct ParsePatternError;

impl ClientError for ParsePatternError {}

const MAX_LENGTH: usize = 100;
/// Maximum number of patterns of a webhook.
pub const MAX_PATTERNS: usize = 40;
/// Namespaces of event types that Tieline publishes.
const RESERVED: [&str; 9] = [
    "service",
    "sms",
    "email",
    "chatbot",
    "call",
    "credential",
    "webhook",
    "inbound",
    "provider",
];
const ALL: &str = "*";
const BELOW: &str = ".*";

impl EventType {
    /// Parses an event type name.
    pub fn parse(text: &str) -> Result<Self, ParseEventTypeError> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseEventTypeError)
        }
    }

    /// Whether the name is in a namespace that Tieline publishes in. Clients need the scope `admin`
    /// to publish such events, because receivers trust them to come from Tieline. Custom types in
    /// these namespaces are not allowed.
    pub fn is_reserved(&self) -> bool {
        RESERVED.iter().any(|namespace| {
            self.0
                .strip_prefix(namespace)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// The type of the event for a delivery that ended without success.
    pub fn delivery_failed() -> Self {
        Self("webhook.delivery_failed".to_owned())
    }

    /// The type of the event for an inbound request.
    pub fn service_received() -> Self {
        Self("service.received".to_owned())
    }

    /// The type of the reminder before a rotation is due.
    pub fn rotation_due_soon() -> Self {
        Self("credential.rotation_due_soon".to_owned())
    }

    /// The type of the reminder when a rotation is due or overdue.
    pub fn rotation_due() -> Self {
        Self("credential.rotation_due".to_owned())
    }

    /// The type of the warning about a failing webhook.
    pub fn webhook_failing() -> Self {
        Self("webhook.failing".to_owned())
    }

    /// The type of the event for a webhook disabled by Tieline.
    pub fn webhook_disabled() -> Self {
        Self("webhook.disabled".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every pattern that matches this type, most specific first: its name, each prefix with `.*`,
    /// and `*`.
    pub fn patterns(&self) -> Vec<Pattern> {
        let dots = self
            .0
            .rmatch_indices('.')
            .map(|(at, _)| format!("{}{BELOW}", &self.0[..at]));
        let exact = std::iter::once(self.0.clone());
        exact
            .chain(dots)
            .chain(std::iter::once(ALL.to_owned()))
            .map(Pattern)
            .collect()
    }
}

impl Pattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, ParsePatternError> {
        let valid = text == ALL || is_name(text.strip_suffix(BELOW).unwrap_or(text));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePatternError)
        }
    }

    /// The pattern as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The event type of a pattern without wildcard.
    pub fn exact(&self) -> Option<EventType> {
        EventType::parse(&self.0).ok()
    }

    /// Whether the pattern matches this type. `a.*` matches types that start with `a.`, but not `a`
    /// itself.
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => event_type.0.starts_with(prefix),
            None => self.0 == event_type.0,
        }
    }
}

/// A JSON array of 1 to [`MAX_PATTERNS`] patterns, without repetitions.
///
/// # Errors
/// Reports every item that is not a pattern.
pub fn list(value: Value) -> Validated<Vec<Pattern>> {
    let parse = |value| Ok(Pattern::parse(&string(value)?)?);
    validation::list(1, MAX_PATTERNS, parse)(value).map(distinct)
}

fn is_name(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    text.len() <= MAX_LENGTH && text.split('.').all(word)
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> Self {
        event_type.0
    }
}

impl TryFrom<String> for EventType {
    type Error = ParseEventTypeError;

    fn try_from(text: String) -> Result<Self, ParseEventTypeError> {
        Self::parse(&text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for Pattern {
    type Error = ParsePatternError;

    fn try_from(text: String) -> Result<Self, ParsePatternError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event_type(text: &str) -> EventType {
        EventType::parse(text).expect(text)
    }

    #[test]
    fn names_are_words_joined_by_dots() {
        for right in [
            "chat",
            "ticket.reply_added",
            "a.b.c.9",
            "_",
            &"x".repeat(100),
        ] {
            assert_eq!(event_type(right).as_str(), right);
            assert!(
                Pattern::parse(right).is_ok() && Pattern::parse(&format!("{right}.*")).is_ok(),
                "{right}"
            );
        }
        for wrong in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "A",
            "a-b",
            "a b",
            "é",
            "a\n",
            &"x".repeat(101),
        ] {
            assert_eq!(EventType::parse(wrong), Err(ParseEventTypeError), "{wrong}");
            assert_eq!(Pattern::parse(wrong), Err(ParsePatternError), "{wrong}");
        }
        for wrong in ["**", ".*", "a*", "*.a", "a.*.b", "*.*", "a.*.*"] {
            assert_eq!(Pattern::parse(wrong), Err(ParsePatternError), "{wrong}");
        }
    }

    #[test]
    fn patterns_are_listed_most_specific_first() {
        let listed: Vec<String> = event_type("a.b.c")
            .patterns()
            .into_iter()
            .map(String::from)
            .collect();
        assert_eq!(listed, ["a.b.c", "a.b.*", "a.*", "*"]);
        assert!(
            !Pattern::parse("a.*")
                .expect("pattern")
                .matches(&event_type("a"))
        );
        assert!(
            !Pattern::parse("a.*")
                .expect("pattern")
                .matches(&event_type("ab.c"))
        );
    }

    #[test]
    fn names_and_patterns_round_trip_as_json() {
        let pattern: Pattern = serde_json::from_str("\"insight.*\"").expect("pattern");
        assert_eq!(
            serde_json::to_string(&pattern).expect("json"),
            "\"insight.*\""
        );
        assert!(serde_json::from_str::<EventType>("\"insight.*\"").is_err());
    }

    proptest! {
        #[test]
        fn listed_patterns_are_exactly_those_that_match(name in "[ab](\\.[ab]){0,3}", other in "\\*|[ab](\\.[ab]){0,3}(\\.\\*)?") {
            let (name, other) = (event_type(&name), Pattern::parse(&other).expect("pattern"));
            prop_assert!(name.patterns().iter().all(|pattern| pattern.matches(&name)));
            prop_assert!(name.patterns().iter().all(|pattern| Pattern::parse(pattern.as_str()).as_ref() == Ok(pattern)));
            prop_assert_eq!(other.matches(&name), name.patterns().contains(&other));
        }
    }
}
