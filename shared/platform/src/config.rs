//! Environment variables. No other module reads them.
//!
//! A function reads the variables that it needs at startup, so that a missing variable stops it
//! there, by name. Variables of other functions may be unset. Optional variables have a default.

use std::str::FromStr;

use crate::gateway;

/// Error of an environment variable: missing, empty or invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A required variable is unset or empty.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The value is invalid.
    #[error("the environment variable {0} has an invalid value")]
    Wrong(&'static str),
}

/// `TABLE`: name of the `DynamoDB` table.
pub fn table() -> Result<String, ConfigError> {
    required("TABLE")
}

/// `EVENTS_QUEUE_URL`: queue of accepted events.
pub fn events_queue() -> Result<String, ConfigError> {
    required("EVENTS_QUEUE_URL")
}

/// `DELIVERIES_QUEUE_URL`: queue of first attempts.
pub fn deliveries_queue() -> Result<String, ConfigError> {
    required("DELIVERIES_QUEUE_URL")
}

/// `RETRIES_QUEUE_URL`: queue of later attempts, and of first ones with a delay.
pub fn retries_queue() -> Result<String, ConfigError> {
    required("RETRIES_QUEUE_URL")
}

/// `DEAD_QUEUE_URL`: dead-letter queue.
pub fn dead_queue() -> Result<String, ConfigError> {
    required("DEAD_QUEUE_URL")
}

/// `KEYRING_SECRET_ID`: name or ARN of the keyring's secret in Secrets Manager.
pub fn keyring_secret() -> Result<String, ConfigError> {
    required("KEYRING_SECRET_ID")
}

/// `EGRESS_ALLOW`: private addresses and ports that requests may reach. Default: none.
pub fn egress_allow() -> String {
    variable("EGRESS_ALLOW").unwrap_or_default()
}

/// `PUBLIC_URL`: public base URL of the API, without a trailing slash. Its path must not end in
/// `/v1` or `/in`, because the base path could not be distinguished from the API's own paths.
pub fn public_url() -> Result<String, ConfigError> {
    based(&required("PUBLIC_URL")?)
}

fn based(url: &str) -> Result<String, ConfigError> {
    let url = url.trim_end_matches('/');
    let path = gateway::base_path(url);
    if path.ends_with("/v1") || path.ends_with("/in") {
        return Err(ConfigError::Wrong("PUBLIC_URL"));
    }
    Ok(url.to_owned())
}

/// `RETENTION_DAYS`: retention of events, deliveries, messages and audit entries, 8 to 3650 days.
/// Default: 30. At least 8, because retries read their event for up to 7 days.
pub fn retention_days() -> Result<u32, ConfigError> {
    retention(variable("RETENTION_DAYS"))
}

fn retention(value: Option<String>) -> Result<u32, ConfigError> {
    let days = parsed("RETENTION_DAYS", value, 30)?;
    if (8..=3650).contains(&days) {
        Ok(days)
    } else {
        Err(ConfigError::Wrong("RETENTION_DAYS"))
    }
}

/// `LOG_LEVEL`: minimum level of Tieline's own log events. Default: `info`.
pub fn log_level() -> Result<tracing::Level, ConfigError> {
    parsed("LOG_LEVEL", variable("LOG_LEVEL"), tracing::Level::INFO)
}

/// `AWS_REGION`: set by Lambda.
pub fn aws_region() -> Result<String, ConfigError> {
    required("AWS_REGION")
}

/// `AWS_ENDPOINT_URL`: endpoint of all AWS services, for an emulator. Unset on AWS.
pub fn aws_endpoint() -> Option<String> {
    variable("AWS_ENDPOINT_URL")
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    variable(name).ok_or(ConfigError::Missing(name))
}

/// Reads a variable. Empty counts as unset, because `CloudFormation` sets a variable without a
/// value to the empty string.
fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only module that reads environment variables"
    )]
    let value = std::env::var(name).ok()?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn parsed<T: FromStr>(
    name: &'static str,
    value: Option<String>,
    default: T,
) -> Result<T, ConfigError> {
    value.map_or(Ok(default), |value| {
        value.parse().map_err(|_| ConfigError::Wrong(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_below_the_retry_schedule_is_invalid() {
        for (value, days) in [
            (None, Some(30)),
            (Some("7"), None),
            (Some("8"), Some(8)),
            (Some("3651"), None),
        ] {
            assert_eq!(retention(value.map(str::to_owned)).ok(), days, "{value:?}");
        }
    }

    #[test]
    fn public_url_that_ends_like_an_api_path_is_invalid() {
        for (url, read) in [
            ("https://h.example/", Some("https://h.example")),
            ("https://h.example/hub", Some("https://h.example/hub")),
            ("https://h.example/begin", Some("https://h.example/begin")),
            ("https://h.example/v1", None),
            ("https://h.example/hub/in/", None),
        ] {
            assert_eq!(based(url).ok().as_deref(), read, "{url}");
        }
    }

    #[test]
    fn error_names_the_variable() {
        assert_eq!(
            required("TIELINE_NO_SUCH").expect_err("unset").to_string(),
            "the environment variable TIELINE_NO_SUCH is not set"
        );
        assert_eq!(parsed("DAYS", None, 30), Ok(30));
        assert_eq!(parsed("DAYS", Some("7".into()), 30), Ok(7));
        assert_eq!(
            parsed("DAYS", Some("-1".into()), 30_u32),
            Err(ConfigError::Wrong("DAYS"))
        );
        assert_eq!(
            parsed("LEVEL", Some("debug".into()), tracing::Level::INFO),
            Ok(tracing::Level::DEBUG)
        );
    }
}
