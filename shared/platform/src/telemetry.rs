//! Logs and metrics: one JSON line per event on stdout, which Lambda forwards to `CloudWatch`.
//!
//! Events contain IDs, never bodies, tokens or URLs with secrets. As a second safeguard, anything
//! that looks like a Tieline token or an `Authorization` value is redacted in every line. Events of
//! other crates are logged from `warn` on, whatever the level, because HTTP libraries log headers
//! at `debug`.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde_json::json;
use tracing::Level;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{clock, config};

/// Tieline's own crates.
const OWN_CRATES: [&str; 8] = [
    "config_api",
    "inbound",
    "dispatch",
    "delivery",
    "rotation",
    "sweeper",
    "platform",
    "domain",
];
/// Namespace of Tieline's metrics in `CloudWatch`.
const NAMESPACE: &str = "Tieline";
const REDACTED: &str = "[REDACTED]";
/// Prefixes of secrets, in lower case.
const MARKERS: [&str; 4] = ["tl_live_", "whsec_", "bearer ", "basic "];
/// Minimum length of a secret after a prefix. Shorter runs are words.
const MIN_SECRET_LEN: usize = 8;

/// Initializes logging from `LOG_LEVEL` (default `info`), and logs panics as one line. Call it
/// once, first.
pub fn init() {
    let level = config::log_level();
    let ours = OWN_CRATES.map(|target| (target, *level.as_ref().unwrap_or(&Level::INFO)));
    // The span of `lambda_runtime` adds the request ID to every line.
    let filter = Targets::new()
        .with_default(Level::WARN)
        .with_target("lambda_runtime", Level::INFO)
        .with_targets(ours);
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(|| Redacting(io::stdout()));
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(
            place,
            message = panic.payload_as_str().unwrap_or("panic without a message")
        );
    }));
    if let Err(error) = level {
        tracing::warn!(%error, "invalid LOG_LEVEL; using info");
    }
}

/// Adds `value` to the metric `name`, in `CloudWatch`'s embedded metric format: a log line that
/// becomes a metric.
pub fn metric(name: &str, value: u64) {
    // Failing to write a metric is not an error.
    let _ = writeln!(io::stdout(), "{}", embedded(name, value));
}

fn embedded(name: &str, value: u64) -> serde_json::Value {
    json!({
        "_aws": {
            "Timestamp": clock::now().as_millisecond(),
            "CloudWatchMetrics": [
                {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": [{"Name": name, "Unit": "Count"}]}
            ],
        },
        name: value,
    })
}

/// Writer that redacts each line. The subscriber writes whole lines.
struct Redacting<W>(W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0
            .write_all(redact(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn redact(line: &str) -> Cow<'_, str> {
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(start) = MARKERS
        .iter()
        .filter_map(|marker| Some(at + lower[at..].find(marker)? + marker.len()))
        .min()
    {
        let secret = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        let length = lower.as_bytes()[start..]
            .iter()
            .take_while(|byte| secret(byte))
            .count();
        at = start;
        if length >= MIN_SECRET_LEN {
            out.push_str(&line[kept..start]);
            out.push_str(REDACTED);
            at = start + length;
            kept = at;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[kept..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_redacted() {
        for (line, redacted) in [
            (
                "token tl_live_0123456789AB, more",
                "token tl_live_[REDACTED], more",
            ),
            (
                r#"{"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw="}"#,
                r#"{"secret":"whsec_[REDACTED]"}"#,
            ),
            (
                "Authorization: Bearer abc.def-ghi_jkl",
                "Authorization: Bearer [REDACTED]",
            ),
            (
                "authorization: BASIC dXNlcjpwYXNz\"",
                "authorization: BASIC [REDACTED]\"",
            ),
            ("Bearer tl_live_0123456789AB", "Bearer [REDACTED]"),
            (
                "Bearer Bearer abcdefghi whsec_abcdefghi é",
                "Bearer Bearer [REDACTED] whsec_[REDACTED] é",
            ),
            ("a bearer token is missing", "a bearer token is missing"),
            ("WWW-Authenticate: Bearer", "WWW-Authenticate: Bearer"),
            (
                "{\"message\":\"delivered\",\"id\":\"evt_01\"}",
                "{\"message\":\"delivered\",\"id\":\"evt_01\"}",
            ),
        ] {
            assert_eq!(redact(line), redacted);
        }
    }

    #[test]
    fn log_line_is_flat_json_without_secrets() {
        let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = std::sync::Arc::clone(&lines);
        let writer = move || Redacting(Shared(std::sync::Arc::clone(&sink)));
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(writer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(token = "tl_live_0123456789", attempt = 2, "sent");
        });
        let text = String::from_utf8(lines.lock().expect("lock").clone()).expect("text");
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!(
            (&line["message"], &line["attempt"]),
            (&json!("sent"), &json!(2))
        );
        assert_eq!(line["token"], "tl_live_[REDACTED]");
    }

    #[test]
    fn metric_uses_the_embedded_format() {
        let line = embedded("credentials_overdue", 3);
        assert_eq!(line["credentials_overdue"], 3);
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"],
            "credentials_overdue"
        );
    }

    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lock").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn no_secret_survives(before in any::<String>(), secret in "[0-9A-Za-z]{20,49}", after in any::<String>(), marker in 0..MARKERS.len()) {
            let line = format!("{before}{}{secret}\"{after}", MARKERS[marker]);
            prop_assert!(!redact(&line).contains(&secret) || before.contains(&secret) || after.contains(&secret));
        }
    }
}
