//! Deploy parameter that allows addresses which are not public: `127.0.0.1:9000-9999,[::1]:8443`.

use std::{net::IpAddr, ops::RangeInclusive, str::FromStr};

/// Allowed addresses and ports in addition to public ones. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<AllowEntry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowEntry {
    ip: IpAddr,
    ports: RangeInclusive<u16>,
}

/// Why the text is invalid. Each variant contains the invalid entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// No address, or no colon after it.
    #[error("`{0}` must be an address and a port, such as `127.0.0.1:9000-9999` or `[::1]:8443`")]
    Entry(String),
    /// Not a port from 1 to 65535, or a range in the wrong order.
    #[error("`{0}` must end in a port or a range of ports from 1 to 65535")]
    Ports(String),
}

impl AllowList {
    /// Whether this address and port are listed. An IPv4-mapped IPv6 address is treated as the IPv4
    /// address.
    pub fn includes(&self, ip: IpAddr, port: u16) -> bool {
        let ip = ip.to_canonical();
        self.0
            .iter()
            .any(|entry| entry.ip == ip && entry.ports.contains(&port))
    }
}

impl FromStr for AllowList {
    type Err = AllowError;

    /// Parses comma-separated entries `<ip>:<port>` or `<ip>:<from>-<to>`. An empty text is an
    /// empty list.
    fn from_str(text: &str) -> Result<Self, AllowError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(',')
            .map(|entry| entry.trim().parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for AllowEntry {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let (host, ports) = text
            .rsplit_once(':')
            .ok_or_else(|| AllowError::Entry(text.to_owned()))?;
        let ip = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(host) => host.parse().map(IpAddr::V6),
            None => host.parse().map(IpAddr::V4),
        }
        .map_err(|_| AllowError::Entry(text.to_owned()))?;
        let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
        let (from, to) = port(from)
            .zip(port(to))
            .ok_or_else(|| AllowError::Ports(text.to_owned()))?;
        if from > to {
            return Err(AllowError::Ports(text.to_owned()));
        }
        Ok(Self {
            ip: ip.to_canonical(),
            ports: from..=to,
        })
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_includes_its_entries() {
        let allow: AllowList = "127.0.0.1:9000-9999, [::1]:8443,[::ffff:10.0.0.1]:443"
            .parse()
            .expect("allow-list");
        for (ip, port, covered) in [
            ("127.0.0.1", 8999, false),
            ("127.0.0.1", 9000, true),
            ("127.0.0.1", 9999, true),
            ("127.0.0.1", 10000, false),
            ("127.0.0.2", 9000, false),
            ("::ffff:127.0.0.1", 9000, true),
            ("::1", 8443, true),
            ("::1", 8444, false),
            ("10.0.0.1", 443, true),
        ] {
            assert_eq!(
                allow.includes(ip.parse().expect(ip), port),
                covered,
                "{ip} {port}"
            );
        }
        assert_eq!("".parse(), Ok(AllowList::default()));
        assert_eq!(" ".parse(), Ok(AllowList::default()));
    }

    #[test]
    fn invalid_entry_is_named() {
        for entry in [
            "127.0.0.1",
            "localhost:9000",
            "10.0.0.0/8:9000",
            "::1:9000",
            "[127.0.0.1]:9000",
            "[::1",
            ":9000",
        ] {
            let error = format!("1.2.3.4:5,{entry}")
                .parse::<AllowList>()
                .expect_err(entry);
            assert_eq!(error, AllowError::Entry(entry.to_owned()));
        }
        for entry in [
            "1.2.3.4:",
            "1.2.3.4:0",
            "1.2.3.4:65536",
            "1.2.3.4:9-8",
            "1.2.3.4:1-",
            "1.2.3.4:1-2-3",
            "1.2.3.4:x",
        ] {
            assert_eq!(
                entry.parse::<AllowList>(),
                Err(AllowError::Ports(entry.to_owned())),
                "{entry}"
            );
        }
        assert!("1.2.3.4:5,".parse::<AllowList>().is_err());
    }
}
