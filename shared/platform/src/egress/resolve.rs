//! Resolves names to allowed addresses.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use domain::egress_policy::{AllowList, TargetError, check_address};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::dial::DIAL;

/// Looks up all addresses of a name.
pub(super) type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// Resolver that only returns addresses that pass the check.
#[derive(Clone)]
pub(super) struct Resolver {
    pub(super) allow: AllowList,
    pub(super) lookup: Lookup,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let port = DIAL.try_with(|dial| dial.port);
        let allow = self.allow.clone();
        let addresses = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let dialable = dialable(addresses.await?, port?, &allow)?;
            if dialable.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            Ok(Box::new(dialable.into_iter()) as Addrs)
        })
    }
}

/// Returns the allowed ones of `addresses`. An error if there were some and none is allowed.
fn dialable(
    addresses: Vec<IpAddr>,
    port: u16,
    allow: &AllowList,
) -> Result<Vec<SocketAddr>, TargetError> {
    let mut refused = None;
    let mut dialable = Vec::new();
    for ip in addresses {
        match check_address(ip, port, allow) {
            Ok(()) => dialable.push(SocketAddr::new(ip, port)),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if dialable.is_empty() => Err(error),
        _ => Ok(dialable),
    }
}

/// Asks the system's resolver.
pub(super) fn system_lookup(name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    Box::pin(async move {
        Ok(tokio::net::lookup_host((name, 0))
            .await?
            .map(|address| address.ip())
            .collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts
            .iter()
            .map(|text| text.parse().expect("address"))
            .collect()
    }

    #[test]
    fn only_allowed_addresses_are_dialled() {
        let allow: AllowList = "10.0.0.5:8443".parse().expect("allow-list");
        let mixed = ips(&["127.0.0.1", "8.8.8.8", "10.0.0.5", "::1", "2606:4700::1111"]);
        for (addresses, port, expected) in [
            (mixed.clone(), 443, Ok(ips(&["8.8.8.8", "2606:4700::1111"]))),
            (
                mixed,
                8443,
                Ok(ips(&["8.8.8.8", "10.0.0.5", "2606:4700::1111"])),
            ),
            (
                ips(&["127.0.0.1", "::ffff:10.0.0.5"]),
                443,
                Err(TargetError::Resolved),
            ),
            (vec![], 443, Ok(vec![])),
        ] {
            let expected = expected.map(|ips| {
                ips.into_iter()
                    .map(|ip| SocketAddr::new(ip, port))
                    .collect()
            });
            assert_eq!(dialable(addresses, port, &allow), expected);
        }
    }
}
