//! Policy for the targets of outgoing requests.
//!
//! [`check_url`] allows https on port 443 or from 1024 on, without user info, to a name that may be
//! public or to a public address. [`check_address`] checks resolved addresses; the dialler calls it
//! with the exact addresses it will connect to. Both make one exception: the (address, port) pairs
//! in the deployment's [`AllowList`]. These also allow plain http if the URL contains the address
//! itself.

mod addresses;
mod allow;

use std::net::IpAddr;

use url::{Host, Url};

use crate::validation::ClientError;

pub use self::allow::{AllowError, AllowList};

/// Why a target is not allowed. The texts contain nothing that is not in the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither https nor http to an allowed address.
    #[error("the URL must start with https://")]
    Scheme,
    /// No host.
    #[error("the URL must contain a host")]
    NoHost,
    /// A name that DNS can't look up (RFC 1035, section 2.3.4).
    #[error(
        "each label of the host name must have 1 to {MAX_LABEL} characters, and the whole name at most {MAX_NAME}"
    )]
    Name,
    /// `user:password@`.
    #[error("the URL must not contain a user name or password")]
    UserInfo,
    /// A port reserved for system services.
    #[error("the port must be 443 or at least 1024, not {0}")]
    Port(u16),
    /// A name for this machine or a local network.
    #[error(
        "the host must be a public name (`localhost`, `.local` and `.internal` names are not allowed)"
    )]
    LocalName,
    /// An IP address in any notation.
    #[error("the host must be a public IP address")]
    Address,
    /// The address that the name resolves to.
    #[error("the host resolves to an address that is not public")]
    Resolved,
}

impl ClientError for TargetError {}

/// Names that are never public (RFC 6761, RFC 6762, ICANN's `.internal`).
const LOCAL_NAMES: [&str; 3] = ["localhost", "local", "internal"];

/// Maximum length of a label and of a host name, in bytes.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// Whether a request to `url` is allowed, judging by the URL alone.
pub fn check_url(url: &Url, allow: &AllowList) -> Result<(), TargetError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TargetError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::UserInfo);
    }
    let host = url.host().ok_or(TargetError::NoHost)?;
    let port = url.port_or_known_default().ok_or(TargetError::Scheme)?;
    let literal = match host {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => None,
    };
    if literal.is_some_and(|ip| allow.includes(ip, port)) {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err(TargetError::Scheme);
    }
    check_port(port)?;
    match (host, literal) {
        (Host::Domain(name), _) if !is_dns_name(name) => Err(TargetError::Name),
        (Host::Domain(name), _) if is_local_name(name) => Err(TargetError::LocalName),
        (_, Some(ip)) if !addresses::is_public(ip) => Err(TargetError::Address),
        _ => Ok(()),
    }
}

/// Whether connecting to `ip`, which the URL's host resolved to, is allowed on `port`.
pub fn check_address(ip: IpAddr, port: u16, allow: &AllowList) -> Result<(), TargetError> {
    if allow.includes(ip, port) {
        return Ok(());
    }
    check_port(port)?;
    if addresses::is_public(ip) {
        Ok(())
    } else {
        Err(TargetError::Resolved)
    }
}

fn check_port(port: u16) -> Result<(), TargetError> {
    if port == 443 || port >= 1024 {
        Ok(())
    } else {
        Err(TargetError::Port(port))
    }
}

/// Whether the labels have lengths that DNS allows. `name` is ASCII, as normalized by [`Url`].
fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= MAX_NAME
        && name
            .split('.')
            .all(|label| (1..=MAX_LABEL).contains(&label.len()))
}

