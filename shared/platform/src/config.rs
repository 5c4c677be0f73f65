//! The one reader of environment variables.
//!
//! A function asks for what it needs when it starts, so that a missing variable stops it there, by
//! name; what other functions need may be absent. Variables without which there is a sensible way
//! have that as their default.

use std::str::FromStr;

use crate::gateway;

/// An environment variable is missing, empty, or cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is needed, and is not set or empty.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// Its value is none that it can have.
    #[error("the environment variable {0} has a value that cannot be used")]
    Wrong(&'static str),
}

/// `TABLE`: the `DynamoDB` table's name.
pub fn table() -> Result<String, ConfigError> {
    required("TABLE")
}

/// `EVENTS_QUEUE_URL`: the queue of accepted events.
pub fn events_queue() -> Result<String, ConfigError> {
    required("EVENTS_QUEUE_URL")
}

/// `DELIVERIES_QUEUE_URL`: the queue of first attempts.
pub fn deliveries_queue() -> Result<String, ConfigError> {
    required("DELIVERIES_QUEUE_URL")
}

/// `RETRIES_QUEUE_URL`: the queue of later attempts.
pub fn retries_queue() -> Result<String, ConfigError> {
    required("RETRIES_QUEUE_URL")
}

/// `DEAD_QUEUE_URL`: the queue of what cannot be processed.
pub fn dead_queue() -> Result<String, ConfigError> {
    required("DEAD_QUEUE_URL")
}

/// `KEYRING_SECRET_ID`: name or ARN of the Secrets Manager secret that holds the keyring.
pub fn keyring_secret() -> Result<String, ConfigError> {
    required("KEYRING_SECRET_ID")
}

/// `EGRESS_ALLOW`: private addresses and ports that may be called none the less; none by default.
pub fn egress_allow() -> String {
    variable("EGRESS_ALLOW").unwrap_or_default()
}

/// `PUBLIC_URL`: how the outside addresses the API, without a slash at the end. Its path must not
/// end in `/v1` or `/in`: in `/v1/users` the base path could not be recognized.
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

/// `RETENTION_DAYS`: how long events, deliveries, messages and audit entries stay; 30 by default,
/// from 8, since retries last for up to 7 days and read their event, to 3650.
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

/// `LOG_LEVEL`: from which level on our own events are logged; `info` by default.
pub fn log_level() -> Result<tracing::Level, ConfigError> {
    parsed("LOG_LEVEL", variable("LOG_LEVEL"), tracing::Level::INFO)
}

/// `AWS_REGION`, which Lambda sets.
pub fn aws_region() -> Result<String, ConfigError> {
    required("AWS_REGION")
}

/// `AWS_ENDPOINT_URL`: where every AWS service is reached, for an emulator; absent on AWS.
pub fn aws_endpoint() -> Option<String> {
    variable("AWS_ENDPOINT_URL")
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    variable(name).ok_or(ConfigError::Missing(name))
}

/// `CloudFormation` sets a variable without a value to the empty text, so that counts as absent.
fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the home of environment variables"
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
    fn nothing_expires_while_it_may_be_retried() {
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
    fn a_public_url_does_not_end_as_the_paths_of_the_api_begin() {
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
    fn what_is_missing_or_wrong_is_named() {
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
