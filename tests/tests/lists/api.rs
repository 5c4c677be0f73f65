//! In-process API with an admin's token.

use domain::{
    attempt::{Attempt, Requested},
    delivery::{Delivery, Status},
    event::Event,
    id::{DeliveryId, EventId, WebhookId},
    pattern::EventType,
};
use jiff::Timestamp;
use platform::{
    clock, random,
    table::{Table, Written, events::Dispatched},
};
use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::{Fake, functions::Clients},
    fixture,
};

/// Config-api with an admin's token, over a table that tests fill.
pub(crate) struct Api {
    pub(crate) fake: Fake,
    pub(crate) table: Table,
    client: fixture::Api,
}

impl Api {
    pub(crate) async fn new() -> Self {
        let fake = Fake::default();
        let table = Clients::new(&fake).table();
        let client = fixture::Api::in_real_time(&fake).await;
        Self {
            fake,
            table,
            client,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.call("GET", path, &[], Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.call("POST", path, &[], body).await
    }

    /// Sends a POST with this `tieline-hops`.
    pub(crate) async fn post_after(&self, hops: u16, path: &str, body: Value) -> Response {
        let headers = [("tieline-hops", hops.to_string())];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        self.call("POST", path, &headers, body).await
    }

    /// Sends a GET through the gateway. Returns the whole response as text.
    pub(crate) async fn get_text(&self, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.client.raw_text(&format!("/v1/{path}"), query).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Response {
        self.call("PATCH", path, &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.call("DELETE", path, &[], Value::Null).await
    }

    /// Sends a POST with a content type but without a body.
    pub(crate) async fn post_nothing(&self, path: &str) -> Response {
        let headers = [("content-type", "application/json")];
        self.call("POST", path, &headers, Value::Null).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Response {
        let path = format!("/v1/{path}");
        self.client.call_with(method, &path, headers, body).await
    }

    /// Creates a webhook for events of type `message`, unless `fields` override that.
    pub(crate) async fn message_webhook(&self, fields: Value) -> WebhookId {
        let mut document =
            json!({"name": "hook", "url": "https://example.com/", "events": ["message"]});
        document
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        let created = self.post("webhooks", document).await.expect(201);
        created["id"]
            .as_str()
            .expect("an ID")
            .parse()
            .expect("an ID")
    }

    /// All entries of a list, over all pages.
    pub(crate) async fn all(&self, list: &str, limit: usize) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        let sign = if list.contains('?') { '&' } else { '?' };
        loop {
            let page = self
                .get(&format!("{list}{sign}limit={limit}{cursor}"))
                .await
                .expect(200);
            let data = page["data"].as_array().expect("data");
            assert!(data.len() <= limit);
            all.extend(data.iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else {
                return all;
            };
            assert!(all.len() < 10_000, "{list} has no end");
            cursor = format!("&cursor={next}");
        }
    }

    /// Stores an event that was dispatched to these webhooks.
    pub(crate) async fn event(
        &self,
        id: EventId,
        data: Value,
        matches: &[WebhookId],
    ) -> Dispatched {
        let matches = matches.iter().map(|webhook| (*webhook, 0));
        self.delayed_event(id, data, matches).await
    }

    /// Stores an event that was dispatched to these webhooks, each with the seconds of its delay.
    pub(crate) async fn delayed_event(
        &self,
        id: EventId,
        data: Value,
        matches: impl IntoIterator<Item = (WebhookId, u32)>,
    ) -> Dispatched {
        let matches: Vec<_> = matches.into_iter().collect();
        let kind = EventType::parse("message").expect("a type");
        let event = Event {
            id,
            kind,
            timestamp: id.made_at(),
            data,
            hops: 0,
        };
        let dispatched = Dispatched {
            event: (&event).into(),
            matches: matches.iter().map(|(webhook, _)| *webhook).collect(),
            dispatched_at: clock::now(),
            delays: matches
                .into_iter()
                .filter(|(_, seconds)| *seconds > 0)
                .collect(),
        };
        self.table.put_event(dispatched).await.expect("written")
    }

    /// Stores a delivery whose only attempt failed.
    pub(crate) async fn failed(&self, id: DeliveryId) -> Delivery {
        let row = failed(id);
        assert_eq!(
            self.table.record(&row, None, None).await.expect("written"),
            Written::Yes
        );
        row
    }
}

/// Values of one field of a list's entries.
pub(crate) fn texts(data: &[Value], field: &str) -> Vec<String> {
    data.iter()
        .map(|entry| entry[field].as_str().expect("a text").to_owned())
        .collect()
}

/// IDs of `count` events, newest first, `seconds` apart.
pub(crate) fn ids(count: usize, seconds: i64) -> Vec<EventId> {
    let now = clock::now();
    let at = |n: usize| {
        now - jiff::SignedDuration::from_secs(seconds * i64::try_from(n).expect("small"))
    };
    (0..count)
        .map(|n| EventId::new(at(n), random::id::<domain::id::EventKind>().ulid().random()))
        .collect()
}

pub(crate) fn attempt(number: u32, at: Timestamp, body: &str) -> Attempt {
    Attempt {
        number,
        at,
        duration_ms: 5,
        status_code: Some(500),
        error: None,
        request: Requested {
            method: "POST".to_owned(),
            url: "https://example.com/".to_owned(),
        },
        response_body: Some(body.to_owned()),
        missing_tags: Vec::new(),
    }
}

fn failed(id: DeliveryId) -> Delivery {
    let now = clock::now();
    Delivery {
        id,
        event_type: EventType::parse("message").expect("a type"),
        status: Status::Failed,
        queued_at: now,
        schedule: domain::delivery::Chain {
            first_number: 1,
            started_at: Some(now),
        },
        progress: domain::attempt::Progress {
            last: Some(domain::attempt::AttemptToken {
                number: 1,
                token: "token".to_owned(),
            }),
            awaited: None,
        },
        last_error: Some("no".to_owned()),
        stops: None,
        cancelled: None,
        first_attempt: Some(attempt(1, now, "no")),
        hops: 0,
        updated_at: now,
    }
}
