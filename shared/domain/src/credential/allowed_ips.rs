//! Source addresses from which a credential may be used.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::validation::{ClientError, Validated, ValidationErrors, list, string};

/// Maximum number of entries.
const MAX_ENTRIES: usize = 20;

/// IPv4 and IPv6 addresses and ranges. An empty list allows every address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct AllowedIps(Vec<IpNet>);

/// Neither an address nor a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an IP address or a CIDR range, such as 203.0.113.7, 198.51.100.0/24 or 2001:db8::/32"
)]
pub struct ParseRangeError;

impl ClientError for ParseRangeError {}

impl AllowedIps {
    /// Parses an array of at most 20 addresses and ranges.
    ///
    /// # Errors
    /// Reports every invalid entry, by index.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut ranges: Vec<IpNet> = Vec::new();
        for range in list(0, MAX_ENTRIES, |value| {
            Ok::<_, ValidationErrors>(range(&string(value)?)?)
        })(value)?
        {
            if !ranges.contains(&range) {
                ranges.push(range);
            }
        }
        Ok(Self(ranges))
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request from `source` may use the credential. An unknown source is in no range.
    pub fn allow(&self, source: Option<IpAddr>) -> bool {
        let within = |source: IpAddr| {
            self.0
                .iter()
                .any(|range| range.contains(&source.to_canonical()))
        };
        self.is_empty() || source.is_some_and(within)
    }
}

/// Parses an address as a range of one. An IPv4-mapped IPv6 address becomes IPv4.
fn range(text: &str) -> Result<IpNet, ParseRangeError> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_canonical().into()),
        Err(_) => text
            .parse::<IpNet>()
            .map(|range| range.trunc())
            .map_err(|_| ParseRangeError),
    }
}

impl TryFrom<Vec<String>> for AllowedIps {
    type Error = ParseRangeError;

    fn try_from(texts: Vec<String>) -> Result<Self, ParseRangeError> {
        texts
            .iter()
            .map(|text| range(text))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl From<AllowedIps> for Vec<String> {
    fn from(AllowedIps(ranges): AllowedIps) -> Self {
        let text = |range: IpNet| {
            if range.prefix_len() == range.max_prefix_len() {
                range.addr().to_string()
            } else {
                range.to_string()
            }
        };
        ranges.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_round_trip_in_canonical_form() {
        let list = json!([
            "203.0.113.7",
            "198.51.100.9/24",
            "2001:DB8::/32",
            "::1",
            "::ffff:10.0.0.1",
            "203.0.113.7/32"
        ]);
        let list = AllowedIps::parse(list).expect("a list");
        let written = json!([
            "203.0.113.7",
            "198.51.100.0/24",
            "2001:db8::/32",
            "::1",
            "10.0.0.1"
        ]);
        assert_eq!(json!(list), written);
        assert_eq!(
            serde_json::from_value::<AllowedIps>(written).expect("a list"),
            list
        );
    }

    #[test]
    fn invalid_ranges_are_named() {
        let list = json!([
            "10.0.0.0/33",
            "10.0.0",
            "",
            "example.com",
            "10.0.0.1/-1",
            "::/129",
            1,
            " 10.0.0.1",
            "10.0.0.1"
        ]);
        let problems = AllowedIps::parse(list).expect_err("errors").0;
        let pointers: Vec<&str> = problems
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        assert_eq!(pointers, ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"]);
        assert!(
            AllowedIps::parse(json!(vec!["10.0.0.1"; 21])).is_err()
                && AllowedIps::parse(json!("10.0.0.1")).is_err()
        );
    }

    #[test]
    fn source_must_be_in_a_range() {
        let list = |ranges: Value| AllowedIps::parse(ranges).expect("a list");
        for (ranges, source, allowed) in [
            (json!([]), None, true),
            (json!([]), Some("203.0.113.7"), true),
            (json!(["203.0.113.7"]), None, false),
            (json!(["203.0.113.7"]), Some("203.0.113.7"), true),
            (json!(["203.0.113.7"]), Some("203.0.113.8"), false),
            (json!(["203.0.113.7"]), Some("::ffff:203.0.113.7"), true),
            (json!(["198.51.100.0/24"]), Some("198.51.100.255"), true),
            (json!(["198.51.100.0/24"]), Some("198.51.101.0"), false),
            (json!(["2001:db8::/32"]), Some("2001:db8:ffff::1"), true),
            (json!(["2001:db8::/32"]), Some("2001:db9::"), false),
            (json!(["0.0.0.0/0"]), Some("2001:db8::"), false),
            (json!(["0.0.0.0/0", "::/0"]), Some("2001:db8::"), true),
        ] {
            let source = source.map(|text| text.parse().expect("an address"));
            assert_eq!(
                list(ranges.clone()).allow(source),
                allowed,
                "{ranges} {source:?}"
            );
        }
    }
}