/// `name` is lower case, as normalized by [`Url`]. The trailing dot of a fully qualified name is
/// ignored.
fn is_local_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    (name.rsplit('.').next()).is_some_and(|last| LOCAL_NAMES.contains(&last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(url: &str, allow: &str) -> Result<(), TargetError> {
        check_url(
            &url.parse().expect(url),
            &allow.parse().expect("allow-list"),
        )
    }

    #[test]
    fn public_https_urls_are_allowed() {
        for url in [
            "https://example.com/",
            "https://example.com:443",
            "https://example.com:1024/a?b#c",
            "https://example.com:65535",
            "https://EXAMPLE.com./x",
            "https://local.example.com",
            "https://notlocalhost/",
            "https://8.8.8.8/",
            "https://134744072/",
            "https://[2606:4700::1111]:8443/",
            "https://[::ffff:8.8.8.8]/",
        ] {
            assert_eq!(verdict(url, ""), Ok(()), "{url}");
        }
    }

    #[test]
    fn other_urls_are_rejected() {
        use TargetError::{Address, LocalName, Port, Scheme, UserInfo};
        for (url, why) in [
            ("http://example.com/", Scheme),
            ("http://8.8.8.8:9000/", Scheme),
            ("ftp://example.com/", Scheme),
            ("file:///etc/passwd", Scheme),
            ("data:text/plain,x", Scheme),
            ("javascript:alert(1)", Scheme),
            ("gopher://127.0.0.1:9000/", Scheme),
            ("https://u@example.com/", UserInfo),
            ("https://:p@example.com/", UserInfo),
            ("https://u:p@example.com/", UserInfo),
            ("https://example.com:0/", Port(0)),
            ("https://example.com:22/", Port(22)),
            ("https://example.com:80/", Port(80)),
            ("https://example.com:442/", Port(442)),
            ("https://example.com:444/", Port(444)),
            ("https://example.com:1023/", Port(1023)),
            ("https://localhost/", LocalName),
            ("https://LOCALHOST./", LocalName),
            ("https://a.localhost:8443/", LocalName),
            ("https://%6cocalhost/", LocalName),
            ("https://ⓛocalhost/", LocalName),
            ("https://printer.local/", LocalName),
            ("https://metadata.google.internal/", LocalName),
            ("https://internal/", LocalName),
            ("https://127.0.0.1/", Address),
            ("https://127.0.0.1./", Address),
            ("https://127.1:9001/", Address),
            ("https://0x7f.1/", Address),
            ("https://0x7f000001/", Address),
            ("https://017700000001/", Address),
            ("https://2130706433/", Address),
            ("https://127。0。0。1/", Address),
            ("https://①②⑦.0.0.1/", Address),
            ("https://0/", Address),
            ("https://0x0/", Address),
            ("https://169.254.169.254/latest/meta-data", Address),
            ("https://168.63.129.16/", Address),
            ("https://[::]/", Address),
            ("https://[::1]/", Address),
            ("https://[::ffff:127.0.0.1]/", Address),
            ("https://[::ffff:7f00:1]/", Address),
            ("https://[::127.0.0.1]/", Address),
            ("https://[64:ff9b::7f00:1]/", Address),
            ("https://[2002:7f00:1::]/", Address),
            ("https://[fd00:ec2::254]/", Address),
        ] {
            assert_eq!(verdict(url, ""), Err(why), "{url}");
        }
    }

    #[test]
    fn host_names_have_dns_length_limits() {
        let (label, longer) = ("x".repeat(63), "x".repeat(64));
        let longest = format!("{label}.{label}.{label}.{}", "x".repeat(61));
        for host in [
            &label,
            &format!("{label}.example.com"),
            &longest,
            &format!("{longest}."),
            "bücher.example",
        ] {
            assert_eq!(verdict(&format!("https://{host}/"), ""), Ok(()), "{host}");
        }
        // An umlaut takes more than one character in the ASCII form of a name.
        for host in [
            &longer,
            &format!("a.{longer}.com"),
            &format!("{longest}x"),
            "a..b",
            "a.b..",
            ".",
            &"ü".repeat(60),
        ] {
            assert_eq!(
                verdict(&format!("https://{host}/"), ""),
                Err(TargetError::Name),
                "{host}"
            );
        }
    }

    #[test]
    fn allow_list_allows_only_its_addresses_and_ports() {
        let allow = "127.0.0.1:9000-9999,[::1]:80, 10.1.2.3:443";
        for url in [
            "http://127.0.0.1:9000/",
            "https://127.0.0.1:9999/",
            "http://0x7f.1:9500/",
            "http://[::ffff:127.0.0.1]:9000/",
            "http://[::1]/",
            "https://10.1.2.3/",
        ] {
            assert_eq!(verdict(url, allow), Ok(()), "{url}");
        }
        for (url, why) in [
            ("http://127.0.0.1:8999/", TargetError::Scheme),
            ("http://127.0.0.1:10000/", TargetError::Scheme),
            ("https://127.0.0.1:8999/", TargetError::Address),
            ("https://127.0.0.2:9000/", TargetError::Address),
            ("http://localhost:9000/", TargetError::Scheme),
            ("https://localhost:9000/", TargetError::LocalName),
            ("http://u@127.0.0.1:9000/", TargetError::UserInfo),
            ("ftp://127.0.0.1:9000/", TargetError::Scheme),
            ("http://10.1.2.3/", TargetError::Scheme),
        ] {
            assert_eq!(verdict(url, allow), Err(why), "{url}");
        }
    }

    #[test]
    fn resolved_addresses_are_checked_with_port() {
        let allow: AllowList = "10.0.0.5:8443".parse().expect("allow-list");
        for (ip, port, verdict) in [
            ("8.8.8.8", 443, Ok(())),
            ("8.8.8.8", 25, Err(TargetError::Port(25))),
            ("10.0.0.5", 8443, Ok(())),
            ("::ffff:10.0.0.5", 8443, Ok(())),
            ("10.0.0.5", 443, Err(TargetError::Resolved)),
            ("10.0.0.6", 8443, Err(TargetError::Resolved)),
        ] {
            assert_eq!(
                check_address(ip.parse().expect("address"), port, &allow),
                verdict,
                "{ip} {port}"
            );
        }
    }

    proptest! {
        #[test]
        fn only_https_passes_for_any_url(text in "\\PC*", tail in "[ -~]{0,40}") {
            for text in [text.clone(), format!("https://{text}"), format!("http://{tail}"), format!("https://{tail}")] {
                if let Ok(url) = text.parse::<Url>()
                    && check_url(&url, &AllowList::default()).is_ok()
                {
                    prop_assert_eq!(url.scheme(), "https");
                    prop_assert!(url.has_host());
                }
            }
        }

        #[test]
        fn address_is_checked_in_every_notation(bits: u32) {
            let ip = std::net::Ipv4Addr::from(bits);
            let [a, b, c, d] = ip.octets();
            let expected = if addresses::is_public(ip.into()) { Ok(()) } else { Err(TargetError::Address) };
            for host in [
                format!("{ip}"),
                format!("{bits}"),
                format!("{bits:#x}"),
                format!("0{a:o}.{b:#x}.{c}.{d}"),
                format!("{a}.{}", bits & 0xff_ffff),
                format!("{a}.{b}.{}", bits & 0xffff),
                format!("[::ffff:{ip}]"),
            ] {
                prop_assert_eq!(verdict(&format!("https://{host}/"), ""), expected, "{}", host);
            }
        }
    }
}
