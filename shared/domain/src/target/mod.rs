//! Where outgoing requests may go: in comes a URL or an address, out comes a verdict.
//!
//! Whatever passes [`check_url`] is https on port 443 or from 1024 on, without user information, to
//! a name that may be public or to an address that is. What a name resolves to is for
//! [`check_address`], which the dialler asks about the very addresses it is going to dial. Both
//! make one exception: the (address, port) pairs that the deployer listed in [`Allow`], where plain
//! http is fine too as long as the URL spells the address out.

mod addresses;
mod allow;

use std::net::IpAddr;

use url::{Host, Url};

pub use self::allow::{Allow, AllowError};

/// Why a request may not go there. The texts name nothing that is not in the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither https nor http to an allowed address.
    #[error("the URL must start with https://")]
    Scheme,
    /// There is no host.
    #[error("the URL must name a host")]
    NoHost,
    /// A name that no look-up can ask for (RFC 1035, section 2.3.4).
    #[error(
        "each part of the host's name must have 1 to {MAX_LABEL} characters, and the whole at most {MAX_NAME}"
    )]
    Name,
    /// `user:password@`.
    #[error("the URL must not hold a user name or password")]
    UserInfo,
    /// A port of the system's own services.
    #[error("the port must be 443 or at least 1024, not {0}")]
    Port(u16),
    /// A name that stands for this machine or this network.
    #[error("the host is a local name")]
    LocalName,
    /// An IP literal, in whatever spelling.
    #[error("the host is an address that is not public")]
    Address,
    /// What the name stands for.
    #[error("the host resolves to an address that is not public")]
    Resolved,
}

/// Names that never leave a machine or a private network (RFC 6761, RFC 6762, ICANN's `.internal`).
const LOCAL_NAMES: [&str; 3] = ["localhost", "local", "internal"];

/// The longest part of a host's name between dots, and the longest name, in bytes.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// Whether a request to `url` may be made, as far as the URL alone tells.
pub fn check_url(url: &Url, allow: &Allow) -> Result<(), TargetError> {
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
    if literal.is_some_and(|ip| allow.covers(ip, port)) {
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

/// Whether `ip`, which the URL's name stands for, may be dialled on `port`.
pub fn check_address(ip: IpAddr, port: u16, allow: &Allow) -> Result<(), TargetError> {
    if allow.covers(ip, port) {
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

/// Whether the name's parts have lengths that DNS allows; `name` is ASCII, as [`Url`] keeps it.
fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= MAX_NAME
        && name
            .split('.')
            .all(|label| (1..=MAX_LABEL).contains(&label.len()))
}

/// `name` is lower case, as [`Url`] keeps it; the dot of a fully qualified name does not count.
fn is_local_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    name.is_empty() || LOCAL_NAMES.contains(&last)
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
    fn urls_that_may_be_called() {
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
    fn urls_that_may_not() {
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
    fn names_have_the_lengths_of_dns() {
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
        // An umlaut takes more than one character in the name that is looked up.
        for host in [
            &longer,
            &format!("a.{longer}.com"),
            &format!("{longest}x"),
            "a..b",
            "a.b..",
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
    fn the_allow_list_opens_its_addresses_and_ports_only() {
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
    fn what_a_name_resolves_to_is_judged_with_the_port() {
        let allow: Allow = "10.0.0.5:8443".parse().expect("allow-list");
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
        fn any_url_gets_a_verdict_and_only_https_passes(text in "\\PC*", tail in "[ -~]{0,40}") {
            for text in [text.clone(), format!("https://{text}"), format!("http://{tail}"), format!("https://{tail}")] {
                if let Ok(url) = text.parse::<Url>()
                    && check_url(&url, &Allow::default()).is_ok()
                {
                    prop_assert_eq!(url.scheme(), "https");
                    prop_assert!(url.has_host());
                }
            }
        }

        #[test]
        fn every_spelling_of_an_address_gets_its_verdict(bits: u32) {
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
