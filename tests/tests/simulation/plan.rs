//! Plan of a simulation: its webhooks, the published events, and the concurrent actions of admins.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use platform::clock;
use serde_json::{Value, json};

use super::{
    chance::{below, between, one_of},
    endpoint::Behavior,
};

/// A planned webhook.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    /// Name of the webhook and its endpoint.
    pub(super) name: String,
    /// How its endpoint responds.
    pub(super) behavior: Behavior,
    /// The delays between its attempts, in seconds.
    pub(super) delays: Vec<u64>,
    /// Only events with this `n` match; any event if `None`.
    pub(super) wants: Option<u64>,
    /// The webhook's fields.
    pub(super) settings: Value,
}

/// What ends the delays of a webhook.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Types of events.
    events: Vec<String>,
    /// Path of what they are about.
    pub(super) key: String,
}

impl Rule {
    /// Whether this event ends delays.
    pub(super) fn is_ended_by(&self, event: &Value) -> bool {
        self.events
            .iter()
            .any(|kind| event["type"] == kind.as_str())
    }
}

impl Hook {
    /// The seconds between an event and the first attempt, if there is a delay.
    pub(super) fn delay(&self) -> Option<u32> {
        u32::try_from(self.settings["delay_seconds"].as_u64()?).ok()
    }

    /// What ends its delays.
    pub(super) fn rule(&self) -> Option<Rule> {
        let unless = &self.settings["unless"];
        let events = unless["events"].as_array()?.iter();
        let events = events.filter_map(|kind| Some(kind.as_str()?.to_owned()));
        Some(Rule {
            events: events.collect(),
            key: unless["key"].as_str()?.to_owned(),
        })
    }

    /// Whether its URL can't be rendered, because a tag in the path has no value in any event.
    pub(super) fn has_no_address(&self) -> bool {
        self.settings["url"]
            .as_str()
            .is_some_and(|url| url.contains(NOWHERE))
    }
}

/// A tag without a value in any event.
const NOWHERE: &str = "{missing}";

/// A scheduled action. Webhooks are given by their index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// Publishes an event of this type with this `n`.
    Publish(&'static str, u64),
    /// Disables a webhook.
    Disable(usize),
    /// Enables it again.
    Enable(usize),
    /// Deletes it.
    Delete(usize),
    /// Requests a manual retry of some delivery.
    Retry,
    /// Moves the dead letters back to their queues.
    Redrive,
}

/// The actions, in order.
pub(super) type Timeline = VecDeque<(Timestamp, Action)>;

/// Number of webhooks, the first ones, that subscribe to the events about the others.
pub(super) const WATCHERS: usize = 2;
/// Number of different values of `n`.
const KINDS: u64 = 3;

/// Draws the webhooks of a simulation.
pub(super) fn hooks() -> Vec<Hook> {
    // In some simulations nearly all endpoints are healthy, in others about half.
    let unhealthy = between(1, 10);
    (0..between(20, 40))
        .map(|index| hook(index, unhealthy))
        .collect()
}

/// A webhook whose endpoint is unhealthy with a probability of `unhealthy` in 20.
fn hook(index: u64, unhealthy: u64) -> Hook {
    let name = format!("hook{index}");
    let watches = index < WATCHERS as u64;
    let behavior = match below(11) {
        _ if watches || below(20) >= unhealthy => Behavior::Well,
        0..=3 => Behavior::Flaky(between(5, 60)),
        4..=5 => Behavior::Busy,
        6..=7 => Behavior::Hangs,
        8..=9 => Behavior::Down,
        _ => Behavior::Leaving,
    };
    let delays: Vec<u64> = (0..below(4))
        .map(|_| {
            if below(10) == 0 {
                between(900, 7_000)
            } else {
                between(1, 600)
            }
        })
        .collect();
    let wants = (!watches && below(6) == 0).then(|| below(KINDS));
    let retry = match &delays[..] {
        [] => json!({"type": "none"}),
        delays => json!({"type": "custom", "delays_seconds": delays}),
    };
    let path = if !watches && below(25) == 0 {
        NOWHERE
    } else {
        "hook"
    };
    let mut settings = json!({
        "name": name, "url": format!("https://{name}.example.com/{path}"), "retry": retry,
        "events": if watches { json!(["webhook.*"]) } else { json!(["message"]) },
        "timeout_seconds": between(1, 20),
    });
    if let Some(n) = wants {
        settings["conditions"] = json!({"field": "n", "op": "eq", "value": n});
    }
    if below(20) == 0 {
        settings["rate_limit_per_second"] = json!(one_of(&[1, 5, 50]));
    }
    if !watches && below(4) == 0 {
        settings["delay_seconds"] = json!(between(1, 1_200));
        if below(4) != 0 {
            let events: [&[&str]; 3] = [&["message"], &["chat"], &["message", "chat"]];
            settings["unless"] = json!({"events": one_of(&events), "key": "n"});
        }
    }
    Hook {
        name,
        behavior,
        delays,
        wants,
        settings,
    }
}

/// Mostly messages. Webhooks subscribe to no chats, but chats may end delays.
fn publish() -> Action {
    let kind = if below(4) == 0 { "chat" } else { "message" };
    Action::Publish(kind, below(KINDS))
}

/// Draws the actions of a simulation with this many webhooks, a third of which are disabled,
/// enabled or deleted in between.
pub(super) fn timeline(hooks: usize, events: u64) -> Timeline {
    let lasts = one_of(&[60, 600, 7_200]) * 1_000;
    let at = |millisecond: u64| {
        clock::now() + SignedDuration::from_millis(i64::try_from(millisecond).expect("small"))
    };
    let mut timeline: Vec<(Timestamp, Action)> = Vec::new();
    // Events are published in bursts, so that batches fill.
    let mut left = events;
    while left > 0 {
        let (start, burst) = (below(lasts), between(1, 20).min(left));
        timeline.extend((0..burst).map(|n| (at(start + n * below(50)), publish())));
        left -= burst;
    }
    for hook in WATCHERS..hooks {
        if below(3) != 0 {
            continue;
        }
        let (first, rest) = (below(lasts), lasts * 2);
        match below(3) {
            0 => timeline.push((at(first), Action::Delete(hook))),
            1 => timeline.push((at(first), Action::Disable(hook))),
            _ => {
                let again = between(first, rest);
                timeline.extend([
                    (at(first), Action::Disable(hook)),
                    (at(again), Action::Enable(hook)),
                ]);
                if below(3) == 0 {
                    timeline.push((at(between(again, rest)), Action::Delete(hook)));
                }
            }
        }
    }
    timeline.extend((0..below(12)).map(|_| (at(below(lasts * 2)), Action::Retry)));
    timeline.extend((0..below(3)).map(|_| (at(below(lasts * 3)), Action::Redrive)));
    timeline.sort_by_key(|(at, _)| *at);
    timeline.into()
}
