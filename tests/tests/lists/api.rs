//! The API in this process, with an admin's token.

use axum::{Router, body::Body};
use domain::{
    attempt::{Attempt, Requested},
    delivery::{Delivery, Status},
    event::Event,
    id::{DeliveryId, EventId, WebhookId},
    pattern::EventType,
};
use jiff::Timestamp;
use lambda_http::{Context, LambdaEvent, Service, http};
use platform::{
    clock, gateway,
    keyring::KeyringCache,
    queue::Queue,
    random,
    table::{Table, Written, events::Dispatched},
};
use rotation::{Answer, Request};
use serde_json::{Value, json};
use tests::{
    contract,
    fake::{Fake, sqs::Name, system},
};

/// Largest response of a Lambda function, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

pub(crate) struct Api {
    pub(crate) fake: Fake,
    pub(crate) table: Table,
    router: Router,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

impl Api {
    pub(crate) async fn new() -> Self {
        let fake = Fake::default();
        let aws = fake.aws();
        let table = Table::new(aws.dynamodb(), "table", 30);
        let keys = || KeyringCache::new(aws.secrets_manager(), "keyring".to_owned());
        let queue = |name: Name| Queue::new(aws.sqs(), name.url());
        let rotation = rotation::App {
            table: table.clone(),
            keys: keys(),
            events: queue(Name::Events),
        };
        let made = rotation::handle(&rotation, Request::Bootstrap { reissue: false })
            .await
            .expect("an admin");
        let Answer::Admin(admin) = made else {
            panic!("{made:?} is no admin")
        };
        let router = config_api::router(config_api::Clients {
            table: table.clone(),
            keys: keys(),
            events: queue(Name::Events),
            deliveries: queue(Name::Deliveries),
            public_url: "https://tieline.example.com".to_owned(),
            allow: system::allow(),
        });
        Self {
            fake,
            table,
            router,
            token: admin.token,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, 0, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, 0, Some(body)).await
    }

    /// A POST that a call of Tieline's led to.
    pub(crate) async fn post_after(&self, hops: u16, path: &str, body: Value) -> Reply {
        self.send("POST", path, hops, Some(body)).await
    }

    /// The answer as text, through the event and the response of the gateway.
    pub(crate) async fn get_text(&self, path: &str) -> String {
        let event = json!({
            "rawPath": format!("/v1/{}", path.split('?').next().unwrap_or_default()),
            "rawQueryString": path.split_once('?').map_or("", |(_, query)| query),
            "headers": {"authorization": format!("Bearer {}", self.token)},
            "requestContext": {"http": {"method": "GET"}, "domainName": "api.example.com"},
        });
        let payload = serde_json::from_str(&event.to_string()).expect("an event");
        let mut service = gateway::adapt(String::new(), self.router.clone());
        let response = service
            .call(LambdaEvent::new(payload, Context::default()))
            .await
            .expect("an answer");
        serde_json::to_string(&response).expect("JSON")
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, 0, Some(body)).await
    }

    /// A POST without a body.
    pub(crate) async fn post_nothing(&self, path: &str) -> Reply {
        self.send("POST", path, 0, None).await
    }

    async fn send(&self, method: &str, path: &str, hops: u16, body: Option<Value>) -> Reply {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request
            .header("content-type", "application/json")
            .header("tieline-hops", hops);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = self
            .router
            .clone()
            .call(request.body(body).expect("a request"))
            .await
            .expect("an answer");
        let (parts, body) = answer.into_parts();
        let status = parts.status.as_u16();
        let etag = parts
            .headers
            .get("etag")
            .map(|tag| tag.to_str().expect("ASCII").to_owned());
        let bytes = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body");
        // The check of a large body takes seconds.
        if bytes.len() < 256 * 1024 {
            contract::check(
                method,
                &format!("/v1/{path}"),
                status,
                &parts.headers,
                &bytes,
            );
        }
        let text = str::from_utf8(&bytes).expect("UTF-8");
        let lambda = json!({"statusCode": status, "headers": {}, "body": text}).to_string();
        assert!(lambda.len() < MAX_ANSWER, "{path}: {} bytes", lambda.len());
        Reply {
            status,
            etag,
            body: serde_json::from_str(text).unwrap_or_default(),
        }
    }

    /// All entries of a list, page by page.
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

    /// An event that was dispatched to these webhooks.
    pub(crate) async fn event(
        &self,
        id: EventId,
        data: Value,
        matches: &[WebhookId],
    ) -> Dispatched {
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
            matches: matches.to_vec(),
            dispatched_at: clock::now(),
        };
        self.table.put_event(dispatched).await.expect("written")
    }

    /// A delivery that failed at its only attempt.
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

/// Ids of events, the newest first: `count` of them, each `seconds` after the next.
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
        first_attempt: Some(attempt(1, now, "no")),
        hops: 0,
        updated_at: now,
    }
}
